"""BEiT-style `.pth` files of the vision model (data2vec.md 4.4).

A pre-training file holds `model` (the student) and `model_ema` (the teacher, a full copy); a fine-tuned one saved by
DeepSpeed holds `module`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.original.converted import (
    Converted,
    as_float32,
    attention_heads,
    count_layers,
    known,
    require,
    with_prefix,
)
from data2vec_core.checkpoints.original.name_table import NameTable, Renamed
from data2vec_core.checkpoints.original.safe_unpickle import settings
from data2vec_core.config import Data2VecVisionConfig

_LAYER = "encoder.layer.{i}."
_BIAS_TABLE = "relative_position_bias.relative_position_bias_table"
VISION_NAMES = NameTable(
    [
        ("cls_token", "embeddings.cls_token"),
        ("mask_token", "embeddings.mask_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj.*", "embeddings.patch_embeddings.projection.*"),
        ("blocks.{i}.norm1.*", _LAYER + "layernorm_before.*"),
        ("blocks.{i}.norm2.*", _LAYER + "layernorm_after.*"),
        ("blocks.{i}.attn.query.weight", _LAYER + "attention.attention.query.weight"),
        ("blocks.{i}.attn.key.weight", _LAYER + "attention.attention.key.weight"),
        ("blocks.{i}.attn.value.weight", _LAYER + "attention.attention.value.weight"),
        ("blocks.{i}.attn.q_bias", _LAYER + "attention.attention.query.bias"),
        ("blocks.{i}.attn.v_bias", _LAYER + "attention.attention.value.bias"),
        ("blocks.{i}.attn.relative_position_bias_table", _LAYER + "attention.attention." + _BIAS_TABLE),
        ("blocks.{i}.attn.proj.*", _LAYER + "attention.output.dense.*"),
        ("blocks.{i}.mlp.fc1.*", _LAYER + "intermediate.dense.*"),
        ("blocks.{i}.mlp.fc2.*", _LAYER + "output.dense.*"),
        ("blocks.{i}.gamma_1", _LAYER + "lambda_1"),
        ("blocks.{i}.gamma_2", _LAYER + "lambda_2"),
        ("rel_pos_bias.relative_position_bias_table", "encoder." + _BIAS_TABLE),
        ("norm.*", "layernorm.*"),
        ("fc_norm.*", "pooler.layernorm.*"),
        ("head.*", "classifier.*"),
        ("lm_head.*", None),  # predicts the teacher's targets
        ("blocks.{i}.attn.relative_position_index", None),  # follows from the image size
        ("rel_pos_bias.relative_position_index", None),
    ]
)
VISION_PREFIX = "data2vec_vision."
HEAD = "classifier."


def convert_vision(content: Mapping[str, Any], *, head: str | None = None) -> Converted:
    """Read a vision checkpoint, pre-trained or fine-tuned to classify.

    Args:
        content: of the file.
        head: `none` drops the classifier.

    Raises:
        CheckpointError: unknown or missing tensors.
    """
    if head not in (None, "none", "classifier"):
        raise CheckpointError(f"a vision checkpoint has no head {head!r}; expected 'classifier' or 'none'")
    found = settings(content.get("args"))
    notes: list[str] = []
    student, dropped = _public(_state(content, "model", "module"), head)
    teacher = _public(_state(content, "model_ema"), head)[0] if content.get("model_ema") is not None else None
    if teacher is not None and teacher.keys() != student.keys():
        differing = ", ".join(sorted(teacher.keys() ^ student.keys()))
        raise CheckpointError(f"student and teacher do not hold the same tensors: {differing}")
    has_head = any(name.startswith(HEAD) for name in student)
    return Converted(
        architecture="Data2VecVisionForImageClassification" if has_head else "Data2VecVisionModel",
        config=_config(student, found if isinstance(found, dict) else {}, notes),
        student=as_float32(_placed(student, has_head)),
        teacher=None if teacher is None else as_float32(_placed(teacher, has_head)),
        dropped=dropped,
        notes=notes,
    )


def _state(content: Mapping[str, Any], *names: str) -> dict[str, Tensor]:
    """The first of some state dicts that the file has, without the prefix of a distributed wrapper."""
    state = next((content[name] for name in names if isinstance(content.get(name), Mapping)), None)
    if state is None:
        raise CheckpointError(f"not a BEiT-style checkpoint: expected {' or '.join(names)}, got {', '.join(content)}")
    if others := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise CheckpointError(f"not a data2vec checkpoint: the model holds more than tensors: {', '.join(others)}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _public(state: Mapping[str, Tensor], head: str | None) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by public name without any prefix, and the original names of those left out."""
    renamed: Renamed = VISION_NAMES.rename(_split_projections(state))
    if head == "none":
        renamed.dropped += [name for name in state if name.startswith("head.")]
        renamed.tensors = {name: tensor for name, tensor in renamed.tensors.items() if not name.startswith(HEAD)}
    return renamed.tensors, renamed.dropped


def _split_projections(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Query, key and value are three thirds of the rows of one matrix (3 dim, dim); make them three."""
    split: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(".attn.qkv.weight"):
            stem = name.removesuffix("qkv.weight")
            for part, rows in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                split[f"{stem}{part}.weight"] = rows
        else:
            split[name] = tensor
    return split


def _placed(tensors: Mapping[str, Tensor], has_head: bool) -> dict[str, Tensor]:
    """As a file with a head stores them: the encoder under its prefix."""
    if not has_head:
        return dict(tensors)
    encoder = {name: tensor for name, tensor in tensors.items() if not name.startswith(HEAD)}
    return with_prefix(VISION_PREFIX, encoder) | {n: t for n, t in tensors.items() if n.startswith(HEAD)}


def _config(tensors: Mapping[str, Tensor], found: Mapping[str, Any], notes: list[str]) -> Data2VecVisionConfig:
    patches = require(tensors, "embeddings.patch_embeddings.projection.weight")  # (dim, channels, height, width)
    hidden_size = patches.shape[0]
    own_tables = [tensor for name, tensor in tensors.items() if name.endswith("attention." + _BIAS_TABLE)]
    shared_table = tensors.get("encoder." + _BIAS_TABLE)
    tables = own_tables + ([] if shared_table is None else [shared_table])
    has_scale = "encoder.layer.0.lambda_1" in tensors
    scale = found.get("layer_scale_init_value")
    return Data2VecVisionConfig(
        **known(found, drop_path_rate="drop_path"),
        hidden_size=hidden_size,
        num_hidden_layers=count_layers(tensors, "encoder.layer"),
        num_attention_heads=attention_heads(hidden_size, tables[0].shape[1] if tables else None, notes),
        intermediate_size=require(tensors, "encoder.layer.0.intermediate.dense.weight").shape[0],
        num_labels=tensors["classifier.weight"].shape[0] if "classifier.weight" in tensors else None,
        image_size=_image_size(tensors.get("embeddings.position_embeddings"), tables, patches.shape[2], found, notes),
        patch_size=patches.shape[2],
        num_channels=patches.shape[1],
        use_mask_token="embeddings.mask_token" in tensors,
        use_absolute_position_embeddings="embeddings.position_embeddings" in tensors,
        use_relative_position_bias=bool(own_tables),
        use_shared_relative_position_bias=shared_table is not None,
        layer_scale_init_value=(scale if isinstance(scale, float) and scale > 0 else 0.1) if has_scale else 0.0,
        use_mean_pooling="pooler.layernorm.weight" in tensors,
        layer_norm_eps=1e-6,  # what it was trained with; the public conversions say 1e-12
    )


def _image_size(
    positions: Tensor | None, tables: list[Tensor], patch_size: int, found: Mapping[str, Any], notes: list[str]
) -> int:
    """Side of the trained images in pixels, by a table of positions or of biases, which has (2 n - 1)^2 + 3 rows."""
    if positions is not None:
        return math.isqrt(positions.shape[1] - 1) * patch_size
    if tables:
        return (math.isqrt(tables[0].shape[0] - 3) + 1) // 2 * patch_size
    if isinstance(size := found.get("input_size"), int):
        return size
    notes.append("the file does not say its image size; assumed 224")
    return 224
