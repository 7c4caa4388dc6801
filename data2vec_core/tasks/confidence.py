"""What makes a classifier's confidence mean something: a temperature, and a sense of what it has never met.

Both are chosen on held-apart data when a model is bundled (`recipes.confidence`), and kept beside its weights.

Temperature: Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599. Familiarity: a linear boundary
between own items and foreign ones ("outlier exposure", Hendrycks et al., arXiv 1812.04606) in the statistics of one
layer's states. Distances from the own items alone were tried first, and took few foreign items for foreign.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.checkpoints.reading import read_tensor_file
from data2vec_core.checkpoints.writing import write_tensors

CONFIDENCE_FILE = "confidence.json"
FAMILIARITY_FILE = "familiarity.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Familiarity:
    """Which side of a boundary an item lies on: that of the model's own data, or the other."""

    layer: int
    """Whose states are looked at; 0 is the input of the first block."""
    weights: Tensor
    """(2 * dim,): of an item's `state_statistics`."""
    bias: float

    def strangeness(self, statistics: Tensor) -> Tensor:
        """(items, 2 * dim) -> (items,): above 0 for what is foreign."""
        return statistics.float().cpu() @ self.weights + self.bias


@dataclass(frozen=True, kw_only=True, eq=False)
class Confidence:
    """How a classifier's scores are to be read."""

    temperature: float = 1.0
    """Scores are divided by it before they become probabilities."""
    familiarity: Familiarity | None = None
    """None: the model cannot tell what is foreign to it."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"Confidence.temperature={self.temperature}: must be above 0")

    @property
    def layers(self) -> tuple[int, ...]:
        """Whose hidden states have to be recorded to ask `is_outside`."""
        return () if self.familiarity is None else (self.familiarity.layer,)

    def is_outside(self, statistics: Tensor) -> bool | None:
        """Whether an item is unlike everything that the model was trained on; None where that is not known.

        Args:
            statistics: (2 * dim,), those of the item's states at the familiar layer.
        """
        if self.familiarity is None:
            return None
        return bool(self.familiarity.strangeness(statistics[None])[0] > 0)

    def save(self, folder: str | Path) -> None:
        """Write `confidence.json`, and `familiarity.safetensors` where it is known."""
        values: dict[str, Any] = {"temperature": self.temperature}
        if (known := self.familiarity) is not None:
            values |= {"layer": known.layer, "bias": known.bias}
            write_tensors(Path(folder), {"weights": known.weights}, name=FAMILIARITY_FILE)
        write_json(Path(folder) / CONFIDENCE_FILE, values)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; a folder without says that scores are as they are.

        Raises:
            CheckpointError: the files cannot be understood.
        """
        path = Path(folder) / CONFIDENCE_FILE
        if not path.is_file():
            return cls()
        values = read_json(path)
        try:
            known = None
            if "layer" in values:
                weights = read_tensor_file(Path(folder) / FAMILIARITY_FILE)["weights"].float()
                known = Familiarity(layer=int(values["layer"]), weights=weights, bias=float(values["bias"]))
            return cls(temperature=float(values["temperature"]), familiarity=known)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be understood: {error!r}") from None


def state_statistics(hidden: Tensor, is_real: Tensor | None = None) -> Tensor:
    """Mean and standard deviation of states over the positions: (batch, positions, dim) -> (batch, 2 * dim).

    Args:
        is_real: (batch, positions) 1 where there is no padding; None: nowhere.
    """
    hidden = hidden.float()
    weights = torch.ones(hidden.shape[:2], device=hidden.device) if is_real is None else is_real.float()
    weights = (weights / weights.sum(dim=1, keepdim=True).clamp(min=1)).unsqueeze(-1)  # (batch, positions, 1)
    mean = (hidden * weights).sum(dim=1)
    variance = ((hidden - mean.unsqueeze(1)).square() * weights).sum(dim=1)
    return torch.cat([mean, variance.sqrt()], dim=-1)
