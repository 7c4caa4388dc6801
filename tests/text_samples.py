"""Small text models and inputs that several tests use."""

from __future__ import annotations

from typing import Any, cast

import torch

from data2vec_core import Data2VecTextConfig
from data2vec_core.presets import PRESETS

TINY = cast(Data2VecTextConfig, PRESETS["text-tiny"])
DECODER = TINY.replace(is_decoder=True)
CROSS_DECODER = DECODER.replace(add_cross_attention=True)


def token_ids(config: Data2VecTextConfig, *shape: int, padded: bool = False) -> dict[str, Any]:
    """Random tokens, without padding among them; padded: every second row ends four tokens early."""
    ids = torch.randint(4, config.vocab_size, shape)
    if not padded:
        return {"input_ids": ids}
    ids[1::2, ..., -4:] = config.pad_token_id
    return {"input_ids": ids, "attention_mask": (ids != config.pad_token_id).long()}
