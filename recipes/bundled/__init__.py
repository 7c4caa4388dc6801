"""The bundled models with a head, one module each: examples from the packs, plan, card, scores."""

from __future__ import annotations

from importlib import import_module

from recipes.bundled.model import BundledModel

NAMES = {
    "an4": "an4",
    "commands": "commands",
    "esc10": "esc10",
    "speakers": "speakers",
    "activity": "activity",
    "sst2": "sst2",
    "trec": "trec",
    "snips-intent": "snips_intent",
    "snips-slots": "snips_slots",
    "mlm": "mlm",
    "causal": "causal",
    "qa": "qa",
    "choice": "choice",
    "objects": "objects",
    "pets3": "pets3",
    "camvid": "camvid",
}
"""Model name -> module of this package; in the order of the README's table."""


def bundled_model(name: str) -> BundledModel:
    """How a bundled model is made and scored.

    Raises:
        ValueError: there is none of the name.
    """
    if name not in NAMES:
        raise ValueError(f"{name!r} is none of the bundled models with a head: {', '.join(NAMES)}")
    model: BundledModel = import_module(f"{__name__}.{NAMES[name]}").MODEL
    return model
