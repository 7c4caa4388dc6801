"""Results of forward passes, with the field names of the transformers library.

Fields stand in the library's order, which is the order of `to_tuple`.

Shapes: batch, frames / tokens / patches (together: positions), dim, heads, layers. `hidden_states` holds L + 1 tensors
of (batch, positions, dim), the first being the input of the first block; `attentions` holds L tensors of
(batch, heads, query, key). Both are None unless asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from data2vec_core.text.cache import KeyValueCache


@dataclass(kw_only=True)
class ModelOutput:
    """Base of all results. Reads as a dataclass, as a dict (`output["logits"]`) and as a tuple of what is not None
    (`output[0]`, `output.to_tuple()`)."""

    def keys(self) -> list[str]:
        """Names of the fields that are not None, in order."""
        return [f.name for f in dataclasses.fields(self) if getattr(self, f.name) is not None]

    def to_tuple(self) -> tuple[Any, ...]:
        """Values of the fields that are not None, in order."""
        return tuple(getattr(self, name) for name in self.keys())

    @property
    def recorded(self) -> dict[str, Any]:
        """`hidden_states` and `attentions`, for a head to hand on."""
        return {name: getattr(self, name) for name in ("hidden_states", "attentions")}

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            if key not in self.keys():
                raise KeyError(key)
            return getattr(self, key)
        return self.to_tuple()[key]


@dataclass(kw_only=True)
class AudioModelOutput(ModelOutput):
    """Of `Data2VecAudioModel`."""

    last_hidden_state: Tensor
    """(batch, frames, dim)"""
    extract_features: Tensor
    """(batch, frames, conv dim): normalised output of the waveform encoder."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class TextModelOutput(ModelOutput):
    """Of `Data2VecTextModel`."""

    last_hidden_state: Tensor
    """(batch, tokens, dim)"""
    pooler_output: Tensor | None = None
    """(batch, dim)"""
    hidden_states: tuple[Tensor, ...] | None = None
    past_key_values: KeyValueCache | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class VisionModelOutput(ModelOutput):
    """Of `Data2VecVisionModel`."""

    last_hidden_state: Tensor
    """(batch, 1 + patches, dim), the class token first"""
    pooler_output: Tensor | None = None
    """(batch, dim)"""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class LogitsOutput(ModelOutput):
    """Of every head that scores: CTC (batch, frames, vocab), sequence and image classification (batch, classes),
    token and frame classification (batch, positions, classes), multiple choice (batch, choices), masked language
    model (batch, tokens, vocab), segmentation (batch, classes, height, width)."""

    loss: Tensor | None = None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class CausalOutput(ModelOutput):
    """Of `Data2VecTextForCausalLM`."""

    loss: Tensor | None = None
    logits: Tensor
    """(batch, tokens, vocab)"""
    past_key_values: KeyValueCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class XVectorOutput(ModelOutput):
    """Of `Data2VecAudioForXVector`."""

    loss: Tensor | None = None
    logits: Tensor
    """(batch, x-vector dim): a further projection of the embeddings, which the loss reads; not class scores."""
    embeddings: Tensor
    """(batch, x-vector dim)"""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(kw_only=True)
class QuestionAnsweringOutput(ModelOutput):
    """Of `Data2VecTextForQuestionAnswering`."""

    loss: Tensor | None = None
    start_logits: Tensor
    """(batch, tokens)"""
    end_logits: Tensor
    """(batch, tokens)"""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
