"""Whether two clips are of one voice, and who speaks when."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core import Data2VecAudioForAudioFrameClassification
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.presets import PRESETS
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import AudioTooShortError
from data2vec_core.tasks import SpeakerActivity, SpeakerVerifier
from data2vec_core.tasks.speaker_activity import ACTIVITY_FILE, CLASSES, Smoothing
from data2vec_core.tasks.speaker_verification import VERIFICATION_FILE, load_threshold, save_threshold

Noise = Callable[..., np.ndarray]
RATE = 16_000


@pytest.fixture
def verifier(checkpoints: dict[str, Path]) -> SpeakerVerifier:
    return SpeakerVerifier.from_pretrained(checkpoints["compare_speakers"])


def test_a_clip_is_like_itself_however_loud(verifier: SpeakerVerifier, noise: Noise) -> None:
    clip = noise(RATE)
    verification = verifier(clip, 0.5 * clip, sampling_rate=RATE)
    assert verification.similarity == pytest.approx(1, abs=1e-4)
    assert verification.same_speaker
    assert verification.threshold == 0.5
    assert json.loads(json.dumps(verification.to_json())) == verification.to_json()
    assert set(verification.to_json()) == {"similarity", "threshold", "same_speaker", "model"}


def test_the_similarity_is_the_cosine_and_the_threshold_decides(verifier: SpeakerVerifier, noise: Noise) -> None:
    clips = noise(RATE), noise(RATE) + np.sin(np.arange(RATE) / 20).astype(np.float32)
    raw = [verifier.model(verifier.extractor(clip)["input_values"]).embeddings[0].detach().numpy() for clip in clips]
    cosine = float(raw[0] @ raw[1] / np.linalg.norm(raw[0]) / np.linalg.norm(raw[1]))
    verification = verifier(*clips, sampling_rate=RATE)
    assert verification.similarity == pytest.approx(cosine, abs=1e-5)
    for threshold in (cosine - 1e-3, cosine + 1e-3):
        verifier.threshold = threshold
        assert verifier(*clips, sampling_rate=RATE).same_speaker == (cosine > threshold)


def test_a_voice_is_the_mean_of_its_clips(verifier: SpeakerVerifier, noise: Noise) -> None:
    clips = [noise(RATE), noise(2 * RATE)]
    mean = np.mean([verifier.embed(clip, sampling_rate=RATE) for clip in clips], axis=0)
    voice = verifier.embed_voice(clips, sampling_rate=RATE)
    assert np.linalg.norm(voice) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(voice, mean / np.linalg.norm(mean), atol=1e-6)
    assert verifier.compare(voice, voice).similarity == pytest.approx(1, abs=1e-5)


def test_a_voice_of_no_clips_is_refused(verifier: SpeakerVerifier) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        verifier.embed_voice([])


def test_the_shortest_clip_is_the_shortest_that_the_model_takes(verifier: SpeakerVerifier, noise: Noise) -> None:
    assert verifier.embed(noise(verifier.shortest), sampling_rate=RATE).shape == (16,)
    with pytest.raises(AudioTooShortError, match="to know a voice"):
        verifier.embed(noise(verifier.shortest - 1), sampling_rate=RATE)


def test_the_threshold_is_kept_beside_the_model(tmp_path: Path) -> None:
    save_threshold(tmp_path, 0.37, split="valid")
    assert load_threshold(tmp_path) == 0.37
    assert json.loads((tmp_path / VERIFICATION_FILE).read_text())["split"] == "valid"


@pytest.mark.parametrize("values", ["{}", '{"threshold": "high"}'])
def test_a_file_without_a_threshold_is_refused(tmp_path: Path, values: str) -> None:
    (tmp_path / VERIFICATION_FILE).write_text(values)
    with pytest.raises(CheckpointError, match="a number as `threshold`"):
        load_threshold(tmp_path)


def speaking_model(classes: list[int]) -> Data2VecAudioForAudioFrameClassification:
    """A model that is sure of given classes, whatever it hears."""

    class Speaking(Data2VecAudioForAudioFrameClassification):
        def forward(self, *_args: object, **_options: object) -> object:  # type: ignore[override]
            logits = torch.full((1, len(classes), len(CLASSES)), -10.0)
            logits[0, torch.arange(len(classes)), torch.tensor(classes)] = 10.0
            return type("Output", (), {"logits": logits})()

    return Speaking(PRESETS["audio-tiny"].replace(id2label=dict(enumerate(CLASSES))))  # type: ignore[arg-type]


def turns(classes: list[int], smoothing: Smoothing | None = None) -> list[tuple[str, int, int]]:
    """What the task makes of given classes, in frames."""
    task = SpeakerActivity(speaking_model(classes), SpeechFeatureExtractor(), smoothing or Smoothing())
    hop = 80 / RATE  # the tiny model's strides
    activity = task(np.random.default_rng(0).standard_normal(80 * len(classes) + 40), sampling_rate=RATE)
    return [(turn.speaker, round(turn.start / hop), round(turn.end / hop)) for turn in activity.segments]


def test_turns_have_speakers_and_times() -> None:
    assert turns([0, 1, 1, 0, 2, 2, 0]) == [("first", 1, 3), ("second", 4, 6)]


def test_where_both_speak_both_have_a_turn() -> None:
    assert turns([1, 1, 3, 3, 2, 0, 1]) == [("first", 0, 4), ("second", 2, 5), ("first", 6, 7)]


def test_whoever_is_heard_first_is_the_first() -> None:
    assert turns([0, 2, 2, 1]) == [("first", 1, 3), ("second", 3, 4)]
    assert turns([2, 2, 0]) == [("first", 0, 2)]


def test_silence_has_no_turns() -> None:
    assert turns([0, 0, 0]) == []


def test_gaps_are_closed_and_short_turns_dropped() -> None:
    classes = [1, 1, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 1]
    assert turns(classes, Smoothing(longest_gap=2)) == [("first", 0, 5), ("second", 8, 9), ("first", 12, 13)]
    assert turns(classes, Smoothing(longest_gap=2, shortest_turn=2)) == [("first", 0, 5)]


def test_a_median_takes_single_frames_away() -> None:
    assert turns([1, 1, 1, 2, 1, 1, 0, 1, 1], Smoothing(window=3)) == [("first", 0, 9)]


def test_activity_turns_into_json(noise: Noise) -> None:
    task = SpeakerActivity(speaking_model([1, 1, 0, 2]), SpeechFeatureExtractor(), Smoothing(), model_name="x")
    values = task(noise(400), sampling_rate=RATE).to_json()
    assert json.loads(json.dumps(values)) == values
    assert set(values) == {"segments", "duration", "model"}
    assert (values["duration"], values["model"]) == (400 / RATE, "x")
    assert values["segments"][0] == {"speaker": "first", "start": 0.0, "end": 2 * 80 / RATE}


def test_a_checkpoint_finds_turns_within_the_clip(checkpoints: dict[str, Path], noise: Noise) -> None:
    activity = SpeakerActivity.from_pretrained(checkpoints["speaker_activity"])(noise(RATE), sampling_rate=RATE)
    assert activity.duration == 1
    assert all(0 <= turn.start < turn.end <= 1 for turn in activity.segments)


def test_smoothing_is_kept_beside_the_model(tmp_path: Path) -> None:
    smoothing = Smoothing(window=5, shortest_turn=3, longest_gap=2)
    smoothing.save(tmp_path)
    assert Smoothing.load(tmp_path) == smoothing


@pytest.mark.parametrize("values", ['{"window": 4}', '{"longest_gap": -1}', '{"shortest_turn": -1}', '{"wide": 3}'])
def test_wrong_smoothing_is_refused(tmp_path: Path, values: str) -> None:
    (tmp_path / ACTIVITY_FILE).write_text(values)
    with pytest.raises(CheckpointError, match="cannot be understood"):
        Smoothing.load(tmp_path)


def test_other_classes_are_refused() -> None:
    model = Data2VecAudioForAudioFrameClassification(PRESETS["audio-tiny"].replace(num_labels=4))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="none, first, second, both"):
        SpeakerActivity(model, SpeechFeatureExtractor(), Smoothing())
