"""The tab that looks inside a model: the stage, attention, layers, training."""

from ui.inside.attention import Attention
from ui.inside.stage import Stage

VIEWS = (Stage, Attention)
"""In the order of their tabs."""
