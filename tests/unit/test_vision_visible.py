"""Encoding only some patches: as if the others were not there, each at its place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from data2vec_core import Data2VecVisionModel, Trace
from data2vec_core.presets import PRESETS
from data2vec_core.transformer import Block
from data2vec_core.vision.relative_position import RelativePositionBias, relative_position_index, visible_pairs

TINY: Any = PRESETS["vision-tiny"].replace(drop_path_rate=0.0, layer_norm_eps=1e-6)
POSITIONS = {
    "layer bias": {},
    "shared bias": {"use_relative_position_bias": False, "use_shared_relative_position_bias": True},
    "both and absolute": {"use_shared_relative_position_bias": True, "use_absolute_position_embeddings": True},
    "none": {"use_relative_position_bias": False},
}


def moved(**changes: Any) -> Any:
    """A model in which nothing is zero, biases and positions least of all."""
    torch.manual_seed(0)
    model = Data2VecVisionModel(TINY.replace(**changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def some_patches(batch: int, patches: int, count: int) -> Tensor:
    """(batch, count), others for every item, in order."""
    return torch.rand(batch, patches).argsort(dim=1)[:, :count].sort(dim=1).values


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("size", [(32, 32), (24, 56)], ids=str)
def test_all_patches_visible_is_the_plain_forward(positions: str, size: tuple[int, int]) -> None:
    model, pixels = moved(**POSITIONS[positions]), torch.randn(3, 3, *size)
    plain = model(pixels).last_hidden_state
    everything = torch.arange(plain.shape[1] - 1).expand(3, -1)
    assert_close(model(pixels, visible=everything).last_hidden_state, plain, rtol=0, atol=1e-6)
    turned = everything.flip(1)
    by_number = model(pixels, visible=turned).last_hidden_state[:, 1:].flip(1)
    assert_close(by_number, plain[:, 1:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
def test_leaving_out_is_hiding_the_keys_from_everyone(positions: str) -> None:
    """The same visible outputs and gradients as when all patches run, the invisible keys at minus infinity."""
    model, pixels = moved(**POSITIONS[positions]), torch.randn(3, 3, 32, 32)
    visible = some_patches(3, 16, 5)
    result = model(pixels, visible=visible).last_hidden_state
    assert result.shape == (3, 6, 32)

    is_there = torch.zeros(3, 17, dtype=torch.bool).scatter_(1, visible + 1, True)
    is_there[:, 0] = True
    hidden, grid = model.embeddings(pixels)
    for block in model.encoder.layers:
        bias = torch.zeros(3, 1, 1, 17).masked_fill(~is_there[:, None, None], -torch.inf)
        for table in (model.encoder.relative_position_bias, block.relative_position_bias):
            bias = bias if table is None else bias + table(grid)
        hidden = Block.forward(block, hidden, bias=bias)
    expected = model.layernorm(hidden)[is_there].unflatten(0, (3, 6))
    assert_close(result, expected, rtol=1e-5, atol=1e-5)

    weight = torch.randn_like(result)
    names = [name for name, _ in model.named_parameters() if not name.startswith("layernorm.")]
    for output in (result, expected):
        (output * weight).sum().backward()
    doubled = [model.get_parameter(name).grad for name in names]
    model.zero_grad()
    (model(pixels, visible=visible).last_hidden_state * weight).sum().backward()
    for name, both in zip(names, doubled, strict=True):
        single = model.get_parameter(name).grad
        assert single is not None, name
        assert both is not None, name
        assert_close(2 * single, both, rtol=1e-4, atol=1e-4 * float(single.abs().max()), msg=name)


def test_an_item_does_not_depend_on_what_is_visible_of_others() -> None:
    model, pixels, visible = moved(), torch.randn(3, 3, 32, 32), some_patches(3, 16, 4)
    together = model(pixels, visible=visible).last_hidden_state
    for row in range(3):
        alone = model(pixels[row : row + 1], visible=visible[row : row + 1]).last_hidden_state
        assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)
    gone = torch.ones(3, 16, dtype=torch.bool).scatter_(1, visible, False)
    blotted = pixels.unflatten(2, (4, 8)).unflatten(4, (4, 8)).clone()  # (batch, 3, rows, 8, columns, 8)
    blotted.permute(0, 2, 4, 1, 3, 5)[gone.unflatten(1, (4, 4))] = 7.0
    assert torch.equal(model(blotted.reshape(pixels.shape), visible=visible).last_hidden_state, together)


def test_pairs_by_a_plain_loop() -> None:
    visible = some_patches(2, 15, 6)
    pairs, index = visible_pairs((3, 5), visible), relative_position_index(3, 5)
    table = RelativePositionBias((3, 5), 4, true_layout=True)
    with torch.no_grad():
        table.table.normal_()
    bias, whole = table((3, 5), pairs), table((3, 5))
    assert bias.shape == (2, 4, 7, 7)
    for item in range(2):
        places = [0, *(patch + 1 for patch in visible[item].tolist())]
        for query, here in enumerate(places):
            for key, there in enumerate(places):
                assert pairs[item, query, key] == index[here, there]
                assert torch.equal(bias[item, :, query, key], whole[0, :, here, there])


def test_a_trace_records_what_is_visible() -> None:
    model, pixels, visible = moved(), torch.randn(2, 3, 32, 32), some_patches(2, 16, 5)
    trace = Trace({"hidden": None, "attention": [2], "feed_forward": [4]})
    result = model(pixels, visible=visible, trace=trace)
    assert_close(result.last_hidden_state, model(pixels, visible=visible).last_hidden_state, rtol=0, atol=1e-5)
    assert trace["attention", 2].shape == (2, 4, 6, 6)
    assert_close(trace["attention", 2].sum(dim=-1), torch.ones(2, 4, 6))
    assert trace["feed_forward", 4].shape == trace["hidden", 0].shape == (2, 6, 32)
    flagged = model(pixels, visible=visible, output_hidden_states=True)
    assert [state.shape[1] for state in flagged.hidden_states] == [6] * 5


def test_gradient_checkpointing_and_drop_path_take_it() -> None:
    pixels, visible = torch.randn(2, 3, 32, 32), some_patches(2, 16, 5)
    model = moved(drop_path_rate=0.5).train()
    gradients = []
    for is_on in (False, True):
        (model.gradient_checkpointing_enable if is_on else model.gradient_checkpointing_disable)()
        model.zero_grad()
        torch.manual_seed(1)
        model(pixels, visible=visible).last_hidden_state.square().sum().backward()
        gradients.append(model.embeddings.patch_projection.weight.grad.clone())
    assert gradients[0].abs().max() > 0
    assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        (torch.zeros(1, 3, dtype=torch.int64), r"visible: expected \(2, visible\) int64, .* got \(1, 3\) torch.int64"),
        (torch.zeros(2, 0, dtype=torch.int64), r"at least one of each image, got \(2, 0\)"),
        (torch.zeros(2, 16, dtype=torch.bool), r"got \(2, 16\) torch.bool"),
        (torch.full((2, 3), 16), "visible: the patches are numbered 0 to 15, got 16 to 16"),
        (torch.full((2, 3), -1), "got -1 to -1"),
    ],
)
def test_choices_out_of_shape_or_range_are_refused(visible: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data2VecVisionModel(TINY)(torch.randn(2, 3, 32, 32), visible=visible)
