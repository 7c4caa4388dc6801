"""The tab that looks inside a model: the stage, attention, layers, training."""

from ui.inside.stage import Stage

VIEWS = (Stage,)
"""In the order of their tabs."""
