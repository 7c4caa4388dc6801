"""Gradio's own texts, where it has none in a language of the page: it lacks some of its keys, and writes other texts
into its components in English only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import gradio as gr

from ui.words import LANGUAGES, STANDARD, load_words

_LACKING: Final = {
    "common.complete": "gradio.complete",
    "common.progress": "gradio.progress",
    "common.record": "gradio.record",
    "common.stop_recording": "gradio.stop_recording",
    "common.download_all": "gradio.download_all",
    "audio.recording_error": "gradio.recording_error",
    "status.queue_position": "gradio.queue_position",
}
"""Key of Gradio's -> ours."""
_WRITTEN: Final = (
    "gradio.processing",
    "gradio.queue",
    "gradio.adjust_volume",
    "gradio.adjust_speed",
    "gradio.skip_backwards",
    "gradio.skip_forward",
    "gradio.reset_audio",
    "gradio.undo",
    "gradio.trim",
    "gradio.trim_start",
    "gradio.trim_end",
    "gradio.upload_file",
    "gradio.record_audio",
    "gradio.input_device",
    "gradio.remove_image",
    "gradio.drop_files",
    "gradio.remove_file",
    "gradio.capture",
    "gradio.paste",
    "gradio.take_photo",
    "gradio.allow_camera",
    "gradio.reset_value",
    "gradio.footer",
)
"""Our keys of texts that Gradio writes as they stand in English."""
_SCRIPT: Final = Path(__file__).parent / "views" / "gradio_texts.js"


def lacking_texts() -> gr.I18n:
    """For `launch(i18n=...)`: texts under keys that Gradio asks for and does not have."""
    texts = {
        language: {theirs: load_words(language)[ours] for theirs, ours in _LACKING.items()} for language in LANGUAGES
    }
    return gr.I18n(**texts)


def written_texts_script() -> str:
    """JavaScript for the head of the page: puts the page's language in the place of Gradio's English."""
    english = load_words(STANDARD)
    pairs = {
        language: [[english[key], load_words(language)[key]] for key in _WRITTEN]
        for language in LANGUAGES
        if language != STANDARD
    }
    data = json.dumps(pairs, ensure_ascii=True).replace("<", "\\u003c")
    return f"({_SCRIPT.read_text(encoding='utf-8').strip().rstrip(';')})({data});"
