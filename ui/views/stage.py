"""The stage on the page: its frame and its words. `stage_data` has what is drawn, `stage.js` and its siblings draw."""

from __future__ import annotations

from html import escape
from typing import Final

import gradio as gr

from ui.views.scripts import script
from ui.views.stage_data import MOST_SEED
from ui.words import say

START: Final = {"k": 0, "tensor": "", "seed": 0, "masked": "", "of": [], "wanted": ""}
"""The widget's value: what the visitor has set. Zeros and empty texts stand for the method's own."""
MEASURES: Final = ("error", "cosine", "rank")
FILES: Final = ("csv", "npz")
FIGURES: Final = ("mask", "target", "errors")
FORMATS: Final = ("svg", "pdf", "png")


def stage_widget(elem_id: str) -> gr.HTML:
    """The widget. Its prop `data` is what is drawn; its event `run` asks for a new prediction, `keep` for a file."""
    return gr.HTML(
        dict(START),
        html_template=template(),
        js_on_load=script("stage", "stage_places", "stage_events"),
        data={},
        elem_id=elem_id,
        elem_classes=["html-plain"],
        apply_default_css=False,
    )


def template() -> str:
    """The frame, in the language that is spoken. The script fills it."""
    panels = "".join(
        _panel(name, body)
        for name, body in (
            ("student", _place("student", 'tabindex="0" role="slider" aria-valuemin="0" aria-valuenow="0"')),
            ("building", _building()),
            ("teacher", _place("teacher")),
            ("prediction", _place("prediction") + _choice("show", ("colours", "nearest"))),
            ("measure", _place("measure") + _choice("measure", MEASURES) + '<p class="scale small"></p>'),
            ("target", _place("target")),
        )
    )
    return (
        f'<div class="stage" hidden>{_tools()}<p class="stale" role="status"></p>'
        f'<div class="window" hidden><label>{escape(say("stage.window"))} <input type="range" class="from" min="0" '
        f'step="1"></label><span class="seen"></span>{_button("closer", "＋", say("stage.closer"))}'
        f"{_button('wider', '−', say('stage.wider'))}</div>"
        f'<div class="notes"></div><div class="panels">{panels}</div>'
        '<dl class="sums"></dl>'
        '<div class="detail"><div class="pictures"></div><p class="told" role="status" aria-live="polite"></p></div>'
        f'{_keep()}<p class="facts small"></p><p class="small">{escape(say("stage.role_note"))} '
        f"{escape(say('stage.misleads'))}</p>"
        f'<details class="table"><summary>{escape(say("stage.table"))}</summary><div class="box" role="region" '
        f'tabindex="0" aria-label="{escape(say("stage.table"))}"></div></details></div>'
        f'<p class="waiting notice empty">{escape(say("stage.waiting"))}</p>'
    )


def phrases() -> dict[str, str]:
    """What the script says; it fills in the places in braces."""
    return {
        "count": say("stage.count", masked="{masked}", positions="{positions}", share="{share}"),
        "stale": say("stage.stale"),
        "none": say("stage.none"),
        "must_see": say("stage.must_see"),
        "k_value": say("stage.k_value", k="{k}", depth="{depth}"),
        "k_own": say("stage.k_own", k="{k}", depth="{depth}"),
        "own_tensor": say("stage.own_tensor", tensor="{tensor}"),
        "hidden": say("stage.hidden"),
        "feed_forward": say("stage.feed_forward"),
        "layer": say("stage.layer", layer="{layer}"),
        "layer_in": say("stage.layer_in", layer="{layer}"),
        "layer_out": say("stage.layer_out", layer="{layer}"),
        "other_rule": say("stage.other_rule", k="{k}", tensor="{tensor}"),
        "student": say("stage.student"),
        "teacher": say("stage.teacher"),
        "same_weights": say("stage.same_weights"),
        "same_weights_note": say("stage.same_weights_note"),
        "prediction": say("stage.prediction"),
        "own_layers": say("stage.own_layers"),
        "own_layers_note": say("stage.own_layers_note"),
        "target": say("stage.target"),
        "target_note": say("stage.target_note", k="{k}"),
        "explained": say("stage.explained", shares="{shares}"),
        "mean_error": say("stage.mean_error"),
        "guess": say("stage.guess", guess="{guess}"),
        "mean_cosine": say("stage.mean_cosine"),
        "cosine_note": say("stage.cosine_note"),
        "first": say("stage.first"),
        "chance": say("stage.chance", chance="{chance}", positions="{positions}"),
        "median_rank": say("stage.median_rank"),
        "median_note": say("stage.median_note", positions="{positions}", middle="{middle}"),
        "agreement": say("stage.agreement"),
        "agreement_note": say("stage.agreement_note", least="{least}"),
        "scale_error": say("stage.scale_error", most="{most}"),
        "scale_cosine": say("stage.scale_cosine", least="{least}"),
        "scale_rank": say("stage.scale_rank", positions="{positions}"),
        "percent": say("app.percent", number="{number}"),
        "at_audio": say("stage.at_audio", position="{position}", label="{label}"),
        "at_text": say("stage.at_text", position="{position}", label="{label}"),
        "at_vision": say("stage.at_vision", position="{position}", label="{label}"),
        "class_token": say("stage.class_token"),
        "at": say("stage.at", place="{place}", state="{state}"),
        "visible": say("stage.visible"),
        "special": say("stage.special"),
        "masked": say("stage.masked"),
        "read_other": say("stage.read_other", token="{token}"),
        "read_same": say("stage.read_same"),
        "numbers": say("stage.numbers", error="{error}", cosine="{cosine}", rank="{rank}", positions="{positions}"),
        "nearest": say("stage.nearest_is", places="{places}"),
        "unrun": say("stage.unrun"),
        "there": say("stage.there"),
        "between_sentences": say("app.between_sentences"),
        "position": say("stage.position"),
        "place": say("stage.place"),
        "read": say("stage.read"),
        "error": say("stage.error"),
        "cosine": say("stage.cosine"),
        "rank": say("stage.rank"),
        "nearest_place": say("stage.nearest_place"),
        "hidden_places": say("stage.hidden_places"),
        "seconds": say("app.seconds", number="{number}"),
        "seen": say("stage.seen", first="{first}", last="{last}", whole="{whole}"),
    }


def _tools() -> str:
    """The toolbar of the mask."""
    seed = (
        f'<label>{escape(say("stage.seed"))} <input type="number" class="seed" min="0" max="{MOST_SEED}" step="1" '
        'inputmode="numeric"></label>'
    )
    return (
        f'<div class="tools" role="group" aria-label="{escape(say("stage.tools"))}">'
        f'<span class="own">{_button("own", say("stage.own"))}{seed}</span>'
        f'<span class="hand">{_button("undo", say("stage.undo"))}{_button("invert", say("stage.invert"))}'
        f"{_button('clear', say('stage.clear'))}</span>"
        f'{_button("run", say("stage.run"))}<span class="count"></span></div>'
    )


def _building() -> str:
    """The layers of the teacher, K and the tensor."""
    return (
        f'<div class="tiles"></div><div class="rule"><label class="k">{escape(say("stage.k"))} '
        '<input type="range" class="k" min="1" step="1"><output></output></label>'
        f"{_choice('tensor', ('hidden', 'feed_forward'))}</div>"
    )


def _keep() -> str:
    """Files to keep."""
    files = "".join(_button(f"keep-{name}", name.upper()) for name in FILES)
    names = {
        "mask": say("stage.figure_mask"),
        "target": say("stage.figure_target"),
        "errors": say("stage.figure_errors"),
    }
    options = "".join(f'<option value="{name}">{escape(names[name])}</option>' for name in FIGURES)
    formats = "".join(_button(f"keep-{name}", name.upper()) for name in FORMATS)
    return (
        f'<div class="keep"><span>{escape(say("stage.keep_numbers"))} {files}</span>'
        f'<span><label>{escape(say("stage.keep_figure"))} <select class="figure">{options}</select></label> '
        f"{formats}</span></div>"
    )


def _panel(name: str, body: str) -> str:
    """One of the six; its heading and note, then what is drawn."""
    titles = {
        "student": (say("stage.student"), say("stage.student_note")),
        "building": (say("stage.building"), say("stage.building_note")),
        "teacher": (say("stage.teacher"), say("stage.teacher_note")),
        "prediction": (say("stage.prediction"), say("stage.prediction_note")),
        "measure": (say("stage.measure"), say("stage.measure_note")),
        "target": (say("stage.target"), say("stage.target_note", k="K")),
    }
    title, note = titles[name]
    head = f'<h2>{escape(title)}</h2><p class="small note">{escape(note)}</p>'
    return f'<section class="panel {name}">{head}{body}</section>'


def _place(name: str, attributes: str = "") -> str:
    """Where an input, or something of its size, is drawn."""
    labels = {
        "student": say("stage.student_label"),
        "teacher": say("stage.teacher_label"),
        "prediction": say("stage.prediction_label"),
        "measure": say("stage.measure_label"),
        "target": say("stage.target_label"),
    }
    return f'<div class="place" data-of="{name}" aria-label="{escape(labels[name])}" {attributes or _IMAGE}></div>'


_IMAGE: Final = 'role="img"'


def _choice(name: str, options: tuple[str, ...]) -> str:
    """A few options, of which one is chosen."""
    labels = {
        "show": (say("stage.show"), {"colours": say("stage.colours"), "nearest": say("stage.nearest")}),
        "measure": (
            say("stage.measure"),
            {"error": say("stage.error"), "cosine": say("stage.cosine"), "rank": say("stage.rank")},
        ),
        "tensor": (
            say("stage.tensor"),
            {"hidden": say("stage.hidden"), "feed_forward": say("stage.feed_forward")},
        ),
    }
    group, texts = labels[name]
    buttons = "".join(
        f'<button type="button" data-{name}="{option}" aria-pressed="false">{escape(texts[option])}</button>'
        for option in options
    )
    return f'<div class="choice {name}" role="group" aria-label="{escape(group)}">{buttons}</div>'


def _button(name: str, text: str, label: str = "") -> str:
    heard = f' aria-label="{escape(label)}" title="{escape(label)}"' if label else ""
    return f'<button type="button" data-do="{name}"{heard}>{escape(text)}</button>'
