"""The replay of recorded training runs: its frame, its words, and all that its script draws of a recording.

A recording is sent once, as a few hundred kilobytes of small numbers; whoever moves through it then asks nothing more.
"""

from __future__ import annotations

import base64
import csv
import io
import math
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ui.words import say, translated

if TYPE_CHECKING:
    from analysis.recordings import Recording

PICTURE_SIDE: Final = 264
"""Pixels of the attended picture as the page has it."""
NO_OTHER: Final = ""
"""Name of the recording beside the first where there is none."""
_DIGITS: Final = 6
"""Significant ones of a number that is sent."""


def template() -> str:
    """The frame, in the language that is spoken. The script fills it."""
    side = (
        '<section class="side"><h3 class="title"></h3><p class="what"></p><div class="views">'
        '<figure class="map"><figcaption></figcaption><canvas role="img"></canvas></figure>'
        '<figure class="gaze"><figcaption></figcaption><canvas tabindex="0" role="slider" aria-valuemin="0" '
        f'aria-label="{escape(say("training.attention_place"))}"></canvas></figure></div></section>'
    )
    source = (
        '<section class="source"><h4 class="of"></h4><p class="small facts"></p><div class="keep">'
        '<button type="button" data-file="csv"></button><button type="button" data-file="npz"></button></div></section>'
    )
    return (
        '<div class="replay" hidden>'
        f'<div class="choose"><label>{escape(say("training.recording"))} <select class="first"></select></label>'
        f'<label>{escape(say("training.beside"))} <select class="second"></select></label></div>'
        '<div class="transport"><button type="button" class="play"><span class="sign" aria-hidden="true"></span>'
        '<span class="word"></span></button>'
        f'<input type="range" class="scrub" min="0" step="1" aria-label="{escape(say("training.moment"))}">'
        '<span class="at" aria-hidden="true"></span></div>'
        '<p class="now unseen" role="status" aria-live="polite"></p>'
        f'<div class="sides">{side}{side}</div>'
        '<div class="pointing"><div class="heads" role="group" '
        f'aria-label="{escape(say("training.head"))}"><span>{escape(say("training.head"))}</span></div>'
        f'<button type="button" class="of-token">{escape(say("training.query_token"))}</button>'
        f'<label class="same"><input type="checkbox"> {escape(say("training.same_axes"))}</label></div>'
        f'<ul class="kinds" aria-label="{escape(say("training.classes"))}"></ul>'
        '<p class="told" role="status" aria-live="polite"></p>'
        '<div class="key small"></div><div class="curves"></div>'
        f'<p class="small">{escape(say("training.axis"))} {escape(say("training.replay_misleads"))}</p>'
        f'<div class="sources">{source}{source}</div>'
        f'<details class="table"><summary>{escape(say("training.table"))}</summary><div class="box" role="region" '
        f'tabindex="0" aria-label="{escape(say("training.table"))}"></div></details></div>'
        f'<p class="waiting notice empty" data-failed="{escape(say("training.failed"))}">'
        f"{escape(say('training.loading'))}</p>"
    )


def opening(recordings: dict[str, Recording], first: str, second: str) -> dict[str, Any]:
    """What the script needs at first: all words, what there is to choose from, and the two that are shown.

    Args:
        recordings: all, by name.
        first, second: names; the second may be `NO_OTHER`.
    """
    return {
        "phrases": _phrases(),
        "choices": [{"name": name, "title": translated(one.about.title)} for name, one in recordings.items()],
        "first": first,
        "second": second,
        "recordings": [drawn(name, recordings[name]) for name in (first, second) if name in recordings],
    }


def drawn(name: str, recording: Recording) -> dict[str, Any]:
    """All that the script draws of one recording, and says of it in the language that is spoken.

    Positions are shares of `reach`, the largest coordinate of the whole run, from 0 to 65535 with 32768 in the middle;
    attention is a share of its row's largest, as the recording has it, and that one is out of 65535.
    """
    about = recording.about
    reach = float(np.abs(recording.positions).max()) or 1.0
    peaks = recording.attention.max(axis=-1)
    codes = np.rint(255 * recording.attention / np.where(peaks > 0, peaks, 1)[..., None])
    return {
        "name": name,
        "title": translated(about.title),
        "description": translated(about.description),
        "facts": facts(recording),
        "steps": recording.steps.tolist(),
        "classes": [translated(one.replace("_", " ")) for one in about.classes],
        "labels": recording.labels.tolist(),
        "chance": about.knn_chance,
        "layer": about.layer,
        "grid": list(about.grid),
        "heads": recording.attention.shape[1],
        "numbers": {column: _listed(values) for column, values in columns(recording).items()},
        "reach": reach,
        "positions": _encoded(np.rint(32768 + 32767 * recording.positions / reach).astype("<u2")),
        "attention": _encoded(codes.astype(np.uint8)),
        "peaks": _encoded(np.rint(65535 * peaks).clip(0, 65535).astype("<u2")),
        "picture": _picture(about.attention_input),
    }


def facts(recording: Recording) -> str:
    """What was trained on what, and what is measured on how many."""
    about = recording.about
    return say(
        "training.facts",
        model=translated(about.model),
        data=translated(about.trained_on),
        licence=about.licence,
        steps=about.settings["steps"],
        batch=about.settings["batch"],
        seed=about.settings["seed"],
        layer=about.layer,
        items=len(recording.labels),
        knn=about.knn_items,
    )


def columns(recording: Recording) -> dict[str, NDArray[Any]]:
    """Every number of a moment as a column, (moments,) each, by the name it has in a file."""
    from analysis.recordings import ROLES

    own: dict[str, NDArray[Any]] = {
        name: getattr(recording, name) for name in ("tau", "loss", "target_spread", "prediction_spread", "explained")
    }
    for name in ("effective_rank", "knn"):
        own |= {f"{name}_{role}": getattr(recording, name)[:, index] for index, role in enumerate(ROLES)}
    own |= {f"cka_layer_{layer}": recording.cka[:, layer] for layer in range(recording.cka.shape[1])}
    return own | {
        f"distance_block_{block + 1}": recording.distance[:, block] for block in range(recording.distance.shape[1])
    }


def recording_csv(recording: Recording) -> bytes:
    """The numbers of every moment as a table, with the mark by which spreadsheets know UTF-8; undefined ones empty."""
    table = io.StringIO()
    writer = csv.writer(table)
    named = columns(recording)
    writer.writerow(["step", *named])
    for moment, step in enumerate(recording.steps.tolist()):
        values = (float(column[moment]) for column in named.values())
        writer.writerow([step, *("" if math.isnan(value) else f"{value:.{_DIGITS}g}" for value in values)])
    return table.getvalue().encode("utf-8-sig")


def _phrases() -> dict[str, str]:
    """What the script says; it fills in the places in braces."""
    return {
        "none": say("training.none"),
        "play": say("training.play"),
        "pause": say("training.pause"),
        "step": say("training.step", step="{step}", steps="{steps}"),
        "map": say("training.map", share="{share}"),
        "map_label": say("training.map_label", items="{items}", classes="{classes}"),
        "attention": say("training.attention", head="{head}", place="{place}"),
        "peak": say("training.attention_scale", peak="{peak}"),
        "patch": say("training.patch", row="{row}", column="{column}"),
        "token": say("training.token"),
        "start": say("training.point"),
        "point_is": say("training.point_is", name="{name}"),
        "weight": say("training.weight", place="{place}", share="{share}"),
        "query": say("training.query", place="{place}", best="{best}", share="{share}", token="{token}"),
        "now": say(
            "training.now",
            **{
                name: f"{{{name}}}"
                for name in ("title", "step", "loss", "tau", "target", "prediction", "rank", "knn", "chance", "far")
            },
        ),
        "loss": say("training.loss"),
        "tau": say("training.tau"),
        "spread": say("training.spread"),
        "rank": say("training.rank"),
        "knn": say("training.knn"),
        "cka": say("training.cka"),
        "distance": say("training.distance"),
        "chance": say("training.chance"),
        "explained": say("training.explained"),
        "student": say("training.student"),
        "student_key": say("training.student_key"),
        "teacher": say("training.teacher"),
        "target": say("training.target"),
        "prediction": say("training.prediction"),
        "layer": say("training.layer", number="{number}"),
        "block": say("training.block", number="{number}"),
        "steps": say("training.steps"),
        "csv": say("training.csv"),
        "npz": say("training.npz"),
        "percent": say("app.percent", number="{number}"),
        "failed": say("training.failed"),
    }


def _listed(values: NDArray[Any]) -> list[float | None]:
    """Numbers as JSON has them, rounded; undefined ones None."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


@lru_cache(maxsize=4)
def _picture(path: str) -> str:
    """The attended picture, cropped to a square as the model saw it, as an address that holds it."""
    from PIL import Image

    from analysis.recordings import RECORDINGS_FOLDER

    with Image.open(RECORDINGS_FOLDER.parent / path) as image:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.convert("RGB").crop((left, top, left + side, top + side))
    file = io.BytesIO()
    square.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS).save(file, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _encoded(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
