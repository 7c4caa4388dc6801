"""What the three configurations share: fields, labels, rules, and reading the dict of a public file.

Writing a configuration in Python is strict (an unknown argument is a `TypeError`, labels that disagree a
`ValueError`); reading one from a file keeps what it knows and reports the rest (`read_dict`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from data2vec_core.activations import ACTIVATIONS
from data2vec_core.config_legacy import LEGACY_FIELDS

ProblemType = Literal["regression", "single_label_classification", "multi_label_classification"]
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
LABEL_FIELDS = frozenset({"num_labels", "id2label", "label2id"})


@dataclass(frozen=True)
class ConfigFields:
    """What reading a configuration file did with the fields that the configuration does not take."""

    dropped: tuple[str, ...] = ()
    """Legacy fields without meaning here (`LEGACY_FIELDS`), and label fields that contradict `id2label`."""
    unknown: tuple[str, ...] = ()
    """Fields nobody here has heard of; worth a warning."""


@dataclass(frozen=True, kw_only=True)
class Data2VecConfig:
    """What the three configurations share. Not used by itself."""

    model_type: ClassVar[str] = ""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    """Activation of the feed-forward layers; `gelu` is the exact (erf) form."""
    initializer_range: float = 0.02
    """Standard deviation of freshly initialised linear weights."""

    num_labels: int | None = None
    """Number of classes of a head (`class_count` is the same, and never None). Follows the names where some are given;
    otherwise 2."""
    id2label: Mapping[int, str] | None = None
    """Names of the classes 0 to num_labels - 1."""
    label2id: Mapping[str, int] | None = None
    problem_type: ProblemType | None = None
    """Which loss a sequence or image classifier uses; chosen from the labels when None."""

    output_attentions: bool = False
    output_hidden_states: bool = False
    architectures: tuple[str, ...] | None = None
    dtype: str | None = None
    """Number format of the saved weights, such as `float16`. Informative: loading decides by its own argument."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):  # JSON has lists only; tuples keep the configuration hashable
            value = getattr(self, f.name)
            if isinstance(value, list):
                object.__setattr__(self, f.name, tuple(value))
        self._settle_labels()
        self._require_positive("hidden_size", "num_attention_heads", "intermediate_size")
        self._require_not_negative("num_hidden_layers", "initializer_range")
        self._require(
            "hidden_size",
            self.hidden_size % self.num_attention_heads == 0,
            f"must be divisible by num_attention_heads={self.num_attention_heads}",
        )
        self._require_choice("hidden_act", *sorted(ACTIVATIONS))
        self._require_choice("problem_type", None, *PROBLEM_TYPES)

    def _settle_labels(self) -> None:
        """Make `num_labels`, `id2label` and `label2id` agree, whichever of them were given."""
        names = _names_by_id(self.id2label, self.label2id)
        if names is None:
            count = 2 if self.num_labels is None else self.num_labels
            self._require("num_labels", isinstance(count, int) and count >= 0, "must be a whole number, 0 or more")
            names = default_names(count)
        if sorted(names) != list(range(len(names))):
            field = "label2id" if self.id2label is None else "id2label"
            raise ValueError(f"{field}: ids must be 0 to {len(names) - 1}, each once, got {sorted(names)}")
        if self.num_labels not in (None, len(names)):
            raise ValueError(f"num_labels={self.num_labels} but id2label names {len(names)} classes")
        given = {str(label): int(index) for label, index in (self.label2id or {}).items()}
        if wrong := {label: index for label, index in given.items() if names.get(index) != label}:
            raise ValueError(f"label2id: {wrong} contradicts id2label={names}")
        object.__setattr__(self, "id2label", names)
        object.__setattr__(self, "label2id", {label: index for index, label in names.items()} | given)
        object.__setattr__(self, "num_labels", len(names))

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"{type(self).__name__}.{name}={getattr(self, name)!r}: {rule}")

    def _require_positive(self, *names: str) -> None:
        """Whole numbers from 1 on; of a tuple, every entry."""
        for name in names:
            self._require(
                name, all(isinstance(n, int) and n > 0 for n in self._entries(name)), "expected numbers above 0"
            )

    def _require_not_negative(self, *names: str) -> None:
        """Numbers from 0 on."""
        for name in names:
            value = getattr(self, name)
            self._require(name, isinstance(value, int | float) and value >= 0, "expected a number, 0 or more")

    def _require_shares(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            self._require(name, isinstance(value, int | float) and 0 <= value <= 1, "expected a number between 0 and 1")

    def _require_choice(self, name: str, *choices: str | None) -> None:
        self._require(name, getattr(self, name) in choices, f"must be one of {', '.join(map(repr, choices))}")

    def _entries(self, name: str) -> tuple[Any, ...]:
        value = getattr(self, name)
        return value if isinstance(value, tuple) else (value,)

    @property
    def class_count(self) -> int:
        """Number of classes of a head."""
        return len(self.id2label or {})

    @property
    def labels(self) -> list[str]:
        """Class names in order of their ids."""
        names = self.id2label or {}
        return [names[index] for index in range(len(names))]

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed. A changed label field drops the other two; asking for as many classes as
        there are keeps their names."""
        label_changes = LABEL_FIELDS & changes.keys()
        if label_changes == {"num_labels"} and changes["num_labels"] == self.num_labels:
            del changes["num_labels"]
        elif label_changes:
            changes = dict.fromkeys(LABEL_FIELDS) | changes
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict in the public file layout, by field name (`num_labels` is left to `id2label`, as there)."""
        values: dict[str, Any] = {"model_type": self.model_type}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.name == "num_labels" or (value is None and f.default is None):
                continue
            values[f.name] = list(value) if isinstance(value, tuple) else value
        values["id2label"] = {str(index): label for index, label in (self.id2label or {}).items()}
        values["label2id"] = dict(self.label2id or {})
        return dict(sorted(values.items()))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The way back from `to_dict`; see `read_dict` for files that others wrote."""
        return cls.read_dict(values)[0]

    @classmethod
    def read_dict(cls, values: Mapping[str, Any]) -> tuple[Self, ConfigFields]:
        """Build from the dict of a `config.json`, and say which of its fields were dropped or unknown.

        Files that disagree about labels load all the same, as in the reference: `id2label` counts, ids beyond the
        number of its names are left out, and ids without a name are called `LABEL_3` and so on.

        Raises:
            ValueError: the file is of another model type, or a value breaks a rule.
        """
        model_type = values.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise ValueError(f"this is a {model_type!r} configuration; {cls.__name__} reads {cls.model_type!r}")
        values = dict(values)
        if "torch_dtype" in values:  # its name until transformers 4.55
            values.setdefault("dtype", values.pop("torch_dtype"))
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        other = values.keys() - names
        contradicting = _put_labels_right(known)
        report = ConfigFields(
            dropped=tuple(sorted(other & LEGACY_FIELDS | contradicting)),
            unknown=tuple(sorted(other - LEGACY_FIELDS - {"model_type"})),
        )
        return cls(**known), report


def default_names(count: int) -> dict[int, str]:
    """What classes are called that nobody has named."""
    return {index: f"LABEL_{index}" for index in range(count)}


def _names_by_id(id2label: Mapping[Any, Any] | None, label2id: Mapping[Any, Any] | None) -> dict[int, str] | None:
    if id2label is not None:
        return {int(index): str(label) for index, label in id2label.items()}
    return {int(index): str(label) for label, index in label2id.items()} if label2id else None


def _put_labels_right(values: dict[str, Any]) -> frozenset[str]:
    """Let the `id2label` of a file overrule what contradicts it there; returns the fields that had to go."""
    names = _names_by_id(values.get("id2label"), None)
    if names is None:
        return frozenset({"label2id"}) if values.pop("label2id", None) else frozenset()
    settled = default_names(len(names))
    values["id2label"] = settled | {index: label for index, label in names.items() if index in settled}
    gone = set()
    if values.get("num_labels") not in (None, len(names)):
        gone.add("num_labels")
    if any(values["id2label"].get(int(index)) != str(label) for label, index in (values.get("label2id") or {}).items()):
        gone.add("label2id")
    for name in gone:
        del values[name]
    return frozenset(gone)
