"""The measured claims of the README, one script each."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""Of the project."""
