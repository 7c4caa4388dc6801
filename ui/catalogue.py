"""What the app can do: its tools."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from data2vec_core.checkpoints.card import Card, Modality
from data2vec_core.linear_choice import LinearChoice
from data2vec_core.runtime_choice import Runtime
from ui import pictures, runs
from ui.inputs import (
    ClassInput,
    Input,
    LinesInput,
    MapInput,
    OptionalTextInput,
    PictureInput,
    PicturesInput,
    SeveralInput,
    SoundInput,
    TextInput,
)
from ui.options import ChoiceInput, NumberInput, RuntimeInput, SeedInput
from ui.settings import Settings

if TYPE_CHECKING:
    from analysis.subject import Subject

ToolName = Literal[
    "transcribe",
    "inspect_ctc",
    "classify_audio",
    "compare_speakers",
    "speaker_activity",
    "classify_text",
    "classify_lines",
    "tag_tokens",
    "answer_question",
    "choose",
    "fill_mask",
    "continue_text",
    "classify_image",
    "explain_image",
    "classify_images",
    "segment_image",
    "score_map",
]
Task = Callable[..., Any]
"""A loaded task of `data2vec_core.tasks`: inputs in, a result out."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One thing that a visitor can do: named inputs in, an answer out."""

    name: ToolName
    """Also that of its endpoint, where it has one."""
    modality: Modality
    purpose: str
    """The task of its models, as cards name it."""
    default_model: str
    inputs: tuple[Input, ...]
    """The things to look at first, in the order in which the task takes them; then the settings."""
    task: str = ""
    """In `data2vec_core.tasks.TASKS`; the one of the tool's own name when empty."""
    run: Callable[..., Iterator[Any]] | None = None
    """Called with the task, and with the inputs by name, where the tool is not one call of its task: yields the answer
    as it grows, whole at last; or, before it, a `Step` now and then."""

    part_of: ToolName | None = None
    """The tool on whose panel it is, where it has none of its own."""
    runtime: Runtime = "pytorch"
    """The framework that its models run in."""

    @property
    def task_name(self) -> str:
        """Of the task that answers, which several tools may share."""
        return self.task or self.name

    def fits(self, card: Card) -> bool:
        """Whether a model was made for this tool."""
        return (card.modality, card.task) == (self.modality, self.purpose)

    def received(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs by name, as a browser or a client sent them, as `read` takes them.

        Raises:
            ValueError: a file that is no upload.
        """
        return {one.name: one.received(given[one.name]) for one in self.inputs if one.name in given}

    def read(self, given: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """Inputs by name, checked; settings that are left out stand at their defaults.

        Raises:
            ValueError: one is missing, unreadable or beyond a limit.
        """
        return {one.name: one.read(given.get(one.name, one.default), settings) for one in self.inputs}

    def as_asked(self, checked: Mapping[str, Any]) -> Tool:
        """The tool with its models in the framework that the inputs name, if they do.

        Args:
            checked: what `read` gives.
        """
        return dataclasses.replace(self, runtime=checked.get("runtime", self.runtime))

    def load(self, folder_or_name: str, *, revision: str | None = None, linear: LinearChoice = "plain") -> Task:
        """Build the task from a checkpoint.

        Args:
            linear: how the model holds the weights of its linear layers.
        """
        from data2vec_core.tasks import TASKS  # brings in torch, which the page can open without

        options: dict[str, Any] = {"revision": revision, "linear": linear}
        if self.runtime != "pytorch":  # which the tasks on pictures alone can choose
            options["runtime"] = self.runtime
        task: Task = TASKS[self.task_name].from_pretrained(folder_or_name, **options)
        return task

    def answers(self, task: Task, inputs: Mapping[str, Any]) -> Iterator[Any]:
        """Ask a loaded task: its result, or several that grow, the last one whole.

        Args:
            inputs: what `read` gives.
        """
        taken = [one for one in self.inputs if not one.is_of_loading]
        if self.run is not None:
            yield from self.run(task, **{one.name: inputs[one.name] for one in taken if one.name in inputs})
        else:
            things = [inputs[one.name] for one in taken if not one.is_setting]
            yield task(*things, **{one.name: inputs[one.name] for one in taken if one.is_setting})


class Loadable(Protocol):
    """What a model is loaded for."""

    @property
    def task_name(self) -> str:
        """By which what is loaded is kept."""

    @property
    def modality(self) -> str:
        """Of its models; empty for all."""

    @property
    def default_model(self) -> str:
        """Where none is named."""

    @property
    def runtime(self) -> Runtime:
        """The framework that its models run in."""

    def fits(self, card: Card) -> bool:
        """Whether a model was made for it."""

    def load(self, folder_or_name: str, *, revision: str | None = None, linear: LinearChoice = "plain") -> Any:
        """Load it from a checkpoint."""


@dataclass(frozen=True)
class Inside:
    """Looking into a model: the encoder of any, with its teacher where it has one."""

    task_name: str = "inside"
    modality: str = ""
    default_model: str = "vision"
    runtime: Runtime = "pytorch"

    def fits(self, card: Card) -> bool:  # noqa: ARG002
        """Every model has an encoder."""
        return True

    def load(
        self,
        folder_or_name: str,
        *,
        revision: str | None = None,
        linear: LinearChoice = "plain",  # noqa: ARG002
    ) -> Subject:
        """The encoder of a checkpoint, whose weights stay as they are: what is looked at here are its own numbers."""
        from analysis.subject import Subject  # brings in torch

        return Subject.from_pretrained(folder_or_name, **({"revision": revision} if revision else {}))


INSIDE = Inside()

_TOOLS = (
    Tool(
        name="transcribe",
        modality="audio",
        purpose="transcription",
        default_model="an4",
        inputs=(
            SoundInput("audio", is_long=True),
            ChoiceInput("search", options=("best_path", "beam", "lexicon")),
            NumberInput("beam", standard=16, least=2, most=64, step=1),
            NumberInput("alternatives", standard=5, least=0, most=10, step=1),
        ),
        run=runs.transcribe,
    ),
    Tool(
        name="inspect_ctc",
        modality="audio",
        purpose="transcription",
        default_model="an4",
        inputs=(SoundInput("audio"), OptionalTextInput("text", lines=2)),
        task="transcribe",
        run=runs.inspect_ctc,
    ),
    Tool(
        name="classify_audio",
        modality="audio",
        purpose="classification",
        default_model="commands",
        inputs=(SoundInput("audio"),),
    ),
    Tool(
        name="compare_speakers",
        modality="audio",
        purpose="speaker verification",
        default_model="speakers",
        inputs=(
            SeveralInput("audio_a", of=SoundInput("clip"), fewest=1, most=4, miscounted="compare_speakers.miscounted"),
            SoundInput("audio_b"),
        ),
        run=runs.compare_speakers,
    ),
    Tool(
        name="speaker_activity",
        modality="audio",
        purpose="speaker activity",
        default_model="activity",
        inputs=(SoundInput("audio"),),
    ),
    Tool(
        name="classify_text",
        modality="text",
        purpose="classification",
        default_model="sst2",
        inputs=(TextInput("text"),),
    ),
    Tool(
        name="classify_lines",
        modality="text",
        purpose="classification",
        default_model="sst2",
        inputs=(LinesInput("lines"),),
        task="classify_text",
        run=runs.classify_lines,
    ),
    Tool(
        name="tag_tokens",
        modality="text",
        purpose="tagging",
        default_model="snips-slots",
        inputs=(TextInput("text", keeps_space=True),),
    ),
    Tool(
        name="answer_question",
        modality="text",
        purpose="question answering",
        default_model="qa",
        inputs=(
            TextInput("question", missing="answer_question.no_question", lines=2),
            TextInput("context", missing="answer_question.no_context", keeps_space=True, is_passage=True, lines=6),
        ),
    ),
    Tool(
        name="choose",
        modality="text",
        purpose="choice",
        default_model="choice",
        inputs=(
            TextInput("prompt", missing="choose.no_prompt", lines=2),
            SeveralInput(
                "choices",
                of=TextInput("choice", missing="choose.no_choice", lines=1),
                fewest=2,
                most=6,
                miscounted="choose.miscounted",
            ),
        ),
    ),
    Tool(
        name="fill_mask",
        modality="text",
        purpose="mask filling",
        default_model="mlm",
        inputs=(TextInput("text", keeps_space=True), NumberInput("top_k", standard=5, least=1, most=20, step=1)),
    ),
    Tool(
        name="continue_text",
        modality="text",
        purpose="continuation",
        default_model="causal",
        inputs=(
            TextInput("prompt", keeps_space=True),
            NumberInput("max_new_tokens", standard=30, least=1, most=100, step=1),
            NumberInput("temperature", standard=0.8, least=0, most=2, step=0.05),
            NumberInput("top_k", standard=50, least=0, most=200, step=1),
            NumberInput("top_p", standard=0.95, least=0.05, most=1, step=0.05),
            SeedInput("seed"),
        ),
        run=runs.continue_text,
    ),
    Tool(
        name="classify_image",
        modality="vision",
        purpose="classification",
        default_model="objects",
        inputs=(PictureInput("image"), RuntimeInput("runtime")),
    ),
    Tool(
        name="explain_image",
        modality="vision",
        purpose="classification",
        default_model="objects",
        inputs=(PictureInput("image"), ClassInput("class_id"), RuntimeInput("runtime")),
        task="classify_image",
        run=pictures.explain_image,
        part_of="classify_image",
    ),
    Tool(
        name="classify_images",
        modality="vision",
        purpose="classification",
        default_model="objects",
        inputs=(PicturesInput("images"), RuntimeInput("runtime")),
        task="classify_image",
        run=pictures.classify_images,
    ),
    Tool(
        name="segment_image",
        modality="vision",
        purpose="segmentation",
        default_model="pets3",
        inputs=(PictureInput("image"), RuntimeInput("runtime")),
    ),
    Tool(
        name="score_map",
        modality="vision",
        purpose="segmentation",
        default_model="pets3",
        inputs=(MapInput("mask"), MapInput("label_map")),
        task="segment_image",
        run=pictures.score_map,
        part_of="segment_image",
    ),
)
TOOLS: dict[ToolName, Tool] = {tool.name: tool for tool in _TOOLS}
