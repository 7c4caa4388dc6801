"""Sound as people bring it, good and bad."""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from data2vec_core.processing.audio_errors import AudioTooLongError, BrokenSamplesError, EmptyAudioError, NotAudioError
from data2vec_core.processing.audio_io import audio_seconds, load_audio, open_audio, stream_audio
from data2vec_core.processing.samples import loudest_level, mix_down, pcm_to_float, resample

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def tone(seconds: float = 1.0, rate: int = 16_000, hertz: float = 450.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def encoded(samples: np.ndarray, rate: int = 16_000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def correlation(ours: np.ndarray, expected: np.ndarray) -> float:
    return float(np.corrcoef(ours, expected)[0, 1])


class TestSources:
    @pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
    @pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
    def test_file_formats(self, kind: str, rate: int) -> None:
        samples = load_audio(encoded(tone(rate=rate), rate, kind))
        assert samples.dtype == np.float32
        assert samples.shape == (16_000,)
        assert correlation(samples, tone()) > 0.99
        assert loudest_level(samples) == pytest.approx(-9.03, abs=1), "lossy formats change it a little"

    def test_path_bytes_and_open_file_are_the_same(self, tmp_path: Path) -> None:
        content = encoded(tone(), subtype="FLOAT")
        path = tmp_path / "clip.wav"
        path.write_bytes(content)
        with path.open("rb") as file:
            from_file = load_audio(file)
        for samples in (load_audio(path), load_audio(str(path)), load_audio(content), from_file):
            assert np.array_equal(samples, tone())

    def test_a_pair_as_gradio_gives_it(self) -> None:
        stereo = np.stack([tone(), -tone()], axis=1)
        pcm = np.rint(stereo * 32767).astype(np.int16)
        assert np.abs(load_audio((16_000, pcm))).max() < 1e-4, "opposite channels cancel"
        assert correlation(load_audio((16_000, pcm[:, :1])), tone()) > 0.9999

    def test_lists_and_tensors(self) -> None:
        import torch

        expected = load_audio(tone(0.1), sampling_rate=8000)
        assert np.array_equal(load_audio(tone(0.1).tolist(), sampling_rate=8000), expected)
        assert np.array_equal(load_audio(torch.from_numpy(tone(0.1)), sampling_rate=8000), expected)  # type: ignore[arg-type]

    @pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
    def test_sample_widths_of_files(self, subtype: str) -> None:
        assert np.abs(load_audio(encoded(tone(), subtype=subtype)) - tone()).max() < 0.02

    def test_eight_channels_at_192_khz(self) -> None:
        channels = np.stack([tone(rate=192_000) * gain for gain in range(8)], axis=1) / 3.5
        samples = load_audio(encoded(channels, 192_000, subtype="FLOAT"))
        assert samples.shape == (16_000,)
        assert np.abs(samples - tone())[100:-100].max() < 1e-3, "the mean gain of the channels is 1"

    @needs_ffmpeg
    @pytest.mark.parametrize("name", ["clip.webm", "clip.m4a"])
    @pytest.mark.parametrize("as_bytes", [False, True])
    def test_what_browsers_record(self, tmp_path: Path, name: str, as_bytes: bool) -> None:
        source, converted = tmp_path / "source.wav", tmp_path / name
        source.write_bytes(encoded(np.stack([tone(rate=48_000)] * 2, axis=1), 48_000))
        subprocess.run(["ffmpeg", "-v", "error", "-i", source, converted], check=True)
        samples = load_audio(converted.read_bytes() if as_bytes else converted)
        assert len(samples) == pytest.approx(16_000, rel=0.1), "the codecs pad"
        assert loudest_level(samples) == pytest.approx(-9.03, abs=0.5)

    @needs_ffmpeg
    def test_a_flac_stream_of_unstated_length(self) -> None:
        content = bytearray(encoded(tone(), kind="FLAC"))
        content[21] &= 0xF0  # the 36-bit count of samples
        content[22:26] = bytes(4)
        assert len(load_audio(bytes(content))) == 16_000
        with pytest.raises(AudioTooLongError):
            load_audio(bytes(content), max_seconds=0.5)


class TestPcm:
    @pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
    def test_signed(self, dtype: Any) -> None:
        limits = np.iinfo(dtype)
        assert pcm_to_float(np.array([limits.min, 0, limits.max], dtype)) == pytest.approx([-1, 0, 1], abs=0.01)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
    def test_unsigned(self, dtype: Any) -> None:
        limits = np.iinfo(dtype)
        middle = limits.max // 2 + 1
        assert pcm_to_float(np.array([0, middle, limits.max], dtype)) == pytest.approx([-1, 0, 1], abs=0.01)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_floats_are_taken_as_they_are(self, dtype: Any) -> None:
        assert pcm_to_float(np.array([-1.5, 0.25], dtype)).tolist() == [-1.5, 0.25]

    @pytest.mark.parametrize("array", [np.ones(3, np.int64), np.ones(3, bool), np.ones(3, complex), np.array(["a"])])
    def test_what_is_not_sound(self, array: np.ndarray) -> None:
        with pytest.raises(BrokenSamplesError, match="are not sound"):
            pcm_to_float(array)


class TestRefusals:
    @pytest.mark.parametrize("source", [b"", np.zeros(0, np.float32), np.zeros((0, 2), np.int16), []])
    def test_empty(self, source: Any) -> None:
        with pytest.raises(EmptyAudioError, match="empty"):
            load_audio(source, sampling_rate=16_000)

    def test_a_file_with_a_header_and_no_samples(self) -> None:
        with pytest.raises(EmptyAudioError, match="no samples"):
            load_audio(encoded(np.zeros(0, np.float32)))

    def test_one_sample_that_resampling_leaves_nothing_of(self) -> None:
        with pytest.raises(EmptyAudioError):
            load_audio(np.ones(1, np.float32), sampling_rate=192_000)

    @pytest.mark.parametrize("content", [b"hello, this is text\n" * 40, b"RIFF", bytes(5000)])
    @pytest.mark.parametrize("name", ["clip.wav", "clip.raw", "clip", "clip.m3u8"])
    def test_not_a_sound(self, tmp_path: Path, content: bytes, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(NotAudioError, match="not a sound that can be read"):
            load_audio(path)

    def test_without_ffmpeg_the_formats_that_work_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
        with pytest.raises(NotAudioError, match="WAV, FLAC, OGG and MP3"):
            load_audio(b"hello")

    @pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {}\n"])
    def test_a_playlist_does_not_open_another_file(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "secret.wav").write_bytes(encoded(tone()))
        playlist = tmp_path / "list.m3u8"
        playlist.write_text(text.format("secret.wav"))
        with pytest.raises(NotAudioError):
            load_audio(playlist)

    def test_no_such_file_is_named_without_its_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NotAudioError, match=r"no file 'nothing.wav'\.") as caught:
            load_audio(tmp_path / "nothing.wav")
        assert str(tmp_path) not in str(caught.value)

    @pytest.mark.parametrize("source", [None, {}, 3])
    def test_something_else(self, source: Any) -> None:
        with pytest.raises(NotAudioError, match="A sound is a file"):
            load_audio(source, sampling_rate=16_000)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, 1e39])
    def test_samples_that_are_not_numbers(self, bad: float) -> None:
        samples = np.zeros(1000)
        samples[500] = bad
        with pytest.raises(BrokenSamplesError, match="not numbers"):
            load_audio(samples, sampling_rate=16_000)
        if not math.isfinite(bad):
            with pytest.raises(BrokenSamplesError):
                load_audio(encoded(samples, subtype="FLOAT"))

    def test_an_array_without_its_rate(self) -> None:
        with pytest.raises(ValueError, match="sampling_rate"):
            load_audio(tone())

    @pytest.mark.parametrize("rate", [-1, 0, 99, 1_000_001])
    def test_rates_that_no_sound_has(self, rate: int) -> None:
        with pytest.raises(NotAudioError, match=f"{rate} Hz"):
            load_audio(tone(), sampling_rate=rate)

    @pytest.mark.parametrize("shape", [(2, 16_000), (10, 2, 2)])
    def test_axes_the_wrong_way_round(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"\(samples, channels\)"):
            mix_down(np.zeros(shape, np.float32))


class TestLength:
    def test_a_ten_hour_file_is_refused_unread(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "long.wav"
        with soundfile.SoundFile(path, "w", samplerate=8000, channels=1, subtype="PCM_U8") as sound:
            sound.seek(10 * 3600 * 8000 - 1)  # leaves a hole, so the file takes no room
            sound.write(np.zeros(1))

        def fail(*_args: object, **_options: object) -> None:
            raise AssertionError("the file was decoded")

        monkeypatch.setattr(soundfile.SoundFile, "read", fail)
        with pytest.raises(AudioTooLongError, match="at most 30 s"):
            load_audio(path, max_seconds=30)

    def test_the_limit_itself_is_allowed(self) -> None:
        assert len(load_audio(encoded(tone(0.5)), max_seconds=0.5)) == 8000
        assert len(load_audio(tone(0.5), sampling_rate=16_000, max_seconds=0.5)) == 8000
        for source in (encoded(tone(0.51)), (16_000, tone(0.51))):
            with pytest.raises(AudioTooLongError, match=r"at most 0\.5 s"):
                load_audio(source, max_seconds=0.5)

    @pytest.mark.parametrize("kind", ["WAV", "OGG", "MP3"])
    def test_a_file_cut_off_gives_what_is_there(self, kind: str) -> None:
        content = encoded(np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32), kind=kind)
        assert 8000 < len(load_audio(content[: len(content) // 2])) < 30_000

    def test_a_sound_longer_than_one_block(self) -> None:
        long = tone(70)
        assert np.array_equal(load_audio(encoded(long, subtype="FLOAT")), long)


class TestLoudness:
    def test_levels(self) -> None:
        assert loudest_level(np.zeros(16_000, np.float32)) == -math.inf
        assert loudest_level(np.full(16_000, 0.7, np.float32)) == -math.inf, "an offset is no sound"
        assert loudest_level(np.tile(np.array([1, -1], np.float32), 8000)) == pytest.approx(0)
        assert loudest_level(tone()) == pytest.approx(-9.03, abs=0.01)

    def test_a_short_sound_in_a_long_silence_counts(self) -> None:
        samples = np.zeros(160_000, np.float32)
        samples[80_000:80_640] = tone(0.04)
        assert loudest_level(samples) > -12

    def test_clips_shorter_than_a_window(self) -> None:
        assert loudest_level(np.zeros(0, np.float32)) == -math.inf
        assert loudest_level(np.array([0.5], np.float32)) == -math.inf


class TestOpenedAudio:
    """A sound opened to be gone through in pieces."""

    @pytest.fixture(autouse=True)
    def _small_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("data2vec_core.processing.audio_io._BLOCK_SAMPLES", 10_000)

    @pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
    @pytest.mark.parametrize("is_file", [False, True])
    def test_the_pieces_are_the_whole_as_often_as_wanted(self, rate: int, is_file: bool) -> None:
        stereo = np.stack([tone(3, rate), 0.5 * tone(3, rate, 700)], axis=1)
        source = encoded(stereo, rate, "FLAC") if is_file else (rate, np.rint(32_767 * stereo).astype(np.int16))
        whole = load_audio(source)
        with open_audio(source) as opened:
            for _ in range(2):
                pieces = list(opened)
                assert len(pieces) > 5
                assert max(map(len, pieces)) < 25_000
                assert np.array_equal(np.concatenate(pieces), whole)

    def test_resampling_in_pieces_is_resampling_the_whole(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, 100_000).astype(np.float32)
        assert np.array_equal(load_audio(noise, sampling_rate=44_100), resample(noise, 44_100))

    def test_going_through_a_part_only_leaves_nothing_open(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.wav"
        path.write_bytes(encoded(tone(3)))
        with open_audio(path) as opened:
            pieces = iter(opened)
            next(pieces)
        open_files = [link.resolve() for link in Path("/proc/self/fd").glob("*")] if Path("/proc").is_dir() else []
        assert path.resolve() not in open_files
        assert list(pieces) == []

    @needs_ffmpeg
    def test_what_was_converted_is_deleted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        subprocess.run(["ffmpeg", "-v", "error", "-i", "-", tmp_path / "a.m4a"], input=encoded(tone(3)), check=True)
        with open_audio(tmp_path / "a.m4a") as opened:
            lengths = [sum(map(len, opened)) for _ in range(2)]
            assert lengths[0] == lengths[1] == pytest.approx(48_000, rel=0.1)
            assert len(list((tmp_path / "temporary").iterdir())) == 1, "it is converted once"
        assert not list((tmp_path / "temporary").iterdir())

    @needs_ffmpeg
    def test_behind_damage_it_goes_on_where_it_was(self) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, 300_000).astype(np.float32)
        content = bytearray(encoded(noise, kind="FLAC"))
        content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
        decoded = load_audio(bytes(content))
        before = 140_000
        assert np.abs(decoded[:before] - noise[:before]).max() < 1e-4
        assert len(decoded) > before

    def test_errors_come_when_it_is_opened_or_gone_through(self, tmp_path: Path) -> None:
        with pytest.raises(NotAudioError, match="no file"), open_audio(tmp_path / "none.wav"):
            pass
        with open_audio((16_000, np.zeros((4, 0), np.float32))) as nothing, pytest.raises(EmptyAudioError):
            list(nothing)
        with open_audio(encoded(tone(2)), max_seconds=1) as long, pytest.raises(AudioTooLongError):
            list(long)


class TestFilesInPieces:
    def test_blocks_of_an_mp3_meet_without_a_click(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = encoded(tone(5), kind="MP3")
        whole = load_audio(content)
        monkeypatch.setattr("data2vec_core.processing.audio_io._BLOCK_SAMPLES", 9000)
        assert np.abs(load_audio(content) - whole).max() < 1e-5

    @pytest.mark.parametrize(("kind", "rate"), [("wav", 16_000), ("flac", 44_100), ("ogg", 8000), ("mp3", 22_050)])
    def test_pieces_together_are_the_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rate: int
    ) -> None:
        path = tmp_path / f"clip.{kind}"
        soundfile.write(path, np.stack([tone(3, rate), 0.5 * tone(3, rate, 700)], axis=1), rate)
        whole = load_audio(path)
        monkeypatch.setattr("data2vec_core.processing.audio_io._BLOCK_SAMPLES", 10_000)
        pieces = list(stream_audio(path))
        assert len(pieces) > 5
        assert max(map(len, pieces)) < 30_000
        joined = np.concatenate(pieces)
        assert joined.dtype == np.float32
        assert joined.shape == whole.shape
        assert np.abs(joined - whole).max() < 1e-5
        assert audio_seconds(path) == pytest.approx(len(whole) / 16_000, abs=0.1)

    def test_a_part(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.wav"
        soundfile.write(path, tone(3), 16_000, subtype="FLOAT")
        part = np.concatenate(list(stream_audio(path, start=1.0, seconds=0.5)))
        assert np.array_equal(part, tone(3)[16_000:24_000])
        assert len(np.concatenate(list(stream_audio(path, start=2.9, seconds=5)))) == 1600
        assert list(stream_audio(path, start=7)) == []

    def test_what_cannot_be_used(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.wav"
        for content, error in ((b"", EmptyAudioError), (b"words", NotAudioError), (encoded(tone(0)), EmptyAudioError)):
            path.write_bytes(content)
            with pytest.raises(error):
                audio_seconds(path)
        with pytest.raises(NotAudioError, match="no file 'none.wav'"):
            next(stream_audio(tmp_path / "none.wav"))
        soundfile.write(path, np.array([0.1, math.nan, 0.2]), 16_000, subtype="FLOAT")
        with pytest.raises(BrokenSamplesError):
            list(stream_audio(path))

    def test_damage_in_the_middle_is_told_when_it_is_reached(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.flac"
        noise = np.random.default_rng(0).normal(0, 0.1, 600_000).astype(np.float32)
        content = bytearray(encoded(noise, kind="FLAC"))
        content[len(content) // 2 : len(content) // 2 + 40_000] = bytes(40_000)
        path.write_bytes(content)
        assert audio_seconds(path) == 37.5
        with pytest.raises(NotAudioError, match="damaged"):
            list(stream_audio(path))
