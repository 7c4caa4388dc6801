"""Configurations: labels that agree, rules that name the field, reading what others wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data2vec_core import Data2VecAudioConfig, Data2VecTextConfig, Data2VecVisionConfig
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.presets import PRESETS

NAMES = {0: "no", 1: "yes", 2: "maybe"}
NAMED = Data2VecTextConfig(id2label=NAMES)
CONFIGS = {"audio": Data2VecAudioConfig, "text": Data2VecTextConfig, "vision": Data2VecVisionConfig}


@pytest.mark.parametrize("name", PRESETS)
def test_to_dict_and_back_through_json(name: str) -> None:
    config = PRESETS[name]
    config = config.replace(id2label=NAMES, architectures=("Data2VecAudioModel",), hidden_size=4 * config.hidden_size)
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_classes_without_names() -> None:
    assert Data2VecTextConfig().labels == ["LABEL_0", "LABEL_1"]
    config = Data2VecTextConfig(num_labels=3)
    assert config.class_count == 3
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    assert Data2VecVisionConfig(num_labels=0).class_count == 0


@pytest.mark.parametrize("given", [{"id2label": NAMES}, {"label2id": {"maybe": 2, "no": 0, "yes": 1}}])
def test_names_from_either_side(given: dict[str, Any]) -> None:
    config = Data2VecTextConfig(**given)
    assert config.labels == ["no", "yes", "maybe"]
    assert config.num_labels == config.class_count == 3
    assert config.label2id == {"no": 0, "yes": 1, "maybe": 2}


def test_two_classes_of_one_name() -> None:
    config = Data2VecTextConfig(id2label={0: "crane", 1: "crane"})
    assert config.labels == ["crane", "crane"]
    assert Data2VecTextConfig.from_dict(config.to_dict()) == config


def test_replacing_other_fields_keeps_names() -> None:
    assert NAMED.replace(vocab_size=99).labels == list(NAMES.values())
    assert NAMED.replace(num_labels=3).labels == list(NAMES.values())


def test_replacing_labels_drops_what_they_were() -> None:
    assert NAMED.replace(num_labels=2).labels == ["LABEL_0", "LABEL_1"]
    assert NAMED.replace(id2label={0: "a"}).label2id == {"a": 0}
    assert NAMED.replace(label2id={"b": 0, "c": 1}).labels == ["b", "c"]
    with pytest.raises(ValueError, match="num_labels=3 but id2label names 1 classes"):
        NAMED.replace(num_labels=3, id2label={0: "a"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id2label": {1: "a", 2: "b"}}, r"id2label: ids must be 0 to 1, each once, got \[1, 2\]"),
        ({"label2id": {"a": 0, "b": 2}}, r"label2id: ids must be 0 to 1, each once, got \[0, 2\]"),
        ({"id2label": NAMES, "label2id": {"no": 1}}, r"label2id: \{'no': 1\} contradicts id2label"),
        ({"num_labels": 2, "label2id": {"a": 0}}, "num_labels=2 but"),
        ({"num_labels": -1}, "num_labels=-1: must be a whole number, 0 or more"),
        ({"num_labels": "two"}, "num_labels='two': must be a whole number"),
    ],
)
def test_labels_that_disagree_are_refused(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Data2VecTextConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "labels", "dropped"),
    [
        ({"id2label": {"1": "a", "2": "b"}}, ["LABEL_0", "a"], ()),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}, ["a", "b"], ("label2id",)),
        ({"id2label": {"0": "a"}, "num_labels": 2}, ["a"], ("num_labels",)),
        ({"label2id": {"a": 0, "b": 7}}, ["LABEL_0", "LABEL_1"], ("label2id",)),
    ],
)
def test_files_whose_labels_disagree_load(fields: dict[str, Any], labels: list[str], dropped: tuple[str, ...]) -> None:
    config, report = Data2VecTextConfig.read_dict(fields)
    assert config.labels == labels
    assert report.dropped == dropped
    assert report.unknown == ()


def test_bookkeeping_of_the_base_class_is_known_everywhere() -> None:
    ids = {"pad_token_id": 3, "bos_token_id": None, "eos_token_id": 4}
    _, report = Data2VecVisionConfig.read_dict(ids)
    assert report.dropped == ("bos_token_id", "eos_token_id", "pad_token_id")
    config, report = Data2VecTextConfig.read_dict(ids)
    assert (config.pad_token_id, report.dropped) == (3, ())


def test_the_width_after_the_adapter_follows_the_model() -> None:
    config = Data2VecAudioConfig(add_adapter=True)
    assert config.output_size == 768
    assert config.replace(hidden_size=1536).output_size == 1536
    assert config.replace(output_hidden_size=512).output_size == 512
    assert config.replace(output_hidden_size=512, add_adapter=False).output_size == 768


@pytest.mark.parametrize(
    ("modality", "field", "value", "expected"),
    [
        ("text", "hidden_size", "large", "numbers above 0"),
        ("text", "hidden_size", 7, "must be divisible by num_attention_heads=12"),
        ("text", "num_hidden_layers", -1, "0 or more"),
        ("text", "hidden_act", "swoosh", "must be one of .*'gelu'"),
        ("text", "problem_type", "ranking", "must be one of None, 'regression'"),
        ("text", "vocab_size", 0, "numbers above 0"),
        ("text", "vocab_size", 1, "pad_token_id=1: expected a token id below vocab_size=1"),
        ("text", "pad_token_id", None, "a token id below vocab_size=30522"),
        ("text", "type_vocab_size", 0, "numbers above 0"),
        ("text", "max_position_embeddings", 2, "leaves no position after pad_token_id=1"),
        ("text", "hidden_dropout_prob", "a", "a number between 0 and 1"),
        ("text", "classifier_dropout", 1.5, "a number between 0 and 1"),
        ("text", "layer_norm_eps", -1e-5, "a number, 0 or more"),
        ("text", "add_cross_attention", True, "needs is_decoder=True"),
        ("text", "position_embedding_type", "rotary", "must be one of 'absolute'"),
        ("audio", "vocab_size", 0, "numbers above 0"),
        ("audio", "conv_stride", (5, 2, 2, 2, 2, 2, 0), "numbers above 0"),
        ("audio", "conv_dim", (512,), "one entry a layer each, got 1, 7 and 7"),
        ("audio", "tdnn_kernel", (5,), "one entry a layer each, got 5, 1 and 5"),
        ("audio", "adapter_stride", 0, "numbers above 0"),
        ("audio", "output_hidden_size", 0, "numbers above 0"),
        ("audio", "mask_time_length", 0, "numbers above 0"),
        ("audio", "mask_time_prob", 2, "a number between 0 and 1"),
        ("audio", "num_conv_pos_embedding_groups", 0, "numbers above 0"),
        ("audio", "num_conv_pos_embedding_groups", 5, "must divide hidden_size=768"),
        ("audio", "layer_norm_eps", -1.0, "a number, 0 or more"),
        ("audio", "ctc_loss_reduction", "none", "must be one of 'sum', 'mean'"),
        ("vision", "patch_size", 0, "numbers above 0"),
        ("vision", "patch_size", 300, "must fit into image_size=224"),
        ("vision", "image_size", (1, 2, 3), r"one number, or \(height, width\)"),
        ("vision", "num_channels", 0, "numbers above 0"),
        ("vision", "pool_scales", (), "at least one scale"),
        ("vision", "pool_scales", (1, 0), "numbers above 0"),
        ("vision", "drop_path_rate", -0.1, "a number between 0 and 1"),
        ("vision", "segmentation_taps", "mine", "must be one of 'reference', 'beit'"),
    ],
)
def test_a_broken_rule_names_its_field(modality: str, field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as raised:
        CONFIGS[modality](**{field: value})
    assert field in str(raised.value)


def test_writing_is_strict() -> None:
    with pytest.raises(TypeError, match="colour"):
        Data2VecTextConfig(colour="red")  # type: ignore[call-arg]


def test_a_configuration_of_another_model_is_refused() -> None:
    assert issubclass(Data2VecVisionConfig, Data2VecConfig)
    with pytest.raises(ValueError, match="a 'data2vec-text' configuration; Data2VecVisionConfig reads"):
        Data2VecVisionConfig.from_dict(NAMED.to_dict())
