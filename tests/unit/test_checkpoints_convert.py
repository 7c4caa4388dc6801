"""Converting training checkpoints of fairseq and BEiT style, made here from the tables of their names."""

from __future__ import annotations

import argparse
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from data2vec_core import (
    Data2VecAudioForCTC,
    Data2VecAudioModel,
    Data2VecTextForMaskedLM,
    Data2VecTextForSequenceClassification,
    Data2VecTextModel,
    Data2VecVisionForImageClassification,
    Data2VecVisionModel,
)
from data2vec_core.checkpoints.convert import convert, main
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import Role

# What is converted here must load without a remark, but for a text pooler, which fairseq does not have.
pytestmark = [
    pytest.mark.filterwarnings("error::data2vec_core.checkpoints.loading.CheckpointWarning"),
    pytest.mark.filterwarnings("ignore:.*pooler:data2vec_core.checkpoints.loading.CheckpointWarning"),
]

DIM, INNER, LAYERS = 16, 24, 2


def linear(name: str, out: int, inner: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(out, inner), f"{name}.bias": torch.randn(out)}


def norm(name: str, dim: int = DIM) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.randn(dim), f"{name}.bias": torch.randn(dim)}


def fairseq_layers() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for i in range(LAYERS):
        for part in ("k", "v", "q", "out"):
            tensors |= linear(f"layers.{i}.self_attn.{part}_proj", DIM, DIM)
        tensors |= norm(f"layers.{i}.self_attn_layer_norm") | norm(f"layers.{i}.final_layer_norm")
        tensors |= linear(f"layers.{i}.fc1", INNER, DIM) | linear(f"layers.{i}.fc2", DIM, INNER)
    return tensors


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def audio_encoder() -> dict[str, Tensor]:
    tensors = fairseq_layers() | norm("layer_norm")
    for j in range(2):
        tensors |= {f"pos_conv.{j}.0.weight": torch.randn(DIM, 4, 5), f"pos_conv.{j}.0.bias": torch.randn(DIM)}
    return tensors


def audio_model() -> dict[str, Any]:
    tensors: dict[str, Any] = {"mask_emb": torch.randn(DIM)}
    for i, (inner, kernel) in enumerate([(1, 10), (8, 4), (8, 4)]):
        tensors[f"feature_extractor.conv_layers.{i}.0.weight"] = torch.randn(8, inner, kernel)
        tensors |= norm(f"feature_extractor.conv_layers.{i}.2.1", 8)
    return tensors | norm("layer_norm", 8) | linear("post_extract_proj", DIM, 8) | under("encoder.", audio_encoder())


AUDIO_SETTINGS = {
    "encoder_attention_heads": 4,
    "conv_feature_layers": "[(8, 10, 5)] + [(8, 4, 4)] * 2",
    "encoder_layerdrop": 0.05,
    "dropout": 0.2,
}


def pretrained_audio() -> dict[str, Any]:
    model = audio_model() | linear("final_proj.0", DIM, DIM) | {"_ema": audio_encoder()}
    cfg = {"_name": None, "model": AUDIO_SETTINGS, "task": {"normalize": False}}
    return {"args": None, "cfg": cfg, "model": model, "last_optimizer_state": {"state": {}}, "extra_state": {}}


def finetuned_audio() -> dict[str, Any]:
    model = under("w2v_encoder.w2v_model.", audio_model()) | linear("w2v_encoder.proj", 9, DIM)
    cfg = {"model": {"w2v_args": {"model": AUDIO_SETTINGS}, "dropout": 0.0}, "task": {"normalize": True}}
    return {"cfg": cfg, "model": model}


def text_encoder() -> dict[str, Tensor]:
    return {
        "embed_tokens.weight": torch.randn(13, DIM),
        "embed_positions.weight": torch.randn(10, DIM),
        "version": torch.tensor([3.0]),
        **norm("layernorm_embedding"),
        **fairseq_layers(),
    }


def pretrained_text(head: str) -> dict[str, Any]:
    encoder = text_encoder()
    model: dict[str, Any] = under("encoder.sentence_encoder.", encoder)
    model["encoder._ema"] = {name: torch.randn_like(tensor) for name, tensor in fairseq_layers().items()}
    if head == "lm_head":
        model |= linear("encoder.lm_head.dense", DIM, DIM) | norm("encoder.lm_head.layer_norm")
        model |= {"encoder.lm_head.weight": encoder["embed_tokens.weight"], "encoder.lm_head.bias": torch.randn(13)}
    else:
        model |= linear("encoder.regression_head.0", 2 * DIM, DIM) | linear("encoder.regression_head.2", DIM, 2 * DIM)
    return {"args": argparse.Namespace(encoder_attention_heads=2, dropout=0.3), "cfg": None, "model": model}


def vision_model(*, is_finetuned: bool) -> dict[str, Tensor]:
    tensors = {"cls_token": torch.randn(1, 1, DIM), "patch_embed.proj.weight": torch.randn(DIM, 3, 4, 4)}
    tensors["patch_embed.proj.bias"] = torch.randn(DIM)
    table = torch.randn(5 * 5 + 3, 2)  # of 3 x 3 patches and 2 heads
    for i in range(LAYERS):
        block = norm("norm1") | norm("norm2") | linear("mlp.fc1", INNER, DIM) | linear("mlp.fc2", DIM, INNER)
        block |= linear("attn.proj", DIM, DIM) | {"attn.qkv.weight": torch.randn(3 * DIM, DIM)}
        block |= {name: torch.randn(DIM) for name in ("attn.q_bias", "attn.v_bias", "gamma_1", "gamma_2")}
        if is_finetuned:
            block |= {
                "attn.relative_position_bias_table": table + i,
                "attn.relative_position_index": torch.zeros(10, 10),
            }
        tensors |= under(f"blocks.{i}.", block)
    if is_finetuned:
        return tensors | norm("fc_norm") | linear("head", 7, DIM)
    tensors |= {"mask_token": torch.randn(1, 1, DIM), "rel_pos_bias.relative_position_bias_table": table}
    tensors["rel_pos_bias.relative_position_index"] = torch.zeros(10, 10)
    return tensors | norm("norm") | linear("lm_head", DIM, DIM)


def pretrained_vision() -> dict[str, Any]:
    args = argparse.Namespace(layer_scale_init_value=1e-4, drop_path=0.25, model="beit_tiny")
    student, teacher = vision_model(is_finetuned=False), vision_model(is_finetuned=False)
    return {"model": student, "model_ema": teacher, "args": args, "optimizer": {"state": {}}, "epoch": 3}


def saved(content: dict[str, Any], folder: Path) -> Path:
    torch.save(content, folder / "original.pt")
    return folder / "original.pt"


@pytest.mark.parametrize("zipped", [True, False])
def test_pretrained_audio(zipped: bool, tmp_path: Path) -> None:
    content = pretrained_audio()
    torch.save(content, tmp_path / "original.pt", _use_new_zipfile_serialization=zipped)
    converted = convert(tmp_path / "original.pt", tmp_path / "out", modality="audio")
    assert converted.architecture == "Data2VecAudioModel"
    assert sorted(converted.dropped) == ["final_proj.0.bias", "final_proj.0.weight"]
    model = Data2VecAudioModel.from_pretrained(tmp_path / "out")
    config = model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (DIM, LAYERS, 4)
    assert (config.conv_dim, config.conv_kernel, config.conv_stride) == ((8, 8, 8), (10, 4, 4), (5, 4, 4))
    assert (config.conv_pos_kernel_size, config.num_conv_pos_embedding_groups) == (5, 4)
    assert (config.layerdrop, config.hidden_dropout) == (0.05, 0.2)
    assert '"do_normalize": false' in (tmp_path / "out" / "preprocessor_config.json").read_text()
    original = content["model"]
    own = model.state_dict()
    # The two layer norms whose names end alike.
    assert torch.equal(own["feature_projection.layer_norm.weight"], original["layer_norm.weight"])
    assert torch.equal(own["encoder.layer_norm.weight"], original["encoder.layer_norm.weight"])
    assert torch.equal(own["encoder.layers.1.feed_forward.down.bias"], original["encoder.layers.1.fc2.bias"])
    assert torch.equal(own["masked_spec_embed"], original["mask_emb"])


def test_the_teacher_of_audio_has_the_students_front_end(tmp_path: Path) -> None:
    content = pretrained_audio()
    del content["model"]["_ema"]["pos_conv.0.0.weight"]  # as where only the blocks are averaged
    convert(saved(content, tmp_path), tmp_path / "out", modality="audio")
    student = Data2VecAudioModel.from_pretrained(tmp_path / "out").state_dict()
    teacher = Data2VecAudioModel.from_pretrained(tmp_path / "out", role="teacher").state_dict()
    average = content["model"]["_ema"]
    assert torch.equal(teacher["encoder.layers.0.attention.query.weight"], average["layers.0.self_attn.q_proj.weight"])
    assert torch.equal(teacher["encoder.layer_norm.bias"], average["layer_norm.bias"])
    assert torch.equal(teacher["encoder.pos_conv_embed.layers.1.conv.weight"], average["pos_conv.1.0.weight"])
    shared = [name for name in student if torch.equal(student[name], teacher[name])]
    assert sorted(shared) == sorted(
        [name for name in student if not name.startswith("encoder.")] + ["encoder.pos_conv_embed.layers.0.conv.weight"]
    )


def test_finetuned_audio_keeps_its_ctc_layer(tmp_path: Path) -> None:
    content = finetuned_audio()
    file = saved(content, tmp_path)
    convert(file, tmp_path / "out", modality="audio")
    model = Data2VecAudioForCTC.from_pretrained(tmp_path / "out")
    assert (model.config.vocab_size, model.config.num_attention_heads, model.config.hidden_dropout) == (9, 4, 0.0)
    assert torch.equal(model.lm_head.weight, content["model"]["w2v_encoder.proj.weight"])
    assert not (tmp_path / "out" / "teacher.safetensors").exists()
    without = convert(file, tmp_path / "bare", modality="audio", head="none")
    assert without.dropped == ["w2v_encoder.proj.weight", "w2v_encoder.proj.bias"]
    Data2VecAudioModel.from_pretrained(tmp_path / "bare")


def test_strides_are_assumed_only_for_the_paper_s_kernels(tmp_path: Path) -> None:
    content = pretrained_audio()
    content["cfg"] = {"model": {"encoder_attention_heads": 4}}
    with pytest.raises(CheckpointError, match="does not say the strides"):
        convert(saved(content, tmp_path), tmp_path / "out", modality="audio")
    content["cfg"]["model"]["conv_feature_layers"] = "__import__('os').system('true')"
    with pytest.raises(CheckpointError, match="not a list of layers"):
        convert(saved(content, tmp_path), tmp_path / "out", modality="audio")


def test_text_with_its_leftover_language_model_head(tmp_path: Path) -> None:
    content = pretrained_text("lm_head")
    converted = convert(saved(content, tmp_path), tmp_path / "out", modality="text")
    assert converted.dropped == ["encoder.sentence_encoder.version"]
    model = Data2VecTextForMaskedLM.from_pretrained(tmp_path / "out")
    config = model.config
    assert (config.num_attention_heads, config.hidden_dropout_prob, config.max_position_embeddings) == (2, 0.3, 10)
    assert (config.type_vocab_size, config.layer_norm_eps, config.tie_word_embeddings) == (1, 1e-5, True)
    own = model.state_dict()
    assert not own["backbone.embeddings.token_type_embeddings.weight"].any()
    assert torch.equal(own["lm_head.bias"], content["model"]["encoder.lm_head.bias"])
    teacher = Data2VecTextForMaskedLM.from_pretrained(tmp_path / "out", role="teacher").state_dict()
    average = content["model"]["encoder._ema"]
    assert torch.equal(teacher["backbone.encoder.layers.1.feed_forward.up.weight"], average["layers.1.fc1.weight"])
    shared = "backbone.embeddings.word_embeddings.weight"
    assert torch.equal(teacher[shared], own[shared])


def test_text_with_a_regression_head_becomes_a_bare_model(tmp_path: Path) -> None:
    converted = convert(saved(pretrained_text("regression_head"), tmp_path), tmp_path / "out", modality="text")
    assert converted.architecture == "Data2VecTextModel"
    assert "encoder.regression_head.0.weight" in converted.dropped
    Data2VecTextModel.from_pretrained(tmp_path / "out")


def test_a_classification_head_of_text_is_chosen_by_name(tmp_path: Path) -> None:
    content = pretrained_text("lm_head")
    for name, classes in (("sst", 2), ("mnli", 3)):
        content["model"] |= linear(f"classification_heads.{name}.dense", DIM, DIM)
        content["model"] |= linear(f"classification_heads.{name}.out_proj", classes, DIM)
    file = saved(content, tmp_path)
    converted = convert(file, tmp_path / "out", modality="text", head="mnli")
    model = Data2VecTextForSequenceClassification.from_pretrained(tmp_path / "out")
    assert model.config.num_labels == 3
    assert "classification_heads.sst.dense.weight" in converted.dropped
    assert "classification_heads.mnli.dense.weight" not in converted.dropped
    with pytest.raises(CheckpointError, match="it has: lm, mnli, sst, none"):
        convert(file, tmp_path / "out", modality="text", head="qqp")


def test_pretrained_vision(tmp_path: Path) -> None:
    content = pretrained_vision()
    converted = convert(saved(content, tmp_path), tmp_path / "out", modality="vision")
    assert sorted(converted.dropped) == ["lm_head.bias", "lm_head.weight", "rel_pos_bias.relative_position_index"]
    roles: dict[Role, dict[str, Tensor]] = {"student": content["model"], "teacher": content["model_ema"]}
    for role, state in roles.items():
        model = Data2VecVisionModel.from_pretrained(tmp_path / "out", role=role)
        own = model.state_dict()
        for part, start in (("query", 0), ("key", DIM), ("value", 2 * DIM)):
            rows = state["blocks.1.attn.qkv.weight"][start : start + DIM]
            assert torch.equal(own[f"encoder.layers.1.attention.{part}.weight"], rows)
        assert torch.equal(own["embeddings.mask_token"], state["mask_token"])
        assert torch.equal(own["encoder.layers.0.attention_scale"], state["blocks.0.gamma_1"])
    config = model.config
    assert (config.image_size, config.patch_size, config.num_attention_heads) == (12, 4, 2)
    assert (config.use_shared_relative_position_bias, config.use_relative_position_bias) == (True, False)
    assert (config.use_mean_pooling, config.use_mask_token, config.layer_scale_init_value) == (False, True, 1e-4)
    assert (config.drop_path_rate, config.layer_norm_eps) == (0.25, 1e-6)


def test_finetuned_vision(tmp_path: Path) -> None:
    content = {"module": vision_model(is_finetuned=True)}
    file = saved(content, tmp_path)
    convert(file, tmp_path / "out", modality="vision")
    model = Data2VecVisionForImageClassification.from_pretrained(tmp_path / "out")
    assert (model.config.use_relative_position_bias, model.config.use_mean_pooling) == (True, True)
    assert len(model.config.labels) == 7
    table = content["module"]["blocks.1.attn.relative_position_bias_table"]
    assert torch.equal(model.state_dict()["backbone.encoder.layers.1.relative_position_bias.table"], table)
    bare = convert(file, tmp_path / "bare", modality="vision", head="none")
    assert "head.weight" in bare.dropped


@pytest.mark.parametrize(
    ("modality", "content"),
    [
        ("audio", pretrained_audio()),
        ("text", pretrained_text("lm_head")),
        ("vision", {"model": vision_model(is_finetuned=False)}),
    ],
)
def test_unknown_tensors_are_refused(modality: Any, content: dict[str, Any], tmp_path: Path) -> None:
    content["model"]["surprise.weight"] = torch.ones(1)
    with pytest.raises(CheckpointError, match=r"does not have: surprise\.weight"):
        convert(saved(content, tmp_path), tmp_path / "out", modality=modality)
    assert not (tmp_path / "out").exists()


def test_the_wrong_modality_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="as text: tensors that this model does not have"):
        convert(saved(pretrained_audio(), tmp_path), tmp_path / "out", modality="text")


@pytest.mark.parametrize("modality", ["audio", "text", "vision"])
def test_the_modality_is_found_by_the_names_of_the_tensors(modality: str, tmp_path: Path) -> None:
    content = {"audio": pretrained_audio(), "text": pretrained_text("lm_head"), "vision": pretrained_vision()}[modality]
    assert convert(saved(content, tmp_path), tmp_path / "out").config.model_type == f"data2vec-{modality}"
    with pytest.raises(CheckpointError, match="neither a fairseq nor a BEiT-style checkpoint"):
        convert(saved({"model": {"weight": torch.ones(1)}}, tmp_path), tmp_path / "none")


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = saved(pretrained_audio(), tmp_path)
    assert main([str(file), str(tmp_path / "out"), "--modality", "audio"]) == 0
    printed = capsys.readouterr().out
    assert "teacher: teacher.safetensors" in printed
    assert "dropped: final_proj.0.weight" in printed
    assert sorted(load_file(tmp_path / "out" / "teacher.safetensors")) == sorted(
        load_file(tmp_path / "out" / "model.safetensors")
    )
    assert main([str(tmp_path / "nowhere.pt"), str(tmp_path / "out"), "--modality", "audio"]) == 1
    assert "there is no file" in capsys.readouterr().err


class Explosive:
    """Unpickles by calling a function that leaves a trace."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("where", ["args", "model", "extra_state"])
def test_code_in_a_file_is_refused_and_not_run(where: str, zipped: bool, tmp_path: Path) -> None:
    trace = tmp_path / "was-run"
    content = pretrained_audio()
    content[where] = Explosive(exec, f"open({str(trace)!r}, 'w')")
    torch.save(content, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"refused, because reading it would import builtins\.exec"):
        convert(tmp_path / "evil.pt", tmp_path / "out", modality="audio")
    assert not trace.exists()


def test_a_bare_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "was-run"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Explosive(exec, f"open({str(trace)!r}, 'w')"), protocol=2))
    with pytest.raises(CheckpointError, match="refused"):
        convert(tmp_path / "evil.pt", tmp_path / "out", modality="audio")
    assert not trace.exists()


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    file = saved(pretrained_audio(), tmp_path)
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        convert(file, tmp_path / "out", modality="audio")


@pytest.fixture
def omegaconf_like() -> Iterator[types.ModuleType]:
    """Stand-ins for omegaconf's classes, importable while the file is written and gone when it is read."""
    module = types.ModuleType("omegaconf")
    for name in ("DictConfig", "AnyNode"):
        cls = type(name, (), {"__module__": "omegaconf"})
        setattr(module, name, cls)
    sys.modules["omegaconf"] = module
    yield module
    sys.modules.pop("omegaconf", None)


def test_settings_of_packages_that_are_not_installed_are_read(omegaconf_like: types.ModuleType, tmp_path: Path) -> None:
    def node(value: Any) -> Any:
        if not isinstance(value, dict):
            made = omegaconf_like.AnyNode()
            made.__dict__["_val"] = value
            return made
        made = omegaconf_like.DictConfig()
        made.__dict__["_metadata"] = {"object_type": dict}
        made.__dict__["_content"] = {name: node(inner) for name, inner in value.items()}
        return made

    content = pretrained_audio()
    content["cfg"] = node(content["cfg"])
    file = saved(content, tmp_path)
    del sys.modules["omegaconf"]
    converted = convert(file, tmp_path / "out", modality="audio")
    assert converted.config.num_attention_heads == 4
