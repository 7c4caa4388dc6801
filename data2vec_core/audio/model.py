"""The speech encoder (data2vec.md 2.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from data2vec_core.audio.adapter import Adapter
from data2vec_core.audio.lengths import frame_count, frame_mask
from data2vec_core.audio.masking import draw_spans
from data2vec_core.audio.waveform_encoder import (
    FeatureProjection,
    PositionalConvolution,
    PositionalConvolutions,
    WaveformEncoder,
)
from data2vec_core.checkpoints.hub_keys import AUDIO_KEYS
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.outputs import AudioModelOutput
from data2vec_core.packing import Packing
from data2vec_core.pretrained import PretrainedModel, Recording
from data2vec_core.trace import Trace
from data2vec_core.transformer import Attention, Block, BlockStack, padding_bias


@dataclass(frozen=True)
class Frames:
    """A batch of clips on the way into the encoder."""

    features: Tensor
    """(batch, frames, conv dim): normalised output of the waveform encoder."""
    projected: Tensor
    """(batch, frames, dim): before dropout and masking."""
    is_real: Tensor | None
    """(batch, frames), False for padding; None: all are real."""
    packing: Packing | None = None
    """How to compute the rest without padding; None: as it is."""


class AudioEncoder(BlockStack):
    """Positions by convolution, then the blocks."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__([_block(config) for _ in range(config.num_hidden_layers)], layerdrop=config.layerdrop)
        self.pos_conv_embed = PositionalConvolutions(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def forward(
        self,
        hidden: Tensor,
        is_real: Tensor | None = None,
        trace: Trace | None = None,
        packing: Packing | None = None,
    ) -> Tensor:
        """(batch, frames, dim) -> the same; `is_real` is (batch, frames)."""
        if packing is not None:
            hidden = packing.pack(hidden)
            positions = packing.each(self.pos_conv_embed, hidden)
            hidden = self.dropout(self.layer_norm(hidden + positions))
            return packing.unpack(self.run(hidden, packing=packing, trace=trace))
        if is_real is not None:
            # Kept although the convolutions' bias fills the padding again after their first layer, whence a padded
            # batch differs a little from single clips (data2vec.md 9.1): so do the public models.
            hidden = hidden * is_real.unsqueeze(-1).to(hidden.dtype)
        hidden = self.dropout(self.layer_norm(hidden + self.pos_conv_embed(hidden)))
        return self.run(hidden, bias=padding_bias(is_real, hidden.dtype), trace=trace)


def _block(config: Data2VecAudioConfig) -> Block:
    return Block(
        Attention(config.hidden_size, config.num_attention_heads, dropout=config.attention_dropout),
        config.hidden_size,
        config.intermediate_size,
        activation=config.hidden_act,
        dropout=config.hidden_dropout,
        activation_dropout=config.activation_dropout,
        eps=config.layer_norm_eps,
    )


class AudioInputs(Recording, total=False):
    """What every speech model takes beside `input_values` and `attention_mask`; see `Data2VecAudioModel.forward`."""

    without_padding: bool


class AudioPretrainedModel(PretrainedModel):
    """What the speech classes share."""

    config_class = Data2VecAudioConfig
    key_table = AUDIO_KEYS
    config: Data2VecAudioConfig

    def freeze_feature_encoder(self) -> None:
        """Train everything but the convolutions from samples to frames, as fine-tuning usually does."""
        encoder = self.base_model
        assert isinstance(encoder, Data2VecAudioModel)
        encoder.feature_extractor.requires_grad_(False)

    def initialise_module(self, module: nn.Module) -> None:
        """Weights by the reference's rules (data2vec.md 2.1, Initialisation)."""
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                bound = math.sqrt(module.groups / (module.in_channels * module.kernel_size[0]))
                nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, PositionalConvolution):
            assert module.conv.bias is not None
            nn.init.zeros_(module.conv.bias)
        elif isinstance(module, FeatureProjection):
            bound = math.sqrt(1 / module.projection.in_features)
            nn.init.uniform_(module.projection.weight, -bound, bound)
            nn.init.uniform_(module.projection.bias, -bound, bound)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, Data2VecAudioModel) and module.masked_spec_embed is not None:
            nn.init.uniform_(module.masked_spec_embed)


class Data2VecAudioModel(AudioPretrainedModel):
    """Waveform in, one contextual vector every 20 ms out."""

    optional_parts = ("masked_spec_embed",)

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        self.feature_extractor = WaveformEncoder(config)
        self.feature_projection = FeatureProjection(config)
        self.masked_spec_embed = nn.Parameter(torch.empty(config.hidden_size)) if config.uses_spec_augment else None
        self.encoder = AudioEncoder(config)
        self.adapter = Adapter(config) if config.add_adapter else None
        self.initialise()

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        mask_time_indices: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        *,
        without_padding: bool = False,
        trace: Trace | None = None,
    ) -> AudioModelOutput:
        """Encode a batch of clips.

        Args:
            input_values: (batch, samples) at 16 kHz, each clip normalised to mean 0 and variance 1.
            attention_mask: (batch, samples), 1 where real, padding on the right; all real when None.
            mask_time_indices: (batch, frames), True where the student shall see the mask embedding instead.
            without_padding: compute each clip as if it were alone (see `data2vec_core.packing`), with zeros for
                padding: faster, and free of what padding does to the other frames through the convolutions
                (data2vec.md 9.1). A trace can then record hidden states only.
            trace: what to record.

        Raises:
            ValueError: the input is not (batch, samples) or too short for one frame, a mask has another shape, or
                `without_padding` was asked of a model with an adapter.
        """
        if without_padding and self.adapter is not None:
            raise ValueError("without_padding is not for models with an adapter")
        trace = self._trace_for(trace, output_hidden_states, output_attentions)
        frames = self.frames(input_values, attention_mask, without_padding=without_padding)
        hidden = self.encode(frames, mask_time_indices, trace)
        if self.adapter is not None:
            hidden = self.adapter(hidden)
        return AudioModelOutput(
            last_hidden_state=hidden,
            extract_features=frames.features,
            **self._recorded(trace, output_hidden_states, output_attentions),
        )

    def frames(
        self, input_values: Tensor, attention_mask: Tensor | None = None, *, without_padding: bool = False
    ) -> Frames:
        """The convolutional half of `forward`, which takes the same and raises the same."""
        self._check_input(input_values, attention_mask)
        if attention_mask is None:
            projected, normed = self.feature_projection(self.feature_extractor(input_values))
            return Frames(normed, projected, None)
        is_real = frame_mask(attention_mask, frame_count(input_values.shape[1], self.config), self.config)
        packing = Packing.of(is_real) if without_padding else None
        if packing is None:
            projected, normed = self.feature_projection(self.feature_extractor(input_values))
            return Frames(normed, projected, is_real)
        samples = attention_mask.long().sum(dim=1).tolist()
        clips = [
            clip[None, :own] for clip, own, frames in zip(input_values, samples, packing.lengths, strict=True) if frames
        ]
        packed = torch.cat([self.feature_extractor(clip) for clip in clips], dim=1)
        projected, normed = map(packing.unpack, self.feature_projection(packed))
        return Frames(normed, projected, is_real, packing)

    def encode(self, frames: Frames, is_masked: Tensor | None = None, trace: Trace | None = None) -> Tensor:
        """The transformer half of `forward`: dropout, mask, blocks; (batch, frames, dim), before any adapter."""
        dropped = self.feature_projection.dropout(frames.projected)
        return self.encoder(self.mask(dropped, frames.is_real, is_masked), frames.is_real, trace, frames.packing)

    def mask(self, hidden: Tensor, is_real: Tensor | None = None, is_masked: Tensor | None = None) -> Tensor:
        """Put the mask embedding where `is_masked` says or, in training without it, where SpecAugment draws.

        Args:
            hidden: (batch, frames, dim).
            is_real: (batch, frames); padding is never drawn.
            is_masked: (batch, frames), True where masked.

        Raises:
            ValueError: the mask is not (batch, frames), or was given to a model without mask embedding.
        """
        config = self.config
        batch, frames, dim = hidden.shape
        if not config.apply_spec_augment:
            return hidden
        if is_masked is None and self.training and config.mask_time_prob > 0:
            lengths = torch.full((batch,), frames) if is_real is None else is_real.sum(dim=-1)
            is_masked = draw_spans(
                lengths.to(hidden.device),
                frames,
                probability=config.mask_time_prob,
                span=config.mask_time_length,
                min_spans=config.mask_time_min_masks,
            )
        if is_masked is not None:
            if is_masked.shape != (batch, frames):
                raise ValueError(
                    f"mask_time_indices must be (batch, frames) = {(batch, frames)}, got {tuple(is_masked.shape)}"
                )
            if self.masked_spec_embed is None:
                raise ValueError("this model has no mask embedding: mask_time_prob and mask_feature_prob are both 0")
            hidden = torch.where(is_masked.bool().unsqueeze(-1), self.masked_spec_embed.to(hidden.dtype), hidden)
        if self.training and config.mask_feature_prob > 0:
            is_hidden_channel = draw_spans(
                torch.full((batch,), dim, device=hidden.device),
                dim,
                probability=config.mask_feature_prob,
                span=config.mask_feature_length,
                min_spans=config.mask_feature_min_masks,
            )
            hidden = hidden.masked_fill(is_hidden_channel.unsqueeze(1), 0.0)
        return hidden

    def _check_input(self, input_values: Tensor, attention_mask: Tensor | None) -> None:
        if input_values.dim() != 2:
            raise ValueError(f"input_values must be (batch, samples), got shape {tuple(input_values.shape)}")
        if frame_count(input_values.shape[1], self.config) < 1:
            raise ValueError(f"input_values has {input_values.shape[1]} samples: too few for one frame of this model")
        if attention_mask is not None and attention_mask.shape != input_values.shape:
            raise ValueError(
                f"attention_mask must have the shape of input_values, {tuple(input_values.shape)}, "
                f"got {tuple(attention_mask.shape)}"
            )
