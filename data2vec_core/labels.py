"""Labels that say: nothing is known here, leave it out of the loss."""

IGNORED_LABEL = -100
"""Of tokens, frames and items, as everywhere in PyTorch."""
IGNORED_PIXEL = 255
"""Of pixels, the last number that 8 bits hold."""
