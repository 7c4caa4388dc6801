"""What the student does not see: masks for speech, text and pictures as pure functions of generators.

Speech hides spans of frames, text single tokens or short spans of them, pictures blocks of patches (data2vec.md 5.1 to
5.5). Every row of a batch is drawn from a CPU generator of its own and from nothing else: its mask is the same on
whatever the model runs, however the batch is padded, and whichever process has the row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data2vec_core.pretraining.seeds import mixed_seed


@dataclass(frozen=True)
class Mask:
    """What is hidden from the student."""

    is_masked: Tensor
    """(batch, positions), True where something is hidden or replaced."""


@dataclass(frozen=True)
class MaskedTokens(Mask):
    """Tokens as the student sees them; `is_masked` marks all that were chosen, even those that look as before."""

    input_ids: Tensor
    """(batch, tokens) int64, with `<mask>` or another token at chosen places."""


def mask_generators(seed: int, batch: int, places: Iterable[int], masks: int = 1) -> list[torch.Generator]:
    """The generators of the masks of a batch: all those of its first row, then all of its second, and so on.

    Args:
        seed: of the run, at least 0.
        batch: its number, counted over the run.
        places: of the rows in the whole batch, of which a process may have a share.
        masks: how many every row gets; more of them leave the first ones as they are.
    """
    return [
        torch.Generator().manual_seed(mixed_seed(seed, batch, place, number))
        for place, number in itertools.product(places, range(masks))
    ]


class Masking:
    """Base of the settings of a masking; calling them draws a mask, each row from its own generator."""


@dataclass(frozen=True, kw_only=True)
class FrameSpans(Masking):
    """Spans of frames (data2vec.md 5.2).

    Every row gets `probability * length / span` spans, rounded up or down at random row by row, with distinct starts.
    They overlap, so that at the default 49 % of the frames are hidden, and a little less after trimming.
    """

    probability: float = 0.65
    """Share of the frames in spans, before overlaps."""
    span: int = 10
    """Frames of a span."""
    min_spans: int = 1
    """Least number of spans of a row."""
    equal_counts: bool = True
    """Uncover frames at random until every row hides as many as the one that hides fewest."""

    def __post_init__(self) -> None:
        _require_share(self, "probability")
        _require_positive(self, "span", "min_spans")

    def __call__(
        self,
        lengths: Tensor,
        size: int,
        generators: Sequence[torch.Generator],
        fewest_of_all: Callable[[int], int] = int,
    ) -> Mask:
        """Draw.

        Args:
            lengths: (batch,) real frames of each row.
            size: frames of the padded batch; the mask is (batch, size), and never hides padding.
            generators: one for each row.
            fewest_of_all: where the rows are a share of a batch: from how many frames the row hides that hides fewest
                of these, to the same of all.

        Raises:
            ValueError: a row has no frame to show beside one span, or there are not as many generators as rows.
        """
        _require_one_each(generators, len(lengths))
        is_masked = torch.zeros(len(lengths), size, dtype=torch.bool)
        for row, length, generator in zip(is_masked, lengths.tolist(), generators, strict=True):
            starts = length - self.span  # one less than fit, as in the original code: a row's last frame always shows
            if starts < 1:
                raise ValueError(
                    f"a clip of {length} frames cannot hide a span of {self.span} and show something; leave it out"
                )
            count = max(_round_at_random(self.probability * length / self.span, generator), self.min_spans)
            chosen = torch.randperm(starts, generator=generator)[:count]
            row[(chosen[:, None] + torch.arange(self.span)).flatten()] = True
        if not self.equal_counts:
            return Mask(is_masked)
        return Mask(trim(is_masked, fewest_of_all(int(is_masked.sum(dim=1).min())), generators))


def trim(is_masked: Tensor, count: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Uncover positions at random until every row of (batch, positions) hides `count`, which none hides fewer than."""
    order = uniform_at(is_masked, generators).argsort(dim=1, stable=True)
    return torch.zeros_like(is_masked).scatter_(1, order[:, :count], True)


def uniform_at(where: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Numbers in [0, 1) where (batch, positions) is True, each row's drawn from its own generator, and 2 elsewhere:
    sorted, the places that are not meant come last."""
    counts = where.sum(dim=1).tolist()
    drawn = [torch.rand(count, generator=own) for count, own in zip(counts, generators, strict=True)]
    return torch.full(where.shape, 2.0).masked_scatter_(where, torch.cat(drawn))


@dataclass(frozen=True, kw_only=True)
class TokenMasking(Masking):
    """What the two ways of masking text share: the vocabulary."""

    vocab_size: int = 50265
    mask_id: int = 50264
    special_ids: tuple[int, ...] = (0, 1, 2)
    """Beside `mask_id`, ids that are neither hidden nor put in another's place: padding, beginning, end."""
    probability: float
    """Share of a row's ordinary tokens to choose."""

    def __post_init__(self) -> None:
        _require_share(self, "probability")
        if not 0 <= self.mask_id < self.vocab_size:
            raise ValueError(f"mask_id={self.mask_id} is outside the vocabulary of {self.vocab_size}")

    def is_ordinary(self, input_ids: Tensor) -> Tensor:
        """(batch, tokens), False for special tokens and padding."""
        return ~torch.isin(input_ids, torch.tensor((*self.special_ids, self.mask_id)))

    def __call__(self, input_ids: Tensor, generators: Sequence[torch.Generator]) -> MaskedTokens:
        """Mask (batch, tokens) of ids on the CPU, with one generator for each row.

        Raises:
            ValueError: there are not as many generators as rows.
        """
        _require_one_each(generators, len(input_ids))
        return self.draw(input_ids, generators)

    def draw(self, input_ids: Tensor, generators: Sequence[torch.Generator]) -> MaskedTokens:
        """What calling does."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class BertTokens(TokenMasking):
    """BERT's masking, the paper's: of the chosen tokens 80 % become `<mask>`, 10 % another token, 10 % stay.

    At least one token of a row is chosen, where it has an ordinary one.
    """

    probability: float = 0.15
    random_share: float = 0.1
    """Of the chosen tokens, those that become another one, drawn from the ordinary ones alike."""
    keep_share: float = 0.1
    """Of the chosen tokens, those that stay as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share(self, "random_share", "keep_share")
        if self.random_share + self.keep_share > 1:
            raise ValueError(f"random_share={self.random_share} and keep_share={self.keep_share} add up to more than 1")

    def draw(self, input_ids: Tensor, generators: Sequence[torch.Generator]) -> MaskedTokens:
        is_ordinary = self.is_ordinary(input_ids)
        wanted = (self.probability * is_ordinary.sum(dim=1)).round().long().clamp(min=1)
        order = uniform_at(is_ordinary, generators).argsort(dim=1, stable=True)
        rank = order.argsort(dim=1)  # (batch, tokens), 0 for the smallest draw of a row
        is_chosen = (rank < wanted[:, None]) & is_ordinary

        kind = uniform_at(is_chosen, generators)
        is_random = kind < self.random_share
        is_hidden = is_chosen & (kind >= self.random_share + self.keep_share)
        vocabulary = torch.arange(self.vocab_size)
        ordinary = vocabulary[self.is_ordinary(vocabulary)]
        others = (uniform_at(is_random, generators)[is_random] * len(ordinary)).long()
        seen = torch.where(is_hidden, self.mask_id, input_ids).masked_scatter_(is_random, ordinary[others])
        return MaskedTokens(is_chosen, seen)


@dataclass(frozen=True, kw_only=True)
class TokenSpans(TokenMasking):
    """Spans of tokens that all become `<mask>`, as in the released configuration (data2vec.md 5.4).

    Every row gets `probability * n / span` spans of its n ordinary tokens, rounded up or down at random, with distinct
    starts; they overlap, and the last ones are cut at the end. Special tokens inside a row are stepped over.
    """

    probability: float = 0.35
    span: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_positive(self, "span")

    def draw(self, input_ids: Tensor, generators: Sequence[torch.Generator]) -> MaskedTokens:
        is_masked = torch.zeros_like(input_ids, dtype=torch.bool)
        for row, is_ordinary, generator in zip(is_masked, self.is_ordinary(input_ids), generators, strict=True):
            places = is_ordinary.nonzero().flatten()  # (n,)
            count = _round_at_random(self.probability * len(places) / self.span, generator)
            starts = torch.randperm(len(places), generator=generator)[:count]
            covered = (starts[:, None] + torch.arange(self.span)).flatten()
            row[places[covered[covered < len(places)]]] = True
        return MaskedTokens(is_masked, torch.where(is_masked, self.mask_id, input_ids))


class PatchMasking(Masking):
    """What the two ways of masking pictures share: how they are called."""

    def __call__(self, batch: int, grid: tuple[int, int], generators: Sequence[torch.Generator]) -> Mask:
        """Draw for `batch` pictures of `grid` (rows, columns) patches: (batch, rows * columns), at least one each.

        Raises:
            ValueError: there are not as many generators as pictures.
        """
        _require_one_each(generators, batch)
        return Mask(self.draw(grid, generators))

    def draw(self, grid: tuple[int, int], generators: Sequence[torch.Generator]) -> Tensor:
        """What calling does: (batch, patches)."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PatchBlocks(PatchMasking):
    """Rectangles of patches, as BEiT hides them (arXiv 2106.08254; data2vec.md 5.5).

    Blocks are added, each within what is still allowed, until the target is reached or ten draws in a row add nothing;
    so the count is at most the target, and varies.
    """

    share: float = 120 / 196
    """Of all patches, the target."""
    min_patches: int = 16
    """Smallest area to draw a block of; the last ones of a picture may be smaller."""
    min_aspect: float = 0.3
    """Height over width lies between this and its inverse."""

    def __post_init__(self) -> None:
        _require_share(self, "share")
        _require_positive(self, "min_patches", "min_aspect")
        if self.min_aspect > 1:
            raise ValueError(f"PatchBlocks.min_aspect={self.min_aspect}: at most 1")

    def target(self, patches: int) -> int:
        """Patches to hide of so many, at least 1."""
        return max(round(self.share * patches), 1)

    def draw(self, grid: tuple[int, int], generators: Sequence[torch.Generator]) -> Tensor:
        rows, columns = grid
        masks = torch.zeros(len(generators), rows, columns, dtype=torch.bool)
        for mask, generator in zip(masks, generators, strict=True):
            left = self.target(rows * columns)
            while left > 0 and (added := self._add_block(mask, left, generator)):
                left -= added
            if not mask.any():  # a grid too small for any block
                mask.view(-1)[torch.randint(rows * columns, (), generator=generator)] = True
        return masks.flatten(1)

    def _add_block(self, mask: Tensor, left: int, generator: torch.Generator) -> int:
        """Hide one more rectangle with at most `left` new patches; how many it hid, 0 when ten draws found none."""
        rows, columns = mask.shape
        least = min(self.min_patches, self.target(rows * columns))

        def uniform(low: float, high: float) -> float:
            return low + (high - low) * torch.rand((), generator=generator).item()

        for _ in range(10):
            area = uniform(least, left)  # reversed when fewer are left than the least, as in the original
            aspect = math.exp(uniform(math.log(self.min_aspect), -math.log(self.min_aspect)))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (0 < height < rows and 0 < width < columns):
                continue
            top = int(torch.randint(rows - height + 1, (), generator=generator))
            side = int(torch.randint(columns - width + 1, (), generator=generator))
            block = mask[top : top + height, side : side + width]
            added = int((~block).sum())
            if 0 < added <= left:
                block.fill_(True)
                return added
        return 0


@dataclass(frozen=True, kw_only=True)
class InverseBlocks(PatchMasking):
    """Hide all but some small blocks of patches, as data2vec 2.0 does (arXiv 2212.07525; data2vec.md 5.6).

    The blocks to keep lie anywhere, overlap, and are cut at the borders; then patches are taken away from them at
    random, or added elsewhere, until every picture keeps as many.
    """

    kept: float = 0.2
    """Share of the patches that the student sees, rounded down; published as a mask probability of 0.8."""
    surplus: float = 0.07
    """Added to `kept` when blocks are counted, for they overlap."""
    side: int = 3
    """Of a block."""

    def __post_init__(self) -> None:
        _require_share(self, "kept", "surplus")
        _require_positive(self, "side")

    def count(self, patches: int) -> int:
        """Patches to keep of so many: at least one, and not all."""
        return min(max(int(self.kept * patches), 1), patches - 1)

    def draw(self, grid: tuple[int, int], generators: Sequence[torch.Generator]) -> Tensor:
        blocks = self.blocks(grid, generators)
        # Every patch draws a number in [0, 1), those outside all blocks one in [1, 2); the smallest are kept.
        order = (uniform_at(torch.ones_like(blocks), generators) + ~blocks).argsort(dim=1, stable=True)
        return torch.ones_like(blocks).scatter_(1, order[:, : self.count(blocks.shape[1])], False)

    def blocks(self, grid: tuple[int, int], generators: Sequence[torch.Generator]) -> Tensor:
        """(batch, patches), True inside the blocks, before any patch is taken away or added."""
        rows, columns = grid
        number = int(rows * columns * (self.kept + self.surplus) / self.side**2)
        centres = torch.stack([torch.randint(rows * columns, (number,), generator=own) for own in generators])
        reach = torch.arange(self.side) - self.side // 2
        row = (centres[..., None] // columns + reach).clamp(0, rows - 1)  # (batch, number, side)
        column = (centres[..., None] % columns + reach).clamp(0, columns - 1)
        covered = row[..., :, None] * columns + column[..., None, :]  # (batch, number, side, side)
        is_inside = torch.zeros(len(generators), rows * columns, dtype=torch.bool)
        return is_inside.scatter_(1, covered.flatten(1), True)


def _round_at_random(number: float, generator: torch.Generator) -> int:
    """Down or up, so that the mean is right."""
    return int(number + torch.rand((), generator=generator).item())


def _require_one_each(generators: Sequence[torch.Generator], rows: int) -> None:
    if len(generators) != rows:
        raise ValueError(f"generators: one for each of the {rows} rows, got {len(generators)}")


def _require_share(settings: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{type(settings).__name__}.{name}={getattr(settings, name)}: must lie between 0 and 1")


def _require_positive(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) <= 0:
            raise ValueError(f"{type(settings).__name__}.{name}={getattr(settings, name)}: must be positive")
