"""What tools can be told beside their inputs, and do well without: numbers, choices, the framework, the seed."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from typing import Any, ClassVar

from data2vec_core.runtime_choice import RUNTIMES, TENSORFLOW_INSTALL, Runtime, has_tensorflow
from ui.accelerator import is_lent
from ui.inputs import Input
from ui.settings import Settings
from ui.words import say


@dataclass(frozen=True, kw_only=True)
class NumberInput(Input):
    """A setting on a scale; whole where its step is."""

    standard: float
    """Where it stands by default."""
    least: float
    most: float
    step: float

    is_setting: ClassVar[bool] = True

    @property
    def default(self) -> float:
        return self.standard

    def read(self, value: Any, settings: Settings) -> float:  # noqa: ARG002
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        is_whole = isinstance(self.step, int)
        if not is_number or not self.least <= value <= self.most or (is_whole and value != int(value)):
            key = "number.not_whole" if is_whole else "number.out_of_range"
            raise ValueError(say(key, name=self.name, least=self.least, most=self.most))
        return int(value) if is_whole else float(value)


@dataclass(frozen=True, kw_only=True)
class ChoiceInput(Input):
    """A setting that is one of a few."""

    options: tuple[str, ...]
    """The first one by default."""

    is_setting: ClassVar[bool] = True

    @property
    def default(self) -> str:
        return self.options[0]

    def read(self, value: Any, settings: Settings) -> str:  # noqa: ARG002
        if value not in self.options:
            raise ValueError(say("choice.unknown", name=self.name, options=", ".join(self.options)))
        return str(value)


@dataclass(frozen=True)
class RuntimeInput(Input):
    """The framework that a model on pictures runs in."""

    is_setting: ClassVar[bool] = True
    is_of_loading: ClassVar[bool] = True

    @property
    def default(self) -> Runtime:
        return RUNTIMES[0]

    @property
    def options(self) -> tuple[Runtime, ...]:
        """Those of this host: a lent GPU is lent to PyTorch."""
        return RUNTIMES if has_tensorflow() and not is_lent() else RUNTIMES[:1]

    def read(self, value: Any, settings: Settings) -> Runtime:  # noqa: ARG002
        if value not in RUNTIMES:
            raise ValueError(say("choice.unknown", name=self.name, options=", ".join(RUNTIMES)))
        if value not in self.options:
            key = "runtime.lent" if is_lent() else "runtime.missing"
            raise ValueError(say(key, command=TENSORFLOW_INSTALL))
        runtime: Runtime = value
        return runtime


@dataclass(frozen=True)
class SeedInput(Input):
    """What a draw starts from. Left out, it is drawn, so that the answer can say how to have it again."""

    is_setting: ClassVar[bool] = True
    MOST: ClassVar[int] = 2**31 - 1

    def read(self, value: Any, settings: Settings) -> int:
        if value is None:
            return secrets.randbelow(10_000)  # short enough to be told to somebody
        number = NumberInput(self.name, standard=0, least=0, most=self.MOST, step=1)
        return int(number.read(value, settings))
