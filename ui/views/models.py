"""Models: their list, the card of one, the memory they take, and what a visitor is about to bring."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape
from pathlib import Path

from data2vec_core.checkpoints.card import MODALITIES, Card, Metric, Modality
from ui.catalogue import TOOLS, Tool
from ui.known_models import ModelEntry
from ui.memory import Loaded, megabytes
from ui.newcomers import Found
from ui.views.tables import details_table, table
from ui.words import STANDARD, load_words, say, translated

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

_FINE_TUNING: dict[Modality, str] = {
    "audio": "audio-classification --data sounds",
    "text": "text-classification --data reviews.csv",
    "vision": "image-classification --data pictures",
}
"""A kind of task, and the data for it, as `recipes.finetune` takes them."""
_ENCODERS: dict[Modality, tuple[str, str]] = {
    "audio": ("Data2VecAudioModel", "input_values=sound"),
    "text": ("Data2VecTextModel", "input_ids=tokens"),
    "vision": ("Data2VecVisionModel", "pixel_values=pictures"),
}


def model_list(entries: Sequence[ModelEntry], loaded: Collection[str], chosen: str = "") -> str:
    """Every model as a row that can be chosen, by modality; what is in memory is marked."""
    parts = []
    for modality in MODALITIES:
        rows = "".join(
            _row(entry, entry.name in loaded, entry.name == chosen)
            for entry in entries
            if entry.card.modality == modality
        )
        if rows:
            parts.append(f'<h3>{escape(modality_name(modality))}</h3><ul class="models">{rows}</ul>')
    return f'<div class="box models-box" tabindex="-1">{"".join(parts)}</div>'


def modality_name(modality: Modality) -> str:
    """What a modality is about."""
    return {"audio": say("models.audio"), "text": say("models.text"), "vision": say("models.vision")}[modality]


def task_name(card: Card) -> str:
    """What a model does, in a word or two."""
    return say("models.encoder") if card.is_encoder else translated(card.task)


def _row(entry: ModelEntry, is_loaded: bool, is_chosen: bool) -> str:
    card, size = entry.card, files_size(entry.folder)
    metric = entry.main_metric
    facts = [
        task_name(card),
        say("models.score", metric=translated(metric.name), value=metric_value(metric), split=translated(metric.split))
        if metric
        else "",
        say("models.megabytes", megabytes=megabytes(size)) if size else say("models.needs_download"),
        _short(card.licence),
    ]
    mark = f'<span class="badge">{escape(say("models.in_memory"))}</span>' if is_loaded else ""
    title = f'<span class="title">{escape(translated(card.title))}</span>' if card.title else ""
    current = ' aria-current="true"' if is_chosen else ""
    return (
        f'<li><button type="button" data-model="{escape(entry.name)}"{current}>'
        f'<span class="name">{escape(entry.name)}</span>{mark}{title}'
        f'<span class="facts">{escape(say("models.between").join(filter(None, facts)))}</span></button></li>'
    )


def model_card(entry: ModelEntry, loaded: Iterable[Loaded]) -> str:
    """All that is known about a model, and where it can be used."""
    card = entry.card
    here = [one for one in loaded if one.model == entry.name]
    size = files_size(entry.folder)
    facts = [
        (say("models.modality"), modality_name(card.modality)),
        (say("models.task"), task_name(card)),
        (say("models.used_in"), places(card)),
        (say("models.trained_on"), translated(card.trained_on)),
        (say("models.items"), f"{card.training_items:,}" if card.training_items else ""),
        (say("models.baseline"), translated(card.baseline)),
        (say("models.parameters"), f"{card.parameters:,}" if card.parameters else ""),
        (say("models.files"), say("models.megabytes", megabytes=megabytes(size)) if size else say("models.on_hub")),
        (
            say("models.memory"),
            say("models.megabytes", megabytes=megabytes(sum(one.size for one in here)))
            if here
            else say("models.not_loaded"),
        ),
        (say("models.licence"), translated(card.licence)),
        (say("models.parent"), card.parent or ""),
        (say("models.backbone"), card.backbone or ""),
        (say("models.minutes"), f"{card.minutes:g}" if card.minutes else ""),
        (say("models.date"), card.date or ""),
    ]
    title = f'<p class="title">{escape(translated(card.title))}</p>' if card.title else ""
    texts = "".join(f"<p>{escape(translated(text))}</p>" for text in (card.description, card.advice) if text)
    return (
        f'<article class="model-card"><h3>{escape(entry.name)}</h3>{title}{texts}'
        f"{without_head(card.name, card.modality) if card.is_encoder else ''}"
        f"{definitions(facts)}{_metrics(card.metrics)}</article>"
    )


def places(card: Card) -> str:
    """The tools that a model can be used in, as the page names them."""
    tabs = {"audio": say("tab.speech"), "text": say("tab.text"), "vision": say("tab.vision")}
    tools = [tool for tool in TOOLS.values() if tool.fits(card) and f"{tool.name}.tab" in load_words(STANDARD)]
    return ", ".join(say("models.place", tab=tabs[tool.modality], tool=say(f"{tool.name}.tab")) for tool in tools)


def without_head(name: str, modality: Modality) -> str:
    """What an encoder can do though it answers nothing: give vectors and attention, and be fine-tuned."""
    model_class, argument = _ENCODERS[modality]
    lines = (
        f"from data2vec_core import {model_class}\n"
        f"model = {model_class}.from_pretrained({name!r})\n"
        f"seen = model({argument}, output_hidden_states=True, output_attentions=True)\n"
        "seen.last_hidden_state  # (batch, positions, dim)"
    )
    command = f"python -m recipes.finetune {_FINE_TUNING[modality]} --from {name} --out runs/mine"
    return (
        f'<div class="notice headless"><p>{escape(say("models.headless"))}</p>'
        f"<p>{escape(say('models.vectors'))}</p><pre>{escape(lines)}</pre>"
        f"<p>{escape(say('models.fine_tune'))}</p><pre>{escape(command)}</pre></div>"
    )


def memory(loaded: Sequence[Loaded], used: int, budget: int) -> str:
    """How much of the memory for models is taken, and by which."""
    share = min(1.0, used / budget)
    total = say("models.total", used=megabytes(used), budget=megabytes(budget))
    meter = (
        f'<p>{escape(total)}</p><span class="track" role="meter" aria-label="{escape(say("models.memory"))}" '
        f'aria-valuemin="0" aria-valuemax="{budget / 1e6:.0f}" aria-valuenow="{used / 1e6:.1f}">'
        f'<span class="fill" style="width:{100 * share:.1f}%"></span></span>'
    )
    if not loaded:
        return f'<div class="memory">{meter}<p class="small">{escape(say("models.nothing_loaded"))}</p></div>'
    heads = [say("models.model"), say("models.task"), say("models.memory_mb")]
    heads += [say("models.weights"), say("models.state")]
    rows = [
        [
            *(one.model, _tool_words(one.task), megabytes(one.size)),
            say(_weights(one)),
            say("models.busy" if one.is_in_use else "models.idle"),
        ]
        for one in reversed(loaded)
    ]
    return f'<div class="memory">{meter}' + table(heads, rows, say("models.in_memory_title")) + "</div>"


def _weights(one: Loaded) -> str:
    """Key of the words for how it holds them."""
    if one.runtime == "tensorflow":
        return "models.in_tensorflow"
    return "models.bits_8" if one.linear == "int8" else "models.bits_32"


def found_facts(found: Found) -> str:
    """What a visitor would bring: what it is, what it can do, how large it is."""
    size = say("models.megabytes", megabytes=megabytes(found.size))
    if found.facts is None:
        body = f"<p>{escape(say('models.convertible'))}</p>{definitions([(say('models.files'), size)])}"
        return f'<article class="model-card"><h3>{escape(found.name)}</h3>{body}</article>'
    facts, tool = found.facts, found.tool
    card = facts.card
    assert facts.modality is not None
    kind = task_name(Card(name="x", modality=facts.modality, task=tool.purpose if tool else "pretraining"))
    labels = facts.config.get("id2label")
    rows = [
        (say("models.download") if found.kind == "hub" else say("models.files"), size),
        (say("models.memory"), say("models.megabytes", megabytes=megabytes(facts.memory))),
        (say("models.modality"), modality_name(facts.modality)),
        (say("models.task"), kind),
        (say("models.used_in"), places(Card(name="x", modality=facts.modality, task=tool.purpose)) if tool else ""),
        (say("models.class"), ", ".join(facts.architectures)),
        (say("models.classes"), str(len(labels)) if isinstance(labels, dict) and tool else ""),
        (say("models.teacher"), say("models.has_teacher" if facts.has_teacher else "models.has_no_teacher")),
        (say("models.licence"), translated(card.licence) if card and card.licence else facts.licence),
        (say("models.commit"), facts.commit),
    ]
    texts = [translated(text) for text in (card.title, card.description) if text] if card else []
    heads = [say("models.file"), say("models.memory_mb")]
    files = details_table(say("models.file_table"), heads, [[n, f"{s / 1e6:.2f}"] for n, s in facts.files.items()])
    return (
        f'<article class="model-card"><h3>{escape(found.name)}</h3>'
        f"{''.join(f'<p>{escape(text)}</p>' for text in texts)}"
        f"{without_head(found.name, facts.modality) if tool is None else ''}"
        f"{definitions(rows)}{_metrics(card.metrics) if card else ''}{files}</article>"
    )


def downloading(name: str, done: int, total: int) -> str:
    """How far a download is."""
    share = min(1.0, done / total) if total else 0.0
    text = say("models.downloading", model=name, done=megabytes(done), total=megabytes(total))
    return (
        f'<div class="notice empty" role="status"><p>{escape(text)}</p>'
        f'<span class="track" role="progressbar" aria-label="{escape(say("models.download"))}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}">'
        f'<span class="fill" style="width:{100 * share:.1f}%"></span></span></div>'
    )


def definitions(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they stand for; those without a text are left out."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)
    return f'<dl class="card-facts">{items}</dl>'


def metric_value(metric: Metric) -> str:
    """A share as per cent, anything else as it is, such as perplexity."""
    return f"{100 * metric.value:.1f} %" if metric.value <= 1 else f"{metric.value:.1f}"


def files_size(folder: Path | None) -> int:
    """Bytes of a model's folder; 0 for a model that has none."""
    if folder is None or not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _metrics(metrics: Sequence[Metric]) -> str:
    if not metrics:
        return ""
    heads = [say("models.metric"), say("models.value"), say("models.split")]
    rows = [[translated(metric.name), metric_value(metric), translated(metric.split)] for metric in metrics]
    return f"<h4>{escape(say('models.scores'))}</h4>{table(heads, rows, say('models.scores'))}"


def _tool_words(task: str) -> str:
    tool: Tool | None = next((tool for tool in TOOLS.values() if tool.task_name == task), None)
    return translated(tool.purpose) if tool else task


def _short(licence: str) -> str:
    """The licence's name without what follows it in brackets or after a comma."""
    return re.split(r" \(|（|, |，", translated(licence))[0]
