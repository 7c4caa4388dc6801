"""More voices for a recogniser: sentences read aloud by espeak-ng, a small rule-based synthesiser."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from data2vec_core.processing.audio_io import load_audio
from recipes.sound import Samples

PROGRAM = "espeak-ng"
ACCENTS = ("en-us", "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-029")
TIMBRES = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "Annie", "Michael", "Steph")
"""espeak-ng's variants: what a voice sounds like, whatever its accent."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """Who reads, and how."""

    accent: str
    timbre: str
    pitch: int
    """0 to 99."""
    speed: int
    """Words a minute."""
    gap: int
    """Pause between words, in units of 10 ms."""

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Voice:
        """Any accent and timbre, at the pitches and speeds of human readers; half are American."""
        return cls(
            accent=ACCENTS[0] if random.random() < 0.5 else str(random.choice(ACCENTS)),
            timbre=str(random.choice(TIMBRES)),
            pitch=int(random.integers(20, 80)),
            speed=int(random.integers(110, 210)),
            gap=int(random.integers(0, 12)),
        )


def read_aloud(texts: Sequence[str], *, seed: int = 0) -> list[Samples]:
    """Every text in a voice of its own, at 16 kHz; the same for the same seed.

    Raises:
        ValueError: espeak-ng is not installed, or refuses a text.
    """
    random = np.random.default_rng(seed)
    voices = [Voice.drawn(random) for _ in texts]
    with ThreadPoolExecutor(8) as pool:  # a process for every text waits more than it works
        return list(pool.map(speak, texts, voices))


def speak(text: str, voice: Voice) -> Samples:
    """(samples,) at 16 kHz.

    Args:
        text: may hold phonemes, `[[eI]]`, in espeak-ng's notation.

    Raises:
        ValueError: espeak-ng is not installed, or refuses the text.
    """
    if shutil.which(PROGRAM) is None:
        raise ValueError(f"speech synthesis needs the program {PROGRAM}: install it (Debian's package has its name)")
    command = [PROGRAM, "--stdout", "-b", "1", "-v", f"{voice.accent}+{voice.timbre}", "-p", str(voice.pitch)]
    command += ["-s", str(voice.speed), "-g", str(voice.gap), "--", text]
    spoken = subprocess.run(command, capture_output=True, check=False)
    if spoken.returncode or not spoken.stdout:
        raise ValueError(f"{PROGRAM} could not read {text!r}: {spoken.stderr.decode(errors='replace').strip()}")
    return load_audio(spoken.stdout)
