"""Tiny students, methods and batches for the tests of pre-training, one of each modality."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.masking import BertTokens, FrameSpans, Masking, PatchBlocks, mask_generators
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.presets import METHODS
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.vision.model import Data2VecVisionModel

MODALITIES = ("audio", "text", "vision")

#: No dropout of any kind: what is left is deterministic.
STILL: dict[str, dict[str, Any]] = {
    "audio": {"hidden_dropout": 0.0, "activation_dropout": 0.0, "attention_dropout": 0.0, "layerdrop": 0.0},
    "text": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    "vision": {"drop_path_rate": 0.0},
}
_NEEDED: dict[str, dict[str, Any]] = {
    "audio": {},
    "text": {},
    "vision": {"use_mask_token": True, "use_mean_pooling": False},
}
_MASKING: dict[str, Masking] = {
    "audio": FrameSpans(span=3),
    "text": BertTokens(vocab_size=120, mask_id=119, probability=0.4),
    "vision": PatchBlocks(min_patches=2),
}


def tiny_config(modality: str, **changes: Any) -> Any:
    """A configuration that pre-training accepts."""
    return PRESETS[f"{modality}-tiny"].replace(**(_NEEDED[modality] | changes))


def tiny_student(modality: str, **changes: Any) -> PretrainedModel:
    """A fresh encoder."""
    config = tiny_config(modality, **changes)
    match modality:
        case "audio":
            return Data2VecAudioModel(config)
        case "text":
            return Data2VecTextModel(config, add_pooling_layer=False)
        case _:
            return Data2VecVisionModel(config)


def tiny_method(modality: str, **changes: Any) -> Method:
    """The paper's method with two layers and a small mask."""
    method = METHODS[f"data2vec-{modality}"]
    targets = dataclasses.replace(method.targets, top_layers=2)
    return method.replace(**({"targets": targets, "masking": _MASKING[modality]} | changes))


def tiny_pretraining(modality: str, *, still: bool = False, **method: Any) -> Data2VecPretraining:
    """Student, teacher and head; `still`: without dropout."""
    student = tiny_student(modality, **(STILL[modality] if still else {}))
    return build_pretraining(student, tiny_method(modality, **method))


def tiny_batch(modality: str, seed: int = 0, size: int = 3) -> dict[str, Tensor]:
    """Random input; the second row of speech and text is padded."""
    generator = torch.Generator().manual_seed(seed)
    if modality == "vision":
        return {"pixel_values": torch.randn(size, 3, 32, 32, generator=generator)}
    length = 3000 if modality == "audio" else 24
    is_real = torch.ones(size, length, dtype=torch.long)
    is_real[1, length * 2 // 3 :] = 0
    if modality == "audio":
        return {"input_values": torch.randn(size, length, generator=generator) * is_real, "attention_mask": is_real}
    ids = torch.randint(3, 119, (size, length), generator=generator)
    ids[:, 0], ids[:, -1] = 0, 2
    return {"input_ids": torch.where(is_real.bool(), ids, 1), "attention_mask": is_real}


def seeded(seed: int = 0, rows: int = 3) -> list[torch.Generator]:
    """Generators of masks, one for each row."""
    return mask_generators(seed, 0, range(rows))
