"""Scores of voices counted by hand, made conversations, and the two kinds of task that learn from voices."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core import Data2VecAudioForXVector, Data2VecAudioModel
from data2vec_core.audio.lengths import frame_count
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from recipes.backbones.starts import Spectra
from recipes.finetuning.frames import SpeakerTurns, affinity_loss
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.speakers import SpeakerVectors, Utterance, Voice
from recipes.finetuning.start import Start
from recipes.finetuning.voice_start import CHANNELS, discriminants, frames, start_from_spectra
from recipes.mixtures import Mixture, Scenery, Speech, conversations, converse, fill_gaps, find_speech
from recipes.voice_metrics import DiarisationErrors, equal_error

RATE = 16_000
PLAN = FinePlan(schedule=WarmupCosine(peak=3e-3, total=30, warmup=3), score_every=30)


def hum(pitch: float, seconds: float = 1.0) -> np.ndarray:
    """A voice of a kind."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * pitch * time) + 0.1 * np.sin(6 * np.pi * pitch * time)).astype(np.float32)


def voices(count: int = 3, **speech: float) -> dict[str, list[Speech]]:
    return {f"v{index}": [find_speech(hum(150 + 90 * index, **speech))] for index in range(count)}


def test_equal_error_rates_counted_by_hand() -> None:
    is_same = np.array([True, True, False, False])
    assert equal_error(np.array([0.9, 0.8, 0.2, 0.1]), is_same).rate == 0
    assert equal_error(np.array([0.9, 0.2, 0.8, 0.1]), is_same).rate == 0.5
    assert equal_error(np.array([0.1, 0.2, 0.8, 0.9]), is_same).rate == 1
    assert equal_error(np.full(4, 0.5), is_same).rate == 0.5  # nothing tells them apart
    # of (missed, accepted), (1/3, 1/2) is followed by (2/3, 1/2): equal half-way
    assert equal_error(np.array([0.9, 0.5, 0.4, 0.6, 0.1]), np.array([1, 1, 1, 0, 0], bool)).rate == 0.5


def test_the_threshold_lies_between_the_kinds() -> None:
    point = equal_error(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False]))
    assert 0.2 < point.threshold < 0.8


@pytest.mark.parametrize("is_same", [[True, True], [False, False], [True]])
def test_trials_of_one_kind_have_no_equal_error(is_same: list[bool]) -> None:
    with pytest.raises(ValueError, match="is_same"):
        equal_error(np.array([0.1, 0.2]), np.array(is_same))


def speaking(text: str) -> np.ndarray:
    """(frames, 2) from one letter a frame: a, b, 2 (both), or . (nobody)."""
    return np.array([[letter in "a2", letter in "b2"] for letter in text])


@pytest.mark.parametrize(
    ("found", "true", "missed", "false_alarm", "confused"),
    [
        ("aabb..", "aabb..", 0, 0, 0),
        ("bbaa..", "aabb..", 0, 0, 0),  # names do not matter
        ("aaaa..", "aabb..", 0, 0, 2),
        ("aab...", "aabb..", 1, 0, 0),
        ("aabbbb", "aabb..", 0, 2, 0),
        ("aabbaa", "aa22aa", 2, 0, 0),  # one of two found; which one is right either way
        ("aa22aa", "aabbaa", 0, 2, 0),
        ("......", "aa22aa", 8, 0, 0),
    ],
)
def test_diarisation_errors(found: str, true: str, missed: int, false_alarm: int, confused: int) -> None:
    errors = DiarisationErrors.count(speaking(found), speaking(true))
    assert errors == DiarisationErrors(missed, false_alarm, confused, int(speaking(true).sum()))
    assert errors.rate == (missed + false_alarm + confused) / speaking(true).sum()


def test_in_order_the_first_is_the_first() -> None:
    assert DiarisationErrors.count_in_order(speaking("bbaa"), speaking("aabb")).confused == 4


def test_gaps_between_are_filled_and_those_at_the_ends_kept() -> None:
    is_on = np.array([False, True, False, True, False, False, True, False])
    assert fill_gaps(is_on, 1).tolist() == [False, True, True, True, False, False, True, False]
    assert fill_gaps(is_on, 2).tolist() == [False, True, True, True, True, True, True, False]
    assert fill_gaps(np.zeros(3, dtype=bool), 5).tolist() == [False] * 3


def test_silence_around_an_utterance_is_cut_and_its_pause_marked() -> None:
    silence, pause = np.zeros(RATE, np.float32), np.zeros(RATE // 2, np.float32)
    speech = find_speech(np.concatenate([silence, hum(200), pause, hum(200), silence]))
    assert abs(len(speech.samples) - 2.5 * RATE) <= 640
    assert abs((~speech.is_speech).sum() - RATE // 2) <= 640


def test_a_conversation_says_who_speaks() -> None:
    quiet = Scenery(noise=(60.0, 60.0))
    mixture = converse(list(voices(2).values()), np.random.default_rng(1), quiet)
    frames = np.lib.stride_tricks.sliding_window_view(mixture.samples, 400)[::320]
    assert frames.shape[0] == len(mixture.is_speaking) == frame_count(len(mixture.samples), Data2VecAudioConfig())
    is_loud = np.sqrt((frames**2).mean(axis=1)) > 0.01
    agree = is_loud == mixture.is_speaking.any(axis=1)
    assert agree.mean() > 0.97  # all but frames on an edge
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(400), axis=1))
    low, high = spectrum[:, 3:5].max(axis=1), spectrum[:, 6].astype(float)  # 150 and 240 Hz, 40 Hz a bin
    only = [(mixture.classes == 1) & is_loud, (mixture.classes == 2) & is_loud]
    assert (low > high)[only[0]].mean() > 0.9
    assert (high > low)[only[1]].mean() > 0.9


def test_the_first_voice_is_heard_first_and_both_are_heard() -> None:
    for mixture in conversations([voices()], 20, seed=0, scenery=Scenery()):
        starts = mixture.is_speaking.argmax(axis=0)
        assert mixture.is_speaking.any(axis=0).all()
        assert starts[0] <= starts[1]
        assert set(np.unique(mixture.classes)) <= {0, 1, 2, 3}
        assert np.abs(mixture.samples).max() <= 1


def test_alone_the_second_voice_never_comes() -> None:
    mixture = converse(list(voices(2).values()), np.random.default_rng(0), Scenery(alone=1.0))
    assert mixture.is_speaking[:, 0].any()
    assert not mixture.is_speaking[:, 1].any()


def digest(mixtures: list[Mixture]) -> str:
    parts = [part for mixture in mixtures for part in (mixture.samples.tobytes(), mixture.is_speaking.tobytes())]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_the_same_seed_makes_the_same_conversations() -> None:
    made = [digest(conversations([voices()], 4, seed=seed, scenery=Scenery())) for seed in (5, 5, 6)]
    assert made[0] == made[1] != made[2]
    more = conversations([voices()], 6, seed=5, scenery=Scenery())
    assert digest(more[:4]) == made[0]  # the first ones do not depend on how many are made


def test_a_faster_voice_is_higher() -> None:
    scenery = Scenery(seconds=2.0, speed=(1.5, 1.5), noise=(60.0, 60.0))
    samples = converse([voices(1)["v0"]] * 2, np.random.default_rng(0), scenery).samples
    assert np.abs(np.fft.rfft(samples)).argmax() / 2 == pytest.approx(225, abs=8)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """Tiny, with the frames of the bundled one."""
    public = Data2VecAudioConfig()
    config = PRESETS["audio-tiny"].replace(
        conv_dim=(16,) * 7, conv_kernel=public.conv_kernel, conv_stride=public.conv_stride
    )
    torch.manual_seed(1)
    Data2VecAudioModel(config).save_pretrained(tmp_path / "encoder")  # type: ignore[arg-type]
    return tmp_path / "encoder"


def utterances() -> list[Utterance]:
    return [
        Utterance(hum(120 + 60 * speaker, 0.4), Voice(f"s{speaker}", corpus, "f"))
        for corpus in ("here", "there")
        for speaker in range(3)
        for _ in range(2)
    ]


def speaker_vectors(encoder: Path, **options: object) -> SpeakerVectors:
    shape = {"tdnn_dim": (CHANNELS,), "tdnn_kernel": (3,), "tdnn_dilation": (1,), "xvector_output_dim": 4}
    options = {"length": RATE // 2, "batch": 6, "spectra": 2, **shape, **options}
    return SpeakerVectors(Start(encoder), PLAN, utterances(), utterances(), **options)  # type: ignore[arg-type]


def test_crops_are_of_the_voices_they_name(encoder: Path) -> None:
    tuning = speaker_vectors(encoder)
    seen: set[int] = set()
    for step in range(8):
        clips, speakers = tuning.draw(np.random.default_rng(step))
        assert {len(clip) for clip in clips} == {RATE // 2}
        for clip, speaker in zip(clips, speakers.tolist(), strict=True):
            assert np.abs(np.fft.rfft(clip)).argmax() * 2 == pytest.approx(120 + 60 * (speaker % 3), abs=6)
        seen |= set(speakers.tolist())
    assert seen == set(range(6))
    assert len(tuning.build_model().config.labels) == 6


def test_the_vectors_that_are_compared_are_those_of_the_loss(encoder: Path) -> None:
    model = speaker_vectors(encoder).build_model().eval()
    output = model(torch.randn(2, RATE // 2))
    assert torch.equal(output.logits, output.embeddings)


def test_the_layers_below_the_pooling_learn_spectra(encoder: Path) -> None:
    tuning = speaker_vectors(encoder, spectra=1)
    model = tuning.build_model()
    spectra = Spectra(model.backbone)
    sample = torch.cat([spectra(tuning.crops(step)).flatten(0, 1) for step in range(10)])

    def error() -> float:
        bands = (spectra(tuning.crops(50)) - sample.mean(dim=0)) / sample.std(dim=0).clamp(min=0.01)
        split = torch.cat([bands.relu(), (-bands).relu()], dim=-1)[:, 1:-1]  # the time-delay layer's own edge
        with torch.inference_mode():
            return float((frames(model.eval(), tuning.crops(50)) - split).square().mean())

    before = error()
    start_from_spectra(model, tuning.crops, steps=20, rate=3e-3)
    assert error() < 0.8 * before


def test_discriminants_find_what_tells_speakers_apart() -> None:
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 10)
    corpora = np.where(speakers < 10, "here", "there")
    values = 3 * random.standard_normal((200, 6))  # noise within speakers
    values[:, 2] = 2.0 * random.standard_normal(20)[speakers] + 0.5 * random.standard_normal(200)
    values[:, 4] = 100.0 * (corpora == "there") + random.standard_normal(200)  # only the corpora differ in it
    weight = discriminants(values, speakers, list(corpora), dim=1, shrinkage=0.0)
    share = np.abs(weight[0] * values.std(axis=0))
    assert weight.shape == (1, 6)
    assert share.argmax() == 2
    left = values - np.stack([values[speakers == speaker].mean(axis=0) for speaker in speakers])
    assert (left @ weight[0]).std() == pytest.approx(1, rel=0.1)


def test_voices_are_compared_within_a_corpus_and_gender(encoder: Path) -> None:
    tuning = speaker_vectors(encoder)
    trials = tuning._trials(torch.eye(len(tuning.valid)))
    assert {corpus: (len(is_same), int(is_same.sum())) for corpus, (_, is_same) in trials.items()} == {
        "here": (15, 3),
        "there": (15, 3),
    }


def test_speakers_are_learnt(encoder: Path) -> None:
    # a margin would grow, and the loss with it; discriminants of pure tones hang on the last bits of their covariance
    tuning = speaker_vectors(encoder, margin=0.0, spectra=0)
    model = tuning.build_model().train()
    assert isinstance(model, Data2VecAudioForXVector)
    optimiser = PLAN.replace(schedule=WarmupCosine(peak=1e-3, total=30, warmup=3)).optimiser(model)
    losses = []
    for step in range(12):
        loss = tuning.loss(model, step)
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert sum(losses[-3:]) < sum(losses[:3]) / 2
    with torch.inference_mode():
        assert 0 <= tuning.score(model.eval()) <= 1
    assert tuning.loss(model, 3).item() == tuning.loss(model, 3).item()  # a batch is a function of its step


def test_the_affinity_of_frames() -> None:
    first, second = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 1.0, 0, 0])
    classes = torch.tensor([[1, 1, 2, 2, 0, 3]])
    apart = torch.stack([first, first, second, second, first, first])[None]
    assert affinity_loss(apart, classes, step=1).item() == pytest.approx(0)
    alike = first.expand(1, 6, 4)
    assert affinity_loss(alike, classes, step=1).item() == pytest.approx(1)  # only the pairs of two voices are wrong
    alone = torch.ones_like(classes)
    assert affinity_loss(alike, alone, step=1).item() == pytest.approx(0)  # there may be only one voice
    free = apart + torch.tensor([0, 0, 5.0, 7.0])
    assert affinity_loss(free, classes, step=1).item() == pytest.approx(0)  # the other half of the channels


def test_turns_are_learnt(encoder: Path) -> None:
    scenery = Scenery(seconds=2.0)
    heard = []

    def draw(random: np.random.Generator, progress: float) -> Mixture:
        heard.append(progress)
        return converse(list(voices(2, seconds=0.5).values()), random, scenery)

    valid = conversations([voices(2, seconds=0.5)], 2, seed=0, scenery=scenery)
    tuning = SpeakerTurns(Start(encoder), PLAN, draw, valid, batch=2, affinity=0.5)
    model = tuning.build_model().train()
    assert model.config.labels == ["none", "first", "second", "both"]
    optimiser = PLAN.optimiser(model)
    losses = []
    for step in range(10):
        loss = tuning.loss(model, step)
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert np.mean(losses[-3:]) < losses[0]
    assert heard[::2] == [step / PLAN.steps for step in range(10)]
    with torch.inference_mode():
        assert tuning.score(model.eval()) < 1
