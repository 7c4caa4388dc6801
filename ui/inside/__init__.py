"""The tab that looks inside a model: the stage, attention, layers, training."""

from ui.inside.attention import Attention
from ui.inside.layers import Layers
from ui.inside.stage import Stage
from ui.inside.training import Training

VIEWS = (Stage, Attention, Layers, Training)
"""In the order of their tabs."""
