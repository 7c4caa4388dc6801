"""Configurations of the three models, and named sizes.

Field names and defaults are those of the public data2vec configurations of the transformers library, so that a public
`config.json` reads as it is. Writing a configuration in Python is strict (an unknown argument is a `TypeError`);
reading one from a file keeps what it knows and reports the rest (`from_dict`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from data2vec_core.activations import ACTIVATIONS
from data2vec_core.checkpoints.files import CONFIG_FILE, read_json, write_json
from data2vec_core.config_legacy import LEGACY_FIELDS

ProblemType = Literal["regression", "single_label_classification", "multi_label_classification"]
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


@dataclass(frozen=True)
class ConfigFields:
    """What reading a configuration file did with the fields the configuration does not have."""

    dropped: tuple[str, ...] = ()
    """Legacy fields without meaning here (`LEGACY_FIELDS`)."""
    unknown: tuple[str, ...] = ()
    """Fields nobody here has heard of; worth a warning."""


@dataclass(frozen=True, kw_only=True)
class Data2VecConfig:
    """What the three configurations share. Not used by itself."""

    model_type: ClassVar[str] = ""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    """Activation of the feed-forward layers; `gelu` is the exact (erf) form."""
    initializer_range: float = 0.02
    """Standard deviation of freshly initialised linear weights."""

    num_labels: int | None = None
    """Number of classes of a head. Follows `id2label` when that is given; otherwise 2."""
    id2label: Mapping[int, str] | None = None
    label2id: Mapping[str, int] | None = None
    problem_type: ProblemType | None = None
    """Which loss a sequence or image classifier uses; chosen from the labels when None."""

    output_attentions: bool = False
    output_hidden_states: bool = False
    architectures: tuple[str, ...] | None = None
    dtype: str | None = None
    """Number format of the saved weights, such as `float16`. Informative: loading decides by its own argument."""

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):  # JSON has lists only; tuples keep the configuration hashable
            value = getattr(self, f.name)
            if isinstance(value, list):
                object.__setattr__(self, f.name, tuple(value))
        self._settle_labels()
        for name in ("hidden_size", "num_attention_heads", "intermediate_size"):
            self._require(name, getattr(self, name) > 0, "must be positive")
        self._require("num_hidden_layers", self.num_hidden_layers >= 0, "must not be negative")
        self._require(
            "hidden_size",
            self.hidden_size % self.num_attention_heads == 0,
            f"must be divisible by num_attention_heads={self.num_attention_heads}",
        )
        self._require("hidden_act", self.hidden_act in ACTIVATIONS, f"must be one of {sorted(ACTIVATIONS)}")
        self._require(
            "problem_type",
            self.problem_type is None or self.problem_type in PROBLEM_TYPES,
            f"must be None or one of {PROBLEM_TYPES}",
        )

    def _settle_labels(self) -> None:
        """Make `num_labels`, `id2label` and `label2id` agree, whichever of them were given."""
        if self.id2label is not None:
            id2label = {int(index): str(label) for index, label in self.id2label.items()}
            if self.num_labels is not None and self.num_labels != len(id2label):
                raise ValueError(f"num_labels={self.num_labels} but id2label names {len(id2label)} classes")
        else:
            count = 2 if self.num_labels is None else self.num_labels
            self._require("num_labels", count >= 0, "must not be negative")
            id2label = {index: f"LABEL_{index}" for index in range(count)}
        label2id = self.label2id if self.label2id else {label: index for index, label in id2label.items()}
        if self.id2label is None and len(label2id) != len(id2label):
            label2id = {label: index for index, label in id2label.items()}
        object.__setattr__(self, "id2label", id2label)
        object.__setattr__(self, "label2id", {str(label): int(index) for label, index in label2id.items()})
        object.__setattr__(self, "num_labels", len(id2label))

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"{type(self).__name__}.{name}={getattr(self, name)!r}: {rule}")

    def _require_shares(self, *names: str) -> None:
        for name in names:
            self._require(name, 0.0 <= getattr(self, name) <= 1.0, "must lie between 0 and 1")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def labels(self) -> list[str]:
        """Class names in order of their ids."""
        assert self.id2label is not None
        return [self.id2label[index] for index in sorted(self.id2label)]

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; changing one of the three label fields drops the other two."""
        label_fields = {"num_labels", "id2label", "label2id"}
        if label_fields & changes.keys():
            changes = dict.fromkeys(label_fields) | changes
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict in the public file layout (`num_labels` is left to `id2label`, as there)."""
        values: dict[str, Any] = {"model_type": self.model_type}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.name == "num_labels" or (value is None and f.default is None):
                continue
            values[f.name] = list(value) if isinstance(value, tuple) else value
        values["id2label"] = {str(index): label for index, label in (self.id2label or {}).items()}
        values["label2id"] = dict(self.label2id or {})
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> Self:
        """Build from the dict of a `config.json`; see `read_dict` for what happened to the other fields."""
        return cls.read_dict(values, **overrides)[0]

    @classmethod
    def read_dict(cls, values: Mapping[str, Any], **overrides: Any) -> tuple[Self, ConfigFields]:
        """Build from the dict of a `config.json`, and say which of its fields were dropped or unknown.

        Raises:
            ValueError: the file is of another model type, or a value breaks a rule.
            TypeError: an override is not a field of this configuration.
        """
        model_type = values.get("model_type", cls.model_type)
        if model_type != cls.model_type:
            raise ValueError(f"this is a {model_type!r} configuration; {cls.__name__} reads {cls.model_type!r}")
        values = dict(values)
        if "torch_dtype" in values:  # its name until transformers 4.55
            values.setdefault("dtype", values.pop("torch_dtype"))
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        other = values.keys() - names
        report = ConfigFields(
            dropped=tuple(sorted(other & LEGACY_FIELDS)),
            unknown=tuple(sorted(other - LEGACY_FIELDS - {"model_type"})),
        )
        config = cls(**known)
        return (config.replace(**overrides) if overrides else config), report

    @classmethod
    def load(cls, folder: str | Path, **overrides: Any) -> tuple[Self, ConfigFields]:
        """`read_dict` on the `config.json` of a local folder."""
        return cls.read_dict(read_json(Path(folder) / CONFIG_FILE), **overrides)

    def save(self, folder: str | Path) -> None:
        """Write `config.json` into a folder."""
        write_json(Path(folder) / CONFIG_FILE, dict(sorted(self.to_dict().items())))


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
    """Width after the adapter; `hidden_size` when None."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output_hidden_size is None:
            object.__setattr__(self, "output_hidden_size", self.hidden_size)
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
        self._require(
            "ctc_loss_reduction",
            self.ctc_loss_reduction in ("sum", "mean"),
            "must be 'sum' or 'mean'",
        )
        self._require(
            "feat_extract_activation",
            self.feat_extract_activation in ACTIVATIONS,
            f"must be one of {sorted(ACTIVATIONS)}",
        )
        self._require(
            "num_conv_pos_embedding_groups",
            self.hidden_size % self.num_conv_pos_embedding_groups == 0,
            f"must divide hidden_size={self.hidden_size}",
        )

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
        self._require(
            "position_embedding_type",
            self.position_embedding_type in ("absolute", "relative_key", "relative_key_query"),
            "must be 'absolute', 'relative_key' or 'relative_key_query'",
        )
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
    semantic_loss_ignore_index: int = 255

    fix_non_square_bias: bool = field(default=False)
    """Resize the relative-position table in its true (rows, columns) layout. The reference swaps the two, which is
    wrong when the trained window is not square (data2vec.md 9.2, item 3); False gives its numbers. Ours, not public."""
    segmentation_taps: Literal["reference", "beit"] = "reference"
    """`reference`: out_indices k reads the state after k - 1 blocks, as the transformers library does; `beit`: the
    state after k + 1 blocks, as the original code does (data2vec.md 9.2, item 2). Ours, not public."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_shares("hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate")
        height, width = self.grid_size
        self._require("patch_size", height > 0 and width > 0, f"must fit into image_size={self.image_size}")
        self._require(
            "segmentation_taps",
            self.segmentation_taps in ("reference", "beit"),
            "must be 'reference' or 'beit'",
        )

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
    return (value, value) if isinstance(value, int) else (value[0], value[1])


ModelConfig = Data2VecAudioConfig | Data2VecTextConfig | Data2VecVisionConfig

CONFIGS: dict[str, type[Data2VecConfig]] = {
    "audio": Data2VecAudioConfig,
    "text": Data2VecTextConfig,
    "vision": Data2VecVisionConfig,
}
