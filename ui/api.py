"""The public endpoints: typed, JSON in and out, the same answers and the same sentences as the page.

Gradio reads the return types as they stand, so here they are not strings (`from __future__ import annotations`).
"""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from ui.answers import (
    ActivityAnswer,
    ChoiceAnswer,
    ClassesAnswer,
    ContinuationAnswer,
    FillingsAnswer,
    FoundAnswer,
    ModelAnswer,
    SegmentationAnswer,
    SimilarityAnswer,
    TagsAnswer,
    TranscriptAnswer,
)
from ui.catalogue import TOOLS, ToolName
from ui.drawing import draw_segmentation
from ui.errors import explained
from ui.inside.api_attention import attention_endpoints
from ui.inside.api_layers import compare_layers_endpoint
from ui.inside.api_stage import predict_masked_endpoint
from ui.known_models import ModelEntry
from ui.panel import MODEL_QUEUE
from ui.service import Answer, Service


def add_endpoints(service: Service) -> None:
    """Add the endpoints to the page that is being built."""

    def asked(tool: ToolName, model: str, **inputs: Any) -> Answer:
        return service.ask(tool, TOOLS[tool].received(inputs), model)

    def ask(tool: ToolName, model: str, **inputs: Any) -> Any:  # the endpoint's own answer, which it names
        return asked(tool, model, **inputs).result.to_json()

    def transcribe(audio: FileData, model: str = "an4") -> TranscriptAnswer:
        """Transcribe a sound file, with the time and confidence of every word.

        Args:
            audio: WAV, FLAC, OGG or MP3, within the host's limits of seconds and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("transcribe", model, audio=audio)

    def classify_audio(audio: FileData, model: str = "commands") -> ClassesAnswer:
        """Name the classes that a sound may belong to, best first.

        Args:
            audio: WAV, FLAC, OGG or MP3, within the host's limits of seconds and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("classify_audio", model, audio=audio)

    def compare_speakers(audio_a: FileData, audio_b: FileData, model: str = "speakers") -> SimilarityAnswer:
        """Say whether two sounds are of one voice: how alike they are, and from where on that counts as one.

        Args:
            audio_a: a voice, two seconds or more; WAV, FLAC, OGG or MP3, within the host's limits.
            audio_b: the voice to compare it with, likewise.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("compare_speakers", model, audio_a=[audio_a], audio_b=audio_b)

    def speaker_activity(audio: FileData, model: str = "activity") -> ActivityAnswer:
        """Find who speaks when in a sound with up to two voices.

        Args:
            audio: WAV, FLAC, OGG or MP3, within the host's limits of seconds and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        answer = ask("speaker_activity", model, audio=audio)
        return {"segments": answer["segments"], "model": answer["model"]}

    def classify_text(text: str, model: str = "sst2") -> ClassesAnswer:
        """Name the classes that a text may belong to, best first.

        Args:
            text: within the host's limit of characters.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("classify_text", model, text=text)

    def tag_tokens(text: str, model: str = "snips-slots") -> TagsAnswer:
        """Find what a text names, with the characters where it stands.

        Args:
            text: within the host's limit of characters.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("tag_tokens", model, text=text)

    def answer_question(question: str, context: str, model: str = "qa") -> FoundAnswer:
        """Find the words of a passage that answer a question best; a low score says that none do.

        Args:
            question: within the host's limit of characters.
            context: the passage, within the host's limit of characters for passages.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("answer_question", model, question=question, context=context)

    def choose(prompt: str, choices: list[str], model: str = "choice") -> ChoiceAnswer:
        """Choose among 2 to 6 options the one that fits a text best.

        Args:
            prompt: the text, within the host's limit of characters.
            choices: the options, likewise.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("choose", model, prompt=prompt, choices=choices)

    def fill_mask(text: str, top_k: int = 5, model: str = "mlm") -> FillingsAnswer:
        """Propose words for every `<mask>` of a text, best first.

        Args:
            text: with `<mask>` where a word is missing, within the host's limit of characters.
            top_k: number of proposals, 1 to 20.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask("fill_mask", model, text=text, top_k=top_k)

    def continue_text(
        prompt: str,
        max_new_tokens: int = 30,
        temperature: float = 0.8,
        seed: int | None = None,
        model: str = "causal",
    ) -> ContinuationAnswer:
        """Write on from the beginning of a text.

        Args:
            prompt: the beginning, within the host's limit of characters.
            max_new_tokens: most tokens to write, 1 to 100; a token is a word or a part of one.
            temperature: 0 to 2; above 1 draws more freely, 0 always takes the likeliest token.
            seed: the same gives the same text; left out, every call gives another.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
        """
        return ask(
            "continue_text", model, prompt=prompt, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed
        )

    def classify_image(image: FileData, model: str = "objects", runtime: str = "pytorch") -> ClassesAnswer:
        """Name the classes that a picture may belong to, best first.

        Args:
            image: JPEG, PNG or WebP, within the host's limits of pixels and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
            runtime: pytorch; or tensorflow, where the host has it.
        """
        return ask("classify_image", model, image=image, runtime=runtime)

    def segment_image(image: FileData, model: str = "pets3", runtime: str = "pytorch") -> SegmentationAnswer:
        """Give every pixel of a picture a class: shares, a PNG of class ids, and a PNG of the photo with its classes.

        Args:
            image: JPEG, PNG or WebP, within the host's limits of pixels and megabytes.
            model: a name of /list_models, a hub id, or a local folder where the host allows it.
            runtime: pytorch; or tensorflow, where the host has it.
        """
        answer = asked("segment_image", model, image=image, runtime=runtime)
        drawing = draw_segmentation(answer)
        files = {"mask": _served(drawing.mask), "overlay": _served(drawing.overlay)}
        return answer.result.to_json() | files

    def list_models() -> list[ModelAnswer]:
        """List the bundled models and the public checkpoints, with what is known about each."""
        return [_described(entry) for entry in service.models]

    limit = service.settings.parallel_runs
    endpoints: tuple[Callable[..., Any], ...] = (
        transcribe,
        classify_audio,
        compare_speakers,
        speaker_activity,
        classify_text,
        tag_tokens,
        answer_question,
        choose,
        fill_mask,
        continue_text,
        classify_image,
        segment_image,
        predict_masked_endpoint(service),
        *attention_endpoints(service),
        compare_layers_endpoint(service),
    )
    for endpoint in endpoints:
        gr.api(explained(endpoint), api_name=endpoint.__name__, concurrency_id=MODEL_QUEUE, concurrency_limit=limit)
    gr.api(explained(list_models), api_name="list_models")


def _served(path: str) -> dict[str, Any]:
    """A file of the app's cache as an answer that clients download."""
    return FileData(path=path, mime_type="image/png").model_dump()


def _described(entry: ModelEntry) -> ModelAnswer:
    metric = entry.main_metric
    return {
        "name": entry.name,
        "modality": entry.card.modality,
        "task": entry.card.task,
        "bundled": entry.is_bundled,
        "score": metric.value if metric else None,
        "metric": metric.name if metric else None,
        "split": metric.split if metric else None,
        "title": entry.card.title,
        "trained_on": entry.card.trained_on,
        "licence": entry.card.licence,
    }
