"""Teaching transcription: lessons, masking, what is saved; the sentences of synthetic voices."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data2vec_core import Data2VecAudioForCTC, Data2VecAudioModel
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.tasks import Transcriber
from recipes import speech_synthesis
from recipes.bundled import an4
from recipes.finetuning.learning import learn
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.transcription import CONVOLUTIONS, Lesson, Sentence, Transcription
from recipes.sound import Samples

LETTERS = CTCTokenizer.of_characters("AB")
PITCHES = {"A": 300.0, "B": 2500.0}
"""In hertz: how the tiny language sounds."""


def sentence(text: str, random: np.random.Generator) -> Sentence:
    """A tone for every letter, a pause for every space."""
    pieces = []
    for letter in text:
        times = np.arange(1600) / 16_000
        tone = np.sin(2 * np.pi * PITCHES[letter] * times) if letter != " " else np.zeros(1600)
        pieces.append(0.3 * tone + 0.01 * random.standard_normal(1600))
        pieces.append(0.01 * random.standard_normal(800))
    return Sentence(np.concatenate(pieces).astype(np.float32), text)


def sentences(count: int, seed: int) -> list[Sentence]:
    random = np.random.default_rng(seed)
    return [sentence(str(random.choice(["A", "B", "AB", "A B", "BA", "B A"])), random) for _ in range(count)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    # frames of 25 ms and nothing left out: with the preset's 5 ms the plateau of blanks is long
    config = PRESETS["audio-tiny"].replace(
        conv_stride=(10, 8, 5),
        conv_kernel=(20, 8, 5),
        conv_bias=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
    )
    Data2VecAudioModel(config).save_pretrained(folder)  # type: ignore[arg-type]
    return folder


def a_tuning(
    encoder: Path, *, steps: int = 6, peak: float = 1e-3, fixed: tuple[str, ...] = (), **options: Any
) -> Transcription:
    plan = FinePlan(
        schedule=WarmupCosine(peak=peak, total=steps, warmup=2), score_every=steps, bf16=(), fixed=fixed, average=0.0
    )
    options = {"batch": 15_000, "tokenizer": LETTERS, "ctc_loss_reduction": "mean", **options}
    return Transcription(Start(encoder), plan, sentences(24, 0), sentences(6, 1), **options)


@pytest.mark.slow
def test_it_learns_and_the_task_reads_what_it_saves(encoder: Path, tmp_path: Path) -> None:
    lexicon = Lexicon.of_texts(["A B", "AB BA"])
    tuning = a_tuning(
        encoder, steps=400, peak=3e-3, fixed=(CONVOLUTIONS,), variants=1, apply_spec_augment=False, lexicon=lexicon
    )
    *_, last = learn(tuning, tmp_path)
    assert last.best > 0.8, "tones of two pitches are easy to tell apart"
    model = Data2VecAudioForCTC.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        assert tuning.score(model) == last.best
    transcribe = Transcriber.from_pretrained(tmp_path, beam=16, lexicon=True)
    heard = [transcribe(clip.content, sampling_rate=16_000) for clip in tuning.valid]
    assert sum(ours.text == clip.target for ours, clip in zip(heard, tuning.valid, strict=True)) >= 5
    assert {word.word for transcript in heard for word in transcript.words} <= {"A", "B", "AB", "BA"}


def test_lessons_follow_each_other(encoder: Path) -> None:
    random = np.random.default_rng(2)
    heard: list[str] = []

    def listen(samples: Samples, _: np.random.Generator) -> Samples:
        heard.append("AB"[pitch(samples)])
        return samples

    tuning = a_tuning(
        encoder,
        steps=8,
        lessons=(Lesson(0.25, [sentence("A", random)]), Lesson(0.5, [sentence("B", random)])),
        change=listen,
    )
    model = tuning.build_model()
    for step in range(4):
        tuning.loss(model, step)
    assert heard == ["A", "A", "B", "B"]
    heard.clear()
    tuning.loss(model, 4)
    assert len(heard) > 1, "then the sentences themselves"


def pitch(samples: np.ndarray) -> int:
    """0 for the letter A, 1 for B, by the strongest pitch of the first tone."""
    return int(np.abs(np.fft.rfft(samples[:1600])).argmax() * 10 > 1000)


def test_spans_are_hidden_from_the_named_moment_on(encoder: Path) -> None:
    tuning = a_tuning(encoder, steps=8, masked_from=0.5, mask_time_prob=0.5, mask_time_length=2)
    model = tuning.build_model().train()
    tuning.loss(model, 3)
    assert not model.backbone.config.apply_spec_augment
    tuning.loss(model, 4)
    assert model.backbone.config.apply_spec_augment
    assert model.config.apply_spec_augment, "what is saved is as it was asked for"


def test_a_step_is_the_same_every_time(encoder: Path) -> None:
    tuning = a_tuning(encoder, change=an4.change)
    model = tuning.build_model().eval()
    with torch.inference_mode():
        losses = [tuning.loss(model, step).item() for step in (3, 4, 3)]
    assert losses[0] == losses[2] != losses[1]


def test_features_that_are_kept_give_the_loss_of_the_sound(encoder: Path) -> None:
    clip = sentence("AB", np.random.default_rng(0))
    options: dict[str, Any] = {"lessons": (Lesson(0.99, [clip]),), "fixed": (CONVOLUTIONS,)}
    sound = a_tuning(encoder, **options)
    kept = a_tuning(encoder, variants=2, **options)
    model = sound.build_model().eval()
    with torch.inference_mode():
        expected = sound.loss(model, 0).item()
        first, again = kept.loss(model, 0).item(), kept.loss(model, 0).item()
    assert first == again
    assert first == pytest.approx(expected, rel=0.01), "but for the features' being kept in half precision"


def test_no_more_variants_of_a_clip_are_kept_than_asked_for(encoder: Path) -> None:
    changed: list[Samples] = []

    def change(samples: Samples, random: np.random.Generator) -> Samples:
        changed.append(an4.change(samples, random))
        return changed[-1]

    lesson = Lesson(0.99, [sentence("A", np.random.default_rng(0))])
    tuning = a_tuning(encoder, steps=40, fixed=(CONVOLUTIONS,), variants=2, lessons=(lesson,), change=change)
    model = tuning.build_model().eval()
    with torch.inference_mode():
        losses = {round(tuning.loss(model, step).item(), 5) for step in range(12)}
    assert len(changed) == len(losses) == 2


def test_features_are_kept_of_fixed_convolutions_only(encoder: Path) -> None:
    with pytest.raises(ValueError, match="variants=2.*fixed"):
        a_tuning(encoder, variants=2)


def test_lessons_out_of_order_are_named(encoder: Path) -> None:
    with pytest.raises(ValueError, match="lessons"):
        a_tuning(encoder, lessons=(Lesson(0.5, sentences(2, 0)), Lesson(0.2, sentences(2, 0))))
    with pytest.raises(ValueError, match="lessons"):
        a_tuning(encoder, lessons=(Lesson(1.0, sentences(2, 0)),))


def test_a_transcript_that_cannot_be_spelled_is_named(encoder: Path) -> None:
    with pytest.raises(ValueError, match=r"'A C'.*\['C'\]"):
        a_tuning(encoder, lessons=(Lesson(0.5, [Sentence(np.zeros(4000, np.float32), "A C")]),))


def test_the_weights_of_words_are_chosen_on_valid(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuning = a_tuning(encoder, lexicon=Lexicon({"A": 3}))
    model = tuning.build_model()
    torch.nn.init.zeros_(model.lm_head.weight)  # every character as probable as any other: the words' weights decide
    torch.nn.init.zeros_(model.lm_head.bias)
    model.save_pretrained(tmp_path)
    for processor in tuning.processors:
        processor.save_pretrained(tmp_path)
    monkeypatch.setattr(an4, "WORD_BONUSES", (-9.0, 9.0))  # few words, or as many as there is time for
    clip = sentence("A A A A", np.random.default_rng(0)).content
    for said, expected in (("B", -9.0), (" ".join("A" * 15), 9.0)):
        spoken = [Sentence(clip, said)]
        monkeypatch.setattr(an4, "examples", lambda data, split, spoken=spoken: spoken)  # noqa: ARG005
        an4.finish(tmp_path, tmp_path)
        chosen = Lexicon.from_folder(tmp_path)
        assert chosen.counts == {"A": 3}
        assert chosen.word_bonus == expected
    assert Transcriber.from_pretrained(tmp_path).windows == an4.WINDOWS


class TestVoices:
    def test_new_sentences_keep_the_pattern_and_the_words(self) -> None:
        texts = ["ENTER SIX", "B O B", "MAY FIRST", "ERASE TWO THOUSAND", "HALF"]
        made = an4.varied(texts, 200, np.random.default_rng(0))
        known = {word for text in texts for word in text.split()}
        assert {word for text in made for word in text.split()} == known, "no word that the texts do not have"
        assert {len(text.split()) for text in made} == {1, 2, 3}
        assert "O B B" in made or "O O B" in made or "B B O" in made, "letters take each other's places"
        assert not any(text.startswith("SIX") for text in made), "a digit never stands for a command"

    def test_words_of_one_kind_are_all_of_the_vocabulary(self) -> None:
        words = [word for kind in an4.KINDS for word in kind]
        assert len(set(words)) == len(words)
        CTCTokenizer.of_characters().encode(" ".join(words))

    def test_a_missing_synthesiser_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(speech_synthesis, "PROGRAM", "no-such-program")
        with pytest.raises(ValueError, match="needs the program no-such-program"):
            speech_synthesis.read_aloud(["one"])

    @pytest.mark.skipif(shutil.which(speech_synthesis.PROGRAM) is None, reason="espeak-ng is not installed")
    def test_voices_differ_and_the_seed_brings_them_back(self) -> None:
        once, again, other = (speech_synthesis.read_aloud(["one", "one"], seed=seed) for seed in (0, 0, 1))
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
        assert len({len(samples) for samples in (*once, *other)}) > 2
        assert all(len(samples) > 2000 and 0.05 < np.abs(samples).max() <= 1 for samples in (*once, *other))
        assert all(samples.dtype == np.float32 for samples in once)
