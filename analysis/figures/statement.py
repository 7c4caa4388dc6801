"""What a figure states beside its picture: the facts it was made from, its alternative text, and how it can mislead.

Sentences are not drawn, for a page says them in its reader's language: each is an English template of this module,
under a key that stays. `Phrase.said` takes the function that translates such a template, and fills in the numbers after
it. No matplotlib is needed here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

Kind = Literal[
    "attention_grid",
    "attention_matrix",
    "attention_difference",
    "attention_on_photo",
    "attention_on_spectrogram",
    "head_measures",
    "layer_matrix",
    "layer_curves",
    "layer_geometry",
    "spectrum",
    "probes",
    "layouts",
    "masked_input",
    "target_tiles",
    "masked_errors",
    "training",
    "training_maps",
]
"""Of a figure: the name of the function that draws it."""
KINDS: tuple[Kind, ...] = get_args(Kind)

MISLEADS: Mapping[Kind, str] = MappingProxyType(
    {
        "attention_grid": "Colours follow the root of the weight, so that faint weights look stronger than they are.",
        "attention_matrix": "A high weight says where a head looks, not that what it sees there matters to the output.",
        "attention_difference": (
            "Where both look at the same place the difference is 0, however strongly they look there."
        ),
        "attention_on_photo": (
            "A patch has mixed in its surroundings by then, so what a query reads there is more than that patch."
        ),
        "attention_on_spectrogram": (
            "A frame has mixed in its neighbours by then, so its time only tells where it began."
        ),
        "head_measures": "A mean over queries and items hides heads that do one thing here and another thing there.",
        "layer_matrix": "Similar layers need not do the same, and different ones may: compare with the shuffled items.",
        "layer_curves": "Measures differ in scale and in chance, so compare the shapes of curves, not their heights.",
        "layer_geometry": "All of these change with the number of rows, so compare figures of equal n only.",
        "spectrum": "Another range of ranks gives another exponent, and few rows make every spectrum steep at its end.",
        "probes": "What a probe finds is there to be read, which does not mean that the model makes use of it.",
        "layouts": "Distances between groups and their sizes mean nothing with UMAP and t-SNE, which group even noise.",
        "masked_input": "A mask is drawn at random: another seed hides other places and may make the task easier.",
        "target_tiles": "Like colours are alike in three directions only, and say nothing about all the others.",
        "masked_errors": "An error is relative to its own target, so errors of different K or tensors do not compare.",
        "training": "The target moves while the student learns, so a falling loss alone may be a collapse.",
        "training_maps": (
            "Only distances within one run can be read: each has a scale of its own, and axes have no meaning."
        ),
    }
)
"""One sentence a figure on how it can mislead."""

ALTERNATIVES: Mapping[Kind, str] = MappingProxyType(
    {
        "attention_grid": "Attention of {layers} layers by {heads} heads; the largest weight is {largest:.2f}.",
        "attention_matrix": "Attention of {queries} queries to {keys} keys; the largest weight is {largest:.2f}.",
        "attention_difference": (
            "Attention of the student minus that of the teacher; the largest difference is {largest:.2f}."
        ),
        "attention_on_photo": (
            "Attention on a photo; {chosen} of {places} patches hold {share:.0%} of it, and one patch at most "
            "{largest:.3f}."
        ),
        "attention_on_spectrogram": (
            "Attention on a spectrogram; the most, {largest:.3f}, goes to the frame at {seconds:.2f} s."
        ),
        "head_measures": "Measures of {heads} heads in {layers} layers; {first} runs from {low:.2f} to {high:.2f}.",
        "layer_matrix": (
            "{rows} by {columns} layers compared; values run from {low:.2f} to {high:.2f}, with a mean of {mean:.2f}."
        ),
        "layer_curves": "{curves} measures over {layers} layers; {first} runs from {low:.2f} to {high:.2f}.",
        "layer_geometry": "{panels} measures over {layers} layers; {first} runs from {low:.2f} to {high:.2f}.",
        "spectrum": "Spectra of {curves} representations; the exponent of {first} is {alpha:.2f}.",
        "probes": "Accuracy over {layers} layers; the best is {best:.1%} at layer {layer}, chance is {chance:.1%}.",
        "layouts": "{maps} maps of {items} items; trustworthiness is {low:.2f} to {high:.2f}.",
        "masked_input": "{masked} of {places} positions are masked, {share:.0%}.",
        "target_tiles": "The top {tiles} layers and their average; its variance is {spread:.2f}.",
        "masked_errors": (
            "{masked} masked positions; mean error {error:.2f}, mean cosine {cosine:.2f}, right target first at "
            "{first:.0%} of them, chance {chance:.1%}."
        ),
        "training": "{runs} training runs; the loss ends at {last:.2f}, and neighbours' accuracy at {knn:.1%}.",
        "training_maps": (
            "{runs} runs at {moments} moments, {items} items; their spread ends at {spread:.0%} of the widest."
        ),
    }
)
"""One sentence a figure for who cannot see it, with its main number in it."""


@dataclass(frozen=True)
class Phrase:
    """A sentence that can be said in another language."""

    text: str
    """In English, numbers left out: `{name:format}`."""
    values: Mapping[str, Any] = field(default_factory=dict)

    def said(self, translate: Callable[[str], str] = str) -> str:
        """The sentence with its numbers.

        Args:
            translate: from an English template to one with the same names; by default English stays.
        """
        return translate(self.text).format(**self.values)

    def __str__(self) -> str:
        return self.said()


def alternative(kind: Kind, **values: Any) -> Phrase:
    """The alternative text of a figure."""
    return Phrase(ALTERNATIVES[kind], values)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a figure was made from. Who calls fills in what is known of the model and the items; the figure adds n, p,
    estimator, layers and limits where its data have them."""

    model: str = ""
    """Its name; of two, both."""
    role: str = ""
    """`student`, `teacher`, or both."""
    tensor: str = ""
    """Which of a block's tensors, in the field's words: `block output`, `attention`."""
    layers: tuple[int, ...] = ()
    """0 is the input of the first block."""
    heads: tuple[int, ...] = ()
    """From 1; 0 is their mean."""
    items: str = ""
    """What the rows are: the name of a set, or of one input."""
    n: int | None = None
    """Rows: items or positions, without padding and special tokens."""
    p: tuple[int, ...] = ()
    """Dimensions; of two sides, both."""
    estimator: str = ""
    seed: int | None = None
    limits: tuple[float, float] | None = None
    """Of the colours."""
    more: Mapping[str, float | int | str] = field(default_factory=dict)
    """Whatever else this kind of figure has to say, by names of `NAMES`."""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Name and value of all that is known, to be printed as a list; names are stable keys, values are numbers,
        names and terms that need no translation."""
        known = [
            ("model", self.model),
            ("role", self.role),
            ("tensor", self.tensor),
            ("layers", _ranges(self.layers)),
            ("heads", "mean" if self.heads == (0,) else _ranges(self.heads)),
            ("items", self.items),
            ("n", "" if self.n is None else str(self.n)),
            ("p", ", ".join(str(size) for size in dict.fromkeys(self.p))),
            ("estimator", self.estimator),
            ("seed", "" if self.seed is None else str(self.seed)),
            ("limits", "" if self.limits is None else " to ".join(number(limit) for limit in self.limits)),
            *((name, number(value)) for name, value in self.more.items()),
        ]
        return tuple((name, value) for name, value in known if value)

    def caption(self, width: int | None = None) -> str:
        """The same in a line, or in several of at most `width` letters, unless one part alone is longer."""
        lines = [""]
        for part in _short(self):
            longer = lines[-1] + _BETWEEN + part if lines[-1] else part
            if width is not None and len(longer) > width and lines[-1]:
                lines.append(part)
            else:
                lines[-1] = longer
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, unknown things left out."""
        fields = dataclasses.asdict(self)
        return {name: value for name, value in fields.items() if value not in (None, "", (), {})}


NOTHING_ELSE = Statement()
"""Of who calls without telling anything."""

SYMBOLS: frozenset[str] = frozenset({"n", "p", "K", "k", "PCA", "n_neighbors", "min_dist"})
"""Names that are the same in every language."""
NAMES: tuple[str, ...] = (
    *("model", "role", "tensor", "layers", "heads", "items", "estimator", "seed", "limits"),
    *("chance", "null mean", "mass", "masked", "target variance", "rank 1", "test items", "interval"),
    *("measured layer", "kNN items", "perplexity", "metric", "hidden share"),
    *sorted(SYMBOLS),
)
"""What `Statement.pairs` calls things."""

_LEADS = {"layers": "layer ", "heads": "head ", "n": "n = ", "p": "p = ", "seed": "seed "}
_BETWEEN = "  \u00b7  "


def number(value: float | int | str) -> str:
    """As it is printed: three digits that count."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or float(value).is_integer():
        return str(int(value))
    return f"{value:.3g}".replace("-", "\u2212")


def _short(statement: Statement) -> list[str]:
    """What is drawn into the figure, part by part; colour limits are on the colour bar already."""
    parts = []
    for name, value in statement.pairs():
        if name in statement.more:
            parts.append(f"{name} {value}")
        elif name != "limits":
            parts += [_LEADS.get(name, "") + piece for piece in value.split("; ")]
    return parts


def _ranges(numbers: Sequence[int]) -> str:
    """`0–4` of what is without a gap, else one by one."""
    found = sorted(numbers)
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{found[0]}\u2013{found[-1]}"
    return ", ".join(str(value) for value in found)
