"""Transcription and classification of sound."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.presets import PRESETS
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import (
    AudioTooLongError,
    AudioTooShortError,
    EmptyAudioError,
    SilentAudioError,
)
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.lexicon import LEXICON_FILE, Lexicon
from data2vec_core.tasks import AudioClassifier, Transcriber, Transcript
from tests.clips import TINY
from tests.tasks.answers import assert_same

Noise = Callable[..., np.ndarray]


@pytest.fixture
def transcriber(checkpoints: dict[str, Path]) -> Transcriber:
    return Transcriber.from_pretrained(checkpoints["transcribe"])


@pytest.fixture
def classifier(checkpoints: dict[str, Path]) -> AudioClassifier:
    return AudioClassifier.from_pretrained(checkpoints["classify_audio"])


def samples_for(frames: int) -> int:
    """Length of the shortest clip that becomes so many frames of the tiny model."""
    return TINY.receptive_field + (frames - 1) * TINY.inputs_to_logits_ratio


def spelling_model(frames_of_letters: list[str], tokenizer: CTCTokenizer) -> Data2VecAudioForCTC:
    """A model whose scores spell given letters, whatever it hears: known words at known frames."""

    class Spelling(Data2VecAudioForCTC):
        def forward(self, *_args: object, **_options: object) -> object:  # type: ignore[override]
            logits = torch.full((1, len(frames_of_letters), len(tokenizer)), -20.0)
            for frame, letter in enumerate(frames_of_letters):
                logits[0, frame, tokenizer.vocab[letter]] = 20.0
            return type("Output", (), {"logits": logits})()

    return Spelling(PRESETS["audio-tiny"].replace(vocab_size=len(tokenizer)))  # type: ignore[arg-type]


def test_words_have_times_and_confidence(noise: Noise) -> None:
    tokenizer = CTCTokenizer.of_characters()
    frames = ["<pad>", "H", "H", "<pad>", "I", "|", "<s>", "<pad>", "Y", "O", "<pad>", "O", "<pad>"]
    transcriber = Transcriber(spelling_model(frames, tokenizer), SpeechFeatureExtractor(), tokenizer, model_name="x")
    clip = noise(samples_for(len(frames)))
    transcript = transcriber(clip, sampling_rate=16_000)
    frame = transcriber.seconds_per_frame
    assert frame == 80 / 16_000  # the tiny model's strides
    assert transcript.text == "HI YOO"
    assert [(word.word, word.start, word.end) for word in transcript.words] == [
        ("HI", 1 * frame, 5 * frame),
        ("YOO", 8 * frame, 12 * frame),
    ]
    assert all(word.confidence == pytest.approx(1.0) for word in transcript.words)
    assert transcript.duration == len(clip) / 16_000
    assert transcript.to_json()["model"] == "x"
    assert set(transcript.to_json()) == {"text", "words", "duration", "model"}
    assert json.loads(json.dumps(transcript.to_json())) == transcript.to_json()
    assert set(transcript.to_json()["words"][0]) == {"word", "start", "end", "confidence"}


def test_a_clip_of_nothing_but_blanks_has_no_words(noise: Noise) -> None:
    tokenizer = CTCTokenizer.of_characters()
    transcriber = Transcriber(spelling_model(["<pad>"] * 4, tokenizer), SpeechFeatureExtractor(), tokenizer)
    transcript = transcriber(noise(samples_for(4)), sampling_rate=16_000)
    assert (transcript.text, transcript.words) == ("", ())


class TestBeam:
    """Two frames of blank 0.5 or A 0.4 or B 0.1: the best path is empty, the best text A (0.56)."""

    TOKENIZER = CTCTokenizer.of_characters("AB")

    def model(self) -> Data2VecAudioForCTC:
        tokenizer = self.TOKENIZER
        shares = torch.full((1, 3, len(tokenizer)), 1e-9)
        shares[0, :2, tokenizer.pad_id] = 0.5
        shares[0, :2, tokenizer.vocab["A"]] = 0.4
        shares[0, :2, tokenizer.vocab["B"]] = 0.1
        shares[0, 2, tokenizer.vocab["<s>"]] = 0.9  # stands for nothing that could be written
        shares[0, 2, tokenizer.pad_id] = 0.1

        class Fixed(Data2VecAudioForCTC):
            def forward(self, *_args: object, **_options: object) -> object:  # type: ignore[override]
                return type("Output", (), {"logits": shares.log()})()

        return Fixed(PRESETS["audio-tiny"].replace(vocab_size=len(tokenizer)))  # type: ignore[arg-type]

    def transcript(self, noise: Noise, **options: Any) -> Transcript:
        transcribe = Transcriber(self.model(), SpeechFeatureExtractor(), self.TOKENIZER, **options)
        return transcribe(noise(samples_for(3)), sampling_rate=16_000)

    def test_the_best_text_may_not_be_the_best_characters(self, noise: Noise) -> None:
        assert self.transcript(noise).text == ""
        found = self.transcript(noise, beam=8)
        assert found.text == "A"
        [word] = found.words
        assert word.confidence == pytest.approx(0.4)
        assert (word.start, word.end) in {(0.0, 80 / 16_000), (80 / 16_000, 160 / 16_000)}

    def test_only_words_of_the_lexicon_are_written(self, noise: Noise) -> None:
        assert self.transcript(noise, beam=8, lexicon=Lexicon({"B": 1})).text == ""
        assert self.transcript(noise, beam=8, lexicon=Lexicon({"B": 1}, word_bonus=9.0)).text == "B"
        assert self.transcript(noise, beam=8, lexicon=Lexicon({"BA": 1}, word_bonus=9.0)).text == "BA"

    def test_a_checkpoint_brings_its_lexicon(self, checkpoints: dict[str, Path], noise: Noise, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(checkpoints["transcribe"], folder)
        with pytest.raises(CheckpointError, match=LEXICON_FILE):
            Transcriber.from_pretrained(folder, beam=4, lexicon=True)
        Lexicon({"SO": 1, "WE": 1}, word_bonus=30.0).save_pretrained(folder)
        heard = Transcriber.from_pretrained(folder, beam=4, lexicon=True)(noise(8000), sampling_rate=16_000)
        assert heard.words
        assert {word.word for word in heard.words} <= {"SO", "WE"}
        given = Transcriber.from_pretrained(folder, beam=4, lexicon=Lexicon({"SO": 1}, word_bonus=30.0))
        assert {word.word for word in given(noise(8000), sampling_rate=16_000).words} == {"SO"}

    def test_what_does_not_fit_is_named(self, checkpoints: dict[str, Path]) -> None:
        with pytest.raises(ValueError, match="beam=0"):
            Transcriber.from_pretrained(checkpoints["transcribe"], beam=0)
        with pytest.raises(ValueError, match="beam, too"):
            Transcriber.from_pretrained(checkpoints["transcribe"], lexicon=Lexicon({"SO": 1}))
        with pytest.raises(ValueError, match="cannot spell"):
            Transcriber.from_pretrained(checkpoints["transcribe"], beam=4, lexicon=Lexicon({"É": 1}))


def test_a_file_and_its_samples_give_the_same_transcript(
    transcriber: Transcriber, noise: Noise, tmp_path: Path
) -> None:
    samples = noise(12_000)
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    from_file = transcriber(path)
    assert from_file.words, "random weights should spell something, or this compares nothing"
    assert from_file == transcriber(samples, sampling_rate=16_000) == transcriber((16_000, samples[:, None]))
    assert all(0 <= word.start < word.end <= from_file.duration for word in from_file.words)
    assert all(0 < word.confidence <= 1 for word in from_file.words)


@pytest.mark.parametrize("level", [0.0, 1e-5])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_silence_is_not_transcribed(transcriber: Transcriber, noise: Noise, level: float, offset: float) -> None:
    with pytest.raises(SilentAudioError, match="silent"):
        transcriber(noise(8000, level=level) + offset, sampling_rate=16_000)


def test_the_silence_level_is_an_argument(checkpoints: dict[str, Path], noise: Noise) -> None:
    patient = Transcriber.from_pretrained(checkpoints["transcribe"], silence_level=-math.inf)
    patient(noise(8000, level=0.0), sampling_rate=16_000)


def test_silence_is_classified(classifier: AudioClassifier) -> None:
    result = classifier(np.zeros(8000, np.float32), sampling_rate=16_000)
    assert {label.label for label in result.labels} == {"yes", "no", "_silence_"}


def test_scores_are_probabilities_best_first(classifier: AudioClassifier, noise: Noise) -> None:
    result = classifier((48_000, noise(24_000, 2)))
    scores = [label.score for label in result.labels]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert set(result.to_json()) == {"labels", "model"}


def test_several_labels_may_hold_at_once(checkpoints: dict[str, Path], noise: Noise) -> None:
    one = AudioClassifier.from_pretrained(checkpoints["classify_audio"])
    many = AudioClassifier.from_pretrained(checkpoints["classify_audio"])
    many.model.config = many.model.config.replace(problem_type="multi_label_classification")
    clip = noise(8000)
    logits = one._logits(clip)
    expected = dict(zip(one.model.config.labels, logits.sigmoid().tolist(), strict=True))
    result = many(clip, sampling_rate=16_000)
    assert {label.label: label.score for label in result.labels} == pytest.approx(expected)


@pytest.mark.parametrize("task", ["transcriber", "classifier"])
class TestLimits:
    def test_empty(self, task: str, request: pytest.FixtureRequest) -> None:
        with pytest.raises(EmptyAudioError, match="empty"):
            request.getfixturevalue(task)(np.zeros(0, np.float32), sampling_rate=16_000)

    def test_one_sample_short_of_a_frame(self, task: str, request: pytest.FixtureRequest, noise: Noise) -> None:
        loaded = request.getfixturevalue(task)
        needed = loaded.model.config.receptive_field
        loaded(noise(needed), sampling_rate=16_000)
        with pytest.raises(AudioTooShortError, match="too short"):
            loaded(noise(needed - 1), sampling_rate=16_000)


def test_max_seconds_is_an_argument(checkpoints: dict[str, Path], noise: Noise) -> None:
    strict = Transcriber.from_pretrained(checkpoints["transcribe"], max_seconds=0.5)
    strict(noise(8000), sampling_rate=16_000)
    with pytest.raises(AudioTooLongError, match="at most 0.5 s"):
        strict(noise(8001), sampling_rate=16_000)


def test_concurrent_calls_answer_as_single_ones(transcriber: Transcriber, noise: Noise) -> None:
    clips = [noise(4000 + 500 * index) for index in range(8)]
    expected = [transcriber(clip, sampling_rate=16_000) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda clip: transcriber(clip, sampling_rate=16_000), clips))
    assert_same(found, expected)


def test_an_adapter_makes_frames_longer() -> None:
    config = PRESETS["audio-tiny"].replace(add_adapter=True, num_adapter_layers=2, adapter_stride=2)
    model = Data2VecAudioForCTC(config)  # type: ignore[arg-type]
    transcriber = Transcriber(model, SpeechFeatureExtractor(), CTCTokenizer.of_characters())
    assert transcriber.seconds_per_frame == 4 * 80 / 16_000
