"""Where attention goes: distance, entropy, kinds of heads, sinks, and its way through all layers (analysis-methods.md,
section 2).

Attention is an array (..., query, key) of probabilities whose rows sum to 1, of real positions only: leave padding out
before. Raw attention is not an explanation by itself (arXiv 1902.10186, 1908.04626): zero the values of what it points
at (`analysis.value_zeroing`) and see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Attention = NDArray[Any]
"""(..., query, key)"""
HeadKind = Literal["diagonal", "global", "vertical"]
_ROUNDING = 1e-3
"""By which rows of half precision may miss 1."""


def sequence_distances(positions: int, step: float = 1.0) -> NDArray[np.float64]:
    """|i - j| in units of `step`: 1 token, 0.02 s for a frame of speech; (positions, positions)."""
    places = np.arange(positions) * step
    return np.abs(places[:, None] - places)


def grid_distances(rows: int, columns: int, side: float = 1.0) -> NDArray[np.float64]:
    """Euclidean distances between the middles of patches, row by row, in units of which a patch is `side` wide:
    (patches, patches)."""
    places = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2) * side
    return np.linalg.norm(places[:, None] - places, axis=-1)


def attention_distance(attention: Attention, distances: NDArray[Any]) -> NDArray[np.float64]:
    """Mean attention distance (arXiv 2010.11929): how far off what a head looks at lies, on average over its queries.

    Uniform attention over 14 x 14 patches of 16 pixels comes to 116.5 pixels, over a sequence of T to (T^2 - 1) / 3T.

    Args:
        attention: of places only, without class or sentence tokens: see `without`.
        distances: (query, key), such as `grid_distances` or `sequence_distances` gives.

    Returns:
        (...) in the unit of the distances.

    Raises:
        ValueError: the two do not fit, or rows that do not sum to 1.
    """
    rows = _checked(attention)
    if distances.shape != rows.shape[-2:]:
        raise ValueError(f"distances {distances.shape} are not those of attention {rows.shape}")
    return (rows * distances).sum(axis=-1).mean(axis=-1)


def attention_entropy(attention: Attention) -> NDArray[np.float64]:
    """Entropy of each query's row in nats, 0 (one key) to ln(keys) (all alike); exp of it is the number of keys that a
    query effectively reads. (..., query).

    Raises:
        ValueError: rows that do not sum to 1.
    """
    rows = _checked(attention)
    return -(rows * np.log(np.where(rows > 0, rows, 1))).sum(axis=-1)


def rollout(layers: Sequence[Attention], *, residual: float = 0.5) -> NDArray[np.float64]:
    """Attention followed through all layers (arXiv 2005.00928): row i is the share of each input in output i.

    Of every layer, the mean over its heads is mixed with the identity, which stands for the residual connection. That
    share of one half is a convention: how much a block really keeps differs (arXiv 2004.10102).

    Args:
        layers: (heads, positions, positions) of each layer, the lowest first, all positions included.
        residual: share of the identity.

    Returns:
        (positions, positions), rows summing to 1.

    Raises:
        ValueError: no layers, layers of different sizes, rows that do not sum to 1, or a residual outside 0 to 1.
    """
    if not layers:
        raise ValueError("layers: expected at least one")
    if not 0 <= residual <= 1:
        raise ValueError(f"residual={residual}: expected 0 to 1")
    reached = np.eye(layers[0].shape[-1])
    for attention in layers:
        rows = _checked(attention)
        if rows.shape[-2:] != reached.shape or rows.ndim != 3:
            raise ValueError(f"layers: expected (heads, {len(reached)}, {len(reached)}), got {attention.shape}")
        mixed = (1 - residual) * rows.mean(axis=0) + residual * np.eye(len(reached))
        reached = mixed / mixed.sum(axis=-1, keepdims=True) @ reached
    return reached


@dataclass(frozen=True)
class Without:
    """Attention among some of the positions."""

    attention: NDArray[np.float64]
    """(..., query, key) of what is left, rows summing to 1; a row that looked at nothing else is even."""
    hidden: NDArray[np.float64]
    """(..., query): the share that went to the positions left out, which has to be told beside any such picture."""


def without(attention: Attention, positions: Sequence[int]) -> Without:
    """Leave positions out as queries and keys, and make the rest sum to 1 again: the class token, `<s>` and `</s>`
    (arXiv 1906.04341), the first positions (2309.17453), or patches that serve as registers (2309.16588).

    Args:
        positions: numbers from 0; none is allowed.

    Raises:
        ValueError: a position that is not there, nothing left, or rows that do not sum to 1.
    """
    rows = _checked(attention)
    size = rows.shape[-1]
    if any(not 0 <= position < size for position in positions):
        raise ValueError(f"positions={list(positions)}: there are {size}, numbered from 0")
    kept = np.setdiff1d(np.arange(size), np.asarray(positions, dtype=int))
    if not len(kept):
        raise ValueError("positions: nothing would be left")
    rest = rows[..., kept[:, None], kept]
    shown = rest.sum(axis=-1, keepdims=True)
    even = np.full_like(rest, 1 / len(kept))
    return Without(np.where(shown > 0, rest / np.where(shown > 0, shown, 1), even), 1 - shown[..., 0])


def most_of_the_mass(weights: NDArray[Any], share: float = 0.6) -> NDArray[np.bool_]:
    """The fewest positions that together hold a share of the weight, as DINO's pictures show it (arXiv 2104.14294).

    Args:
        weights: (positions,) not negative, not all 0.
        share: above 0, at most 1.

    Returns:
        (positions,)

    Raises:
        ValueError: no such weights or share.
    """
    if weights.ndim != 1 or not len(weights) or (weights < 0).any() or not weights.sum() > 0 or not 0 < share <= 1:
        raise ValueError("weights must be (positions,), not negative and not all 0, and share above 0, at most 1")
    order = np.argsort(-weights, kind="stable")
    reached = np.cumsum(weights[order], dtype=np.float64) / weights.sum(dtype=np.float64)
    chosen = np.zeros(len(weights), dtype=bool)
    chosen[order[: int(np.searchsorted(reached, share - 1e-9)) + 1]] = True
    return chosen


@dataclass(frozen=True)
class HeadMeasures:
    """Three measures by which heads of speech fall into kinds (arXiv 2006.03265, section 4.1); higher is more so."""

    diagonality: NDArray[np.float64]
    """(...): minus the mean distance of query and key, as a share of the length; -1 to 0."""
    globalness: NDArray[np.float64]
    """(...): mean entropy of the rows, as a share of ln(keys); 0 to 1."""
    verticality: NDArray[np.float64]
    """(...): minus the entropy of the mean row, as a share of ln(keys); -1 to 0."""

    def kinds(self) -> list[HeadKind]:
        """Of a flat list of heads, the measure by which each stands out most against the others here."""
        measures = np.stack([self.diagonality, self.globalness, self.verticality])
        ranks = measures.argsort(axis=-1).argsort(axis=-1)
        names: tuple[HeadKind, ...] = ("diagonal", "global", "vertical")
        return [names[index] for index in ranks.argmax(axis=0)]


def head_measures(attention: Attention) -> HeadMeasures:
    """Measure square attention of one clip, of one head or many.

    Raises:
        ValueError: attention that is not square, of fewer than two positions, or whose rows do not sum to 1.
    """
    rows = _checked(attention)
    size = rows.shape[-1]
    if rows.shape[-2] != size or size < 2:
        raise ValueError(f"attention: expected as many queries as keys, at least two, got shape {attention.shape}")
    distance = attention_distance(rows, sequence_distances(size)) / size
    mean_row = rows.mean(axis=-2, keepdims=True)
    scale = np.log(size)
    return HeadMeasures(
        -distance, attention_entropy(rows).mean(axis=-1) / scale, -attention_entropy(mean_row)[..., 0] / scale
    )


def head_divergence(attention: Attention) -> NDArray[np.float64]:
    """Jensen-Shannon divergence between the rows of every two heads, averaged over the queries: 0 (two heads look at
    the same) to ln 2 (at nothing in common).

    Args:
        attention: (heads, query, key).

    Returns:
        (heads, heads), symmetric, 0 on the diagonal.

    Raises:
        ValueError: not (heads, query, key), or rows that do not sum to 1.
    """
    rows = _checked(attention)
    if rows.ndim != 3:
        raise ValueError(f"attention: expected (heads, query, key), got shape {attention.shape}")
    own = attention_entropy(rows)  # (heads, query)
    mixed = attention_entropy((rows[:, None] + rows[None]) / 2)  # (heads, heads, query)
    return np.clip((mixed - (own[:, None] + own[None]) / 2).mean(axis=-1), 0, None)


def _checked(attention: Attention) -> NDArray[np.float64]:
    rows = np.asarray(attention, dtype=np.float64)
    if rows.ndim < 2 or not rows.size or (rows < 0).any() or not np.allclose(rows.sum(axis=-1), 1, atol=_ROUNDING):
        raise ValueError(
            f"attention must be (..., query, key), not negative, its rows summing to 1; got shape {rows.shape}"
        )
    return rows
