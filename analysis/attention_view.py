"""Attention of every head of every layer, made small enough to look at: averaged down as soon as a block has computed
it, one query's rows kept whole, and eight bits a weight.

Layers, heads, positions and roles are numbered and named as in `analysis.subject`. Places are those of the encoder's
sequence: a class token is place 0, and position p is place p + 1 where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.subject import VIEWS, Role, Shown, Subject, View
from data2vec_core.trace import Trace

Mode = Literal["raw", "rollout"]
"""Each head of each layer by itself; or the mean of the heads, followed from the input to a layer."""
MODES: tuple[Mode, ...] = get_args(Mode)
RESIDUAL = 0.5
"""Share of the residual connection in a rollout."""
CLASS_TOKEN_LABEL = "class token"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of the attention to keep."""

    small: tuple[int, int]
    """Queries and keys of the picture of every head of every layer."""
    large: tuple[int, int]
    """Queries and keys of the heads of the one layer that is chosen."""

    @classmethod
    def within(cls, layers: int, heads: int, places: int, *, whole: int, small: int, large: int) -> Size:
        """Everything where `layers * heads * places ** 2` is at most `whole`; else pictures whose weights all together
        are at most `small` and `large`. Those of the chosen layer have three times as many keys as queries."""
        if layers * heads * places**2 <= whole:
            return cls(small=(places, places), large=(places, places))
        side = min(places, max(1, int((small / (layers * heads)) ** 0.5)))
        if heads * places**2 <= large:
            return cls(small=(side, side), large=(places, places))
        queries = max(1, int((large / (3 * heads)) ** 0.5))
        return cls(small=(side, side), large=(min(places, queries), min(places, 3 * queries)))

    def is_whole(self, places: int) -> bool:
        """Whether nothing is averaged down."""
        return self.small == (places, places)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Attention of one input, student's or teacher's or their difference."""

    small: NDArray[np.float32]
    """(layers, heads, queries, keys) of every head, averaged down to `Size.small`."""
    rows: NDArray[np.float32]
    """(layers, heads, places): whence one query looks, exactly."""
    large: NDArray[np.float32]
    """(heads, queries, keys) of the chosen layer, averaged down to `Size.large`."""
    hidden: NDArray[np.float32]
    """(layers, heads): mean share, over the queries, that went to the places left out; 0 where none is."""


def record_attention(
    subject: Subject,
    shown: Shown,
    role: View = "student",
    *,
    layer: int = 1,
    position: int = 0,
    size: Size,
    mode: Mode = "raw",
    hide: Sequence[int] = (),
) -> Recorded:
    """Let the model read an input, and keep of its attention what can be looked at; never the whole of all layers,
    which for 30 seconds of speech and a base-size model would be 1.3 GB.

    Args:
        role: `difference` is the student's minus the teacher's.
        layer: whose heads are kept in `large`.
        position: whose rows are kept exactly.
        mode: in a rollout there is one head.
        hide: places to leave out as keys; the rest of every row is made to sum to 1 again.

    Raises:
        ValueError: no such layer, position, role or mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: expected one of {', '.join(MODES)}")
    if not 1 <= layer <= subject.depth:
        raise ValueError(f"layer={layer}: expected 1 to {subject.depth}")
    place = shown.place(position)

    def one(of: Role) -> Recorded:
        keeper = _Keeper(layer, place, size, mode, tuple(hide))
        with torch.inference_mode():
            subject.run(shown, of, Trace(["attention"], reduce={"attention": keeper}))
        return keeper.recorded()

    return _of_view(role, one)


def attention_map(
    subject: Subject, shown: Shown, role: View, layer: int, head: int, query: int | None = None
) -> AttentionMap:
    """The weights of one head, exactly as the model has them: what the page, the endpoint and a notebook show.

    Args:
        role: `difference` is the student's minus the teacher's.
        layer: 1 to L.
        head: 1 to H; 0 is the mean of all.
        query: position that looks, -1 for the class token; None: all of them.

    Raises:
        ValueError: no such role, layer, head or position.
    """
    if not 1 <= layer <= subject.depth:
        raise ValueError(f"layer={layer}: expected 1 to {subject.depth}")
    if not 0 <= head <= subject.heads:
        raise ValueError(f"head={head}: expected 0 to {subject.heads}")
    place = slice(None) if query is None else shown.place(query)

    def chosen(attention: Tensor) -> Tensor:
        rows = attention[0, :, place]  # (heads, places) or (heads, places, places)
        return (rows.mean(dim=0) if head == 0 else rows[head - 1]).clone()  # no view: it would keep all heads

    def one(of: Role) -> NDArray[np.float32]:
        trace = Trace({"attention": [layer]}, reduce={"attention": chosen})
        with torch.inference_mode():
            subject.run(shown, of, trace)
        return trace["attention", layer].float().cpu().numpy()

    weights = one("student" if role == "difference" else _checked(role))
    if role == "difference":
        weights = weights - one("teacher")
    return AttentionMap(weights=weights, labels=place_labels(shown))


@dataclass(frozen=True, kw_only=True)
class AttentionMap:
    """Of one head, or of the mean of all."""

    weights: NDArray[np.float32]
    """(places,) of one query, or (places, places), queries first. Rows sum to 1; those of a difference to 0."""
    labels: tuple[str, ...]
    """Of the places."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weights.shape


def place_labels(shown: Shown) -> tuple[str, ...]:
    """What the places of the encoder's sequence are, the class token first where there is one."""
    return (CLASS_TOKEN_LABEL,) * shown.class_tokens + shown.labels


def sink_places(shown: Shown) -> tuple[int, ...]:
    """Places to which heads send what they have no use for: the class token of a picture (arXiv 1906.04341), the tokens
    around a text, the first frame of a sound (2309.17453)."""
    if shown.class_tokens:
        return tuple(range(shown.class_tokens))
    return shown.special or (0,)


def averaged_down(maps: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """(..., queries, keys) as at most `size` cells, each the mean of the weights that fall into it: a faint line stays
    as faint as it is. Cells are as even as whole numbers allow."""
    small = np.asarray(maps, dtype=np.float32)
    for axis, wanted in ((-1, size[1]), (-2, size[0])):
        length = small.shape[axis]
        if length <= wanted:
            continue
        starts = bin_starts(length, wanted)
        counts = np.diff(np.append(starts, length)).astype(np.float32)
        shape = [1] * small.ndim
        shape[axis] = wanted
        small = np.asarray(np.add.reduceat(small, starts, axis=axis) / counts.reshape(shape), dtype=np.float32)
    return small


def bin_starts(length: int, bins: int) -> NDArray[np.int64]:
    """(bins,) first place of each bin of `averaged_down`."""
    return (np.arange(bins) * length) // bins


@dataclass(frozen=True)
class Quantised:
    """Rows of weights in a byte each, by the root of their share of the row's largest: small weights keep their digits.
    A weight is off by at most 1/255 of its row's largest, that of a difference by 1/127."""

    codes: NDArray[np.uint8]
    """(..., n): 0 to 255 for nothing to the largest; of differences 1 to 255 with 128 for nothing."""
    scales: NDArray[np.float32]
    """(...): the largest weight of each row, without its sign."""
    is_signed: bool

    def restored(self) -> NDArray[np.float32]:
        """(..., n) weights, as a page draws them."""
        share = (self.codes.astype(np.float32) - 128) / 127 if self.is_signed else self.codes / np.float32(255)
        return (np.sign(share) * share**2 * self.scales[..., None]).astype(np.float32)


def quantise(rows: NDArray[Any], *, signed: bool = False) -> Quantised:
    """Make (..., n) weights small.

    Args:
        signed: whether they are differences.

    Raises:
        ValueError: negative weights that are not.
    """
    if not signed and rows.size and rows.min() < 0:
        raise ValueError("rows: negative weights are differences; say signed=True")
    scales = np.abs(rows).max(axis=-1).astype(np.float32)
    root = np.sqrt(np.abs(rows) / np.where(scales > 0, scales, 1)[..., None])
    codes = 128 + np.rint(127 * np.sign(rows) * root) if signed else np.rint(255 * root)
    return Quantised(codes.astype(np.uint8), scales, signed)


class _Keeper:
    """Given the attention of one block after another, keeps little of each."""

    def __init__(self, layer: int, place: int, size: Size, mode: Mode, hide: tuple[int, ...]) -> None:
        self._chosen, self._place, self._size, self._mode, self._hide = layer, place, size, mode, list(hide)
        self._reached: NDArray[np.float32] | None = None
        self._small: list[NDArray[np.float32]] = []
        self._rows: list[NDArray[np.float32]] = []
        self._hidden: list[NDArray[np.float32]] = []
        self._large: NDArray[np.float32] | None = None

    def __call__(self, attention: Tensor) -> Tensor:
        """
        Args:
            attention: (1, heads, query, key).

        Returns:
            nothing to store.
        """
        maps: NDArray[np.float32] = attention[0].float().cpu().numpy()
        if self._mode == "rollout":
            maps = self._followed(maps)[None]
        is_chosen = len(self._small) + 1 == self._chosen
        small, rows, large, hidden = [], [], [], []
        for one in maps:  # head by head: a long clip's take 9 MB each
            shown, share = self._without(one)
            small.append(averaged_down(shown, self._size.small))
            rows.append(shown[self._place].copy())
            hidden.append(share)
            if is_chosen:
                large.append(averaged_down(shown, self._size.large))
        self._small.append(np.stack(small))
        self._rows.append(np.stack(rows))
        self._hidden.append(np.array(hidden, np.float32))
        if is_chosen:
            self._large = np.stack(large)
        return torch.empty(0)

    def recorded(self) -> Recorded:
        assert self._large is not None, "the pass has not come to the chosen layer"
        return Recorded(
            small=np.stack(self._small), rows=np.stack(self._rows), large=self._large, hidden=np.stack(self._hidden)
        )

    def _followed(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """One more step of `analysis.attention.rollout`."""
        mixed = (1 - RESIDUAL) * maps.mean(axis=0)
        mixed[np.diag_indices(len(mixed))] += RESIDUAL
        mixed /= mixed.sum(axis=-1, keepdims=True)
        self._reached = mixed if self._reached is None else mixed @ self._reached
        return self._reached

    def _without(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """(query, key) weights of one head with the hidden keys at 0 and the rest at 1 in sum; and their mean share."""
        if not self._hide:
            return rows, 0.0
        rows = rows.copy()
        hidden = rows[:, self._hide].sum(axis=-1)
        rows[:, self._hide] = 0
        rest = rows.sum(axis=-1, keepdims=True)
        rows /= np.where(rest > 0, rest, np.float32(1))
        return rows, float(hidden.mean())


def _of_view(role: View, one: Callable[[Role], Recorded]) -> Recorded:
    if role != "difference":
        return one(_checked(role))
    student, teacher = one("student"), one("teacher")
    return Recorded(
        small=student.small - teacher.small,
        rows=student.rows - teacher.rows,
        large=student.large - teacher.large,
        hidden=student.hidden,
    )


def _checked(role: View) -> Role:
    if role not in VIEWS or role == "difference":
        raise ValueError(f"role={role!r}: expected one of {', '.join(VIEWS)}")
    return role
