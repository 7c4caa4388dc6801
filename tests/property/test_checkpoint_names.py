"""Names of tensors in files: one public name for each of ours, and back; counts of the public checkpoints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import data2vec_core
from data2vec_core.checkpoints.hub_keys import AUDIO_KEYS, TEXT_KEYS, VISION_KEYS
from data2vec_core.checkpoints.key_table import KeyTable
from data2vec_core.checkpoints.loading import BACKBONE, blank_weights, fit_tensors
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel

# A text model is built here as decoder and not, whichever the class is for.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_decoder=True")

CLASSES = sorted(name for name in data2vec_core.__all__ if issubclass(getattr(data2vec_core, name), PretrainedModel))
#: Settings that add tensors, by family.
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "Audio": {
        "mask_time_prob": [0.0, 0.05],
        "conv_bias": [False, True],
        "use_weighted_layer_sum": [False, True],
        "num_conv_pos_embeddings": [1, 3],
    },
    "Text": {
        "is_decoder": [True],
        "add_cross_attention": [False, True],
        "position_embedding_type": ["absolute", "relative_key", "relative_key_query"],
        "tie_word_embeddings": [False, True],
    },
    "Vision": {
        "use_mask_token": [False, True],
        "use_absolute_position_embeddings": [False, True],
        "use_relative_position_bias": [False, True],
        "use_shared_relative_position_bias": [False, True],
        "layer_scale_init_value": [0.0, 0.1],
        "use_mean_pooling": [False, True],
        "auxiliary_num_convs": [1, 2],
        "auxiliary_concat_input": [False, True],
    },
}


def family(class_name: str) -> str:
    return next(name for name in OPTIONS if name in class_name)


@st.composite
def models(draw: st.DrawFn) -> PretrainedModel:
    """Any class with any of the settings that add tensors, without numbers."""
    class_name = draw(st.sampled_from(CLASSES))
    changes = {field: draw(st.sampled_from(values)) for field, values in OPTIONS[family(class_name)].items()}
    config: Any = PRESETS[f"{family(class_name).lower()}-tiny"]
    with blank_weights():
        return getattr(data2vec_core, class_name)(config.replace(**changes))


@given(models())
@settings(deadline=None, max_examples=60)
def test_every_tensor_has_a_public_name_of_its_own_and_comes_back_by_it(model: PretrainedModel) -> None:
    table = model.key_table
    seen = set()
    for name in model.state_dict():
        bare = name.removeprefix(BACKBONE)
        public = table.to_public(bare)
        assert table.to_own(public) == bare
        assert not table.is_dropped(public)
        assert BACKBONE not in public
        seen.add((name.startswith(BACKBONE), public))
    assert len(seen) == len(model.state_dict())


@given(models())
@settings(deadline=None, max_examples=30)
def test_what_a_model_would_save_is_what_it_needs(model: PretrainedModel) -> None:
    public = model.public_tensors()
    report = fit_tensors(
        type(model)(model.config),
        {name: t.new_zeros(t.shape, device="cpu") for name, t in public.items()},
        source="itself",
    )
    assert report.is_complete
    assert report.left_over == ()


@pytest.mark.parametrize(
    ("old", "public"),
    [
        ("decode_head.psp_modules.2.1.conv.weight", "decode_head.psp_modules.blocks.2.conv.convolution.weight"),
        ("decode_head.psp_modules.2.1.bn.bias", "decode_head.psp_modules.blocks.2.conv.normalization.bias"),
        ("decode_head.bottleneck.conv.weight", "decode_head.psp_bottleneck.convolution.weight"),
        ("decode_head.lateral_convs.0.bn.bias", "decode_head.lateral_convs.0.normalization.bias"),
        ("decode_head.fpn_convs.1.conv.weight", "decode_head.fpn_convs.1.convolution.weight"),
        ("decode_head.fpn_bottleneck.bn.weight", "decode_head.fpn_bottleneck.normalization.weight"),
        ("auxiliary_head.convs.1.conv.weight", "auxiliary_head.convs.1.convolution.weight"),
        ("auxiliary_head.conv_cat.bn.num_batches_tracked", "auxiliary_head.conv_cat.normalization.num_batches_tracked"),
    ],
)  # fmt: skip
def test_segmentation_names_of_4x_mean_those_of_5x(old: str, public: str) -> None:
    assert VISION_KEYS.to_own(old) == VISION_KEYS.to_own(public)


def test_old_norm_names_of_text_are_known() -> None:
    new = "encoder.layer.3.attention.output.LayerNorm"
    assert TEXT_KEYS.to_own(new.replace("LayerNorm", "LayerNorm.gamma")) == TEXT_KEYS.to_own(f"{new}.weight")
    assert TEXT_KEYS.to_own("embeddings.LayerNorm.beta") == TEXT_KEYS.to_own("embeddings.LayerNorm.bias")


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (TEXT_KEYS, "data2vec_text.embeddings.position_ids"),
        (VISION_KEYS, "encoder.layer.0.attention.attention.relative_position_bias.relative_position_index"),
        (VISION_KEYS, "data2vec_vision.encoder.relative_position_bias.relative_position_index"),
    ],
)
def test_old_index_buffers_are_dropped(table: KeyTable, name: str) -> None:
    assert table.is_dropped(name)
    assert not AUDIO_KEYS.is_dropped(name)


@pytest.mark.parametrize(
    ("class_name", "preset", "changes", "tensors", "parameters"),
    [  # data2vec.md 3.4
        ("Data2VecAudioModel", "audio-base", {}, 230, 93_164_288),
        ("Data2VecAudioForCTC", "audio-base", {}, 232, 93_188_896),
        ("Data2VecAudioModel", "audio-large", {}, 422, 313_276_416),
        ("Data2VecAudioForCTC", "audio-large", {}, 424, 313_309_216),
        ("Data2VecTextModel", "text-base", {}, 199, 124_645_632),
        ("Data2VecVisionModel", "vision-base", {}, 210, 85_665_360),
        ("Data2VecVisionForImageClassification", "vision-base-ft1k", {}, 223, 86_530_984),
        ("Data2VecVisionModel", "vision-large", {}, 414, 303_136_192),
        ("Data2VecVisionForImageClassification", "vision-large-ft1k", {}, 439, 304_430_568),
        ("Data2VecVisionForSemanticSegmentation", "vision-base-ft1k", {"num_labels": 150}, 312, 162_614_252),
    ],
)
def test_the_public_sizes_have_their_counts(
    class_name: str, preset: str, changes: dict[str, Any], tensors: int, parameters: int
) -> None:
    config: Any = PRESETS[preset]
    with blank_weights():
        model = getattr(data2vec_core, class_name)(config.replace(**changes))
    assert (len(model.state_dict()), model.num_parameters()) == (tensors, parameters)


@pytest.mark.parametrize(
    ("class_name", "changes", "parameters"),
    [
        ("Data2VecTextForMaskedLM", {}, 124_697_433),
        ("Data2VecTextForCausalLM", {"is_decoder": True, "add_cross_attention": True}, 153_064_281),
    ],
)
def test_tied_language_models_have_their_counts(class_name: str, changes: dict[str, Any], parameters: int) -> None:
    config: Any = PRESETS["text-base"]
    with blank_weights():
        model = getattr(data2vec_core, class_name)(config.replace(**changes))
    assert model.num_parameters() == parameters


@pytest.mark.parametrize("class_name", CLASSES)
def test_no_buffer_is_left_out_of_files(class_name: str) -> None:
    """`blank_weights` leaves every buffer empty, so one that no file holds would stay so."""
    config: Any = PRESETS[f"{family(class_name).lower()}-tiny"]
    model = getattr(data2vec_core, class_name)(config)
    assert {name for name, _ in model.named_buffers()} <= model.state_dict().keys()
