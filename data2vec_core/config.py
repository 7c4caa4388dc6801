"""Configurations of the three models.

Field names and defaults are those of the public data2vec configurations of the transformers library, so that a public
`config.json` reads as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from data2vec_core.activations import ACTIVATIONS
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.labels import IGNORED_PIXEL


@dataclass(frozen=True, kw_only=True)
class Data2VecAudioConfig(Data2VecConfig):
    """Speech model: waveform encoder, positional convolutions, transformer (data2vec.md 1.1)."""

    model_type: ClassVar[str] = "data2vec-audio"

    vocab_size: int = 32
    """Output size of the CTC head."""
    hidden_dropout: float = 0.1
    activation_dropout: float = 0.1
    """Inside the feed-forward layer, after its activation."""
    attention_dropout: float = 0.1
    feat_proj_dropout: float = 0.0
    final_dropout: float = 0.1
    """Before the CTC head."""
    layerdrop: float = 0.1
    """Chance that training skips a whole block (and an adapter layer)."""
    layer_norm_eps: float = 1e-5

    feat_extract_activation: str = "gelu"
    """Activation of the waveform encoder and of the positional convolutions."""
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embedding_groups: int = 16
    conv_pos_kernel_size: int = 19
    num_conv_pos_embeddings: int = 5
    """Number of positional convolution layers, not a kernel size, whatever its public description says."""

    apply_spec_augment: bool = True
    mask_time_prob: float = 0.05
    mask_time_length: int = 10
    mask_time_min_masks: int = 2
    mask_feature_prob: float = 0.0
    mask_feature_length: int = 10
    mask_feature_min_masks: int = 0

    ctc_loss_reduction: Literal["sum", "mean"] = "sum"
    ctc_zero_infinity: bool = False
    use_weighted_layer_sum: bool = False
    """Let the classification heads read a learnt mix of all hidden states instead of the last one."""
    classifier_proj_size: int = 256
    tdnn_dim: tuple[int, ...] = (512, 512, 512, 512, 1500)
    tdnn_kernel: tuple[int, ...] = (5, 3, 3, 1, 1)
    tdnn_dilation: tuple[int, ...] = (1, 2, 3, 1, 1)
    xvector_output_dim: int = 512
    fix_tdnn_lengths: bool = False
    """Count the frames that the dilated TDNN layers of the x-vector head really leave. The reference forgets the
    dilation, so that padding enters the statistics (data2vec.md 9.2, item 6); False gives its numbers. Ours."""

    pad_token_id: int | None = 0
    """Also the CTC blank."""
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2

    add_adapter: bool = False
    adapter_kernel_size: int = 3
    adapter_stride: int = 2
    num_adapter_layers: int = 3
    output_hidden_size: int | None = None
    """Width after the adapter; `hidden_size` when None. `output_size` is what really comes out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.conv_dim) == len(self.conv_stride) == len(self.conv_kernel) > 0:
            raise ValueError(
                "conv_dim, conv_stride and conv_kernel need one entry a layer each, "
                f"got {len(self.conv_dim)}, {len(self.conv_stride)} and {len(self.conv_kernel)}"
            )
        if not len(self.tdnn_dim) == len(self.tdnn_kernel) == len(self.tdnn_dilation) > 0:
            raise ValueError(
                "tdnn_dim, tdnn_kernel and tdnn_dilation need one entry a layer each, "
                f"got {len(self.tdnn_dim)}, {len(self.tdnn_kernel)} and {len(self.tdnn_dilation)}"
            )
        self._require_shares(
            "hidden_dropout", "activation_dropout", "attention_dropout", "feat_proj_dropout", "final_dropout",
            "layerdrop", "mask_time_prob", "mask_feature_prob",
        )  # fmt: skip
        self._require_positive(
            "vocab_size", "conv_dim", "conv_stride", "conv_kernel", "conv_pos_kernel_size",
            "num_conv_pos_embedding_groups", "mask_time_length", "mask_feature_length", "classifier_proj_size",
            "tdnn_dim", "tdnn_kernel", "tdnn_dilation", "xvector_output_dim", "adapter_kernel_size", "adapter_stride",
        )  # fmt: skip
        if self.output_hidden_size is not None:
            self._require_positive("output_hidden_size")
        self._require_not_negative(
            "layer_norm_eps", "num_conv_pos_embeddings", "mask_time_min_masks", "mask_feature_min_masks",
            "num_adapter_layers",
        )  # fmt: skip
        self._require_choice("ctc_loss_reduction", "sum", "mean")
        self._require_choice("feat_extract_activation", *sorted(ACTIVATIONS))
        self._require(
            "num_conv_pos_embedding_groups",
            self.hidden_size % self.num_conv_pos_embedding_groups == 0,
            f"must divide hidden_size={self.hidden_size}",
        )

    @property
    def output_size(self) -> int:
        """Width of what the model returns: the adapter's where there is one, else `hidden_size`."""
        return (self.add_adapter and self.output_hidden_size) or self.hidden_size

    @property
    def inputs_to_logits_ratio(self) -> int:
        """Samples between the starts of neighbouring frames (320 at the default: 20 ms at 16 kHz)."""
        return math.prod(self.conv_stride)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame is made of (400 at the default: 25 ms), so also the shortest clip that gives one."""
        samples = 1
        for kernel, stride in zip(reversed(self.conv_kernel), reversed(self.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def uses_spec_augment(self) -> bool:
        """Whether the model has a mask embedding (the public files store it only then)."""
        return self.mask_time_prob > 0 or self.mask_feature_prob > 0


@dataclass(frozen=True, kw_only=True)
class Data2VecTextConfig(Data2VecConfig):
    """Text model: RoBERTa's architecture (data2vec.md 1.2). The defaults are BERT's, not the public checkpoint's."""

    model_type: ClassVar[str] = "data2vec-text"

    vocab_size: int = 30522
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    """Rows of the position table; `max_position_embeddings - pad_token_id - 1` tokens can be read."""
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 1
    bos_token_id: int | None = 0
    eos_token_id: int | None = 2
    use_cache: bool = True
    """Let a decoder keep keys and values between calls."""
    classifier_dropout: float | None = None
    """`hidden_dropout_prob` when None."""
    position_embedding_type: Literal["absolute", "relative_key", "relative_key_query"] = "absolute"
    """The two relative forms exist in transformers 4.x only; they add a table of distances to every attention."""
    is_decoder: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_shares("hidden_dropout_prob", "attention_probs_dropout_prob")
        if self.classifier_dropout is not None:
            self._require_shares("classifier_dropout")
        self._require_positive("vocab_size", "max_position_embeddings", "type_vocab_size")
        self._require_not_negative("layer_norm_eps")
        self._require(
            "pad_token_id",
            isinstance(self.pad_token_id, int) and 0 <= self.pad_token_id < self.vocab_size,
            f"expected a token id below vocab_size={self.vocab_size}, for positions are counted from it",
        )
        self._require_choice("position_embedding_type", "absolute", "relative_key", "relative_key_query")
        self._require(
            "add_cross_attention",
            self.is_decoder or not self.add_cross_attention,
            "needs is_decoder=True",
        )
        self._require(
            "max_position_embeddings",
            self.max_position_embeddings > self.pad_token_id + 1,
            f"leaves no position after pad_token_id={self.pad_token_id}",
        )

    @property
    def max_length(self) -> int:
        """The most tokens one sequence may have, special tokens included."""
        return self.max_position_embeddings - self.pad_token_id - 1


@dataclass(frozen=True, kw_only=True)
class Data2VecVisionConfig(Data2VecConfig):
    """Vision model: BEiT's architecture (data2vec.md 1.3)."""

    model_type: ClassVar[str] = "data2vec-vision"

    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    layer_norm_eps: float = 1e-12
    image_size: int | tuple[int, int] = 224
    patch_size: int | tuple[int, int] = 16
    num_channels: int = 3
    use_mask_token: bool = False
    use_absolute_position_embeddings: bool = False
    use_relative_position_bias: bool = False
    """One bias table a layer; adds to the shared one when both are on."""
    use_shared_relative_position_bias: bool = False
    layer_scale_init_value: float = 0.1
    """Start value of the per-channel scales of both residual branches; none when not positive."""
    drop_path_rate: float = 0.1
    """Stochastic depth, rising linearly from 0 at the first block to this rate at the last."""
    use_mean_pooling: bool = True
    """True: pool the mean of the patches and leave the block outputs unnormed. False: final norm, class token."""

    out_indices: tuple[int, ...] = (3, 5, 7, 11)
    """Which hidden states the segmentation head reads; `segmentation_taps` says how they are counted."""
    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    use_auxiliary_head: bool = True
    auxiliary_loss_weight: float = 0.4
    auxiliary_channels: int = 256
    auxiliary_num_convs: int = 1
    auxiliary_concat_input: bool = False
    semantic_loss_ignore_index: int = IGNORED_PIXEL

    fix_non_square_bias: bool = False
    """Resize the relative-position table in its true (rows, columns) layout. The reference swaps the two, which is
    wrong when the trained window is not square (data2vec.md 9.2, item 3); False gives its numbers. Ours, not public."""
    segmentation_taps: Literal["reference", "beit"] = "reference"
    """`reference`: out_indices k reads the state after k - 1 blocks, as the transformers library does; `beit`: the
    state after k + 1 blocks, as the original code does (data2vec.md 9.2, item 2). Ours, not public."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_shares("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate")
        self._require_positive("num_channels", "image_size", "patch_size", "pool_scales", "auxiliary_channels")
        self._require_not_negative("layer_norm_eps", "auxiliary_num_convs")
        self._require("pool_scales", len(self.pool_scales) > 0, "expected at least one scale")
        for name in ("image_size", "patch_size"):
            self._require(name, len(self._entries(name)) in (1, 2), "expected one number, or (height, width)")
        height, width = self.grid_size
        self._require("patch_size", height > 0 and width > 0, f"must fit into image_size={self.image_size}")
        self._require_choice("segmentation_taps", "reference", "beit")

    @property
    def image_size_pair(self) -> tuple[int, int]:
        """(height, width) of the images the model was made for, in pixels."""
        return _pair(self.image_size)

    @property
    def patch_size_pair(self) -> tuple[int, int]:
        """(height, width) of one patch, in pixels."""
        return _pair(self.patch_size)

    @property
    def grid_size(self) -> tuple[int, int]:
        """(rows, columns) of patches of an image of `image_size`."""
        (height, width), (patch_height, patch_width) = self.image_size_pair, self.patch_size_pair
        return height // patch_height, width // patch_width


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


ModelConfig = Data2VecAudioConfig | Data2VecTextConfig | Data2VecVisionConfig
