"""Classes of sounds: what is drawn, how it is changed, and the two bundled models that learn them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core import Data2VecAudioForSequenceClassification
from data2vec_core.pretraining.schedule import WarmupCosine
from recipes.bundled import commands, esc10
from recipes.finetuning.learning import learn
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.sound_classes import Sound, SoundClasses
from recipes.finetuning.start import Start
from recipes.sound import QUIETEST, Samples, colour, mix_in
from tests.labelled_data import save_encoder

RATE = 16_000
PLAN = FinePlan(schedule=WarmupCosine(peak=1e-2, total=40, warmup=4), score_every=20)


def tone(frequency: float, seconds: float = 0.2) -> Samples:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_encoder("audio", tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tones() -> list[Sound]:
    """Low ones and, fewer, high ones."""
    low = [Sound(tone(200 + 10 * index), "low") for index in range(9)]
    return [*low, *(Sound(tone(2000 + 100 * index, 0.1), "high") for index in range(3))]


def sound_classes(encoder: str, tones: list[Sound], **settings: object) -> SoundClasses:
    return SoundClasses(
        Start(encoder),
        PLAN,
        tones,
        tones,
        labels=("high", "low"),
        length=2400,
        batch=64,
        **settings,  # type: ignore[arg-type]
    )


class TestDrawing:
    def test_clips_are_cut_and_filled_to_one_length(self, encoder: str, tones: list[Sound]) -> None:
        clips, targets = sound_classes(encoder, tones).draw(np.random.default_rng(0))
        assert {len(clip) for clip in clips} == {2400}
        assert all(not clip[1600:].any() for clip, target in zip(clips, targets, strict=True) if target[0] == 1)
        assert set(targets.flatten().tolist()) == {0.0, 1.0}

    def test_classes_are_drawn_as_often_as_they_are_or_equally_often(self, encoder: str, tones: list[Sound]) -> None:
        def share_of_high(is_balanced: bool) -> float:
            tuning = sound_classes(encoder, tones, is_balanced=is_balanced)
            drawn = [tuning.draw(np.random.default_rng(seed))[1][:, 0] for seed in range(8)]
            return float(torch.cat(drawn).mean())

        assert share_of_high(False) == pytest.approx(0.25, abs=0.06)
        assert share_of_high(True) == pytest.approx(0.5, abs=0.07)

    def test_mixed_clips_have_shares_of_both_classes(self, encoder: str, tones: list[Sound]) -> None:
        clips, targets = sound_classes(encoder, tones, mixup=1.0).draw(np.random.default_rng(0))
        assert torch.allclose(targets.sum(dim=1), torch.ones(64))
        mixed = ((targets > 0.3) & (targets < 0.7)).all(dim=1).nonzero().flatten().tolist()
        spectrum = np.abs(np.fft.rfft(clips[mixed[0]]))
        bands = [spectrum[: 2400 * 1000 // RATE].max(), spectrum[2400 * 1000 // RATE :].max()]
        assert min(bands) > 0.1 * max(bands)

    def test_the_same_step_draws_the_same(self, encoder: str, tones: list[Sound]) -> None:
        tuning = sound_classes(encoder, tones, mixup=0.3)
        model = tuning.build_model()  # in eval mode: without dropout
        assert tuning.loss(model, 3).item() == tuning.loss(model, 3).item() != tuning.loss(model, 4).item()


def test_tones_are_learnt(encoder: str, tones: list[Sound], tmp_path: Path) -> None:
    reports = list(learn(sound_classes(encoder, tones, is_balanced=True, smoothing=0.05), tmp_path))
    assert reports[-1].best == 1.0
    kept = Data2VecAudioForSequenceClassification.from_pretrained(tmp_path)
    assert list(kept.config.labels) == ["high", "low"]


class TestChanges:
    def test_colouring_changes_the_spectrum_smoothly_and_within_bounds(self) -> None:
        noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
        coloured = colour(noise, 6.0, np.random.default_rng(1))
        assert coloured.dtype == np.float32
        assert coloured.shape == noise.shape
        gains = 20 * np.log10(np.abs(np.fft.rfft(coloured)[1:-1]) / np.abs(np.fft.rfft(noise)[1:-1]))
        assert np.abs(gains).max() < 6.01
        assert np.ptp(gains) > 2
        assert np.abs(np.diff(gains[100:])).max() < 0.2

    @pytest.mark.parametrize("length", [500, 4000])
    def test_a_noise_is_mixed_in_at_its_level(self, length: int) -> None:
        sound, noise = tone(440), np.random.default_rng(0).standard_normal(length).astype(np.float32)
        added = mix_in(sound, noise, 10.0, np.random.default_rng(1)) - sound
        assert 20 * np.log10(np.std(sound) / np.std(added)) == pytest.approx(10, abs=0.3)

    def test_silence_is_not_made_louder_without_end(self) -> None:
        sound = tone(440)
        assert np.array_equal(mix_in(sound, np.zeros(100, np.float32), 0.0, np.random.default_rng(0)), sound)
        faint = np.full(len(sound), QUIETEST / 100, np.float32)
        assert np.abs(mix_in(sound, faint, 0.0, np.random.default_rng(0)) - sound).max() < 0.02


class TestBundled:
    def test_synthetic_words_are_whole_seconds_of_known_classes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spoken: list[str] = []

        def read_aloud(words: list[str], *, seed: int) -> list[Samples]:  # noqa: ARG001
            spoken.extend(words)
            return [tone(300, 0.3 + 0.9 * (index % 2)) for index in range(len(words))]

        monkeypatch.setattr(commands, "read_aloud", read_aloud)
        sounds = commands.synthetic(0)
        assert {len(sound.content) for sound in sounds} == {commands.SECOND}
        counts = Counter(sound.target for sound in sounds)
        assert all(counts[label] == commands.READ_ALOUD for label in commands.LABELS[:10])
        assert counts["_unknown_"] == 2 * commands.READ_ALOUD
        assert not set(spoken[10 * commands.READ_ALOUD :]) & set(commands.LABELS)
        assert all(sound.content.any() for sound in sounds)

    def test_a_change_keeps_about_the_length(self, encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "synthetic", lambda seed: [])  # noqa: ARG005
        train = [Sound(tone(300, 1.0), label) for label in commands.LABELS]
        tuning = commands.tuning(Start(encoder), commands.PLAN, train, train)
        assert tuning.labels == list(commands.LABELS)
        for seed in range(8):
            clips, _ = tuning.draw(np.random.default_rng(seed))
            assert {len(clip) for clip in clips} == {commands.SECOND}
            assert all(np.isfinite(clip).all() for clip in clips)
        for seed in range(4):
            assert 0.8 * RATE < len(esc10.change(tone(300, 1.0), np.random.default_rng(seed))) < 1.3 * RATE

    def test_what_is_fixed_is_what_the_encoder_has(self, encoder: str) -> None:
        tuning = esc10.tuning(Start(encoder), esc10.PLAN, [Sound(tone(300), esc10.LABELS[0])] * 2, [])
        model = tuning.build_model()
        esc10.PLAN.fix(model)
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert all(any(name.startswith(start) for name, _ in model.named_parameters()) for start in esc10.PLAN.fixed)
        assert {name.split(".")[3] for name in trained if name.startswith("backbone.encoder.layers.")} == {"0", "1"}
        assert not any(name.startswith("backbone.feature") for name in trained)
