"""Training passes of the speech and text models: from the same seed, chance falls on the same places as in the
reference, so that losses and gradients can be compared. (Vision: `test_vision_model`.)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import data2vec_core
from data2vec_core.audio.masking import draw_spans
from tests.clips import TINY as AUDIO
from tests.clips import two_clips
from tests.parity.reference import (
    END_TO_END,
    assert_close_to_reference,
    assert_same_gradients,
    assert_same_result,
    random_reference,
    reload_in_ours,
    transformers,
)
from tests.text_samples import TINY as TEXT
from tests.text_samples import token_ids

CALM: dict[str, Any] = {
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
}
MASKED: dict[str, Any] = {
    "apply_spec_augment": True,
    "mask_time_prob": 0.3,
    "mask_feature_prob": 0.3,
    "mask_feature_length": 3,
}
LABELS = torch.tensor([[3, 5, 5, -100, 9], [7, 2, 11, -100, -100]])
PADDINGS = pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])


def both_in_training(class_name: str, config: Any, tmp_path: Path) -> tuple[Any, Any]:
    """Our model and the reference, with the same weights, ready to be trained."""
    reference = random_reference(getattr(transformers, class_name), config)
    ours: Any = reload_in_ours(reference, getattr(data2vec_core, class_name), tmp_path)
    return ours.train(), reference.train()


def results_from_one_seed(models: tuple[Any, Any], inputs: dict[str, Any], seed: int = 0) -> list[Any]:
    """What both compute when they draw the same random numbers, after their backward passes."""
    results = []
    for model in models:
        torch.manual_seed(seed)
        result = model(**inputs, output_hidden_states=True, output_attentions=True)
        result.loss.backward()
        results.append(result)
    return results


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Makes the reference take its SpecAugment spans from our sampler; returns those that it took."""
    spans: list[np.ndarray] = []

    def ours(
        shape: tuple[int, int],
        mask_prob: float,
        mask_length: int,
        attention_mask: Tensor | None = None,
        min_masks: int = 0,
    ) -> np.ndarray:
        rows, size = shape
        lengths = torch.full((rows,), size) if attention_mask is None else attention_mask.sum(dim=-1)
        spans.append(draw_spans(lengths, size, probability=mask_prob, span=mask_length, min_spans=min_masks).numpy())
        return spans[-1]

    monkeypatch.setattr(transformers.models.data2vec.modeling_data2vec_audio, "_compute_mask_indices", ours)
    return spans


@pytest.mark.parametrize(("seed", "kept"), [(0, 1), (2, 2), (3, 0)])
def test_layerdrop(seed: int, kept: int, tmp_path: Path) -> None:
    """Both draw one number a layer. The reference records only the layers that ran; ours has a state for every layer,
    a dropped one's being its input, so that states can be counted."""
    models = both_in_training("Data2VecAudioForCTC", AUDIO.replace(**CALM | {"layerdrop": 0.6}), tmp_path)
    ours, reference = results_from_one_seed(models, two_clips(padded=True) | {"labels": LABELS}, seed)
    assert len(reference.attentions) == kept
    assert_close_to_reference(ours.loss, reference.loss, END_TO_END)
    assert_close_to_reference(ours.logits, reference.logits, END_TO_END)
    assert_same_gradients(*models)
    states = ours.hidden_states
    assert len(states) == AUDIO.num_hidden_layers + 1
    assert sum(torch.equal(after, before) for before, after in zip(states, states[1:], strict=False)) == 3 - kept


@PADDINGS
def test_spec_augment(padded: bool, drawn: list[np.ndarray], tmp_path: Path) -> None:
    """Masked frames and masked channels, each state and attention, and the gradient of the mask embedding."""
    models = both_in_training("Data2VecAudioForCTC", AUDIO.replace(**CALM | MASKED), tmp_path)
    results = results_from_one_seed(models, two_clips(padded=padded) | {"labels": LABELS})
    assert [span.any() for span in drawn] == [True, True]
    assert_same_result(*results)
    assert_same_gradients(*models)
    assert models[1].data2vec_audio.masked_spec_embed.grad.any()


SPEECH: dict[str, Tensor] = {
    "ForCTC": LABELS,
    "ForSequenceClassification": torch.tensor([1, 0]),
    "ForXVector": torch.tensor([1, 0]),
}


@pytest.mark.parametrize("task", SPEECH)
def test_all_chance_of_a_speech_model_at_once(task: str, drawn: list[np.ndarray], tmp_path: Path) -> None:
    """Dropout everywhere, masks and layer drop, from one stream of random numbers."""
    rates = {name: 0.2 for name in CALM if name.endswith("dropout")}
    models = both_in_training(f"Data2VecAudio{task}", AUDIO.replace(**rates, **MASKED, layerdrop=0.3), tmp_path)
    ours, reference = results_from_one_seed(models, two_clips(padded=True) | {"labels": SPEECH[task]})
    assert len(drawn) == 2
    assert_close_to_reference(ours.loss, reference.loss, END_TO_END)
    assert_close_to_reference(ours.logits, reference.logits, END_TO_END)
    assert_same_gradients(*models)


WRITTEN: dict[str, dict[str, Tensor]] = {
    "ForMaskedLM": {"labels": torch.arange(44).view(4, 11)},
    "ForCausalLM": {"labels": torch.arange(44).view(4, 11)},
    "ForSequenceClassification": {"labels": torch.tensor([1, 0, 1, 1])},
    "ForMultipleChoice": {"labels": torch.tensor([1, 0, 2, 2])},
    "ForTokenClassification": {"labels": torch.arange(44).view(4, 11) % 2},
    "ForQuestionAnswering": {"start_positions": torch.arange(4), "end_positions": torch.arange(4, 8)},
}


@pytest.mark.parametrize("task", WRITTEN)
def test_dropout_of_a_text_model(task: str, tmp_path: Path) -> None:
    config = TEXT.replace(
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.3,
        classifier_dropout=0.4,
        is_decoder=task == "ForCausalLM",
    )
    models = both_in_training(f"Data2VecText{task}", config, tmp_path)
    shape = (4, 3, 11) if task == "ForMultipleChoice" else (4, 11)
    results = results_from_one_seed(models, token_ids(config, *shape, padded=True) | WRITTEN[task])
    assert_same_result(*results)
    softmaxed = {
        "ForMultipleChoice": ("classifier.bias",),
        "ForQuestionAnswering": ("qa_outputs.bias", f"layer.{config.num_hidden_layers - 1}.output.LayerNorm.bias"),
    }
    assert_same_gradients(*models, invariant=("key.bias", *softmaxed.get(task, ())))
