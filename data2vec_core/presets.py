"""Named sizes: `base` and `large` are those of the public checkpoints (data2vec.md 1.4); `tiny` is for tests."""

from __future__ import annotations

from typing import Any

from data2vec_core.config import Data2VecAudioConfig, Data2VecTextConfig, Data2VecVisionConfig, ModelConfig

_LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
_TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_PUBLIC_TEXT: dict[str, Any] = {
    "vocab_size": 50265,
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
}
_PRETRAINED_VISION: dict[str, Any] = {"use_shared_relative_position_bias": True, "use_mean_pooling": False}

PRESETS: dict[str, ModelConfig] = {
    "audio-tiny": Data2VecAudioConfig(
        **_TINY, conv_dim=(24, 24, 32), conv_stride=(5, 4, 4), conv_kernel=(10, 4, 4), num_conv_pos_embeddings=2,
        conv_pos_kernel_size=5, num_conv_pos_embedding_groups=4, mask_time_length=2, classifier_proj_size=16,
        tdnn_dim=(16, 16, 24), tdnn_kernel=(5, 3, 1), tdnn_dilation=(1, 2, 1), xvector_output_dim=16,
    ),
    "audio-base": Data2VecAudioConfig(),
    "audio-large": Data2VecAudioConfig(**_LARGE),
    "text-tiny": Data2VecTextConfig(**_TINY, vocab_size=120, max_position_embeddings=40, type_vocab_size=2),
    "text-base": Data2VecTextConfig(**_PUBLIC_TEXT),
    "vision-tiny": Data2VecVisionConfig(
        **{**_TINY, "num_hidden_layers": 4}, image_size=32, patch_size=8, out_indices=(1, 2, 3, 4),
        use_relative_position_bias=True, auxiliary_channels=16,
    ),
    "vision-base": Data2VecVisionConfig(**_PRETRAINED_VISION),
    "vision-base-ft1k": Data2VecVisionConfig(use_relative_position_bias=True, num_labels=1000),
    "vision-large": Data2VecVisionConfig(**_LARGE, **_PRETRAINED_VISION),
    "vision-large-ft1k": Data2VecVisionConfig(**_LARGE, use_relative_position_bias=True, num_labels=1000),
}  # fmt: skip
