"""What the inside views look at: one selection, whose parts have the names that links, endpoints and notebooks have for
them (`analysis.subject`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analysis.items.manifest import ItemsError
from analysis.items.photographs import photographs
from data2vec_core.checkpoints.card import MODALITIES, Modality
from ui.catalogue import ToolName
from ui.examples import EXAMPLES_FOLDER, shipped_examples
from ui.inputs import Input, PictureInput, SoundInput, TextInput
from ui.settings import Settings
from ui.words import say, translated

if TYPE_CHECKING:
    from analysis.subject import Shown, Subject

OWN: Final = "own"
"""Name of the example that stands for what the visitor brings."""
VIEWS: Final = ("student", "teacher", "difference")
"""What `role` may be; the difference is the student's minus the teacher's."""
ENCODERS: Final[Mapping[str, str]] = {"audio": "audio", "text": "text", "vision": "vision"}
"""Model to begin with, by modality: the bundled encoders, which carry their teachers."""
OWN_INPUTS: Final[Mapping[str, Input]] = {
    "audio": SoundInput("audio"),
    "text": TextInput("text", lines=2),
    "vision": PictureInput("image"),
}
"""What a visitor may bring, by modality."""
MOST_OF_A_PLACE: Final = 100_000
"""A number beyond this is no layer, head or position of any model."""


@dataclass(frozen=True)
class InsideExample:
    """An input that ships with the project."""

    name: str
    """In links: a file's name without its ending, or `text1`, `text2`, ..."""
    label: str
    """For the visitor, in the page's language."""
    source: str
    """A path, or the text itself."""
    credit: str = ""
    """Whose it is and under which licence, where that has to stand beside it."""


_TEXT_TOOLS: Final[tuple[ToolName, ...]] = ("classify_text", "tag_tokens")


def inside_examples(modality: str) -> list[InsideExample]:
    """What can be looked at without bringing anything, the one to begin with first."""
    match modality:
        case "audio":
            names = ("digits", "months", "one", "no", "numbers", "days", "passage")
            files = [EXAMPLES_FOLDER / f"{name}.wav" for name in names]
            labels = [say(f"inside.example_{name}") for name in names]
        case "text":
            texts = [
                str(one.inputs["text"]) for tool in ("classify_text", "tag_tokens") for one in shipped_examples(tool)
            ]
            return [InsideExample(f"text{number}", text, text) for number, text in enumerate(texts, 1)]
        case _:
            return _pictures()
    return [
        InsideExample(path.stem, label, str(path)) for path, label in zip(files, labels, strict=True) if path.is_file()
    ]


def _pictures() -> list[InsideExample]:
    """Larger ones of the tools first, then the small photographs."""
    named = {"chelsea": "cat", "flamingo": "flamingo", "face": "face"}
    files = [(EXAMPLES_FOLDER / f"{name}.jpg", translated(label)) for name, label in named.items()]
    found = [InsideExample(path.stem, label, str(path)) for path, label in files if path.is_file()]
    try:
        more = photographs()
    except ItemsError:  # a project without its assets
        return found
    return found + [
        InsideExample(one.id, translated(one.title), str(one.path), f"{one.origin.source} ({one.origin.licence})")
        for one in more
    ]


@dataclass(frozen=True)
class Selection:
    """What is looked at, and where."""

    modality: Modality
    example: str
    """Name of an example, or `own`."""
    source: Any
    """A path or a text of an example; of an own input, what its `Input` has read."""
    model: str
    role: str
    """One of `VIEWS`."""
    layer: int
    """From 1; 0 is the input of the first block, where a view has it."""
    head: int
    """From 1; 0 is the mean of all."""
    position: int
    """From 0; -1 is the class token of a picture."""

    given: str = ""
    """What an own input is known by: the name of its upload, or the text."""

    @property
    def key(self) -> tuple[str, ...]:
        """By which two selections are told apart, but for the places within."""
        return (self.modality, self.example, self.given, self.model, self.role)


def read_selection(given: Mapping[str, Any], settings: Settings) -> Selection:
    """Check what the page says.

    Args:
        given: by name, as the components of the strip hold it; `place` is that of the selector.

    Raises:
        ValueError: nothing to look at, or beyond a limit.
    """
    modality = given["modality"] if given["modality"] in MODALITIES else MODALITIES[0]
    examples = {one.name: one.source for one in inside_examples(modality)}
    example = given["example"]
    if example in examples:
        source: Any = examples[example]
    else:
        example, kind = OWN, OWN_INPUTS[modality]
        own = kind.received(given["own"][modality])
        source = kind.read(own, settings)
    place = given["place"] if isinstance(given["place"], Mapping) else {}
    return Selection(
        modality=modality,
        example=example,
        source=source,
        model=given["model"] if isinstance(given["model"], str) and given["model"].strip() else ENCODERS[modality],
        role=given["role"] if given["role"] in VIEWS else VIEWS[0],
        layer=whole(place.get("layer"), 1, least=0),
        head=whole(place.get("head"), 0, least=0),
        position=whole(place.get("position"), 0, least=-1),
        given=str(own) if example == OWN else "",
    )


def whole(value: Any, otherwise: int, *, least: int) -> int:
    """A whole number of a page or a link, or another where it says none."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return number if least <= number <= MOST_OF_A_PLACE else otherwise


@dataclass(frozen=True)
class Looked:
    """A selection with the model in memory, kept from others as long as a view is made of it."""

    selection: Selection
    subject: Subject
    shown: Shown

    @property
    def layer(self) -> int:
        """That the model has, 1 to L."""
        return min(max(1, self.selection.layer), self.subject.depth)

    @property
    def head(self) -> int:
        """That the model has, 0 to H."""
        return min(self.selection.head, self.subject.heads)

    @property
    def position(self) -> int:
        """That the input has."""
        least = -1 if self.shown.class_tokens else 0
        return min(max(least, self.selection.position), len(self.shown) - 1)


def source_of(selection: Selection) -> Any:
    """What `Subject.show` takes, and the rate of samples where it is any: `(source, sampling_rate)`."""
    if selection.modality == "audio" and not isinstance(selection.source, (str, Path)):
        rate, waveform = selection.source
        return waveform, rate
    return selection.source, None
