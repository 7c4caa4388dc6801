"""The vision model without a head, and what its heads share with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.hub_keys import VISION_KEYS
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.outputs import VisionModelOutput
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.trace import Trace
from data2vec_core.transformer import Block
from data2vec_core.vision.block import VisionEncoder
from data2vec_core.vision.embeddings import Patches, VisionEmbeddings
from data2vec_core.vision.relative_position import RelativePositionBias


class VisionPretrainedModel(PretrainedModel):
    """Base of the three vision classes."""

    config_class = Data2VecVisionConfig
    key_table = VISION_KEYS
    optional_parts: ClassVar[tuple[str, ...]] = ("pooler.", "embeddings.mask_token")
    parts_of_fields: ClassVar[Mapping[str, str]] = {
        "use_absolute_position_embeddings": "embeddings.position_embeddings",
        "use_relative_position_bias": "encoder.layers.*.relative_position_bias.",
        "use_shared_relative_position_bias": "encoder.relative_position_bias.",
        "layer_scale_init_value": "encoder.layers.*_scale",
        "use_mean_pooling": "layernorm.",
    }
    config: Data2VecVisionConfig

    @torch.no_grad()
    def initialise_module(self, module: nn.Module) -> None:
        """Linear and convolution weights from N(0, `initializer_range`), tokens, positions, bias tables and biases 0,
        layer scales at their start value, norms neutral (data2vec.md 2.3)."""
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.LayerNorm, nn.BatchNorm2d)):
            module.reset_parameters()
        elif isinstance(module, (VisionEmbeddings, RelativePositionBias)):
            for parameter in module.parameters(recurse=False):
                nn.init.zeros_(parameter)
        elif isinstance(module, Block) and module.attention_scale is not None:
            for parameter in module.parameters(recurse=False):
                nn.init.constant_(parameter, self.config.layer_scale_init_value)


class Pooler(nn.Module):
    """One vector an image: the normed mean of its patches, or its class token, which the exit norm has normed."""

    def __init__(self, config: Data2VecVisionConfig) -> None:
        super().__init__()
        self.layernorm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.use_mean_pooling else None
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, 1 + patches, dim) -> (batch, dim)"""
        return hidden[:, 0] if self.layernorm is None else self.layernorm(hidden[:, 1:].mean(dim=1))


class Data2VecVisionModel(VisionPretrainedModel):
    """The encoder: patches in, one vector a patch and one for the class token out.

    Args:
        config: its configuration.
        add_pooling_layer: whether there is a `pooler_output`.
    """

    build_options = ("add_pooling_layer",)

    def __init__(self, config: Data2VecVisionConfig, add_pooling_layer: bool = False) -> None:
        super().__init__(config)
        self.embeddings = VisionEmbeddings(config)
        self.encoder = VisionEncoder(config)
        self.layernorm = (
            nn.Identity() if config.use_mean_pooling else nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        )
        self.pooler = Pooler(config) if add_pooling_layer else None
        self.initialise()

    def forward(
        self,
        pixel_values: Tensor,
        bool_masked_pos: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        interpolate_pos_encoding: bool = False,  # noqa: ARG002
        *,
        visible: Tensor | None = None,
        trace: Trace | None = None,
    ) -> VisionModelOutput:
        """Encode images of any size of at least one patch.

        Args:
            pixel_values: (batch, channels, height, width), normalised.
            bool_masked_pos: (batch, patches), True where the mask token replaces a patch; row-major.
            output_attentions, output_hidden_states: put them into the result; by the configuration when None.
            interpolate_pos_encoding: accepted for callers of the reference, where it changes nothing either: positions
                always follow the image's grid.
            visible: (batch, visible) int64, numbers of the patches to encode, each at its place of the image, the
                others being left out as if they were not there (data2vec.md 5.6); all when None.
            trace: what to record or replace. Layer 0 is the input of the first block.

        Returns:
            `last_hidden_state` (batch, 1 + patches, dim), or (batch, 1 + visible, dim) in the order of `visible`, after
            the exit norm where there is one (`hidden_states` are before it); `pooler_output` (batch, dim) of a model
            with a pooler.

        Raises:
            ValueError: images, mask or choice of patches of a wrong shape or range, or a mask for a model without a
                mask token.
        """
        trace = self._trace_for(trace, output_hidden_states, output_attentions)
        hidden = self.encode(self.embeddings.project(pixel_values), bool_masked_pos, visible, trace)
        return VisionModelOutput(
            last_hidden_state=hidden,
            pooler_output=None if self.pooler is None else self.pooler(hidden),
            **self._recorded(trace, output_hidden_states, output_attentions),
        )

    def encode(
        self,
        patches: Patches,
        is_masked: Tensor | None = None,
        visible: Tensor | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """What `forward` does after `embeddings.project`; takes, returns and raises the same."""
        hidden = self.embeddings.place(patches, is_masked, visible)
        return self.layernorm(self.encoder.run(hidden, grid=patches.grid, visible=visible, trace=trace))
