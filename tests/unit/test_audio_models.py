"""The speech classes by themselves: sizes, fresh weights, training, odd input."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from data2vec_core.audio.heads import (
    Data2VecAudioForAudioFrameClassification,
    Data2VecAudioForCTC,
    Data2VecAudioForSequenceClassification,
)
from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.audio.xvector import Data2VecAudioForXVector
from data2vec_core.checkpoints.loading import blank_weights
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from tests.clips import FRAMES, SAMPLES, TINY, two_clips

CONFIG = TINY.replace(num_labels=3)
LABELS: dict[type[PretrainedModel], torch.Tensor] = {
    Data2VecAudioForCTC: torch.tensor([[3, 5, 5], [7, 2, -100]]),
    Data2VecAudioForSequenceClassification: torch.tensor([2, 0]),
    Data2VecAudioForAudioFrameClassification: F.one_hot(torch.arange(2 * FRAMES).view(2, FRAMES) % 3, 3),
    Data2VecAudioForXVector: torch.tensor([2, 0]),
}
MIXING = [
    Data2VecAudioForSequenceClassification,
    Data2VecAudioForAudioFrameClassification,
    Data2VecAudioForXVector,
]
EVERY_HEAD = pytest.mark.parametrize("head", LABELS.keys(), ids=lambda head: head.__name__)
EVERY_MIXING_HEAD = pytest.mark.parametrize("head", MIXING, ids=lambda head: head.__name__)

CALM: dict[str, Any] = {
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}
"""Training without chance."""


def gradients(model: PretrainedModel) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("preset", "model_class", "tensors", "parameters"),
    [
        ("audio-base", Data2VecAudioModel, 230, 93_164_288),
        ("audio-base", Data2VecAudioForCTC, 232, 93_188_896),
        ("audio-large", Data2VecAudioModel, 422, 313_276_416),
        ("audio-large", Data2VecAudioForCTC, 424, 313_309_216),
    ],
)
def test_parameter_counts(preset: str, model_class: type[PretrainedModel], tensors: int, parameters: int) -> None:
    """data2vec.md 3.4."""
    with blank_weights():
        model = model_class(PRESETS[preset])
    assert len(model.state_dict()) == tensors
    assert model.num_parameters() == parameters


def test_fresh_weights() -> None:
    """Spreads by data2vec.md 2.1, Initialisation; the widths are the base model's, on which they depend."""
    model: Any = Data2VecAudioModel(Data2VecAudioConfig(num_hidden_layers=1, add_adapter=True, num_adapter_layers=1))
    convolutions = [layer.conv for layer in model.feature_extractor.conv_layers]
    assert convolutions[0].weight.std().item() == pytest.approx(0.447, rel=0.05)
    assert convolutions[1].weight.std().item() == pytest.approx(0.0361, rel=0.02)
    for layer in model.encoder.pos_conv_embed.layers:
        assert layer.conv.weight.std().item() == pytest.approx(0.0468, rel=0.02)
        assert layer.conv.bias.abs().max() == 0
    block = model.encoder.layers[0]
    for linear in (block.attention.query, block.attention.output, block.feed_forward.up, block.feed_forward.down):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert linear.bias.abs().max() == 0
    bound = 512**-0.5
    for parameter in model.feature_projection.projection.parameters():
        assert 0.9 * bound < parameter.abs().max().item() <= bound
        assert parameter.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)
    assert model.masked_spec_embed.min() >= 0
    assert model.masked_spec_embed.mean().item() == pytest.approx(0.5, abs=0.05)
    adapter = model.adapter.layers[0].conv
    assert adapter.weight.std().item() == pytest.approx((2 / (3 * 768)) ** 0.5, rel=0.02)
    assert 0.9 * (3 * 768) ** -0.5 < adapter.bias.abs().max().item() <= (3 * 768) ** -0.5
    assert torch.equal(model.encoder.layer_norm.weight, torch.ones(768))


def test_fresh_weights_of_biased_convolutions() -> None:
    model: Any = Data2VecAudioModel(TINY.replace(conv_bias=True))
    for layer in model.feature_extractor.conv_layers:
        bound = (layer.conv.in_channels * layer.conv.kernel_size[0]) ** -0.5
        assert 0.5 * bound < layer.conv.bias.abs().max().item() <= bound


def test_fresh_weights_of_heads() -> None:
    model = Data2VecAudioForXVector(
        TINY.replace(use_weighted_layer_sum=True, num_labels=200, xvector_output_dim=100, initializer_range=0.3)
    )
    assert model.layer_weights is not None
    assert torch.allclose(model.layer_weights, torch.full((4,), 0.25))
    assert model.objective.weight.std().item() == pytest.approx(1, rel=0.05)
    assert model.classifier.weight.std().item() == pytest.approx(0.3, rel=0.05)


@EVERY_HEAD
def test_freeze_feature_encoder(head: type[Any]) -> None:
    model = head(TINY)
    model.freeze_feature_encoder()
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith("backbone.feature_extractor.")}
    assert frozen


@EVERY_HEAD
def test_freeze_base_model(head: type[Any]) -> None:
    model = head(CONFIG).train()
    model.freeze_base_model()
    model(**two_clips(padded=False), labels=LABELS[head]).loss.backward()
    with_gradient = set(gradients(model))
    assert with_gradient == {name for name, _ in model.named_parameters() if not name.startswith("backbone.")}


@EVERY_HEAD
def test_every_parameter_learns(head: type[Any]) -> None:
    model = head(CONFIG.replace(mask_time_prob=0.5, layerdrop=0.0)).train()
    loss = model(**two_clips(padded=True), labels=LABELS[head]).loss
    assert loss.dim() == 0
    loss.backward()
    assert set(gradients(model)) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("recorded", [{}, {"output_attentions": True}], ids=["fused", "recorded"])
def test_gradient_checkpointing_changes_no_gradient(recorded: dict[str, bool]) -> None:
    model = Data2VecAudioForSequenceClassification(CONFIG.replace(**CALM)).train()
    values = two_clips(padded=True) | {"labels": torch.tensor([1, 2])} | recorded
    model(**values).loss.backward()
    expected = gradients(model)
    model.zero_grad()
    model.gradient_checkpointing_enable()
    assert model.backbone.encoder.gradient_checkpointing
    model(**values).loss.backward()
    torch.testing.assert_close(gradients(model), expected)
    model.gradient_checkpointing_disable()
    assert not model.backbone.encoder.gradient_checkpointing


@pytest.mark.parametrize("layerdrop", [0.5, 1.0])
def test_layerdrop_keeps_the_number_of_hidden_states(layerdrop: float) -> None:
    model = Data2VecAudioModel(TINY.replace(layerdrop=layerdrop)).train()
    for _ in range(5):
        states = model(**two_clips(padded=False), output_hidden_states=True).hidden_states
        assert len(states) == TINY.num_hidden_layers + 1
    if layerdrop == 1:
        assert all(torch.equal(state, states[0]) for state in states)
    model.eval()
    states = model(**two_clips(padded=False), output_hidden_states=True).hidden_states
    assert not any(torch.equal(state, states[0]) for state in states[1:])


@EVERY_MIXING_HEAD
@pytest.mark.parametrize("layerdrop", [0.5, 1.0])
def test_weighted_layers_train_with_layerdrop(head: type[Any], layerdrop: float) -> None:
    """The reference crashes here (data2vec.md 9.2, item 5)."""
    model = head(CONFIG.replace(use_weighted_layer_sum=True, layerdrop=layerdrop)).train()
    for _ in range(4):
        model.zero_grad()
        result = model(**two_clips(padded=False), labels=LABELS[head])
        assert result.hidden_states is None, "nobody asked for them"
        result.loss.backward()
        assert model.layer_weights.grad.shape == (TINY.num_hidden_layers + 1,)


@EVERY_HEAD
def test_clips_shorter_than_a_mask_span_train(head: type[Any]) -> None:
    """The reference raises here (data2vec.md 9.2, item 7)."""
    model = head(CONFIG.replace(mask_time_length=FRAMES + 1, mask_time_prob=0.9)).train()
    assert torch.isfinite(model(**two_clips(padded=False), labels=LABELS[head]).loss)


def test_adapter_layers_are_dropped_in_training() -> None:
    model = Data2VecAudioModel(TINY.replace(add_adapter=True, layerdrop=1.0))
    values = two_clips(padded=False)
    assert model.train()(**values).last_hidden_state.shape[1] == FRAMES
    assert model.eval()(**values).last_hidden_state.shape[1] < FRAMES


@pytest.mark.parametrize(
    "field",
    ["hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "final_dropout"],
)
def test_each_dropout_acts_in_training_only(field: str) -> None:
    model = Data2VecAudioForCTC(TINY.replace(**(CALM | {field: 0.5})))
    values = two_clips(padded=False)
    model.train()
    assert not torch.equal(model(**values).logits, model(**values).logits)
    model.eval()
    assert torch.equal(model(**values).logits, model(**values).logits)


def test_one_class_is_no_regression_unless_the_configuration_says_so() -> None:
    """As in the reference, whose speech head knows nothing but cross-entropy."""
    model = Data2VecAudioForSequenceClassification(TINY.replace(num_labels=1)).eval()
    assert model(**two_clips(padded=False), labels=torch.tensor([0, 0])).loss.item() == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(2, 0, dtype=torch.long), r"labels must be \(2, characters\), at least one, got shape \(2, 0\)"),
        (torch.tensor([3, 4]), r"got shape \(2,\)"),
        (torch.tensor([[3, 4]]), r"got shape \(1, 2\)"),
        (torch.tensor([[3], [32]]), "below vocab_size=32, got 32"),
    ],
)
def test_labels_that_are_no_transcripts(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data2VecAudioForCTC(TINY)(**two_clips(padded=False), labels=labels)


def test_the_blank_has_to_be_in_the_vocabulary() -> None:
    model = Data2VecAudioForCTC(TINY.replace(pad_token_id=40)).eval()
    with pytest.raises(ValueError, match="pad_token_id=40 is the blank, and has to be below vocab_size=32"):
        model(**two_clips(padded=False), labels=torch.tensor([[3], [4]]))


@pytest.mark.parametrize("head", [Data2VecAudioForSequenceClassification, Data2VecAudioForXVector])
def test_labels_that_name_no_class(head: Any) -> None:
    with pytest.raises(ValueError, match=r"labels: expected ids from 0 to 2 \(num_labels=3\).*got 0 to 3"):
        head(CONFIG)(**two_clips(padded=False), labels=torch.tensor([0, 3]))


def test_regression() -> None:
    """The reference's speech head knows cross-entropy only; the other problem types are those of its text heads."""
    config = TINY.replace(num_labels=1, problem_type="regression")
    model = Data2VecAudioForSequenceClassification(config).eval()
    targets = torch.tensor([0.3, -1.2])
    result = model(**two_clips(padded=False), labels=targets)
    torch.testing.assert_close(result.loss, (result.logits[:, 0] - targets).square().mean())


def test_several_labels_a_clip() -> None:
    config = CONFIG.replace(problem_type="multi_label_classification")
    model = Data2VecAudioForSequenceClassification(config).eval()
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    result = model(**two_clips(padded=False), labels=targets)
    chances = result.logits.sigmoid()
    expected = -(targets * chances.log() + (1 - targets) * (1 - chances).log()).mean()
    torch.testing.assert_close(result.loss, expected)


def test_one_label_a_clip() -> None:
    model = Data2VecAudioForSequenceClassification(CONFIG).eval()
    result = model(**two_clips(padded=False), labels=torch.tensor([2, 0]))
    chances = result.logits.softmax(dim=-1)
    torch.testing.assert_close(result.loss, -(chances[0, 2].log() + chances[1, 0].log()) / 2)


def test_frame_classes_as_ids() -> None:
    """Class ids mean the same as one-hot rows, and -100 leaves a frame out."""
    model = Data2VecAudioForAudioFrameClassification(CONFIG).eval()
    values = two_clips(padded=False)
    one_hot = LABELS[Data2VecAudioForAudioFrameClassification]
    ids = one_hot.argmax(dim=-1)
    torch.testing.assert_close(model(**values, labels=ids).loss, model(**values, labels=one_hot).loss)
    ids[:, 5:] = -100
    expected = F.cross_entropy(model(**values).logits[:, :5].flatten(0, 1), ids[:, :5].flatten())
    torch.testing.assert_close(model(**values, labels=ids).loss, expected)


def test_xvector_lengths_by_flag() -> None:
    """By default padding enters the statistics of a short clip, as in the reference (data2vec.md 9.2, item 6)."""
    values = two_clips(padded=True)
    model = Data2VecAudioForXVector(TINY).eval()
    fixed = Data2VecAudioForXVector(TINY.replace(fix_tdnn_lengths=True)).eval()
    fixed.load_state_dict(model.state_dict())
    vectors, fixed_vectors = model(**values).embeddings, fixed(**values).embeddings
    torch.testing.assert_close(vectors[0], fixed_vectors[0])
    assert not torch.allclose(vectors[1], fixed_vectors[1], rtol=1e-3)
    assert fixed._frames_left(99, exact=True) == 99 - 4 - 4  # kernels 5, 3, 1 with dilations 1, 2, 1
    assert fixed._frames_left(99, exact=False) == 99 - 4 - 2


@EVERY_HEAD
@pytest.mark.parametrize("samples", [0, 84], ids=["nothing", "less than a frame"])
def test_a_clip_without_a_frame_does_not_spoil_the_batch(head: type[Any], samples: int) -> None:
    values = two_clips(padded=True)
    values["attention_mask"][1, samples:] = 0
    model = head(CONFIG.replace(ctc_zero_infinity=True, **CALM)).train()
    result = model(**values, labels=LABELS[head])
    assert torch.isfinite(result.logits).all()
    assert torch.isfinite(result.loss)
    result.loss.backward()
    for name, gradient in gradients(model).items():
        assert torch.isfinite(gradient).all(), name


def test_xvector_of_a_single_frame() -> None:
    """One frame has no deviation; the reference gives NaN."""
    model = Data2VecAudioForXVector(TINY)
    samples = 8 * 80 + 85  # nine frames, of which the time-delay layers leave one
    result = model(torch.randn(2, samples), labels=torch.tensor([0, 1]))
    result.loss.backward()
    assert torch.isfinite(result.embeddings).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(model).values())
    with pytest.raises(ValueError, match="8 frames are too few"):
        model(torch.randn(2, samples - 80))


@pytest.mark.parametrize("model_class", [Data2VecAudioModel, *LABELS], ids=lambda head: head.__name__)
def test_refused_input(model_class: type[Any]) -> None:
    model = model_class(TINY)
    with pytest.raises(ValueError, match="84 samples: too few"):
        model(torch.randn(2, 84))  # a frame spans 85
    with pytest.raises(ValueError, match=r"\(batch, samples\), got shape \(2400,\)"):
        model(torch.randn(2400))
    with pytest.raises(ValueError, match=r"attention_mask .* \(2, 2400\), got \(2, 30\)"):
        model(torch.randn(2, SAMPLES[0]), attention_mask=torch.ones(2, 30))


def test_a_label_outside_the_vocabulary() -> None:
    with pytest.raises(ValueError, match="below vocab_size=32, got 32"):
        Data2VecAudioForCTC(TINY)(**two_clips(padded=False), labels=torch.tensor([[32], [1]]))


@EVERY_MIXING_HEAD
def test_heads_that_take_no_adapter(head: type[Any]) -> None:
    with pytest.raises(ValueError, match="add_adapter=False"):
        head(TINY.replace(add_adapter=True))


@pytest.mark.parametrize("model_class", [Data2VecAudioModel, *LABELS], ids=lambda head: head.__name__)
def test_tuple_equals_dataclass(model_class: type[Any]) -> None:
    model = model_class(CONFIG).eval()
    values = two_clips(padded=True) | {"output_hidden_states": True, "output_attentions": True}
    if model_class in LABELS:
        values["labels"] = LABELS[model_class]
    result, plain = model(**values), model(**values, return_dict=False)
    assert isinstance(plain, tuple)
    assert len(plain) == len(result.keys())
    for name, item in zip(result.keys(), plain, strict=True):
        torch.testing.assert_close(item, result[name], msg=name)


def test_flags_decide_what_is_returned() -> None:
    values = two_clips(padded=False)
    model = Data2VecAudioModel(TINY).eval()
    assert model(**values).keys() == ["last_hidden_state", "extract_features"]
    result = model(**values, output_hidden_states=True)
    assert result.attentions is None
    assert [state.shape for state in result.hidden_states] == [(2, FRAMES, TINY.hidden_size)] * 4
    assert torch.equal(result.hidden_states[-1], result.last_hidden_state)
    result = model(**values, output_attentions=True)
    assert result.hidden_states is None
    assert [maps.shape for maps in result.attentions] == [(2, TINY.num_attention_heads, FRAMES, FRAMES)] * 3
    torch.testing.assert_close(result.attentions[0].sum(dim=-1), torch.ones(2, TINY.num_attention_heads, FRAMES))

    model = Data2VecAudioModel(TINY.replace(output_hidden_states=True)).eval()
    assert model(**values).hidden_states is not None
    assert model(**values, output_hidden_states=False).hidden_states is None
