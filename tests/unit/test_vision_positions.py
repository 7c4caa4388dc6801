"""Relative position index and bias, absolute positions, patches and mask token, by hand-made cases."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecVisionModel
from data2vec_core.presets import PRESETS
from data2vec_core.vision.relative_position import RelativePositionBias, relative_position_index

TINY: Any = PRESETS["vision-tiny"]


def test_index_of_four_patches() -> None:
    """The table of data2vec.md 2.3; positions are the class token, then the patches row by row."""
    expected = torch.tensor(
        [
            [11, 9, 9, 9, 9],
            [10, 4, 3, 1, 0],
            [10, 5, 4, 2, 1],
            [10, 7, 6, 4, 3],
            [10, 8, 7, 5, 4],
        ],
        dtype=torch.int32,
    )
    torch.testing.assert_close(relative_position_index(2, 2), expected)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 4), (3, 2), (5, 7)])
def test_index_numbers_every_distance_once(rows: int, columns: int) -> None:
    index = relative_position_index(rows, columns)[1:, 1:]
    distances: dict[int, set[tuple[int, int]]] = {}
    for query in range(rows * columns):
        for key in range(rows * columns):
            down, right = query // columns - key // columns, query % columns - key % columns
            distances.setdefault(int(index[query, key]), set()).add((down, right))
    assert sorted(distances) == list(range((2 * rows - 1) * (2 * columns - 1)))
    assert all(len(same) == 1 for same in distances.values())


@pytest.mark.parametrize(("side", "rows"), [(14, 732), (7, 172), (2, 12)])
def test_table_length(side: int, rows: int) -> None:
    assert RelativePositionBias((side, side), 3).table.shape == (rows, 3)


def test_index_made_in_inference_mode_serves_training() -> None:
    relative_position_index.cache_clear()
    bias = RelativePositionBias((3, 2), 4, true_layout=True)
    with torch.inference_mode():
        bias((3, 2))
    bias((3, 2)).sum().backward()
    counts = torch.zeros(5 * 3 + 3)
    counts.index_add_(0, relative_position_index(3, 2).flatten(), torch.ones(49))
    assert bias.table.grad is not None
    torch.testing.assert_close(bias.table.grad, counts[:, None].expand(-1, 4))


def test_index_made_on_another_device_serves_here() -> None:
    relative_position_index.cache_clear()
    with torch.device("meta"):
        assert not relative_position_index(2, 3).is_meta


def distance_bias(down: Tensor, right: Tensor) -> Tensor:
    """A bias that is linear in the distance, which bilinear resizing reproduces up to its scale."""
    return 2.0 * down - 0.5 * right


def table_of(rows: int, columns: int) -> Tensor:
    down, right = torch.meshgrid(torch.arange(1 - rows, rows), torch.arange(1 - columns, columns), indexing="ij")
    return torch.cat([distance_bias(down, right).flatten(), torch.tensor([5.0, 6.0, 7.0])])[:, None]


@pytest.mark.parametrize(("window", "is_true"), [((3, 3), False), ((3, 3), True), ((2, 5), True), ((6, 3), True)])
def test_bias_at_the_trained_window(window: tuple[int, int], is_true: bool) -> None:
    bias = RelativePositionBias(window, 1, true_layout=is_true)
    bias.load_state_dict({"table": table_of(*window)})
    result = bias(window)[0, 0]
    place = torch.cartesian_prod(torch.arange(window[0]), torch.arange(window[1]))
    expected = distance_bias(*(place[:, None] - place[None]).unbind(-1))
    torch.testing.assert_close(result[1:, 1:], expected)
    torch.testing.assert_close(result[0, 1:], torch.full((len(place),), 5.0))
    torch.testing.assert_close(result[1:, 0], torch.full((len(place),), 6.0))
    assert result[0, 0] == 7


def test_the_reference_layout_is_wrong_for_windows_that_are_not_square() -> None:
    """Its rows and columns are swapped there, at the trained window already (data2vec.md 9.2, item 3)."""
    right, swapped = (RelativePositionBias((2, 5), 1, true_layout=is_true) for is_true in (True, False))
    for bias in (right, swapped):
        bias.load_state_dict({"table": table_of(2, 5)})
    assert (right((2, 5)) - swapped((2, 5))).abs().max() > 1


@pytest.mark.parametrize("grid", [(4, 4), (2, 6), (9, 3)])
def test_bias_at_another_grid_is_the_resized_map(grid: tuple[int, int]) -> None:
    bias = RelativePositionBias((3, 5), 1, true_layout=True)
    with torch.no_grad():
        bias.table.normal_()
    size = (2 * grid[0] - 1, 2 * grid[1] - 1)
    distances = bias.table[:-3].T.reshape(1, 1, 5, 9)
    resized = F.interpolate(distances, size=size, mode="bilinear", align_corners=False)[0, 0]
    result = bias(grid)[0, 0, 1:, 1:].unflatten(0, grid).unflatten(2, grid)
    for query in ((0, 0), (grid[0] - 1, 0), (1, 1)):
        for key in ((0, 0), (grid[0] - 1, grid[1] - 1), (0, 1)):
            expected = resized[query[0] - key[0] + grid[0] - 1, query[1] - key[1] + grid[1] - 1]
            torch.testing.assert_close(result[*query, *key], expected)


def test_flag_reaches_both_kinds_of_table() -> None:
    config = TINY.replace(image_size=(16, 40), use_shared_relative_position_bias=True)
    for is_fixed in (True, False):
        encoder = Data2VecVisionModel(config.replace(fix_non_square_bias=is_fixed)).encoder
        tables: list[Any] = [
            encoder.relative_position_bias,
            *(block.relative_position_bias for block in encoder.layers),
        ]
        assert [table.layout for table in tables] == [(3, 9) if is_fixed else (9, 3)] * 5


def test_absolute_positions_of_a_window_that_is_not_square() -> None:
    """The reference takes every table for a square one and fails here."""
    embeddings = Data2VecVisionModel(
        TINY.replace(image_size=(16, 40), use_absolute_position_embeddings=True)
    ).embeddings
    positions = embeddings.position_embeddings
    assert positions is not None
    with torch.no_grad():
        positions.normal_()
    assert embeddings.positions((2, 5)) is positions
    resized = embeddings.positions((4, 10))
    torch.testing.assert_close(resized[:, 0], positions[:, 0])
    expected = F.interpolate(
        positions[:, 1:].reshape(1, 2, 5, -1).permute(0, 3, 1, 2), size=(4, 10), mode="bicubic", align_corners=False
    )
    torch.testing.assert_close(resized[0, 1:].reshape(4, 10, -1), expected[0].permute(1, 2, 0))


def test_patches_are_in_row_major_order() -> None:
    embeddings = Data2VecVisionModel(TINY.replace(num_channels=1)).embeddings
    image = torch.arange(6.0).reshape(2, 3).repeat_interleave(8, 0).repeat_interleave(8, 1)
    image = F.pad(image, (0, 7, 0, 5), value=1e6)  # pixels beyond the last whole patch
    with torch.no_grad():
        embeddings.patch_projection.weight.fill_(1 / 64)
        hidden, grid = embeddings(image[None, None])
    assert grid == (2, 3)
    torch.testing.assert_close(hidden[0, 1:, 0], torch.arange(6.0))
    torch.testing.assert_close(hidden[0, 0], torch.zeros(32))


def test_mask_token_replaces_masked_patches_only() -> None:
    model = Data2VecVisionModel(TINY.replace(use_mask_token=True)).eval()
    assert model.embeddings.mask_token is not None
    with torch.no_grad():
        model.embeddings.mask_token.normal_()
    pixels, is_masked = torch.randn(2, 3, 32, 32), torch.rand(2, 16) < 0.5
    plain, _ = model.embeddings(pixels)
    masked, _ = model.embeddings(pixels, is_masked)
    torch.testing.assert_close(masked[:, 1:][~is_masked], plain[:, 1:][~is_masked])
    token = model.embeddings.mask_token.reshape(1, -1)
    torch.testing.assert_close(masked[:, 1:][is_masked], token.expand(int(is_masked.sum()), -1))
    torch.testing.assert_close(masked[:, 0], plain[:, 0])
    pixels_changed = pixels.clone()
    pixels_changed[0, :, :8, :8] = 9.0
    is_first = torch.zeros(2, 16)
    is_first[0, 0] = 1
    torch.testing.assert_close(
        model(pixels, bool_masked_pos=is_first)[0], model(pixels_changed, bool_masked_pos=is_first)[0]
    )


def test_mask_without_a_mask_token() -> None:
    with pytest.raises(ValueError, match="bool_masked_pos needs a model with a mask token: use_mask_token=True"):
        Data2VecVisionModel(TINY)(torch.randn(1, 3, 32, 32), bool_masked_pos=torch.ones(1, 16, dtype=torch.bool))


def test_mask_of_another_shape() -> None:
    model = Data2VecVisionModel(TINY.replace(use_mask_token=True))
    with pytest.raises(ValueError, match=r"bool_masked_pos: expected \(batch, patches\) = \(1, 16\), got \(1, 9\)"):
        model(torch.randn(1, 3, 32, 32), bool_masked_pos=torch.ones(1, 9, dtype=torch.bool))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 32, 32), r"pixel_values: expected \(batch, 3, height, width\), got \(3, 32, 32\)"),
        ((1, 1, 32, 32), r"pixel_values: expected \(batch, 3, height, width\), got \(1, 1, 32, 32\)"),
        ((1, 3, 7, 32), r"pixel_values: \(7, 32\) pixels hold no patch of \(8, 8\)"),
    ],
)
def test_images_of_a_wrong_shape(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data2VecVisionModel(TINY)(torch.randn(shape))
