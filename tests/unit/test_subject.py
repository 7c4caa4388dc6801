"""One checkpoint and one input, looked into: against the model's own passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from analysis.subject import CLASS_TOKEN, Subject
from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.trace import Trace
from tests.lab import bundle
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture

SENTENCE = "a warm, wise film: naïve?"


@pytest.fixture(scope="module")
def encoders(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    return bundle(checkpoints, tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="module")
def subjects(encoders: Path) -> dict[str, Subject]:
    return {modality: Subject.from_pretrained(encoders / modality) for modality in MODALITIES}


def source(modality: str) -> Any:
    random = np.random.default_rng(0)
    return {
        "audio": random.standard_normal(4000).astype(np.float32),
        "text": SENTENCE,
        "vision": Image.fromarray(random.integers(0, 255, (40, 60, 3), dtype=np.uint8)),
    }[modality]


@pytest.mark.parametrize("modality", MODALITIES)
def test_attention_and_layers_are_those_of_a_plain_pass(modality: str, subjects: dict[str, Subject]) -> None:
    subject = subjects[modality]
    shown = subject.show(source(modality), sampling_rate=16_000)
    with torch.inference_mode():
        plain: Any = subject.encoder(**shown.batch, output_attentions=True, output_hidden_states=True)  # type: ignore[arg-type]
    for layer in range(1, subject.depth + 1):
        attention = subject.attention(shown, layer)
        assert attention == pytest.approx(plain.attentions[layer - 1][0].numpy(), abs=1e-6)
        assert attention.sum(axis=-1) == pytest.approx(1, abs=1e-5)
        assert attention.shape[1] == shown.class_tokens + len(shown)
    hidden = subject.hidden(shown)
    assert hidden[:-1] == pytest.approx(torch.cat(plain.hidden_states).numpy()[:-1], abs=1e-5)
    places = [shown.place(position) for position in range(len(shown)) if position not in shown.special]
    for layer in range(subject.depth + 1):
        assert subject.embed(shown, layer) == pytest.approx(hidden[layer][places].mean(axis=0), abs=1e-5)
        assert subject.embed(shown, layer, pooling="first") == pytest.approx(hidden[layer][0], abs=1e-5)
        assert subject.embed(shown, layer, pooling="max") == pytest.approx(hidden[layer][places].max(axis=0), abs=1e-5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_teacher_is_the_checkpoints_own(modality: str, subjects: dict[str, Subject], encoders: Path) -> None:
    from data2vec_core.pretraining.start import load_encoder

    subject = subjects[modality]
    assert subject.has_teacher
    assert subject.has_predictor
    shown = subject.show(source(modality), sampling_rate=16_000)
    assert np.abs(subject.hidden(shown, "teacher") - subject.hidden(shown)).max() > 1e-3
    trace = Trace(["hidden"])
    with torch.inference_mode():
        load_encoder(encoders / modality, "teacher")(**shown.batch, trace=trace)  # type: ignore[arg-type]
    assert subject.hidden(shown, "teacher") == pytest.approx(torch.cat(trace.all("hidden")).numpy(), abs=1e-5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_without_a_teacher_its_role_is_played_by_the_weights_themselves(
    modality: str,
    checkpoints: dict[str, Path],  # noqa: F811
) -> None:
    subject = Subject.from_pretrained(checkpoints[modality])
    assert not subject.has_teacher
    assert not subject.has_predictor
    shown = subject.show(source(modality), sampling_rate=16_000)
    assert subject.hidden(shown, "teacher") == pytest.approx(subject.hidden(shown))
    model = subject.pretraining
    assert model.method.targets.top_layers <= subject.depth
    assert subject.pretraining is model
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("task", ["transcribe", "classify_text", "classify_image", "segment_image", "continue_text"])
def test_the_encoder_under_a_head_can_be_looked_into(task: str, checkpoints: dict[str, Path]) -> None:  # noqa: F811
    subject = Subject.from_pretrained(checkpoints[task])
    shown = subject.show(source(subject.modality), sampling_rate=16_000)
    attention = subject.attention(shown, subject.depth)
    if task == "continue_text":
        assert np.triu(attention, k=1).max() == 0, "a decoder stays one"
    else:
        assert np.triu(attention, k=1).max() > 0


def test_positions_of_a_text_are_its_tokens(subjects: dict[str, Subject]) -> None:
    shown = subjects["text"].show(SENTENCE)
    assert shown.labels[0] == "<s>"
    assert shown.labels[-1] == "</s>"
    assert shown.special == (0, len(shown) - 1)
    assert shown.offsets is not None
    for label, (start, end) in zip(shown.labels[1:-1], shown.offsets[1:-1], strict=True):
        assert label == (SENTENCE[start:end] or " ")


def test_a_text_beyond_what_is_read_at_once_is_cut(subjects: dict[str, Subject]) -> None:
    subject = subjects["text"]
    shown = subject.show("a film " * 5000)
    assert len(shown) <= subject.processor.max_length  # type: ignore[union-attr]


def test_positions_of_a_sound_are_frames(subjects: dict[str, Subject]) -> None:
    subject = subjects["audio"]
    shown = subject.show(source("audio"), sampling_rate=16_000)
    assert shown.step == subject.encoder.config.inputs_to_logits_ratio / 16_000
    assert shown.labels[:2] == ("0.00 s", f"{shown.step:.2f} s")
    assert subject.hidden(shown).shape[1] == len(shown)


def test_the_picture_shown_is_the_one_that_the_model_sees(subjects: dict[str, Subject]) -> None:
    shown = subjects["vision"].show(Image.new("RGB", (50, 30), (200, 100, 0)))
    assert shown.picture is not None
    assert shown.picture.shape == (*shown.batch["pixel_values"].shape[2:], 3)
    assert (shown.picture == (200, 100, 0)).all()
    assert shown.grid is not None
    assert len(shown) == shown.grid[0] * shown.grid[1]
    assert shown.labels[shown.grid[1]] == "2, 1"


def test_the_class_token_is_no_place_but_can_be_named(subjects: dict[str, Subject]) -> None:
    shown = subjects["vision"].show(source("vision"))
    assert shown.place(CLASS_TOKEN) == 0
    assert shown.place(0) == 1
    with pytest.raises(ValueError, match="numbered from 0, or -1 for the class token"):
        shown.place(len(shown))
    with pytest.raises(ValueError, match="numbered from 0"):
        subjects["text"].show(SENTENCE).place(CLASS_TOKEN)


@pytest.mark.parametrize("modality", MODALITIES)
def test_copies_in_one_pass_are_like_the_one(modality: str, subjects: dict[str, Subject]) -> None:
    subject = subjects[modality]
    shown = subject.show(source(modality), sampling_rate=16_000)
    for role in ("student", "teacher"):
        trace = Trace({"hidden": [subject.depth]})
        with torch.inference_mode():
            subject.run(shown, role, trace, copies=3)
        found = trace["hidden", subject.depth].numpy()
        assert found == pytest.approx(np.stack([subject.hidden(shown, role)[-1]] * 3), abs=1e-4)


def test_what_is_not_there_is_refused(subjects: dict[str, Subject]) -> None:
    subject = subjects["text"]
    shown = subject.show(SENTENCE)
    with pytest.raises(ValueError, match="layer=0: expected 1 to"):
        subject.attention(shown, 0)
    with pytest.raises(ValueError, match="layer=9: expected 0 to"):
        subject.embed(shown, 9)
    with pytest.raises(ValueError, match="expected one of mean, first, max"):
        subject.embed(shown, 0, pooling="last")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one of student, teacher"):
        subject.hidden(shown, "pupil")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a text"):
        subject.show(3)  # type: ignore[arg-type]
