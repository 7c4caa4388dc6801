"""Make the golden files, with whatever version of the transformers library is installed.

    python -m tests.golden.make

writes `tests/golden/<version>/<case>/` for every case of that version: the library's own checkpoint of a tiny random
model, and `expected.safetensors` with inputs, results and gradients. Kept here are all classes of 5.23.0, and of
4.57.6 what 5.x can no longer do: relative positions of text, segmentation heads under their old names, and a training
pass that drops every layer and then mixes them. The old version wants an environment of its own:

    python3.11 -m venv golden-4
    golden-4/bin/pip install torch==2.13.0 transformers==4.57.6
    golden-4/bin/python -m tests.golden.make
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

FOLDER = Path(__file__).parent

Cases = dict[str, dict[str, Any]]
"""What a case changes of its modality's settings. Its name is the class, and after a hyphen what is special."""

FRAMES = 11
"""Of a clip of 120 samples, by the settings below."""
NOISE = 1e-5
"""Gradients below this share of the largest are 0 in exact arithmetic, as of a bias that moves all scores of a softmax:
their rounding is nothing to compare with."""

SMALL: dict[str, Any] = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}
SETTINGS: dict[str, dict[str, Any]] = {
    "Audio": SMALL | {
        "num_hidden_layers": 2,
        "conv_dim": [6, 8],
        "conv_stride": [5, 2],
        "conv_kernel": [10, 3],
        "num_conv_pos_embeddings": 2,
        "conv_pos_kernel_size": 3,
        "num_conv_pos_embedding_groups": 2,
        "mask_time_length": 2,
        "vocab_size": 7,
        "classifier_proj_size": 6,
        "tdnn_dim": [6, 6, 8],
        "tdnn_kernel": [3, 2, 1],
        "tdnn_dilation": [1, 2, 1],
        "xvector_output_dim": 6,
        "num_labels": 3,
    },
    "Text": SMALL | {
        "num_hidden_layers": 2,
        "vocab_size": 24,
        "max_position_embeddings": 12,
        "num_labels": 2,
        "use_cache": False,
    },
    "Vision": SMALL | {
        "num_hidden_layers": 4,
        "image_size": 16,
        "patch_size": 4,
        "use_relative_position_bias": True,
        "use_shared_relative_position_bias": True,
        "use_absolute_position_embeddings": True,
        "out_indices": [1, 2, 3, 4],
        "auxiliary_channels": 4,
        "num_labels": 3,
    },
}  # fmt: skip
NO_CHANCE: dict[str, Any] = {
    "hidden_dropout": 0.0,
    "activation_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "apply_spec_augment": False,
}
CASES_OF_5: Cases = {
    "Data2VecAudioModel": {"add_adapter": True, "output_hidden_size": 6, "num_adapter_layers": 2},
    "Data2VecAudioForCTC": {},
    "Data2VecAudioForSequenceClassification": {"use_weighted_layer_sum": True},
    "Data2VecAudioForAudioFrameClassification": {},
    "Data2VecAudioForXVector": {"use_weighted_layer_sum": True},
    "Data2VecTextModel": {},
    "Data2VecTextForCausalLM": {"is_decoder": True},
    "Data2VecTextForMaskedLM": {},
    "Data2VecTextForSequenceClassification": {},
    "Data2VecTextForMultipleChoice": {},
    "Data2VecTextForTokenClassification": {},
    "Data2VecTextForQuestionAnswering": {},
    "Data2VecVisionModel": {},
    "Data2VecVisionForImageClassification": {},
    "Data2VecVisionForSemanticSegmentation": {},
}
CASES_OF_4: Cases = {
    "Data2VecAudioForSequenceClassification-layerdrop": NO_CHANCE | {"layerdrop": 1.0, "use_weighted_layer_sum": True},
    "Data2VecTextForCausalLM-relative_key": {"is_decoder": True, "position_embedding_type": "relative_key"},
    "Data2VecTextForCausalLM-relative_key_query": {"is_decoder": True, "position_embedding_type": "relative_key_query"},
    "Data2VecTextForMaskedLM-relative_key": {"position_embedding_type": "relative_key"},
    "Data2VecTextForMaskedLM-relative_key_query": {"position_embedding_type": "relative_key_query"},
    "Data2VecVisionForSemanticSegmentation": {},
}


def make(case: str, changes: dict[str, Any]) -> None:
    """Save one case: checkpoint, inputs, results, gradients."""
    torch.manual_seed(0)
    class_name, _, form = case.partition("-")
    modality = next(name for name in SETTINGS if name in class_name)
    config = getattr(transformers, f"Data2Vec{modality}Config")(**SETTINGS[modality] | changes)
    model = getattr(transformers, class_name)._from_config(config, attn_implementation="eager")
    drops_layers = form == "layerdrop"
    model.train(drops_layers)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        for buffer in model.buffers():
            if buffer.is_floating_point():  # means and variances, which must stay positive
                buffer.add_(torch.rand_like(buffer) * 0.5)
    inputs = inputs_of(class_name)
    result = model(**inputs, output_hidden_states=True, output_attentions=not drops_layers)
    loss = result.last_hidden_state.square().mean() if result.get("loss") is None else result.loss
    loss.backward()

    expected = {f"input.{name}": tensor for name, tensor in inputs.items()}
    for name, value in result.items():
        expected |= {name: value} if torch.is_tensor(value) else {f"{name}.{i}": t for i, t in enumerate(value)}
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    largest = max(gradient.abs().max() for gradient in gradients.values())
    expected |= {f"gradient.{name}": g for name, g in gradients.items() if g.abs().max() > NOISE * largest}
    folder = FOLDER / transformers.__version__ / case
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    contiguous = {name: tensor.detach().clone().contiguous() for name, tensor in expected.items()}
    save_file(contiguous, folder / "expected.safetensors")


def inputs_of(class_name: str) -> dict[str, Tensor]:
    """A batch, padded where the modality has padding, and what the class's loss compares with."""
    modality, _, task = class_name.removeprefix("Data2Vec").partition("For")
    match modality.removesuffix("Model"):
        case "Audio":
            return audio_inputs(task)
        case "Text":
            return text_inputs(task)
        case _:
            return vision_inputs(task)


def audio_inputs(task: str) -> dict[str, Tensor]:
    samples, is_real = torch.randn(2, 120), torch.ones(2, 120, dtype=torch.long)
    samples[1, 80:], is_real[1, 80:] = 0, 0
    inputs = {"input_values": samples, "attention_mask": is_real}
    match task:
        case "CTC":
            return inputs | {"labels": torch.randint(1, 7, (2, 3))}
        case "AudioFrameClassification":
            return inputs | {"labels": F.one_hot(torch.randint(3, (2, FRAMES)), 3)}
        case "SequenceClassification" | "XVector":
            return inputs | {"labels": torch.tensor([2, 0])}
    return inputs


def text_inputs(task: str) -> dict[str, Tensor]:
    ids = torch.randint(4, 24, (3, 7))
    ids[1, 5:] = 1
    inputs = {"input_ids": ids, "attention_mask": (ids != 1).long()}
    match task:
        case "MultipleChoice":
            return {name: tensor[None] for name, tensor in inputs.items()} | {"labels": torch.tensor([2])}
        case "SequenceClassification":
            return inputs | {"labels": torch.tensor([1, 0, 1])}
        case "TokenClassification":
            return inputs | {"labels": torch.where(ids == 1, -100, ids % 2)}
        case "QuestionAnswering":
            return inputs | {"start_positions": torch.tensor([0, 2, 3]), "end_positions": torch.tensor([1, 2, 9])}
        case "MaskedLM" | "CausalLM":
            return inputs | {"labels": torch.where(ids == 1, -100, ids)}
    return inputs


def vision_inputs(task: str) -> dict[str, Tensor]:
    """At the trained size, the only one that the library segments."""
    inputs = {"pixel_values": torch.randn(2, 3, 16, 16)}
    match task:
        case "ImageClassification":
            return inputs | {"labels": torch.tensor([2, 0])}
        case "SemanticSegmentation":
            return inputs | {"labels": torch.randint(0, 3, (2, 16, 16))}
    return inputs


if __name__ == "__main__":
    cases = CASES_OF_4 if transformers.__version__.startswith("4.") else CASES_OF_5
    for name, what_differs in cases.items():
        make(name, what_differs)
