"""The whole page, once in each language: masthead, tabs, what it accepts; and the public endpoints behind it."""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ui import api, models, speech, start, text, tour, vision
from ui.examples import EXAMPLES_FOLDER
from ui.gradio_texts import lacking_texts, written_texts_script
from ui.hosting import cleaning
from ui.inside import VIEWS
from ui.inside.tab import Inside
from ui.lean import begin_at_once, without_app
from ui.links import SCRIPT as LINKS_SCRIPT
from ui.links import Links
from ui.panel import gathered
from ui.service import Service
from ui.serving import FrontDoor
from ui.settings import Settings
from ui.theme import STYLESHEETS, theme
from ui.words import LANGUAGES, STANDARD, say, speaking, spoken

SESSIONS = 200
"""Visits that Gradio remembers, every call of an endpoint among them: each takes 160 kB, for it copies the lists of all
components and handlers. Whose is forgotten finds rows and settings as they are at first."""


def build(settings: Settings | None = None, service: Service | None = None) -> gr.Blocks:
    """Lay out the page and wire it. No model is loaded before a visitor asks one.

    Args:
        settings: read from the environment by default.
        service: made from the settings by default.
    """
    settings = settings or Settings.from_environment()
    service = service or Service(settings)
    age = max(1, round(60 * settings.keep_files_minutes))
    with without_app():
        with gr.Blocks(
            title=say("app.title"), analytics_enabled=False, delete_cache=(min(age, 600), age), fill_width=False
        ) as demo:
            api.add_endpoints(service)  # first, or a handler of the page that is called like one would take its name
            _lay_out(demo, service)
        for language in LANGUAGES:
            if language != STANDARD:
                with speaking(language), demo.route(say("app.title"), language, show_in_navbar=False):
                    _lay_out(demo, service)
    begin_at_once(demo)
    demo.queue(max_size=settings.queue_size, api_open=False)  # nobody runs a model past the queue
    return demo


def _lay_out(demo: gr.Blocks, service: Service) -> None:
    """The page in the language that is spoken."""
    gr.HTML(_masthead(), elem_classes="html-plain")
    tour.build()
    with gr.Tabs(overflow_behavior="wrap") as tabs, gathered() as panels:
        with gr.Tab(say("tab.start"), id="start", elem_id="tab-start"):
            start.build()
        with gr.Tab(say("tab.speech"), id="speech", elem_id="tab-speech") as speech_tab:
            transcription = speech.build(service)
        with gr.Tab(say("tab.text"), id="text", elem_id="tab-text") as text_tab:
            sentences = text.build(service)
        with gr.Tab(say("tab.vision"), id="vision", elem_id="tab-vision") as vision_tab:
            pictures = vision.build(service)
        with gr.Tab(say("tab.inside"), id="inside", elem_id="tab-inside") as inside_tab:
            inside = Inside(service, VIEWS)
        with gr.Tab(say("tab.models"), id="models", elem_id="tab-models") as models_tab:
            known = models.build(service, panels)
    gr.HTML(_accepted(service.settings), elem_classes="html-plain")
    transcription.open_on(speech_tab.select)
    sentences.open_on(text_tab.select)
    pictures.open_on(vision_tab.select)
    inside.open_on(inside_tab.select)
    known.open_on(models_tab.select, demo.load)
    known.offer_on(demo.load)
    Links(service, tabs, panels, inside).wire(demo)


def launch_options(settings: Settings | None = None) -> dict[str, Any]:
    """What `demo.launch` is given. Host and port are left to `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`."""
    settings = settings or Settings.from_environment()
    return {
        "theme": theme(),
        "css_paths": STYLESHEETS,
        "footer_links": ["api", "settings"],
        "max_file_size": f"{settings.max_upload_mb}mb",
        "allowed_paths": [str(EXAMPLES_FOLDER)],
        "enable_monitoring": False,
        "run_history": False,
        "state_session_capacity": SESSIONS,
        "mcp_server": find_spec("mcp") is not None,  # the endpoints as tools, where the extra `mcp` is installed
        "ssr_mode": False,
        "show_error": False,
        "head": f"{_HEAD}<script>{LINKS_SCRIPT}</script><script>{_SELECTION.read_text(encoding='utf-8')}</script>"
        f"<script>{_A11Y.read_text(encoding='utf-8')}</script>"
        f"<script>{written_texts_script()}</script>",
        "i18n": lacking_texts(),
        "js": _SCRIPT,
        "app_kwargs": {
            "lifespan": cleaning(settings.keep_files_minutes),
            "middleware": [Middleware(FrontDoor, embedders=settings.embedders, language=settings.language)],
        },
    }


_HEAD = """<script>
  // The language of the page is that of its address, for screen readers and for Gradio's own texts as well.
  const language = () => window.gradio_config?.current_page || "en";
  Object.defineProperty(navigator, "language", { get: language });
  Object.defineProperty(navigator, "languages", { get: () => [language()] });
</script>"""
_SELECTION = Path(__file__).parent / "views" / "selection.js"
_A11Y = Path(__file__).parent / "views" / "a11y.js"
_SCRIPT = "() => { document.documentElement.lang = navigator.language; }"


def _masthead() -> str:
    title, subtitle = escape(say("app.title")), escape(say("app.subtitle"))
    links = "".join(_language_link(language, name) for language, name in LANGUAGES.items())
    return (
        f'<header class="masthead"><h1>{title}</h1><p>{subtitle}</p>'
        f'<nav class="languages" aria-label="{escape(say("app.languages"))}">{links}</nav>'
        f'<button type="button" class="copy-link" data-copy-link data-done="{escape(say("repeat.copied"))}">'
        f'<span aria-live="polite">{escape(say("app.copy_link"))}</span></button></header>'
    )


def _language_link(language: str, name: str) -> str:
    current = ' aria-current="true"' if language == spoken() else ""
    return f'<a href="./?lang={language}" lang="{language}" hreflang="{language}"{current}>{escape(name)}</a>'


def _accepted(settings: Settings) -> str:
    """Every limit of this host, in words."""
    lines = [
        say("limits.audio", seconds=f"{settings.max_audio_seconds:g}"),
        say("limits.transcription", minutes=f"{settings.max_transcription_seconds / 60:g}"),
        say("limits.live", seconds=f"{settings.max_live_seconds:g}", visitors=settings.live_visitors),
        say("limits.text", characters=settings.max_characters),
        say("limits.passage", characters=settings.max_passage_characters),
        say("limits.lines", lines=settings.max_lines),
        say("limits.picture", megapixels=f"{settings.max_megapixels:g}"),
        say("limits.pictures", pictures=settings.max_pictures),
        say("limits.upload", megabytes=settings.max_upload_mb),
        say("limits.hub_yes", megabytes=settings.max_download_mb) if settings.allow_hub else say("limits.hub_no"),
        say("limits.folders_yes" if settings.allow_local_folders else "limits.folders_no"),
        say("limits.queue", runs=settings.parallel_runs, threads=settings.threads, waiting=settings.queue_size),
        say("limits.models", megabytes=settings.model_memory_mb),
        say("limits.files", minutes=f"{settings.keep_files_minutes:g}"),
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<details class="limits"><summary>{escape(say("limits.title"))}</summary><ul>{items}</ul></details>'
