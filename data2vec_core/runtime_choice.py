"""Names of the frameworks in which a task on pictures may run, and whether the second one is there: here, so that both
can be had without either."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal, get_args

Runtime = Literal["pytorch", "tensorflow"]
RUNTIMES: Final[tuple[Runtime, ...]] = get_args(Runtime)
TENSORFLOW_INSTALL: Final = "pip install -r requirements-tensorflow.txt"
"""What brings the extra."""


def has_tensorflow() -> bool:
    """Whether TensorFlow is installed; does not import it, which takes seconds."""
    return find_spec("tensorflow") is not None
