"""Passes without padding: every item comes out as if it had been alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import data2vec_core
from data2vec_core import Data2VecAudioModel, Data2VecTextForMultipleChoice, Data2VecTextModel, Trace
from data2vec_core.audio.lengths import frame_count
from data2vec_core.packing import Packing
from tests import clips
from tests.text_samples import DECODER, TINY

TOKENS = (3, 17, 1, 9)
SAMPLES = (4000, 1700, 60, 2600)
"""Of clips; the third is too short for a frame."""


def texts() -> dict[str, Any]:
    """A padded batch; the third sequence is padded on the left."""
    ids = torch.full((len(TOKENS), max(TOKENS)), TINY.pad_token_id)
    for row, length in enumerate(TOKENS):
        places = slice(-length, None) if row == 2 else slice(length)
        ids[row, places] = torch.randint(4, TINY.vocab_size, (length,))
    return {"input_ids": ids, "attention_mask": (ids != TINY.pad_token_id).long()}


def sounds() -> dict[str, Any]:
    mask = (torch.arange(max(SAMPLES)) < torch.tensor(SAMPLES)[:, None]).long()
    return {"input_values": torch.randn(len(SAMPLES), max(SAMPLES)) * mask, "attention_mask": mask}


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-5, rtol=1e-4)


def test_a_batch_goes_into_a_row_and_back() -> None:
    mask = torch.tensor([[1, 1, 0], [0, 0, 0], [0, 1, 1]])
    packing = Packing.of(mask)
    assert packing is not None
    assert packing.lengths == [2, 0, 2]
    values = torch.arange(9.0).view(3, 3, 1)
    packed = packing.pack(values)
    assert packed.flatten().tolist() == [0, 1, 7, 8]
    assert packing.unpack(packed).flatten().tolist() == [0, 1, 0, 0, 0, 0, 0, 7, 8]
    assert packing.each(lambda item: item.cumsum(dim=1), packed).flatten().tolist() == [0, 1, 7, 15]


@pytest.mark.parametrize("mask", [torch.ones(2, 3), torch.zeros(2, 3)], ids=["nothing hidden", "nothing real"])
def test_there_is_nothing_to_pack(mask: Tensor) -> None:
    assert Packing.of(mask) is None


@pytest.mark.parametrize("position_embedding_type", ["absolute", "relative_key_query"])
def test_sequences_come_out_as_if_alone(position_embedding_type: str) -> None:
    model = Data2VecTextModel(TINY.replace(position_embedding_type=position_embedding_type)).eval()
    batch = texts()
    trace = Trace({"hidden": [0, 2]})
    with torch.no_grad():
        found = model(**batch, without_padding=True, trace=trace)
        for row, real in enumerate(batch["attention_mask"].bool()):
            alone = model(batch["input_ids"][row, real][None])
            assert close(found.last_hidden_state[row, real], alone.last_hidden_state[0])
            assert not found.last_hidden_state[row, ~real].any()
        padded = model(**batch, output_hidden_states=True)
    assert padded.hidden_states is not None
    real = batch["attention_mask"].bool()
    for layer in (0, 2):
        assert close(trace["hidden", layer][real], padded.hidden_states[layer][real])


def test_clips_come_out_as_if_alone() -> None:
    model = Data2VecAudioModel(clips.TINY).eval()
    batch = sounds()
    with torch.no_grad():
        found = model(**batch, without_padding=True, output_hidden_states=True)
        for row, samples in enumerate(SAMPLES):
            frames = frame_count(samples, model.config)
            assert not found.last_hidden_state[row, frames:].any()
            if frames:
                alone = model(batch["input_values"][row, :samples][None], output_hidden_states=True)
                assert close(found.last_hidden_state[row, :frames], alone.last_hidden_state[0])
                assert close(found.extract_features[row, :frames], alone.extract_features[0])
                assert all(
                    close(one[row, :frames], other[0])
                    for one, other in zip(found.hidden_states or (), alone.hidden_states or (), strict=True)
                )


@pytest.mark.parametrize("name", ["MaskedLM", "SequenceClassification", "TokenClassification", "QuestionAnswering"])
def test_text_heads_take_it(name: str) -> None:
    model = getattr(data2vec_core, f"Data2VecTextFor{name}")(TINY).eval()
    batch = {key: rows[[0, 1, 3]] for key, rows in texts().items()}
    field = "end_logits" if name == "QuestionAnswering" else "logits"
    found = model(**batch, without_padding=True)[field]
    for row, length in enumerate(batch["attention_mask"].sum(dim=1).tolist()):
        alone = model(batch["input_ids"][row, None, :length])[field][0]
        assert close(found[row] if name == "SequenceClassification" else found[row, :length], alone)


def test_choices_are_packed_too() -> None:
    model = Data2VecTextForMultipleChoice(TINY).eval()
    batch = {key: rows[[0, 1, 3]][None] for key, rows in texts().items()}
    assert close(model(**batch, without_padding=True).logits, model(**batch).logits)


@pytest.mark.parametrize("name", ["CTC", "SequenceClassification", "AudioFrameClassification"])
@pytest.mark.parametrize("mixes_layers", [False, True])
def test_speech_heads_take_it(name: str, mixes_layers: bool) -> None:
    model = getattr(data2vec_core, f"Data2VecAudioFor{name}")(clips.TINY.replace(use_weighted_layer_sum=mixes_layers))
    model.eval()
    batch = sounds()
    found = model(**batch, without_padding=True).logits
    for row, samples in enumerate(SAMPLES):
        if frames := frame_count(samples, model.config):
            alone = model(batch["input_values"][row, None, :samples]).logits[0]
            assert close(found[row] if name == "SequenceClassification" else found[row, :frames], alone)


def test_it_can_be_learnt_from() -> None:
    model = Data2VecTextModel(TINY).eval()
    batch = texts()
    weight = model.get_parameter("encoder.layers.0.feed_forward.up.weight")
    gradients = []
    for without_padding in (True, False):
        states = model(**batch, without_padding=without_padding).last_hidden_state
        states[batch["attention_mask"].bool()].square().sum().backward()
        assert weight.grad is not None
        gradients.append(weight.grad.clone())
        weight.grad = None
    packed, padded = gradients
    assert torch.allclose(packed, padded, atol=1e-4, rtol=1e-3)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="record hidden states only"):
        Data2VecTextModel(TINY).eval()(**texts(), without_padding=True, output_attentions=True)
    with pytest.raises(ValueError, match="is_decoder=True"):
        Data2VecTextModel(DECODER).eval()(**texts(), without_padding=True)
    with pytest.raises(ValueError, match=r"mask \(batch, positions\)"):
        Data2VecTextModel(TINY)(torch.ones(1, 2, dtype=torch.long), torch.ones(1, 2, 2), without_padding=True)
    with pytest.raises(ValueError, match="the input is"):
        Data2VecTextModel(TINY)(torch.ones(1, 2, dtype=torch.long), torch.tensor([[1, 1, 0]]), without_padding=True)
    with pytest.raises(ValueError, match="adapter"):
        Data2VecAudioModel(clips.TINY.replace(add_adapter=True))(**sounds(), without_padding=True)
