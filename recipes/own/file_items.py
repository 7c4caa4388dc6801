"""Sounds and pictures of labelled data, read from their files when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image

from recipes.finetuning.examples import Example

Content = TypeVar("Content")
Target = TypeVar("Target")

KEPT_BYTES = 1 << 30
"""Of what was read last, in memory."""


class Shelf(Generic[Content]):
    """Contents of files; as many of those asked for last stay in memory as `KEPT_BYTES` allow.

    Args:
        read: from a file to its content.
    """

    def __init__(self, read: Callable[[Path], Content]) -> None:
        self._read = read
        self._kept: OrderedDict[Path, Content] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, path: Path) -> Content:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        content = self._kept[path] = self._read(path)
        self._bytes += _size(content)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return content


class FileExample(Example[Content, Target]):
    """An example whose content lies in a file.

    Args:
        shelf: that gives it.
    """

    path: Path
    _shelf: Shelf[Content]

    def __init__(self, shelf: Shelf[Content], path: Path, target: Target) -> None:
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "_shelf", shelf)
        object.__setattr__(self, "target", target)

    @property
    def content(self) -> Content:
        return self._shelf[self.path]

    def with_target(self, target: Target) -> FileExample[Content, Target]:
        """The same file with another answer."""
        return FileExample(self._shelf, self.path, target)


def _size(content: Any) -> int:
    """Bytes."""
    if isinstance(content, Image.Image):
        return content.width * content.height * len(content.getbands())
    return int(np.asarray(content).nbytes)
