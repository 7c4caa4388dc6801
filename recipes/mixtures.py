"""Conversations of two voices, made from single utterances, with who speaks when known to the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data2vec_core.processing.samples import MODEL_RATE
from recipes.sound import Samples, add_noise, change_speed

HOP = 320
"""Samples from the start of one frame to that of the next: 20 ms."""
FIELD = 400
"""Samples that a frame is made of."""
LONGEST_PAUSE = 0.3
"""Seconds of silence within a voice's turn that still count as speech."""
_QUIET = 32.0
"""Decibels below the loud part of an utterance (its 95th percentile) at which speech ends."""
_SHORTEST_SPEECH = 0.06
_FADE = 80


@dataclass(frozen=True)
class Mixture:
    """A made conversation."""

    samples: Samples
    """(samples,) at 16 kHz."""
    is_speaking: NDArray[np.bool_]
    """(frames, 2): the voice that is heard first, and the other; by frames of the model, at their middles."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """(frames,) 0 nobody, 1 the first, 2 the second, 3 both."""
        return self.is_speaking @ np.array([1, 2])


@dataclass(frozen=True)
class Speech:
    """An utterance without the silence around it."""

    samples: Samples
    is_speech: NDArray[np.bool_]
    """(samples,): False in longer pauses."""


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """How conversations go."""

    seconds: float = 8.0
    lead: tuple[float, float] = (0.1, 0.6)
    """Seconds before the first word."""
    turn: tuple[float, float] = (0.8, 2.8)
    """Seconds."""
    pause: tuple[float, float] = (0.05, 0.8)
    """Seconds between turns that do not overlap."""
    overlap: tuple[float, float] = (0.2, 1.0)
    """Seconds that two turns share."""
    overlapping: float = 0.3
    """Chance that a change of speaker comes too early."""
    staying: float = 0.15
    """Chance that the same voice goes on after a pause."""
    alone: float = 0.0
    """Chance that the second voice never comes."""
    speed: tuple[float, float] = (1.0, 1.0)
    """How fast a voice is played: one that nobody has, where that is not 1."""
    loudness: float = 3.0
    """Decibels that a voice may be louder or quieter."""
    noise: tuple[float, float] = (25.0, 45.0)
    """Signal-to-noise ratio in decibels."""


def find_speech(samples: Samples) -> Speech:
    """Cut the silence off both ends of an utterance and mark its pauses, by the energy of frames of 20 ms."""
    frames = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)  # (frames, HOP)
    decibels = 10 * np.log10((frames**2).mean(axis=1) + 1e-10)
    is_loud = decibels > np.percentile(decibels, 95) - _QUIET
    seconds = HOP / MODEL_RATE
    is_loud = ~fill_gaps(~is_loud, round(_SHORTEST_SPEECH / seconds))
    is_loud = fill_gaps(is_loud, round(LONGEST_PAUSE / seconds))
    if not is_loud.any():
        return Speech(samples, np.ones(len(samples), dtype=bool))
    start, end = np.flatnonzero(is_loud)[[0, -1]]
    return Speech(samples[start * HOP : (end + 1) * HOP], np.repeat(is_loud[start : end + 1], HOP))


def fill_gaps(is_on: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Switch on what is off between two that are on, where that is at most `longest` items; (items,)."""
    edges = np.flatnonzero(np.diff(is_on.astype(np.int8)))
    filled = is_on.copy()
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        if not is_on[start + 1] and end - start <= longest:
            filled[start + 1 : end + 1] = True
    return filled


def converse(voices: Sequence[Sequence[Speech]], random: np.random.Generator, scenery: Scenery) -> Mixture:
    """Let two voices take turns.

    Args:
        voices: what each of the two has said; the first of them begins.
    """
    length = round(scenery.seconds * MODEL_RATE)
    tracks = np.zeros((2, length), np.float32)
    is_speaking = np.zeros((2, length), dtype=bool)
    speeds = random.uniform(*scenery.speed, 2)
    gains = 10 ** (random.uniform(-scenery.loudness, scenery.loudness, 2) / 20)
    is_alone = random.random() < scenery.alone
    speaker, position = 0, round(random.uniform(*scenery.lead) * MODEL_RATE)
    while position < length - MODEL_RATE // 2:
        said = _turn(voices[speaker], round(random.uniform(*scenery.turn) * MODEL_RATE), speeds[speaker], random)
        room = slice(position, min(position + len(said.samples), length))
        tracks[speaker, room] += gains[speaker] * said.samples[: room.stop - room.start]
        is_speaking[speaker, room] |= said.is_speech[: room.stop - room.start]
        stays = is_alone or (random.random() < scenery.staying and is_speaking[1].any())
        if not stays and random.random() < scenery.overlapping:
            # the next begins before this one ends, though not before its middle, nor inside its own last turn
            shared = round(random.uniform(*scenery.overlap) * MODEL_RATE)
            earliest = max(position + len(said.samples) // 2, _end(is_speaking[1 - speaker]))
            position = max(room.stop - shared, earliest)
        else:
            position = room.stop + round(random.uniform(*scenery.pause) * MODEL_RATE)
            position = max(position, _end(is_speaking[1 - speaker]))
        speaker = speaker if stays else 1 - speaker
    samples = add_noise(tracks.sum(axis=0), random.uniform(*scenery.noise), random)
    middles = np.arange((length - FIELD) // HOP + 1) * HOP + FIELD // 2
    heard = is_speaking[:, middles].T  # (frames, 2)
    starts = np.where(heard.any(axis=0), heard.argmax(axis=0), len(heard))
    heard = heard[:, np.argsort(starts, kind="stable")]
    return Mixture((samples / max(1.0, np.abs(samples).max())).astype(np.float32), heard)


def conversations(
    corpora: Sequence[Mapping[str, Sequence[Speech]]], count: int, *, seed: int, scenery: Scenery
) -> list[Mixture]:
    """A fixed set of conversations: the same for the same utterances, count, seed and scenery.

    Args:
        corpora: of each, what every speaker has said; a conversation is between two of one corpus, in turn.
    """
    mixtures = []
    for index in range(count):
        random = np.random.default_rng((seed, index))
        corpus = corpora[index % len(corpora)]
        mixtures.append(converse(pair(corpus, random), random, scenery))
    return mixtures


def pair(corpus: Mapping[str, Sequence[Speech]], random: np.random.Generator) -> list[Sequence[Speech]]:
    """What two different speakers have said."""
    speakers = list(corpus)
    return [corpus[speakers[index]] for index in random.choice(len(speakers), 2, replace=False)]


def _turn(voice: Sequence[Speech], length: int, speed: float, random: np.random.Generator) -> Speech:
    """So many samples of what a voice has said, utterances joined, at an even level."""
    parts: list[Samples] = []
    marks: list[NDArray[np.bool_]] = []
    while (missing := length - sum(map(len, parts))) > 0:
        said = voice[int(random.integers(len(voice)))]
        needed = int(missing * speed) + 2
        start = int(random.integers(max(1, len(said.samples) - needed)))
        piece = said.samples[start : start + needed]
        marked = said.is_speech[start : start + needed]
        if speed != 1:
            piece = change_speed(piece, speed)
            marked = marked[(np.arange(len(piece)) * speed).astype(int)]
        piece, marked = piece[:missing], marked[:missing]
        level = float(np.sqrt(np.mean(piece**2)))
        piece = piece * (0.06 / max(level, 1e-4))
        ramp = np.linspace(0, 1, min(_FADE, len(piece)), dtype=np.float32)
        piece[: len(ramp)] *= ramp
        piece[-len(ramp) :] *= ramp[::-1]
        parts.append(piece)
        marks.append(marked)
    return Speech(np.concatenate(parts), np.concatenate(marks))


def _end(is_speaking: NDArray[np.bool_]) -> int:
    """First sample after the last of speech."""
    return int(np.flatnonzero(is_speaking)[-1]) + 1 if is_speaking.any() else 0
