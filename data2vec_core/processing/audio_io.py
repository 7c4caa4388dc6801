"""Sound as people have it (files, arrays of any rate, sample width and channel count) to mono float at 16 kHz."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data2vec_core.processing.audio_errors import AudioTooLongError, EmptyAudioError, NotAudioError
from data2vec_core.processing.resampling import Resampler
from data2vec_core.processing.samples import MAX_CHANNELS, MODEL_RATE, Waveform, check_rate, finite, mono_samples

AudioSource: TypeAlias = str | Path | bytes | BinaryIO | NDArray[Any] | Sequence[float] | tuple[int, NDArray[Any]]
_Block: TypeAlias = tuple[int, Waveform]
"""A rate and some samples at it."""

_BLOCK_SAMPLES = 1 << 20  # decoded at a time, all channels together
_UNSTATED = 1 << 40  # streams of unknown length state an enormous one
_FFMPEG_SECONDS = 120  # of computing; a clip of a minute takes less than one
_FFMPEG_BLOCK = 200_000_000  # bytes that a damaged header may make it ask for at once
_FFMPEG_BYTES = 2_000_000_000  # written at most: an hour and a half of stereo at 48 kHz
_FFMPEG_FORMATS = "matroska,webm,mov,mp4,m4a,3gp,aac,asf,amr,avi,flv,mpegts,mpeg,flac,ogg,wav,w64,mp3,aiff,caf,au"
"""Containers that ffmpeg may open. Naming them keeps playlists out, which could make it read other files."""
_UNREADABLE = "This file is not a sound that can be read (WAV, FLAC, OGG and MP3 can)."
_DAMAGED = "The sound is damaged and cannot be read to its end."


def load_audio(
    source: AudioSource,
    *,
    sampling_rate: int | None = None,
    target_rate: int = MODEL_RATE,
    max_seconds: float | None = None,
) -> Waveform:
    """Decode, mix down to mono and resample.

    Args:
        source: the path of a sound file, its bytes, an open binary file, an array of samples, or a (rate, array)
            pair as gradio gives it. Arrays are (samples,) or (samples, channels); integers are PCM of their width,
            floats are taken as they are (full scale is -1 to 1).
        sampling_rate: of an array, in samples a second; files and pairs bring their own.
        target_rate: samples a second of the result.
        max_seconds: longer sounds are refused, by their header, before they are decoded.

    Returns:
        (samples,) float32.

    Raises:
        AudioError: (a ValueError) as one of its kinds.
        ValueError: an array without a sampling rate.
    """
    with open_audio(source, sampling_rate=sampling_rate, target_rate=target_rate, max_seconds=max_seconds) as opened:
        return np.concatenate(list(opened))


class OpenedAudio:
    """A sound in pieces (samples,) float32, mono at one rate, which can be gone through again and again.

    Memory does not grow with its length. Going through raises an `AudioError` where the sound cannot be used.
    """

    def __init__(self, read: Callable[[], Iterator[_Block]], target_rate: int, files: ExitStack) -> None:
        self._read = read
        self._target_rate = target_rate
        self._files = files

    def __iter__(self) -> Iterator[Waveform]:
        pieces = self._pieces()
        self._files.callback(pieces.close)  # whoever stops half-way leaves no file open
        return pieces

    def _pieces(self) -> Generator[Waveform]:
        is_empty = True
        for piece in _resampled(self._read(), self._target_rate):
            is_empty = False
            yield piece
        if is_empty:
            raise EmptyAudioError("The sound is empty: it has no samples.")


@contextmanager
def open_audio(
    source: AudioSource,
    *,
    sampling_rate: int | None = None,
    target_rate: int = MODEL_RATE,
    max_seconds: float | None = None,
) -> Iterator[OpenedAudio]:
    """A sound to be read in pieces: together they are what `load_audio` gives, which takes the same and raises the
    same; what has to be decoded before it is known is told while going through."""
    with ExitStack() as files:
        if isinstance(source, (str, Path, bytes, bytearray)) or hasattr(source, "read"):
            file = _File(_given(source), max_seconds, files)  # type: ignore[arg-type]
            yield OpenedAudio(file.blocks, target_rate, files)
            return
        if isinstance(source, tuple) and len(source) == 2 and np.ndim(source[0]) == 0 and np.ndim(source[1]) > 0:
            sampling_rate, array = int(source[0]), np.asarray(source[1])
        else:
            array = np.asarray(source)
        if array.ndim == 0:
            raise NotAudioError(f"A sound is a file, its bytes or an array of samples, not {type(source).__name__}.")
        if sampling_rate is None:
            raise ValueError("sampling_rate: an array of samples needs its rate in samples a second")
        check_rate(sampling_rate)
        _check_seconds(len(array) / sampling_rate, max_seconds)
        yield OpenedAudio(partial(_array_blocks, array, sampling_rate), target_rate, files)


def audio_seconds(path: str | Path) -> float:
    """Length of a sound file in seconds, by its header: nothing is decoded.

    Raises:
        EmptyAudioError: no content, or no samples.
        NotAudioError: no file, or none whose header soundfile reads.
    """
    with _open_sound(path) as sound:
        if sound.frames >= _UNSTATED:
            raise NotAudioError("The sound does not state its length.")
        if sound.frames == 0:
            raise EmptyAudioError("The sound is empty: it has no samples.")
        return sound.frames / sound.samplerate


def stream_audio(
    path: str | Path, *, target_rate: int = MODEL_RATE, start: float = 0.0, seconds: float | None = None
) -> Iterator[Waveform]:
    """A sound file, or a part of it, in pieces: together what `load_audio` gives, in memory that does not grow with
    the length. For formats that soundfile reads.

    Args:
        target_rate: samples a second of the result.
        start: seconds to leave out at the beginning.
        seconds: how much to decode from there; up to the end when None.

    Yields:
        (samples,) float32, of varying length.

    Raises:
        AudioError: (a ValueError) as one of its kinds; of damage in the middle, when it is reached.
    """
    import soundfile

    with _open_sound(path) as sound:
        rate = sound.samplerate
        try:
            sound.seek(min(round(start * rate), sound.frames))
            blocks = _mono_blocks(sound, -1 if seconds is None else round(seconds * rate))
            yield from _resampled(((rate, block) for block in blocks), target_rate)
        except soundfile.LibsndfileError:
            raise NotAudioError(_DAMAGED) from None


def _given(source: str | Path | bytes | BinaryIO) -> Path | BinaryIO:
    """What was given as a file, to be opened as often as wanted.

    Raises:
        AudioError: there is none, or nothing in it.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise NotAudioError(f"There is no file {path.name or str(path)!r}.")
        if path.stat().st_size == 0:
            raise EmptyAudioError("The file is empty.")
        return path
    content = bytes(source) if isinstance(source, (bytes, bytearray)) else source.read()
    if not content:
        raise EmptyAudioError("The file is empty.")
    return io.BytesIO(content)


class _File:
    """A sound file in blocks: read by soundfile as far as it gets, and by ffmpeg from there on."""

    def __init__(self, source: Path | BinaryIO, max_seconds: float | None, files: ExitStack) -> None:
        """
        Args:
            files: takes the file that ffmpeg makes, if it has to.
        """
        self._source = source
        self._max_seconds = max_seconds
        self._files = files
        self._converted: Path | None = None

    def blocks(self) -> Iterator[_Block]:
        import soundfile  # loaded only where a file is read

        given = 0  # samples so far
        try:
            for rate, block in _file_blocks(self._source, self._max_seconds):
                given += len(block)
                yield rate, block
            return
        except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw, which has no header
            if shutil.which("ffmpeg") is None:
                raise NotAudioError(_DAMAGED if given else _UNREADABLE) from None
        if self._converted is None:
            self._converted = self._files.enter_context(_by_ffmpeg(self._source, self._max_seconds))
        try:
            for rate, block in _file_blocks(self._converted, self._max_seconds):
                if len(block) > given:
                    yield rate, block[given:]
                given = max(0, given - len(block))
        except soundfile.LibsndfileError:
            raise NotAudioError(_UNREADABLE) from None


@contextmanager
def _open_sound(path: str | Path) -> Iterator[Any]:
    """A sound file open for reading by soundfile."""
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise NotAudioError(f"There is no file {path.name or str(path)!r}.")
    if path.stat().st_size == 0:
        raise EmptyAudioError("The file is empty.")
    try:
        sound = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw, which has no header
        raise NotAudioError(_UNREADABLE) from None
    with sound:
        check_rate(sound.samplerate)
        _check_channels(sound.channels)
        yield sound


def _file_blocks(file: Path | BinaryIO, max_seconds: float | None) -> Iterator[_Block]:
    """Decode with soundfile, block by block: neither the header's length nor the channel count decides on memory."""
    import soundfile

    if not isinstance(file, Path):
        file.seek(0)
    with soundfile.SoundFile(file) as sound:
        rate = sound.samplerate
        check_rate(rate)
        _check_channels(sound.channels)
        if sound.frames < _UNSTATED:
            _check_seconds(sound.frames / rate, max_seconds)
        decoded = 0
        for block in _mono_blocks(sound):
            decoded += len(block)
            _check_seconds(decoded / rate, max_seconds)
            yield rate, block


def _array_blocks(array: NDArray[Any], rate: int) -> Iterator[_Block]:
    """(samples,) or (samples, channels) of PCM or floats, block by block."""
    size = max(1, _BLOCK_SAMPLES // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), size):
        yield rate, mono_samples(array[start : start + size], rate)


def _mono_blocks(sound: Any, frames: int = -1) -> Iterator[Waveform]:
    """The next frames of an open sound file (all when negative), mixed down, in blocks (samples,) of bounded size."""
    size = max(1, _BLOCK_SAMPLES // sound.channels)
    # soundfile seeks after every read to where the file is anyway, unless it takes the file for a stream. In MP3 a seek
    # forgets the bits that earlier frames lent to the next, which spoils a fifth of a second.
    sound.seekable = lambda: False
    while len(block := sound.read(size if frames < 0 else min(size, frames), dtype="float32", always_2d=True)):
        frames -= len(block) if frames > 0 else 0
        yield finite(block.mean(axis=1, dtype=np.float32))


def _resampled(blocks: Iterator[_Block], target_rate: int) -> Iterator[Waveform]:
    """Blocks of a sound as pieces at another rate: the same samples as when resampled whole."""
    resampler = Resampler(target_rate)
    for rate, block in blocks:
        if (piece := resampler.push(block, rate)).size:
            yield piece
    if (rest := resampler.finish()).size:
        yield rest


@contextmanager
def _by_ffmpeg(source: Path | BinaryIO, max_seconds: float | None) -> Iterator[Path]:
    """What soundfile cannot read, as a wave file at its own rate: webm and m4a from browsers and phones, and streams
    that were cut off or never stated their length."""
    with tempfile.TemporaryDirectory() as folder:
        if not isinstance(source, Path):  # m4a needs seeking, which a pipe cannot do
            source.seek(0)
            given, source = source, Path(folder) / "given"
            source.write_bytes(given.read())
        converted = Path(folder) / "converted.wav"
        limit = [] if max_seconds is None else ["-t", str(max_seconds + 1)]
        command = ["ffmpeg", "-v", "error", "-nostdin", "-max_alloc", str(_FFMPEG_BLOCK), "-protocol_whitelist", "file"]
        command += ["-format_whitelist", _FFMPEG_FORMATS, "-i", f"file:{source.resolve()}", "-map", "0:a:0", *limit]
        command += ["-c:a", "pcm_f32le", "-rf64", "auto", "-fs", str(_FFMPEG_BYTES), "-f", "wav", str(converted)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_FFMPEG_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            raise NotAudioError("This file is not a sound that can be read.") from None
        if converted.stat().st_size > 0.99 * _FFMPEG_BYTES:  # it stops before it
            raise AudioTooLongError("The sound is too long: as a wave file, it would be larger than what is kept.")
        yield converted


def _check_channels(channels: int) -> None:
    if channels > MAX_CHANNELS:
        raise NotAudioError(f"No sound has {channels} channels (at most {MAX_CHANNELS} are read).")


def _check_seconds(seconds: float, max_seconds: float | None) -> None:
    if max_seconds is not None and seconds > max_seconds:
        raise AudioTooLongError(f"The sound is too long: at most {max_seconds:g} s are read.")
