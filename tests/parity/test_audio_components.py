"""The parts of the speech model against the reference's, each by itself: results and gradients of the input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_core.audio.heads import Data2VecAudioForCTC
from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.audio.xvector import Data2VecAudioForXVector
from data2vec_core.transformer import padding_bias
from tests.clips import TINY
from tests.parity.reference import (
    assert_close_to_reference,
    random_reference,
    reference_config,
    reload_in_ours,
    transformers,
)

CONFIG = TINY.replace(add_adapter=True, output_hidden_size=24, conv_bias=True)
DIM = CONFIG.hidden_size


@pytest.fixture(scope="module")
def reference() -> Any:
    torch.manual_seed(0)
    return random_reference(transformers.Data2VecAudioForCTC, CONFIG).data2vec_audio


@pytest.fixture(scope="module")
def ours(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return reload_in_ours(reference, Data2VecAudioModel, tmp_path_factory.mktemp("audio"))


def assert_same_function(
    own: Callable[[Tensor], Tensor], reference: Callable[[Tensor], Tensor], sample: Tensor
) -> None:
    """Compare the results for one input, and what reaches the input when a random direction is sent back."""
    own_input, reference_input = sample.clone().requires_grad_(), sample.clone().requires_grad_()
    own_result, reference_result = own(own_input), reference(reference_input)
    assert_close_to_reference(own_result, reference_result)
    direction = torch.randn_like(reference_result)
    own_result.backward(direction)
    reference_result.backward(direction)
    assert_close_to_reference(own_input.grad, reference_input.grad, name="gradient")


def channels_first(module: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A reference module on (batch, dim, frames) as a function on (batch, frames, dim)."""
    return lambda hidden: module(hidden.transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize("samples", [2400, 2437])
def test_waveform_encoder(ours: Any, reference: Any, samples: int) -> None:
    assert_same_function(
        ours.feature_extractor,
        lambda waveform: reference.feature_extractor(waveform).transpose(1, 2),
        torch.randn(2, samples),
    )


def test_each_convolution_layer(ours: Any, reference: Any) -> None:
    hidden = torch.randn(2, 403, 1)
    for own_layer, layer in zip(
        ours.feature_extractor.conv_layers, reference.feature_extractor.conv_layers, strict=True
    ):
        assert_same_function(own_layer, channels_first(layer), hidden)
        hidden = own_layer(hidden).detach()


def test_feature_projection(ours: Any, reference: Any) -> None:
    features = torch.randn(2, 9, CONFIG.conv_dim[-1])
    assert_close_to_reference(ours.feature_projection(features), reference.feature_projection(features))


def test_each_positional_convolution(ours: Any, reference: Any) -> None:
    own_layers, layers = ours.encoder.pos_conv_embed.layers, reference.encoder.pos_conv_embed.layers
    assert len(own_layers) == len(layers) == CONFIG.num_conv_pos_embeddings
    for own_layer, layer in zip(own_layers, layers, strict=True):
        assert_same_function(own_layer, channels_first(layer), torch.randn(2, 9, DIM))


def test_positional_convolutions(ours: Any, reference: Any) -> None:
    assert_same_function(ours.encoder.pos_conv_embed, reference.encoder.pos_conv_embed, torch.randn(2, 9, DIM))


@pytest.mark.parametrize("lengths", [(9, 9), (9, 4)], ids=["unpadded", "padded"])
def test_block(ours: Any, reference: Any, lengths: tuple[int, int]) -> None:
    bias = padding_bias(torch.arange(9) < torch.tensor(lengths)[:, None], torch.float32)
    assert_same_function(
        lambda hidden: ours.encoder.layers[0](hidden, bias=bias),
        lambda hidden: reference.encoder.layers[0](hidden, attention_mask=bias),
        torch.randn(2, 9, DIM),
    )


def test_adapter(ours: Any, reference: Any) -> None:
    assert_same_function(ours.adapter, reference.adapter, torch.randn(2, 9, DIM))


def test_ctc_loss() -> None:
    head = Data2VecAudioForCTC(CONFIG)
    reference_loss = transformers.Data2VecAudioForCTC(reference_config(CONFIG)).loss_function
    labels = torch.tensor([[3, 5, 5, -100], [7, CONFIG.pad_token_id, 2, 9]])
    frames = torch.tensor([12, 9])
    assert_same_function(
        lambda logits: head.ctc_loss(logits, frames, labels),
        lambda logits: reference_loss(
            logits=logits,
            labels=labels,
            logit_lengths=frames,
            blank_token_id=CONFIG.pad_token_id,
            reduction=CONFIG.ctc_loss_reduction,
        ),
        torch.randn(2, 12, CONFIG.vocab_size),
    )


def test_time_delay_layers_and_additive_margin_softmax(tmp_path: Path) -> None:
    config = TINY.replace(num_labels=5)
    reference = random_reference(transformers.Data2VecAudioForXVector, config)
    ours = reload_in_ours(reference, Data2VecAudioForXVector, tmp_path)
    hidden = torch.randn(2, 20, config.tdnn_dim[0])
    for own_layer, layer in zip(ours.tdnn, reference.tdnn, strict=True):
        assert_same_function(own_layer, layer, hidden)
        hidden = layer(hidden).detach()
    labels = torch.tensor([4, 0])
    assert_same_function(
        lambda vectors: ours.objective(vectors, labels),
        lambda vectors: reference.objective(vectors, labels),
        torch.randn(2, config.xvector_output_dim),
    )
