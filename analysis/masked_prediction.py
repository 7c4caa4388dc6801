"""The method on one input: what the student predicts at masked places, and the target that its teacher gives
(analysis-methods.md, section 3, "Masked prediction view").

The teacher's layers are kept, so that the target of another K or of another tensor costs no pass. The student's
prediction was learnt for one rule only, and an error against the target of another says how far the targets differ.

A checkpoint without a predictor predicts nothing: then the student's own layers over the masked input, averaged by the
rule of the target, stand in for it. Where there is no teacher either, both sides are of the same weights, once with and
once without a mask; a teacher at the end of training is close to that, for the average has all but caught up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data2vec_core.pretraining.masking import Mask, MaskedTokens, TokenMasking, mask_generators
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.targets import TargetRule, average_layers, normalise
from data2vec_core.trace import Trace

TargetTensor = Literal["hidden", "feed_forward"]
TARGET_TENSORS: tuple[TargetTensor, ...] = ("hidden", "feed_forward")
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Target:
    """What a rule makes of the teacher's layers."""

    rule: TargetRule
    tiles: Matrix
    """(K, positions, dim): the top layers, each normalised; the lowest first."""
    vectors: Matrix
    """(positions, dim): their average, normalised where the rule says so."""

    def spread(self) -> float:
        """Variance of the average over positions and channels. Of K independent normalised layers it would be 1 / K, of
        equal ones 1: real layers lie between, and the lower, the smoother the target."""
        return float(self.vectors.var())

    def agreement(self) -> float:
        """The same before the average is normalised itself, where the rule does that: 1 / K where the layers have
        nothing in common, 1 where they are equal."""
        return float(self.tiles.mean(axis=0).var())


@dataclass(frozen=True)
class Errors:
    """How far predictions are from a target, at each masked position."""

    error: NDArray[np.float64]
    """(masked,) mean squared difference over the channels; 1 for a prediction of 0 where channels have variance 1."""
    cosine: NDArray[np.float64]
    """(masked,) -1 to 1."""
    rank: NDArray[np.int64]
    """(masked,) place of the right target among those of all positions, by cosine with the prediction; 1 is best."""
    chance: float
    """Share of ranks of 1 that guessing would give: 1 / positions."""


@dataclass(frozen=True)
class MaskedPrediction:
    """One input, seen whole by the teacher and masked by the student. Positions are frames, tokens or patches, without
    the class token of a picture."""

    is_masked: NDArray[np.bool_]
    """(positions,)"""
    shown_ids: NDArray[np.int64] | None
    """(positions,) what the student read, of a text: some masked places hold another token than `<mask>`."""
    predictions: Matrix | None
    """(masked, dim), in the order of the positions; None without a trained predictor."""
    layers: Mapping[TargetTensor, Matrix]
    """(L, positions, dim) of the teacher's blocks, as they are, from block 1."""
    is_counted: NDArray[np.bool_]
    """(positions,), which enter the statistics of instance normalisation."""
    rule: TargetRule
    """The method's own."""
    student_layers: Mapping[TargetTensor, Matrix] | None = None
    """As `layers`, of the student over the masked input; where it has no predictor."""

    @property
    def positions(self) -> NDArray[np.int64]:
        """(masked,) numbers of the masked positions."""
        return np.flatnonzero(self.is_masked)

    def target(self, top_layers: int | None = None, tensor: TargetTensor | None = None) -> Target:
        """The target of the method's rule, or of one with another K or tensor.

        Args:
            top_layers: K, 1 to L.
            tensor: what of a block is averaged.

        Raises:
            ValueError: no such K or tensor.
        """
        depth = len(next(iter(self.layers.values())))
        top_layers = self.rule.top_layers if top_layers is None else top_layers
        tensor = self.rule.tensor if tensor is None else tensor
        if tensor not in self.layers:
            raise ValueError(f"tensor={tensor!r}: expected one of {', '.join(self.layers)}")
        if not 1 <= top_layers <= depth:
            raise ValueError(f"top_layers={top_layers}: the model has {depth} layers")
        rule = TargetRule(
            top_layers=top_layers,
            tensor=tensor,
            layer_norm=self.rule.layer_norm,
            mean_norm=self.rule.mean_norm,
        )
        tiles, vectors = self._averaged(self.layers, rule)
        return Target(rule, tiles, vectors)

    def predicted(self, target: Target) -> Matrix:
        """(masked, dim): what the predictor says, whatever the rule; without one, the student's own layers, averaged
        by the rule of the target."""
        if self.predictions is not None:
            return self.predictions
        assert self.student_layers is not None
        return self._averaged(self.student_layers, target.rule)[1][self.is_masked]

    def errors(self, target: Target) -> Errors:
        """Compare the predictions with a target."""
        return self.compare(target, 0)[0]

    def nearest(self, target: Target, k: int = 1) -> NDArray[np.int64]:
        """The positions of this input whose targets are most like each prediction, best first: (masked, k). There is no
        decoder: this is as near as one comes to seeing what was predicted."""
        return self.compare(target, k)[1]

    def compare(self, target: Target, k: int) -> tuple[Errors, NDArray[np.int64]]:
        """`errors`, and `nearest` of as many, at the price of one."""
        made = self.predicted(target).astype(np.float64)
        wanted = target.vectors[self.is_masked].astype(np.float64)
        cosines = _directions(made) @ _directions(target.vectors.astype(np.float64)).T  # (masked, positions)
        own = cosines[np.arange(len(made)), self.positions]
        errors = Errors(
            error=np.square(made - wanted).mean(axis=1),
            cosine=own,
            rank=1 + (cosines > own[:, None]).sum(axis=1),
            chance=1 / len(self.is_masked),
        )
        return errors, _largest(cosines, k)

    def guess(self, target: Target) -> float:
        """Mean squared error at the masked positions of one vector for all of them: the mean of the whole target. What
        a student does not beat, it has not understood."""
        vectors = target.vectors.astype(np.float64)
        return float(np.square(vectors[self.is_masked] - vectors.mean(axis=0)).mean())

    def _averaged(self, layers: Mapping[TargetTensor, Matrix], rule: TargetRule) -> tuple[Matrix, Matrix]:
        """The normalised top layers and their average, by a rule."""
        top = [torch.from_numpy(layer)[None] for layer in layers[rule.tensor][-rule.top_layers :]]
        counted = torch.from_numpy(self.is_counted)[None]
        tiles = torch.cat([normalise(layer, rule.layer_norm, counted) for layer in top])
        return tiles.numpy(), average_layers(top, rule, counted)[0].numpy()


@torch.inference_mode()
def predict_masked(
    model: Data2VecPretraining[Any, Any, Any],
    batch: Batch,
    masked: Sequence[int] | None = None,
    *,
    seed: int = 0,
    has_predictor: bool = True,
) -> MaskedPrediction:
    """Show an input to the teacher, and masked to the student.

    Args:
        model: in eval mode, as `load_pretraining` gives it.
        batch: one unpadded input.
        masked: positions to hide, from 0, without the class token of a picture; None: the method's own mask.
        seed: of the method's own mask, and of what a decoder puts in hidden places.
        has_predictor: whether the model's was trained (`Subject.has_predictor`); otherwise it is not asked, and the
            student's layers stand in.

    Raises:
        ValueError: more than one input, a model in training mode, positions that are not there or may not be masked,
            or a student without a predictor that is made to see the visible patches alone.
    """
    if model.student.training:
        raise ValueError("model: call eval() first, or dropout and masking of its own would blur what is shown")
    if len(next(iter(batch.values()))) != 1:
        raise ValueError("batch: one input at a time")
    if not has_predictor and model.decoder is not None:
        raise ValueError("model: without its predictor this student says nothing about what it does not see")
    inputs = model.prepare(batch)
    masks = model.method.masks_per_sample
    drawn = model.draw(inputs, mask_generators(seed, 0, [0], masks))
    mask = _first(drawn, masks) if masked is None else _chosen(model, batch, drawn, masked)
    depth = model.student.config.num_hidden_layers
    trace = Trace(dict.fromkeys(TARGET_TENSORS, range(1, depth + 1)))
    is_counted = model.watch(inputs, mask, trace)
    is_masked = mask.is_masked[:1]
    own = None if has_predictor else Trace(dict.fromkeys(TARGET_TENSORS, range(1, depth + 1)))
    # The decoder of pictures puts noise in hidden places, from PyTorch's own generator: the same seed, the same answer.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hidden = model.study(inputs, mask, own)[:1]
    predictions = model.head(hidden[is_masked.to(hidden.device)]) if has_predictor else None
    positions = is_masked.shape[1]
    counted = (
        np.ones(positions, dtype=bool)
        if is_counted is None
        else is_counted[0, model.class_tokens :].cpu().numpy().astype(bool)
    )
    return MaskedPrediction(
        is_masked=is_masked[0].cpu().numpy(),
        shown_ids=mask.input_ids[0].cpu().numpy() if isinstance(mask, MaskedTokens) else None,
        predictions=None if predictions is None else predictions.float().cpu().numpy(),
        layers=_layers(model, trace),
        is_counted=counted,
        rule=model.method.targets,
        student_layers=None if own is None else _layers(model, own),
    )


def _layers(model: Data2VecPretraining[Any, Any, Any], trace: Trace) -> dict[TargetTensor, Matrix]:
    """Of the first copy of the input, without the class token."""
    return {
        name: torch.cat([layer[:1, model.class_tokens :] for layer in trace.all(name)]).float().cpu().numpy()
        for name in TARGET_TENSORS
    }


def _first(mask: Mask, masks: int) -> Mask:
    """The first of several masks of one input, as often as the model wants masks."""

    def repeated(tensor: Tensor) -> Tensor:
        return tensor[:1].repeat_interleave(masks, dim=0)

    if isinstance(mask, MaskedTokens):
        return MaskedTokens(repeated(mask.is_masked), repeated(mask.input_ids))
    return Mask(repeated(mask.is_masked))


def _chosen(model: Data2VecPretraining[Any, Any, Any], batch: Batch, drawn: Mask, positions: Sequence[int]) -> Mask:
    """The mask of somebody's own choice, as often as the model wants masks."""
    count = drawn.is_masked.shape[1]
    if wrong := [position for position in positions if not 0 <= position < count]:
        raise ValueError(f"masked: position {wrong[0]} is not there; the input has {count}, numbered from 0")
    if not positions:
        raise ValueError("masked: expected at least one position")
    is_masked = torch.zeros_like(drawn.is_masked)
    is_masked[:, list(positions)] = True
    if is_masked.all() and model.decoder is not None:
        raise ValueError("masked: this student encodes what is visible, so leave at least one patch to see")
    if not isinstance(model.masking, TokenMasking):
        return Mask(is_masked)
    ids = batch["input_ids"].cpu().expand(len(is_masked), -1)
    if not model.masking.is_ordinary(ids[:1])[0, list(positions)].all():
        raise ValueError("masked: special tokens such as <s> stay as they are")
    return MaskedTokens(is_masked, torch.where(is_masked, model.masking.mask_id, ids))


def _largest(rows: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """(rows, k) places of the largest of each row, the largest first, without sorting whole rows."""
    k = min(k, rows.shape[1])
    if k in (0, rows.shape[1]):
        return np.argsort(-rows, axis=1, kind="stable")[:, :k]
    found = np.sort(np.argpartition(-rows, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(rows, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
