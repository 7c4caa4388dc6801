"""The same tools as a plain app over the reference's pipelines, to compare with: `python -m benchmarks.plain_app`.

As such apps are written: every pipeline is made at the start, and each tool is an interface of its own. It is a fixture
of `benchmarks.app`, and no part of the product.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # as ours: nothing is asked of a network

import gradio as gr
import librosa
import transformers

FOLDER = Path(os.environ.get("PLAIN_MODELS", "."))
"""The models by endpoint, as the reference reads them (`benchmarks.app.write_plain_models`)."""


def _pipeline(task: str, endpoint: str) -> Any:
    make: Any = transformers.pipeline
    return make(task, model=str(FOLDER / endpoint))


def main() -> None:
    """Start it."""
    transcribe = _pipeline("automatic-speech-recognition", "transcribe")
    hear = _pipeline("audio-classification", "classify_audio")
    read = _pipeline("text-classification", "classify_text")
    fill = _pipeline("fill-mask", "fill_mask")
    see = _pipeline("image-classification", "classify_image")

    def sound(path: str) -> Any:
        samples, rate = librosa.load(path, sr=16_000)
        return {"raw": samples, "sampling_rate": rate}

    tools = {
        "transcribe": gr.Interface(
            lambda path: transcribe(sound(path))["text"], gr.Audio(type="filepath"), "text", api_name="transcribe"
        ),
        "classify_audio": gr.Interface(
            lambda path: hear(sound(path)), gr.Audio(type="filepath"), "json", api_name="classify_audio"
        ),
        "classify_text": gr.Interface(lambda text: read(text, top_k=None), "text", "json", api_name="classify_text"),
        "fill_mask": gr.Interface(lambda text: fill(text), "text", "json", api_name="fill_mask"),
        "classify_image": gr.Interface(
            lambda image: see(image), gr.Image(type="pil"), "json", api_name="classify_image"
        ),
    }
    gr.TabbedInterface(list(tools.values()), list(tools)).launch()


if __name__ == "__main__":
    main()
