"""Tools that are not one call of their task: long sound, voices of several clips, many lines at once, texts that grow.

Each yields its answer as it grows, whole at last. The library is imported inside, for it brings in torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ui.refusals import sound_too_long
from ui.steps import Step, in_turns
from ui.words import say

if TYPE_CHECKING:
    from data2vec_core.processing.lexicon import Lexicon
    from data2vec_core.tasks import SpeakerVerifier, TextClassifier, TextContinuer, Transcriber
    from data2vec_core.tasks.results import Alignment, Classification, Continuation, Emissions, Transcript, Verification
    from ui.inputs import Sound, SoundFile

LINES_AT_ONCE = 50
"""Lines that are classified between two looks at how far it is, and two chances to stop."""


@dataclass(frozen=True, kw_only=True)
class ClassifiedLines:
    """Of several texts, as far as they have been read."""

    classifications: tuple[Classification, ...]
    """In the order of the texts."""
    model: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a CTC model makes of a clip, and where in it a text is said."""

    emissions: Emissions
    transcript: Transcript
    """What the model reads by itself."""
    alignment: Alignment | None
    """Of the text that was given, or of the model's own; None where there is none."""
    problem: str
    """Why the text that was given cannot be aligned, in a sentence for the visitor; empty where it can."""
    model: str


def inspect_ctc(task: Transcriber, audio: Sound, text: str) -> Iterator[Inspection]:
    """Look at every frame of a clip, and align a text with it; the model's own, when none is given.

    A text that cannot be aligned is no error: all else is there to be seen.
    """
    emissions = task.emissions(audio)
    transcript = task.decode(emissions)
    alignment, problem = None, ""
    if text:
        try:
            alignment = task.align(emissions, text)
        except ValueError as error:
            problem = _why_unaligned(error, task, text, len(emissions.log_probabilities))
    elif transcript.text:
        alignment = task.align(emissions, transcript.text)
    yield Inspection(
        emissions=emissions, transcript=transcript, alignment=alignment, problem=problem, model=task.model_name
    )


def _why_unaligned(error: ValueError, task: Transcriber, text: str, frames: int) -> str:
    """The sentence for an error of `Transcriber.align`.

    Raises:
        ValueError: that error, when it is none of those that a text may cause.
    """
    from data2vec_core.processing.ctc import UnspellableTextError
    from data2vec_core.processing.ctc_alignment import TextDoesNotFitError, TextUnlikeSoundError

    def is_spelled(characters: str) -> bool:
        try:
            return bool(task.tokenizer.spell(characters))
        except UnspellableTextError:
            return False

    if isinstance(error, UnspellableTextError):
        strange = dict.fromkeys(one for one in text if not one.isspace() and not is_spelled(one))
        strange = strange or dict.fromkeys(word for word in text.split() if not is_spelled(word))
        shown = [*strange][:_STRANGE_SHOWN]
        return say("inspect_ctc.unspellable", characters=" ".join(shown) + (" …" if len(strange) > len(shown) else ""))
    if isinstance(error, TextDoesNotFitError):
        return say("inspect_ctc.too_long", characters=len(task.tokenizer.spell(text)), frames=frames)
    if isinstance(error, TextUnlikeSoundError):
        return say("inspect_ctc.unlike")
    raise error


_STRANGE_SHOWN = 12


def transcribe(
    task: Transcriber, audio: SoundFile, search: str, beam: int, alternatives: int
) -> Iterator[Step | Transcript]:
    """Write down sound of any length, in steps.

    Args:
        search: `best_path`, `beam`, or `lexicon` for a beam that keeps to the words that the checkpoint brings.
        beam: places of the search; a best path has none.
        alternatives: how many texts to name, where the search finds several.

    Raises:
        ValueError: the sound cannot be used or is too long, or the checkpoint brings no words.
    """
    from data2vec_core.processing.audio_errors import AudioTooLongError

    is_search = search != "best_path"
    asked = task.with_search(beam if is_search else None, _lexicon(task) if search == "lexicon" else None)
    asked.max_seconds = audio.max_seconds
    most = alternatives if is_search else 0
    try:
        yield from in_turns(lambda progress: asked(audio.path, alternatives=most, progress=progress))
    except AudioTooLongError:
        raise sound_too_long(audio.max_seconds) from None


def _lexicon(task: Transcriber) -> Lexicon:
    """The words that come with a task's checkpoint.

    Raises:
        ValueError: there are none.
    """
    from data2vec_core.checkpoints.errors import CheckpointError
    from data2vec_core.processing.lexicon import Lexicon

    try:
        return Lexicon.from_pretrained(task.model_name)
    except CheckpointError:
        raise ValueError(say("transcribe.no_lexicon")) from None


@dataclass(frozen=True, kw_only=True)
class ComparedVoices:
    """A voice of one clip or several, compared with that of another clip."""

    together: Verification
    """Of all clips of the first voice, taken together."""
    alone: tuple[float, ...]
    """Similarity of each of its clips by itself."""
    model: str

    @property
    def similarity(self) -> float:
        """Cosine, -1 to 1."""
        return self.together.similarity

    @property
    def same_speaker(self) -> bool:
        """The verdict."""
        return self.together.same_speaker

    def to_json(self) -> dict[str, Any]:
        """As the task has it."""
        return {**self.together.to_json(), "model": self.model}


def compare_speakers(task: SpeakerVerifier, audio_a: Sequence[Sound], audio_b: Sound) -> Iterator[ComparedVoices]:
    """Compare a voice, of one clip or several, with that of another clip."""
    other = task.embed(audio_b)
    together = task.compare(task.embed_voice(audio_a), other)
    several = audio_a if len(audio_a) > 1 else ()
    alone = tuple(task.compare(task.embed(clip), other).similarity for clip in several)
    yield ComparedVoices(together=together, alone=alone or (together.similarity,), model=task.model_name)


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
