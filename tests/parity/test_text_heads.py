"""The seven text classes against the reference, on the same random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import data2vec_core
from data2vec_core import Data2VecTextConfig, Data2VecTextForMaskedLM
from data2vec_core.checkpoints.loading import to_public_names
from data2vec_core.text.model import TextPretrainedModel
from tests.parity.reference import (
    assert_close_to_reference,
    assert_same_gradients,
    random_reference,
    reference_config,
    reload_in_ours,
    reload_in_reference,
    transformers,
)
from tests.text_samples import TINY, token_ids

RECORD: dict[str, Any] = {"output_hidden_states": True, "output_attentions": True}
CLASSES = [
    "Data2VecTextModel",
    "Data2VecTextForCausalLM",
    "Data2VecTextForMaskedLM",
    "Data2VecTextForSequenceClassification",
    "Data2VecTextForMultipleChoice",
    "Data2VecTextForTokenClassification",
    "Data2VecTextForQuestionAnswering",
]
VARIANTS: dict[str, Data2VecTextConfig] = {
    "plain": TINY,
    "public_sizes": TINY.replace(type_vocab_size=1, layer_norm_eps=1e-5, num_hidden_layers=1),
    "relu": TINY.replace(hidden_act="relu", num_attention_heads=2, intermediate_size=37, classifier_dropout=0.3),
    "other_padding": TINY.replace(pad_token_id=3, initializer_range=0.5),
}


def pair(name: str, config: Data2VecTextConfig, tmp_path: Path) -> tuple[Any, TextPretrainedModel]:
    """The reference's model of a class, and ours with its weights."""
    if name == "Data2VecTextForCausalLM":
        config = config.replace(is_decoder=True)
    reference = random_reference(getattr(transformers, name), config)
    return reference, reload_in_ours(reference, getattr(data2vec_core, name), tmp_path)


def inputs_for(name: str, config: Data2VecTextConfig, *, padded: bool) -> dict[str, Any]:
    shape = (4, 3, 11) if name.endswith("MultipleChoice") else (4, 11)
    return token_ids(config, *shape, padded=padded)


def labels_for(name: str, config: Data2VecTextConfig) -> dict[str, Any]:
    """Labels with -100 (or out of the text) among them."""
    match name.removeprefix("Data2VecTextFor"):
        case "CausalLM" | "MaskedLM":
            labels = torch.randint(0, config.vocab_size, (4, 11))
            labels[0, 3:7] = -100
            return {"labels": labels}
        case "SequenceClassification":
            return {"labels": torch.randint(0, 2, (4,))}
        case "MultipleChoice":
            return {"labels": torch.randint(0, 3, (4,))}
        case "TokenClassification":
            labels = torch.randint(0, 2, (4, 11))
            labels[1, 5:] = -100
            return {"labels": labels}
        case "QuestionAnswering":
            return {
                "start_positions": torch.tensor([0, 3, 40, -2]),
                "end_positions": torch.tensor([[1], [9], [11], [4]]),
            }
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CLASSES)
def test_every_output_state_and_attention(name: str, variant: str, tmp_path: Path) -> None:
    config = VARIANTS[variant]
    reference, ours = pair(name, config, tmp_path)
    for padded in (False, True):
        inputs = inputs_for(name, config, padded=padded)
        with torch.no_grad():
            expected = reference(**inputs, **RECORD)
            assert_close_to_reference(ours(**inputs, **RECORD), expected)
            fused = ours(**inputs)
        assert fused.hidden_states is None
        assert fused.attentions is None
        assert_close_to_reference(fused[0], expected[0])


@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
@pytest.mark.parametrize("name", CLASSES[1:])
def test_losses_and_gradients(name: str, padded: bool, tmp_path: Path) -> None:
    reference, ours = pair(name, TINY, tmp_path)
    inputs = inputs_for(name, TINY, padded=padded) | labels_for(name, TINY)
    expected, got = reference(**inputs), ours(**inputs)
    assert_close_to_reference(got, expected)
    expected.loss.backward()
    got.loss.backward()
    # Choices and answer spans are softmaxes too: a bias that moves all their scores together has no gradient.
    shared = {
        "Data2VecTextForMultipleChoice": ("classifier.bias",),
        "Data2VecTextForQuestionAnswering": (
            "qa_outputs.bias",
            f"layer.{TINY.num_hidden_layers - 1}.output.LayerNorm.bias",
        ),
    }
    assert_same_gradients(ours, reference, invariant=("key.bias", *shared.get(name, ())))


@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
def test_gradients_of_the_bare_model_reach_the_pooler(padded: bool, tmp_path: Path) -> None:
    reference, ours = pair("Data2VecTextModel", TINY, tmp_path)
    inputs = inputs_for("Data2VecTextModel", TINY, padded=padded)
    for model in (reference, ours):
        output = model(**inputs)
        (output.last_hidden_state.square().mean() + output.pooler_output.sum()).backward()
    assert_same_gradients(ours, reference)


@pytest.mark.parametrize(
    ("num_labels", "problem", "labels"),
    [
        (1, None, torch.tensor([0.5, -1.0, 2.0, 0.0])),
        (1, "regression", torch.tensor([[0.5], [-1.0], [2.0], [0.0]])),
        (3, "regression", torch.randn(4, 3, generator=torch.Generator().manual_seed(1))),
        (3, None, torch.tensor([0, 2, 1, 1])),
        (3, "single_label_classification", torch.tensor([[0], [2], [1], [-100]])),
        (3, None, torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])),
        (3, "multi_label_classification", torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])),
    ],
)
def test_sequence_losses_of_every_problem_type(num_labels: int, problem: Any, labels: Tensor, tmp_path: Path) -> None:
    config = TINY.replace(num_labels=num_labels, problem_type=problem)
    reference, ours = pair("Data2VecTextForSequenceClassification", config, tmp_path)
    inputs = token_ids(config, 4, 11, padded=True) | {"labels": labels}
    expected, got = reference(**inputs), ours(**inputs)
    assert_close_to_reference(got, expected)
    expected.loss.backward()
    got.loss.backward()
    assert_same_gradients(ours, reference)


def test_embeddings_token_types_and_positions_given_by_the_caller(tmp_path: Path) -> None:
    reference, ours = pair("Data2VecTextModel", TINY, tmp_path)
    ids = torch.randint(4, TINY.vocab_size, (2, 9))
    ids[1, 6:] = TINY.pad_token_id
    types = torch.randint(0, 2, (2, 9))
    positions = torch.randint(0, TINY.max_position_embeddings, (1, 9))
    embedded = torch.randn(2, 9, TINY.hidden_size)
    cases: list[dict[str, Any]] = [
        {"input_ids": ids, "token_type_ids": types},
        {"input_ids": ids, "position_ids": positions},
        {"inputs_embeds": embedded},
        {"inputs_embeds": embedded, "token_type_ids": types, "position_ids": positions.expand(2, -1)},
    ]
    for inputs in cases:
        assert_close_to_reference(ours(**inputs, **RECORD), reference(**inputs, **RECORD))


def test_a_mask_that_hides_a_whole_row(tmp_path: Path) -> None:
    """Nothing to look at: attention is even, as with the reference, and not NaN."""
    reference, ours = pair("Data2VecTextModel", TINY, tmp_path)
    inputs: dict[str, Any] = {
        "input_ids": torch.randint(4, 100, (2, 6)),
        "attention_mask": torch.tensor([[1] * 6, [0] * 6]),
    }
    expected = reference(**inputs, **RECORD)
    assert torch.isfinite(expected.last_hidden_state).all()
    assert_close_to_reference(ours(**inputs, **RECORD), expected)


def test_four_dimensional_masks(tmp_path: Path) -> None:
    """The reference adds a ready mask to the scores; ours takes that, and the same thing as booleans."""
    reference, ours = pair("Data2VecTextModel", TINY, tmp_path)
    ids = torch.randint(4, 100, (2, 6))
    may_see = torch.rand(2, 1, 6, 6) < 0.6
    may_see[..., 0] = True
    bias = torch.zeros(2, 1, 6, 6).masked_fill(~may_see, torch.finfo(torch.float32).min)
    expected = reference(ids, bias, **RECORD)
    assert_close_to_reference(ours(ids, bias, **RECORD), expected)
    assert_close_to_reference(ours(ids, may_see, **RECORD), expected)
    assert_close_to_reference(ours(ids, may_see[:, 0].long(), **RECORD), expected)


@pytest.mark.parametrize("name", CLASSES)
def test_transformers_loads_our_folder_without_a_word(name: str, tmp_path: Path) -> None:
    config = TINY.replace(is_decoder=name.endswith("CausalLM"))
    torch.manual_seed(7)
    ours = getattr(data2vec_core, name)(config).eval()
    reference = reload_in_reference(ours, getattr(transformers, name), tmp_path)
    inputs = inputs_for(name, config, padded=True)
    assert_close_to_reference(ours(**inputs, **RECORD), reference(**inputs, **RECORD))


def test_a_fresh_model_is_drawn_by_the_references_rules() -> None:
    config = TINY.replace(initializer_range=0.3, hidden_size=64, num_hidden_layers=1, type_vocab_size=64)
    ours = Data2VecTextForMaskedLM(config)
    reference = transformers.Data2VecTextForMaskedLM(reference_config(config))
    own = to_public_names(ours)
    for name, expected in reference.named_parameters():
        got = own[name]
        assert got.std(correction=0) == pytest.approx(expected.std(correction=0).item(), rel=0.15, abs=1e-6), name
        assert got.mean() == pytest.approx(expected.mean().item(), abs=0.05), name
    embeddings = ours.backbone.embeddings
    assert not embeddings.word_embeddings.weight[config.pad_token_id].any()
    assert not embeddings.position_embeddings.weight[config.pad_token_id].any()
