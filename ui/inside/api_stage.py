"""The endpoint of the stage.

Gradio reads the return types as they stand, so here they are not strings (`from __future__ import annotations`).
"""

from collections.abc import Callable
from typing import Any, TypedDict

from gradio.data_classes import FileData

from ui.inside.api_input import looking_at
from ui.options import NumberInput
from ui.service import Service
from ui.views.stage_data import MOST_SEED, Asked


class MaskedAnswer(TypedDict):
    """Of `/predict_masked`: numbers of each masked position; `chance` is the share of first ranks by guessing."""

    positions: list[int]
    error: list[float]
    cosine: list[float]
    rank: list[int]
    chance: float


def predict_masked_endpoint(service: Service) -> Callable[..., Any]:
    """What `/predict_masked` calls."""

    def predict_masked(
        modality: str,
        text: str = "",
        file: FileData | None = None,
        model: str = "",
        masked: list[int] | None = None,
        k: int | None = None,
        seed: int = 0,
    ) -> MaskedAnswer:
        """Hide parts of an input from the student and compare what it predicts there with what the teacher makes of the
        whole: squared error, cosine, and the rank of the right target among those of all positions.

        Args:
            modality: audio, text or vision.
            text: for text, within the host's limit of characters.
            file: for the others, a sound or a picture within the host's limits.
            model: a name of /list_models, a hub id, or a local folder where the host allows it; empty for the bundled
                encoder of the modality. Without a predictor, the student's own layers stand in.
            masked: positions to hide, from 0; empty for the method's own mask.
            k: how many of the teacher's top layers are averaged; as in training when left out.
            seed: of the method's own mask.
        """
        from ui.inside.stage import predicted

        with looking_at(service, modality, text, file, model) as looked:
            asked = _asked(looked.subject.depth, len(looked.shown), masked, k, seed, service)
            found = predicted(looked, asked)
            errors = found.errors(found.target(asked.k))
        return {
            "positions": found.positions.tolist(),
            "error": errors.error.tolist(),
            "cosine": errors.cosine.tolist(),
            "rank": errors.rank.tolist(),
            "chance": errors.chance,
        }

    return predict_masked


def _asked(depth: int, count: int, masked: Any, k: Any, seed: Any, service: Service) -> Asked:
    """What a stranger has asked for, checked."""
    place = NumberInput("masked", standard=0, least=0, most=count - 1, step=1)
    places = masked if isinstance(masked, list) else [] if masked is None else [masked]
    return Asked(
        k=None
        if k is None
        else int(NumberInput("k", standard=1, least=1, most=depth, step=1).read(k, service.settings)),
        seed=int(NumberInput("seed", standard=0, least=0, most=MOST_SEED, step=1).read(seed, service.settings)),
        masked=tuple(int(place.read(one, service.settings)) for one in places),
    )
