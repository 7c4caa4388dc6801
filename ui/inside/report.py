"""The figures of a visit as one file to keep: of every view that was opened, as the selection stands."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.errors import sentence
from ui.fields import PLUMBING
from ui.inside.selection import Looked
from ui.views.notice import failed
from ui.words import in_language, say, spoken, translated

if TYPE_CHECKING:
    from analysis.figures.plate import Plate
    from analysis.report import Section
    from ui.inside.tab import Inside

REPORT_FILE: Final = "inside-report.html"
FILES_QUEUE: Final = "files"
LARGEST_DATA: Final = 1_000_000
"""Bytes of a figure's data file that becomes part of the report; of larger ones only the figure does."""
_SAVE: Final = '() => { document.querySelector("#inside-report-file")?.click(); return []; }'


class Report:
    """A button below the views, and the file that it makes."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        with gr.Row(elem_classes="buttons"):
            self._button = gr.Button(say("inside.report"), size="sm", scale=0, min_width=220, elem_id="inside-report")
        self._told = gr.HTML(elem_id="inside-report-told", elem_classes=["html-plain", "inside-problem"])
        self._file = gr.DownloadButton(visible="hidden", elem_id="inside-report-file")

    def wire(self, made: gr.State) -> None:
        """Make the file on a click.

        Args:
            made: by view, what has been looked at in this visit.
        """
        settings = [part for view in self._inside.views.values() for part in view.settings]
        done = self._button.click(
            in_language(self.make),
            [made, *self._inside.strip.inputs, *settings],
            [self._told, self._file],
            preprocess=False,
            api_visibility="private",
            concurrency_id=FILES_QUEUE,
            show_progress="minimal",
            show_progress_on=[self._button],
        )
        done.then(None, None, None, js=_SAVE, **PLUMBING)

    def make(self, made: Mapping[str, Any], *values: Any) -> list[Any]:
        """What went wrong, if anything, and the path of the file."""
        try:
            with self._inside.looking(values[: len(self._inside.strip.inputs)]) as looked:
                text = self._written(made, looked, values[len(self._inside.strip.inputs) :])
        except Exception as error:
            return [failed(sentence(error)), gr.skip()]
        return ["", save_bytes_to_cache(text.encode(), REPORT_FILE, get_upload_folder())]

    def _written(self, made: Mapping[str, Any], looked: Looked, values: Sequence[Any]) -> str:
        from analysis.report import html_report

        selection, sections = looked.selection, []
        for name, view in self._inside.views.items():
            if name in made:
                own = self._inside.settings_of(name, values)
                sections += [_section(plate) for plate in view.plates(looked, *own)]
        if not sections:
            raise ValueError(say("inside.no_figures"))
        return html_report(
            sections,
            settings={
                "modality": selection.modality,
                "example": selection.example,
                "model": selection.model,
                "role": selection.role,
                "layer": looked.layer,
                "head": looked.head,
                "position": looked.position,
            },
            models={selection.model: self._digest(selection.model)},
            language=spoken(),
            words=report_words(),
            translate=translated,
            about=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )

    def _digest(self, model: str) -> str | None:
        from analysis.report import card_digest

        entry = self._inside.service.entry(model)
        return card_digest(entry.folder) if entry is not None and entry.folder is not None else None


def report_words() -> dict[str, str]:
    """What a report says besides its figures, in the page's language."""
    return {
        "title": say("report.title"),
        "contents": say("report.contents"),
        "figure": say("report.figure", number="{number}"),
        "made_from": say("report.made_from"),
        "misleads": say("report.misleads"),
        "data": say("report.data"),
        "settings": say("report.settings"),
        "versions": say("report.versions"),
        "models": say("report.models"),
        "digest": say("report.digest"),
        "unknown": say("report.unknown"),
    }


def figure_title(kind: str | None) -> str:
    """What a figure shows, in a few words."""
    return say(f"figure.{kind}") if kind else say("report.title")


def _section(plate: Plate) -> Section:
    from analysis.figures.files import data_of
    from analysis.report import Section

    files = data_of(plate)
    kept = "csv" if "csv" in files else "npz"
    small = {f"{plate.kind}.{kept}": files[kept]} if len(files[kept]) <= LARGEST_DATA else {}
    return Section(title=figure_title(plate.kind), figure=plate, data=small)
