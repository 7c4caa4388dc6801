"""fairseq's `.pt` files of the speech and text models (data2vec.md 4.1 to 4.3).

A file holds `model` (the student) and `cfg` or the older `args`. The teacher is a dict inside `model`, under a name
that ends in `_ema`, and has the encoder only: a whole teacher is the student's front end with that encoder.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.original.converted import (
    Converted,
    as_float32,
    attention_heads,
    below,
    count_layers,
    known,
    require,
    with_prefix,
)
from data2vec_core.checkpoints.original.name_table import NameTable
from data2vec_core.checkpoints.original.safe_unpickle import settings
from data2vec_core.config import Data2VecAudioConfig, Data2VecTextConfig

#: The top-level `layer_norm` (of the waveform features) and the encoder's are two different ones.
AUDIO_NAMES = NameTable(
    [
        ("feature_extractor.conv_layers.{i}.0.*", "feature_extractor.conv_layers.{i}.conv.*"),
        ("feature_extractor.conv_layers.{i}.2.1.*", "feature_extractor.conv_layers.{i}.layer_norm.*"),
        ("layer_norm.*", "feature_projection.layer_norm.*"),
        ("post_extract_proj.*", "feature_projection.projection.*"),
        ("mask_emb", "masked_spec_embed"),
        ("encoder.pos_conv.{i}.0.*", "encoder.pos_conv_embed.layers.{i}.conv.*"),
        ("encoder.layer_norm.*", "encoder.layer_norm.*"),
        ("encoder.layers.{i}.self_attn.k_proj.*", "encoder.layers.{i}.attention.k_proj.*"),
        ("encoder.layers.{i}.self_attn.v_proj.*", "encoder.layers.{i}.attention.v_proj.*"),
        ("encoder.layers.{i}.self_attn.q_proj.*", "encoder.layers.{i}.attention.q_proj.*"),
        ("encoder.layers.{i}.self_attn.out_proj.*", "encoder.layers.{i}.attention.out_proj.*"),
        ("encoder.layers.{i}.self_attn_layer_norm.*", "encoder.layers.{i}.layer_norm.*"),
        ("encoder.layers.{i}.fc1.*", "encoder.layers.{i}.feed_forward.intermediate_dense.*"),
        ("encoder.layers.{i}.fc2.*", "encoder.layers.{i}.feed_forward.output_dense.*"),
        ("encoder.layers.{i}.final_layer_norm.*", "encoder.layers.{i}.final_layer_norm.*"),
        ("final_proj.*", None),  # predicts the teacher's targets; some releases call it final_proj.0
    ]
)
AUDIO_PREFIX = "data2vec_audio."

#: Names below `encoder.sentence_encoder.`
_SENTENCE_ENCODER_RULES: list[tuple[str, str | None]] = [
    ("embed_tokens.weight", "embeddings.word_embeddings.weight"),
    ("embed_positions.weight", "embeddings.position_embeddings.weight"),
    ("layernorm_embedding.*", "embeddings.LayerNorm.*"),
    ("emb_layer_norm.*", "embeddings.LayerNorm.*"),
    ("layers.{i}.self_attn.q_proj.*", "encoder.layer.{i}.attention.self.query.*"),
    ("layers.{i}.self_attn.k_proj.*", "encoder.layer.{i}.attention.self.key.*"),
    ("layers.{i}.self_attn.v_proj.*", "encoder.layer.{i}.attention.self.value.*"),
    ("layers.{i}.self_attn.out_proj.*", "encoder.layer.{i}.attention.output.dense.*"),
    ("layers.{i}.self_attn_layer_norm.*", "encoder.layer.{i}.attention.output.LayerNorm.*"),
    ("layers.{i}.fc1.*", "encoder.layer.{i}.intermediate.dense.*"),
    ("layers.{i}.fc2.*", "encoder.layer.{i}.output.dense.*"),
    ("layers.{i}.final_layer_norm.*", "encoder.layer.{i}.output.LayerNorm.*"),
    ("version", None),  # of fairseq's own format
]
TEXT_NAMES = NameTable(
    [
        *((f"encoder.sentence_encoder.{original}", public) for original, public in _SENTENCE_ENCODER_RULES),
        ("encoder.regression_head.*", None),  # predicts the teacher's targets
        ("encoder.lm_head.*", None),
        ("classification_heads.*", None),
    ]
)
TEXT_PREFIX = "data2vec_text."


def convert_audio(content: Mapping[str, Any], *, head: str | None = None) -> Converted:
    """Read a speech checkpoint, pre-trained, or fine-tuned with a CTC layer.

    Args:
        content: of the file.
        head: `none` drops the CTC layer.

    Raises:
        CheckpointError: unknown or missing tensors.
    """
    student, teacher = _split_teacher(_model(content))
    found = stored_settings(content)
    dropped: list[str] = []
    notes: list[str] = []
    head_tensors: dict[str, Tensor] = {}
    if any(name.startswith("w2v_encoder.") for name in student):
        head_tensors = with_prefix("lm_head.", below("w2v_encoder.proj.", student))
        encoder = below("w2v_encoder.w2v_model.", student)
        _refuse_others(student, "w2v_encoder.proj.", "w2v_encoder.w2v_model.")
        student = encoder
        # The pre-training's settings travel inside those of the fine-tuning, which count where they say something.
        found = _flat(found.get("w2v_args")) | {name: value for name, value in found.items() if value is not None}
    if head == "none":
        dropped += [f"w2v_encoder.proj.{name.removeprefix('lm_head.')}" for name in head_tensors]
        head_tensors = {}
    elif head is not None and head != "ctc":
        raise CheckpointError(f"a speech checkpoint has no head {head!r}; expected 'ctc' or 'none'")
    renamed = AUDIO_NAMES.rename(student)
    prefix = AUDIO_PREFIX if head_tensors else ""
    whole = with_prefix(prefix, renamed.tensors) | head_tensors
    config = _audio_config(renamed.tensors, head_tensors, found, notes)
    return Converted(
        architecture="Data2VecAudioForCTC" if head_tensors else "Data2VecAudioModel",
        config=config,
        student=as_float32(whole),
        teacher=_whole_teacher(whole, teacher, "encoder.", AUDIO_NAMES, prefix),
        dropped=dropped + renamed.dropped,
        notes=notes,
    )


def convert_text(content: Mapping[str, Any], *, head: str | None = None) -> Converted:
    """Read a text checkpoint.

    Args:
        content: of the file.
        head: `lm` or `none`, or the name of a classification head; by default `lm` where the file has one.

    Raises:
        CheckpointError: unknown or missing tensors, or no head of that name.
    """
    student, teacher = _split_teacher(_model(content))
    student = {
        f"encoder.{name.removeprefix('decoder.')}" if name.startswith("decoder.") else name: tensor
        for name, tensor in student.items()
    }
    notes: list[str] = []
    renamed = TEXT_NAMES.rename(student)
    words = require(renamed.tensors, "embeddings.word_embeddings.weight")
    renamed.tensors["embeddings.token_type_embeddings.weight"] = torch.zeros(1, words.shape[1])  # fairseq has none
    heads = sorted({name.split(".")[1] for name in student if name.startswith("classification_heads.")})
    has_lm_head = any(name.startswith("encoder.lm_head.") for name in student)
    config = _text_config(renamed.tensors, stored_settings(content), notes)
    if head is None:
        head = "lm" if has_lm_head else "none"
    if head == "lm" and has_lm_head:
        architecture = "Data2VecTextForMaskedLM"
        taken, head_tensors = "encoder.lm_head.", _language_head(below("encoder.lm_head.", student), words)
        config = config.replace(tie_word_embeddings="lm_head.decoder.weight" not in head_tensors)
    elif head in heads:
        architecture = "Data2VecTextForSequenceClassification"
        taken = f"classification_heads.{head}."
        head_tensors = with_prefix("classifier.", below(taken, student))
        config = config.replace(num_labels=require(head_tensors, "classifier.out_proj.weight").shape[0])
    elif head == "none":
        architecture, taken, head_tensors = "Data2VecTextModel", "none", {}
    else:
        offered = ", ".join((["lm"] if has_lm_head else []) + heads + ["none"])
        raise CheckpointError(f"this text checkpoint has no head {head!r}; it has: {offered}")
    prefix = TEXT_PREFIX if head_tensors else ""
    whole = with_prefix(prefix, renamed.tensors) | head_tensors
    return Converted(
        architecture=architecture,
        config=config,
        student=as_float32(whole),
        teacher=_whole_teacher(whole, teacher, "encoder.sentence_encoder.", TEXT_NAMES, prefix),
        dropped=[name for name in renamed.dropped if not name.startswith(taken)],
        notes=notes,
    )


def stored_settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of model and task that a file holds, in one dict; empty where it holds none."""
    return _flat(settings(content.get("cfg")) or settings(content.get("args")))


def _flat(cfg: Any) -> dict[str, Any]:
    """The `task` and `model` parts of fairseq's settings together; its older `args` are flat already."""
    if not isinstance(cfg, dict):
        return {}
    if not isinstance(cfg.get("model"), dict):
        return cfg
    task = cfg.get("task")
    return {**(task if isinstance(task, dict) else {}), **cfg["model"]}


def _model(content: Mapping[str, Any]) -> Mapping[str, Any]:
    model = content.get("model")
    if not isinstance(model, Mapping):
        raise CheckpointError(f"not a fairseq checkpoint: it has no 'model', only {', '.join(map(str, content))}")
    return model


def _split_teacher(model: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
    """The tensors of the student, and those of the teacher by their names inside its encoder."""
    student = {name: value for name, value in model.items() if isinstance(value, Tensor)}
    others = {name: value for name, value in model.items() if not isinstance(value, Tensor) and value is not None}
    teachers = [value for name, value in others.items() if name.endswith("_ema") and isinstance(value, Mapping)]
    if len(others) != len(teachers) or len(teachers) > 1:
        raise CheckpointError(f"not a data2vec checkpoint: 'model' holds more than tensors: {', '.join(others)}")
    return student, dict(teachers[0]) if teachers else None


def _whole_teacher(
    student: Mapping[str, Tensor], encoder: Mapping[str, Tensor] | None, path: str, names: NameTable, prefix: str
) -> dict[str, Tensor] | None:
    """The student with the teacher's encoder in place of its own; what the teacher lacks is shared."""
    if encoder is None:
        return None
    averaged = with_prefix(prefix, names.rename(with_prefix(path, encoder)).tensors)
    if unknown := averaged.keys() - student.keys():
        raise CheckpointError(f"the teacher has tensors that the student lacks: {', '.join(sorted(unknown))}")
    return as_float32({**student, **averaged})


def _refuse_others(student: Mapping[str, Tensor], *prefixes: str) -> None:
    if others := [name for name in student if not name.startswith(prefixes)]:
        raise CheckpointError(f"tensors that this model does not have: {', '.join(others)}")


def _language_head(head: Mapping[str, Tensor], words: Tensor) -> dict[str, Tensor]:
    """Public names of the language-model head; its table is left out where it is that of the word embeddings."""
    tensors = with_prefix("lm_head.", head)
    table, bias = tensors.pop("lm_head.weight", words), require(tensors, "lm_head.bias")
    if not torch.equal(table, words):
        tensors |= {"lm_head.decoder.weight": table, "lm_head.decoder.bias": bias}
    return tensors


def _audio_config(
    tensors: Mapping[str, Tensor], head: Mapping[str, Tensor], found: Mapping[str, Any], notes: list[str]
) -> Data2VecAudioConfig:
    layers = count_layers(tensors, "feature_extractor.conv_layers")
    convolutions = [require(tensors, f"feature_extractor.conv_layers.{i}.conv.weight") for i in range(layers)]
    positional = require(tensors, "encoder.pos_conv_embed.layers.0.conv.weight")
    hidden_size = require(tensors, "encoder.layer_norm.weight").shape[0]
    kernels = tuple(weight.shape[2] for weight in convolutions)
    fields: dict[str, Any] = known(
        found,
        hidden_dropout="dropout",
        attention_dropout="attention_dropout",
        activation_dropout="activation_dropout",
        layerdrop="encoder_layerdrop",
        feat_proj_dropout="dropout_input",
        final_dropout="final_dropout",
    )
    return Data2VecAudioConfig(
        **fields,
        hidden_size=hidden_size,
        num_hidden_layers=count_layers(tensors, "encoder.layers"),
        num_attention_heads=attention_heads(hidden_size, found.get("encoder_attention_heads"), notes),
        intermediate_size=require(tensors, "encoder.layers.0.feed_forward.intermediate_dense.weight").shape[0],
        vocab_size=head["lm_head.weight"].shape[0] if head else 32,
        conv_dim=tuple(weight.shape[0] for weight in convolutions),
        conv_kernel=kernels,
        conv_stride=_strides(found.get("conv_feature_layers"), kernels, notes),
        conv_bias="feature_extractor.conv_layers.0.conv.bias" in tensors,
        conv_pos_kernel_size=positional.shape[2],
        num_conv_pos_embedding_groups=hidden_size // positional.shape[1],
        num_conv_pos_embeddings=count_layers(tensors, "encoder.pos_conv_embed.layers"),
    )


def _text_config(tensors: Mapping[str, Tensor], found: Mapping[str, Any], notes: list[str]) -> Data2VecTextConfig:
    vocab_size, hidden_size = tensors["embeddings.word_embeddings.weight"].shape
    stored_heads = found.get("encoder_attention_heads", (found.get("transformer") or {}).get("encoder_attention_heads"))
    fields: dict[str, Any] = known(
        found, hidden_dropout_prob="dropout", attention_probs_dropout_prob="attention_dropout"
    )
    return Data2VecTextConfig(
        **fields,
        hidden_size=hidden_size,
        num_hidden_layers=count_layers(tensors, "encoder.layer"),
        num_attention_heads=attention_heads(hidden_size, stored_heads, notes),
        intermediate_size=require(tensors, "encoder.layer.0.intermediate.dense.weight").shape[0],
        vocab_size=vocab_size,
        max_position_embeddings=require(tensors, "embeddings.position_embeddings.weight").shape[0],
        type_vocab_size=1,
        layer_norm_eps=1e-5,  # fairseq leaves it at the framework's default
    )


def _strides(layers: Any, kernels: tuple[int, ...], notes: list[str]) -> tuple[int, ...]:
    """Strides of the waveform encoder, which fairseq keeps as an expression: `[(512, 10, 5)] + [(512, 3, 2)] * 4`."""
    if isinstance(layers, str):
        parsed = _evaluate(ast.parse(layers, mode="eval").body)
        if tuple(kernel for _, kernel, _ in parsed) != kernels:
            raise CheckpointError(f"conv_feature_layers={layers!r} does not fit kernels of {kernels}")
        return tuple(stride for _, _, stride in parsed)
    default = Data2VecAudioConfig()
    if kernels != default.conv_kernel:
        raise CheckpointError(f"the file does not say the strides of its convolutions, whose kernels are {kernels}")
    notes.append(f"the file does not say the strides of its convolutions; assumed {default.conv_stride}")
    return default.conv_stride


def _evaluate(node: ast.expr) -> Any:
    """Lists and tuples of whole numbers, added and repeated; nothing else is computed."""
    match node:
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item) for item in items)
        case ast.Constant(value=int() as number):
            return number
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _evaluate(left) + _evaluate(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int() as times)) if times < 100:
            return _evaluate(left) * times
    raise CheckpointError(f"conv_feature_layers is not a list of layers: {ast.unparse(node)}")
