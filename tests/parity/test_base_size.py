"""Every class at base size: all states, attentions, losses and gradients, of padded batches and of single inputs.

One backbone a modality is saved by us and read by the reference, for all its classes. Inputs are short, so that the
whole takes a minute and a half; the width, the depth and the heads are those of the public models.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import data2vec_core
from data2vec_core.config import Data2VecConfig
from data2vec_core.presets import PRESETS
from tests.parity.reference import (
    assert_same_gradients,
    assert_same_result,
    on_the_same_tensors,
    read_in_reference,
    reference_config,
    transformers,
)

DISTURBANCE = 0.02
"""Of random weights, as `random_reference` advises for this width."""

AUDIO: Any = PRESETS["audio-base"].replace(num_labels=3, use_weighted_layer_sum=True)
TEXT: Any = PRESETS["text-base"].replace(vocab_size=1000, num_labels=2)
VISION: Any = PRESETS["vision-base-ft1k"].replace(use_shared_relative_position_bias=True)
"""Both forms of relative position in one model; a public one has either."""

#: Ends of the names of parameters without a gradient in exact arithmetic, because they move all scores of a softmax.
INVARIANT = {
    "Data2VecTextForMultipleChoice": ("classifier.bias",),
    "Data2VecTextForQuestionAnswering": ("qa_outputs.bias", "layer.11.output.LayerNorm.bias"),
}

pytestmark = pytest.mark.slow


def saved_backbone(model_class: Any, config: Data2VecConfig, factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a random backbone in our files, which goes with the module: it is large."""
    torch.manual_seed(0)
    model = model_class(config)
    disturb(model)
    folder = factory.mktemp("base")
    model.save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def audio_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from saved_backbone(data2vec_core.Data2VecAudioModel, AUDIO, tmp_path_factory)


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from saved_backbone(data2vec_core.Data2VecTextModel, TEXT, tmp_path_factory)


@pytest.fixture(scope="module")
def vision_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from saved_backbone(data2vec_core.Data2VecVisionModel, VISION, tmp_path_factory)


@torch.no_grad()
def disturb(model: nn.Module) -> None:
    """Move all parameters from where a fresh model has zeros and ones."""
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * DISTURBANCE)


@torch.no_grad()
def draw(model: nn.Module, names: Collection[str]) -> None:
    """Draw the named parameters anew: what a reference made from a file leaves blank may hold anything."""
    norms = {id(module.weight) for module in model.modules() if isinstance(module, (nn.LayerNorm, nn.BatchNorm2d))}
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.normal_(1.0 if id(parameter) in norms else 0.0, DISTURBANCE)


def reference_on(folder: Path, name: str, config: Data2VecConfig) -> Any:
    """The reference's class on the saved backbone, with a random head."""
    reference_class = getattr(transformers, name)
    if name.endswith("Model"):
        return read_in_reference(folder, reference_class)
    reference, found = reference_class.from_pretrained(
        folder,
        config=reference_config(config),
        attn_implementation="eager",
        ignore_mismatched_sizes=True,  # the one language model that has the whole vocabulary
        output_loading_info=True,
    )
    draw(reference, {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    return reference.eval()


def assert_same_class(
    name: str,
    config: Data2VecConfig,
    folder: Path,
    *batches: dict[str, Tensor],
    gradients_in: torch.dtype = torch.float32,
) -> None:
    """Compare one class on the saved backbone: every batch's result with all it records, and its gradients."""
    reference = reference_on(folder, name, config)
    ours = on_the_same_tensors(reference, getattr(data2vec_core, name), config)
    models = (ours, reference)
    invariant = ("key.bias", "k_proj.bias", *INVARIANT.get(name, ()))
    for batch in batches:
        results = [model(**batch, output_hidden_states=True, output_attentions=True) for model in models]
        assert len(results[1].hidden_states) == 13
        assert len(results[1].attentions) == 12
        assert_same_result(*results)
        if gradients_in != torch.float32:
            exact = {
                key: value.to(gradients_in) if value.is_floating_point() else value for key, value in batch.items()
            }
            results = [model.to(gradients_in)(**exact) for model in models]
        for result in results:
            sent_back(result).backward()
        assert_same_gradients(ours, reference, invariant=invariant)
        for model in models:
            model.zero_grad()
            model.float()


def sent_back(result: Any) -> Tensor:
    """The loss, or where there is none a random direction of the last state and, where there is one, the pooled one."""
    fields = result.keys()
    if "loss" in fields:
        return result.loss
    generator = torch.Generator().manual_seed(0)
    sent = [result[field] for field in ("last_hidden_state", "pooler_output") if field in fields]
    return torch.stack([(part * torch.randn(part.shape, generator=generator)).sum() for part in sent]).sum()


CLIP_LABELS: dict[str, Tensor] = {
    "ForCTC": torch.tensor([[12, 5, 20, 4, 7], [9, 9, -100, -100, -100]]),
    "ForSequenceClassification": torch.tensor([2, 0]),
    "ForAudioFrameClassification": torch.nn.functional.one_hot(torch.arange(98).view(2, 49) % 3, 3),
    "ForXVector": torch.tensor([0, 2]),
}


@pytest.mark.parametrize("task", ["Model", *CLIP_LABELS])
def test_audio(task: str, audio_folder: Path) -> None:
    """One second of sound; then a batch of it and of 0.6 seconds.

    Named exception: gradients of the x-vector in float64. Its time-delay layers end in ReLUs; where rounding turns one
    near 0 over, which depends on the number of threads, float32 gradients differ by up to 3e-4. Otherwise they differ
    by 1e-5, and in float64 by 1e-12.
    """
    attention_mask = (torch.arange(16000) < torch.tensor([[16000], [9600]])).long()
    batch = {"input_values": torch.randn(2, 16000) * attention_mask, "attention_mask": attention_mask}
    if task != "Model":
        batch["labels"] = CLIP_LABELS[task]
    single = {key: value[:1] for key, value in batch.items() if key != "attention_mask"}
    precision = torch.float64 if task == "ForXVector" else torch.float32
    assert_same_class(f"Data2VecAudio{task}", AUDIO, audio_folder, single, batch, gradients_in=precision)


TEXT_LABELS: dict[str, dict[str, Tensor]] = {
    "ForMaskedLM": {"labels": torch.arange(24).view(2, 12)},
    "ForCausalLM": {"labels": torch.arange(24).view(2, 12)},
    "ForSequenceClassification": {"labels": torch.tensor([1, 0])},
    "ForMultipleChoice": {"labels": torch.tensor([1, 0])},
    "ForTokenClassification": {"labels": torch.arange(24).view(2, 12) % 2},
    "ForQuestionAnswering": {"start_positions": torch.tensor([3, 0]), "end_positions": torch.tensor([7, 2])},
}


@pytest.mark.parametrize("task", ["Model", *TEXT_LABELS])
def test_text(task: str, text_folder: Path) -> None:
    """Twelve tokens; then a batch of them and of eight. The masked language model has the public vocabulary."""
    config = TEXT.replace(is_decoder=task == "ForCausalLM", vocab_size=50265 if task == "ForMaskedLM" else 1000)
    ids = torch.randint(4, config.vocab_size, (2, 2, 12) if task == "ForMultipleChoice" else (2, 12))
    ids[1, ..., 8:] = config.pad_token_id
    batch = {"input_ids": ids, "attention_mask": (ids != config.pad_token_id).long(), **TEXT_LABELS.get(task, {})}
    single = {key: value[:1] for key, value in batch.items() if key != "attention_mask"}
    assert_same_class(f"Data2VecText{task}", config, text_folder, single, batch)


@pytest.mark.parametrize("task", ["Model", "ForImageClassification"])
def test_vision(task: str, vision_folder: Path) -> None:
    batch = {"pixel_values": torch.randn(1, 3, 224, 224)}
    if task == "ForImageClassification":
        batch["labels"] = torch.tensor([321])
    assert_same_class(f"Data2VecVision{task}", VISION, vision_folder, batch)


def test_segmentation(vision_folder: Path) -> None:
    """Named exception: gradients in float64. The head has some ten million ReLUs, a few of them so near 0 that rounding
    turns them over; in float32 the reference's gradients then lie 3e-3 from its own in float64, where both agree."""
    batch = {"pixel_values": torch.randn(1, 3, 224, 224), "labels": torch.randint(0, 150, (1, 224, 224))}
    config = VISION.replace(num_labels=150)
    name = "Data2VecVisionForSemanticSegmentation"
    assert_same_class(name, config, vision_folder, batch, gradients_in=torch.float64)
