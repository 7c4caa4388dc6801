"""A small convolutional network that fills in what the student did not see (data2vec.md 5.6, arXiv 2212.07525).

With it the student encodes the visible patches only, which is most of what data2vec 2.0 saves: no mask token runs
through the blocks, and what a masked place holds is guessed here from the visible ones around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class ConvDecoder:
    """Its size; the defaults are those published for pictures, base size."""

    width: int = 768
    """Channels of its layers. Where that is the student's width, too, the first layer has a residual like the
    others."""
    kernel: int = 3
    """Side of a kernel in patches; odd."""
    layers: int = 6
    groups: int = 16
    """Of the convolutions; divides the student's width and the decoder's."""
    noise: float = 0.01
    """Standard deviation of what stands at masked places at first."""

    def __post_init__(self) -> None:
        for name in ("width", "kernel", "layers", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"ConvDecoder.{name}={getattr(self, name)}: at least 1")
        if self.kernel % 2 == 0:
            raise ValueError(f"ConvDecoder.kernel={self.kernel}: must be odd, so that a patch is in the middle")
        if self.noise < 0:
            raise ValueError(f"ConvDecoder.noise={self.noise}: must not be negative")


class PatchDecoder(nn.Module):
    """The decoder of pictures, up to its last linear layer, which is the regression head: that one is needed at masked
    places alone.

    The noise comes from PyTorch's own generator, as dropout does, so that a resumed run draws the same. The weights
    start as PyTorch draws them, like the original's.

    Args:
        dim: width of the student.
        settings: its size.

    Raises:
        ValueError: `settings.groups` does not divide one of the two widths.
    """

    def __init__(self, dim: int, settings: ConvDecoder) -> None:
        super().__init__()
        if dim % settings.groups or settings.width % settings.groups:
            raise ValueError(
                f"ConvDecoder.groups={settings.groups}: must divide the student's width {dim} and the decoder's "
                f"{settings.width}"
            )
        widths = [dim] + [settings.width] * settings.layers
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, settings.kernel, padding=settings.kernel // 2, groups=settings.groups)
            for inner, outer in zip(widths[:-1], widths[1:], strict=True)
        )
        self.noise = settings.noise

    def forward(self, hidden: Tensor, visible: Tensor, grid: tuple[int, int]) -> Tensor:
        """Spread what is known of some patches over all.

        Args:
            hidden: (batch, visible, dim), the student's output.
            visible: (batch, visible) int64, numbers of these patches in row-major order.
            grid: (rows, columns) of all patches.

        Returns:
            (batch, patches, width)
        """
        batch, _, dim = hidden.shape
        everywhere = self.noise * torch.randn(batch, grid[0] * grid[1], dim, device=hidden.device, dtype=hidden.dtype)
        everywhere = everywhere.scatter(1, visible.unsqueeze(-1).expand(-1, -1, dim), hidden)
        state = everywhere.transpose(1, 2).unflatten(2, grid)  # (batch, dim, rows, columns)
        for convolution in self.convolutions:
            convolved = convolution(state).movedim(1, -1)  # (batch, rows, columns, width)
            normed = F.layer_norm(convolved, convolved.shape[-1:]).movedim(-1, 1)
            activated = F.gelu(normed)
            state = activated + state if activated.shape == state.shape else activated
        return state.flatten(2).transpose(1, 2)
