"""Tools that are not one call of their task: voices of several clips, many lines at once, texts that grow.

Each yields its answer as it grows, whole at last. The library is imported inside, for it brings in torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data2vec_core.tasks import SpeakerVerifier, TextClassifier, TextContinuer
    from data2vec_core.tasks.results import Classification, Continuation, Verification
    from ui.inputs import Sound

LINES_AT_ONCE = 50
"""Lines that are classified between two looks at how far it is, and two chances to stop."""


@dataclass(frozen=True, kw_only=True)
class ClassifiedLines:
    """Of several texts, as far as they have been read."""

    classifications: tuple[Classification, ...]
    """In the order of the texts."""
    model: str


def compare_speakers(task: SpeakerVerifier, audio_a: Sequence[Sound], audio_b: Sound) -> Iterator[Verification]:
    """Compare a voice, of one clip or several, with that of another clip."""
    yield task.compare(task.embed_voice(audio_a), task.embed(audio_b))


def classify_lines(task: TextClassifier, lines: Sequence[str]) -> Iterator[ClassifiedLines]:
    """Classify each line by itself."""
    done: list[Classification] = []
    for start in range(0, len(lines), LINES_AT_ONCE):
        done += task.batch(lines[start : start + LINES_AT_ONCE])
        yield ClassifiedLines(classifications=tuple(done), model=task.model_name)


def continue_text(task: TextContinuer, prompt: str, **settings: Any) -> Iterator[Continuation]:
    """Write on, and show every token as it comes."""
    from data2vec_core.tasks.results import Continuation

    text = prompt.rstrip(" ")
    yield Continuation(text=text, model=task.model_name)  # there may be nothing to add
    for piece in task.stream(prompt, **settings):
        text += piece
        yield Continuation(text=text, model=task.model_name)
