"""Attention on the page: what the script draws, and the sentences it says about it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ui.views.microscope import token_name
from ui.words import say

if TYPE_CHECKING:
    from PIL import Image

    from analysis.attention_heads import HeadsOverItems
    from analysis.attention_view import Recorded
    from analysis.subject import Shown
    from data2vec_core.tasks.results import Emissions
    from ui.inside.selection import Looked

PHOTO_SIDE: Final = 560
"""Pixels of the longer side of a photo on the page."""
BANDS: Final = 48
COLUMNS: Final = 600
"""Of a spectrogram on the page."""
MODES: Final = ("raw", "rollout", "class")
SCALES: Final = ("shared", "head")
SINKS: Final = ("shown", "hidden")
START: Final = {"mode": MODES[0], "scale": SCALES[0], "sinks": SINKS[0]}


ANSWER_SCRIPT: Final = """
watch("value", () => document.dispatchEvent(new CustomEvent("lab-attention-answer", { detail: props.value })));
"""
"""Hands what the server has answered to the pictures."""


def bar_template() -> str:
    """The switches, in the language that is spoken."""
    modes = [
        ("raw", say("attention.mode_raw")),
        ("rollout", say("attention.mode_rollout")),
        ("class", say("attention.mode_class")),
    ]
    scales = [("shared", say("attention.scale_shared")), ("head", say("attention.scale_head"))]
    return (
        '<div class="attention-bar">'
        f"{_radios('mode', say('attention.mode'), modes)}{_radios('scale', say('attention.scale'), scales)}"
        f'<label class="switch"><input type="checkbox" name="sinks"> <span>{escape(say("attention.hide_sinks"))}</span>'
        "</label></div>"
    )


def _radios(name: str, legend: str, options: Sequence[tuple[str, str]]) -> str:
    inputs = "".join(
        f'<label><input type="radio" name="attention-{name}" data-name="{name}" value="{value}"> '
        f"<span>{escape(text)}</span></label>"
        for value, text in options
    )
    return f'<fieldset><legend>{escape(legend)}</legend><div class="choices">{inputs}</div></fieldset>'


def template() -> str:
    """The frame of the pictures; the script fills it."""

    def figure(name: str, caption: str, more: str = "") -> str:
        return (
            f'<figure class="{name}"><figcaption></figcaption><div class="plot" tabindex="0" role="slider" '
            f'aria-valuemin="0" aria-valuemax="0" aria-valuenow="0" aria-label="{escape(caption)}">'
            f'<canvas class="base"></canvas><canvas class="over"></canvas></div>{more}</figure>'
        )

    def keep(kind: str, text: str) -> str:
        return f'<button type="button" data-keep="{kind}">{escape(text)}</button>'

    def box(label: str) -> str:
        return f'<div class="box" role="region" tabindex="0" aria-label="{escape(label)}"></div>'

    from_class_token = escape(say("attention.from_class_token"))
    below_place = (
        f'<button type="button" class="class-token" hidden>{from_class_token}</button>'
        '<div class="key"><span class="ramp-key"><span class="low"></span>'
        '<canvas class="ramp" width="128" height="10" aria-hidden="true"></canvas><span class="high"></span></span>'
        '<span class="outline-key"><span class="sample"></span>'
        f"{escape(say('attention.outlined'))}</span></div>"
        '<p class="told" role="status" aria-live="polite"></p><p class="small sinks"></p>'
    )
    check = (
        f'<section class="check"><h2>{escape(say("attention.check_title"))}</h2>'
        f"<p>{escape(say('attention.no_explanation'))}</p>"
        f'<button type="button" class="run-check">{escape(say("attention.check_run"))}</button>'
        '<p class="small working" role="status" hidden></p><div class="result" hidden><div class="pair"></div>'
        '<p class="found" aria-live="polite"></p></div></section>'
    )
    kept = [keep("csv", say("attention.csv")), keep("npz", say("attention.npz"))]
    kept += [keep(name, name.upper()) for name in ("svg", "pdf", "png")]
    return (
        f'<p class="notice empty waiting">{escape(say("attention.waiting"))}</p>'
        '<div class="attention" hidden><div class="remarks"></div><div class="pictures"><div class="side">'
        f"{figure('heads', say('attention.heads_label'), '<ul class=kinds hidden></ul>')}"
        f"{figure('matrix', say('attention.matrix_label'))}</div>"
        f'<div class="side">{figure("place", say("attention.place_label"), below_place)}{check}</div></div>'
        f'<section class="measures"><h2>{escape(say("attention.measures_title"))}</h2>'
        '<p class="small what"></p><div class="charts"></div>'
        f"<details><summary>{escape(say('attention.measures_table'))}</summary>"
        f"{box(say('attention.measures_table'))}</details></section>"
        '<p class="small statement"></p>'
        f'<details class="numbers-of"><summary>{escape(say("attention.table"))}</summary>{box(say("attention.table"))}'
        f'</details><div class="files">{"".join(kept)}<span class="small keeping" role="status"></span></div></div>'
    )


def phrases(modality: str) -> dict[str, str]:
    """What the script says; it fills in the places in braces."""
    named = {
        "several": {
            "vision": say("attention.patches"),
            "text": say("attention.tokens"),
            "audio": say("attention.frames"),
        }[modality],
        "sinks": {
            "vision": say("attention.sinks_vision"),
            "text": say("attention.sinks_text"),
            "audio": say("attention.sinks_audio"),
        }[modality],
        "heads_title": say("attention.heads_title_vision") if modality == "vision" else say("attention.heads_title"),
        "distance_unit": {
            "vision": say("attention.distance_vision"),
            "text": say("attention.distance_text"),
            "audio": say("attention.distance_audio"),
        }[modality],
        "named": {
            "vision": say("attention.the_patch", label="{label}"),
            "text": say("attention.the_token", label="{label}"),
            "audio": say("attention.the_frame", label="{label}"),
        }[modality],
        "misleads": {
            "vision": say("attention.misleads_vision"),
            "text": say("attention.misleads_text"),
            "audio": say("attention.misleads_audio"),
        }[modality],
    }
    return named | {
        "between": say("app.between_sentences"),
        "percent": say("app.percent", number="{number}"),
        "mean": say("attention.mean"),
        "mean_of_heads": say("attention.mean_of_heads"),
        "head": say("attention.head", head="{head}"),
        "layer": say("attention.layer", layer="{layer}"),
        "rollout_title": say("attention.rollout_title"),
        "rollout_place": say("attention.rollout_place", layer="{layer}", query="{query}"),
        "place_title": say("attention.place_title", layer="{layer}", head="{head}", query="{query}"),
        "class_place": say("attention.class_place", label="{label}", percent="{percent}"),
        "matrix_title": say("attention.matrix_title"),
        "class_mass": say("attention.class_mass", count="{count}", all="{all}", several="{several}"),
        "class_most": say("attention.class_most", place="{place}"),
        "mass": say("attention.mass", count="{count}", all="{all}", several="{several}"),
        "most": say("attention.most", place="{place}", weight="{weight}"),
        "most_both": say("attention.most_both", more="{more}", weight="{weight}", less="{less}", other="{other}"),
        "scale_notice": say("attention.scale_notice"),
        "sinks_hidden": say("attention.sinks_hidden", what="{what}", share="{share}"),
        "sinks_shown": say("attention.sinks_shown", what="{what}", share="{share}"),
        "sinks_rollout": say("attention.sinks_rollout", what="{what}"),
        "matrix_keys": say("attention.matrix_keys"),
        "matrix_queries": say("attention.matrix_queries"),
        "relevance_most": say("attention.relevance_most"),
        "reduced": say("attention.reduced", queries="{queries}", keys="{keys}", places="{places}"),
        "table": say("attention.table"),
        "loading": say("attention.loading"),
        "check_running": say("attention.check_running"),
        "check_raw": say("attention.check_raw"),
        "check_change": say("attention.check_change"),
        "check_found": say(
            "attention.check_found", rho="{rho}", n="{n}", layer="{layer}", who="{who}", query="{query}"
        ),
        "check_all": say("attention.check_all"),
        "check_one": say("attention.check_one", head="{head}"),
        "check_grouped": say("attention.check_grouped", count="{count}"),
        "check_student": say("attention.check_student"),
        "check_undefined": say("attention.check_undefined"),
        "measures_waiting": say("attention.measures_waiting"),
        "measures_table": say("attention.measures_table"),
        "measures_what": say("attention.measures_what", items="{items}", positions="{positions}"),
        "entropy": say("attention.entropy"),
        "uniform": say("attention.uniform"),
        "diagonal": say("attention.diagonal"),
        "global": say("attention.global"),
        "vertical": say("attention.vertical"),
        "student": say("inside.student"),
        "teacher": say("inside.teacher"),
        "difference": say("inside.difference"),
        "class_token": say("attention.sinks_vision"),
        "statement": say(
            "attention.statement",
            model="{model}",
            role="{role}",
            layer="{layer}",
            depth="{depth}",
            head="{head}",
            places="{places}",
            low="{low}",
            high="{high}",
        ),
        "statement_class": say("attention.statement_class", model="{model}", depth="{depth}", places="{places}"),
        "root": say("attention.root"),
        "linear": say("attention.linear"),
        "eight_bits": say("attention.eight_bits"),
        "rank": say("attention.rank"),
        "where": say("attention.where"),
        "weight": say("attention.weight"),
        "in_mass": say("attention.in_mass"),
        "yes": say("attention.yes"),
        "layer_word": say("inside.layer"),
        "head_word": say("inside.head"),
        "kind": say("attention.kind"),
        "keeping": say("attention.keeping"),
        "relevance_none": say("attention.relevance_none"),
    }


def packed(recorded: Recorded, *, signed: bool, whole: bool, layer: int, position: int) -> dict[str, Any]:
    """Attention in a byte a weight, as the script reads it."""
    from analysis.attention_view import quantise

    def arrays(values: NDArray[np.float32]) -> dict[str, Any]:
        found = quantise(values, signed=signed)
        return {"shape": values.shape, "codes": encoded(found.codes), "scales": encoded(found.scales.astype("<f4"))}

    return {
        "signed": signed,
        "whole": whole,
        "layer": layer,
        "position": position,
        "small": arrays(recorded.small),
        "rows": None if whole else arrays(recorded.rows),
        "large": None if whole else arrays(recorded.large),
        "hidden": [round(float(one), 4) for one in recorded.hidden.ravel()],
    }


def places(shown: Shown, photo: Image.Image | None, processor: Any) -> dict[str, Any]:
    """What attention is drawn over: the photo as it came, the sound, or the tokens."""
    if shown.waveform is not None:
        return {"sound": _sound(shown)}
    if photo is None or shown.grid is None or shown.picture is None:
        return {}
    view, (rows, columns) = processor.view(photo.size), shown.grid
    height, width = shown.picture.shape[:2]
    left, top, right, bottom = view.box
    shrink = min(1.0, PHOTO_SIDE / max(photo.size))
    size = max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink))
    file = io.BytesIO()
    photo.resize(size).convert("RGB").save(file, "JPEG", quality=84)
    # What is left of a patch at the right and at the bottom, the model does not see.
    across, down = (width // columns) * columns / width, (height // rows) * rows / height
    box = [left, top, left + (right - left) * across, top + (bottom - top) * down]
    return {
        "photo": {
            "source": f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}",
            "size": size,
            "box": [round(one * shrink, 3) for one in box],
        }
    }


def _sound(shown: Shown) -> dict[str, Any]:
    from analysis.spectrogram import QUIETEST, mel_spectrogram

    assert shown.waveform is not None
    decibels = mel_spectrogram(shown.waveform, shown.rate, bands=BANDS, columns=COLUMNS)
    return {
        "bands": decibels.shape[0],
        "columns": decibels.shape[1],
        "codes": encoded(np.rint(255 * (1 - decibels[::-1] / QUIETEST)).astype(np.uint8)),
        "seconds": len(shown.waveform) / shown.rate,
        "kilohertz": f"{shown.rate / 2000:g}",
    }


def spelled_path(emissions: Emissions) -> list[dict[str, Any]]:
    """The runs of frames in which a CTC model reads a character; blanks are left out."""
    runs = []
    path = emissions.best_path
    for token, run in groupby(range(len(path)), key=path.__getitem__):
        frames = list(run)
        if token != emissions.blank:
            name = token_name(emissions.tokens[token], is_blank=False)
            text = "␣" if name == say("inspect_ctc.space") else name
            runs.append({"text": text, "first": frames[0], "last": frames[-1] + 1})
    return runs


def measured(found: Sequence[tuple[str, HeadsOverItems]]) -> dict[str, Any]:
    """What heads do over several items, by role."""
    first = found[0][1]
    return {
        "kind": "measures",
        "items": first.items,
        "positions": first.positions,
        "uniform": round(first.uniform_distance, 4),
        "roles": [
            {
                "role": role,
                "distance": np.round(one.distance, 4).tolist(),
                "distance_spread": np.round(one.distance_spread, 4).tolist(),
                "entropy": np.round(one.entropy, 4).tolist(),
                "entropy_spread": np.round(one.entropy_spread, 4).tolist(),
                "kinds": one.kinds,
            }
            for role, one in found
        ],
    }


def labels_of(looked: Looked) -> list[str]:
    """Of all places of the encoder's sequence, in the page's language."""
    shown = looked.shown
    if shown.grid is None:
        return list(shown.labels)
    rows, columns = shown.grid
    at = ((row + 1, column + 1) for row in range(rows) for column in range(columns))
    patches = [say("attention.at_patch", row=row, column=column) for row, column in at]
    return [*([say("inside.class_token")] * shown.class_tokens), *patches]


def encoded(array: NDArray[Any]) -> str:
    """Base64 of its bytes."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
