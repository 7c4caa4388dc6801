"""Make the golden files of the speech models, with whatever version of the transformers library is installed.

    python -m tests.golden.make_audio

writes `tests/golden/audio-<version>/<class>/`: the library's own checkpoint of a tiny random model, and
`expected.safetensors` with inputs, results and some gradients. The folders kept here are of 5.23.0.
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
FRAMES = 11
"""Of a clip of 120 samples, by the settings below."""
SETTINGS: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
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
}
OPTIONS: dict[str, dict[str, Any]] = {
    "Data2VecAudioModel": {"add_adapter": True, "output_hidden_size": 6, "num_adapter_layers": 2},
    "Data2VecAudioForSequenceClassification": {"use_weighted_layer_sum": True},
    "Data2VecAudioForXVector": {"use_weighted_layer_sum": True},
}
GRADIENTS_OF = ("feature_extractor.conv_layers.0", "pos_conv_embed.layers.0", "encoder.layers.0.attention.q_proj")


def inputs_of(class_name: str) -> dict[str, Tensor]:
    """Two clips, the second padded, and what the class's loss compares with."""
    samples, is_real = torch.randn(2, 120), torch.ones(2, 120, dtype=torch.long)
    samples[1, 80:], is_real[1, 80:] = 0, 0
    inputs = {"input_values": samples, "attention_mask": is_real}
    if class_name.endswith("CTC"):
        inputs["labels"] = torch.randint(1, 7, (2, 3))
    elif class_name.endswith("AudioFrameClassification"):
        inputs["labels"] = F.one_hot(torch.randint(3, (2, FRAMES)), 3)
    elif class_name != "Data2VecAudioModel":
        inputs["labels"] = torch.tensor([2, 0])
    return inputs


def make(class_name: str) -> None:
    """Save one class: checkpoint, inputs, results."""
    torch.manual_seed(0)
    config = transformers.Data2VecAudioConfig(**SETTINGS, **OPTIONS.get(class_name, {}))
    model = getattr(transformers, class_name)._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    inputs = inputs_of(class_name)
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    loss = result.last_hidden_state.square().mean() if result.get("loss") is None else result.loss
    loss.backward()

    expected = {f"input.{name}": tensor for name, tensor in inputs.items()}
    for name, value in result.items():
        expected |= {name: value} if torch.is_tensor(value) else {f"{name}.{i}": t for i, t in enumerate(value)}
    for name, parameter in model.named_parameters():
        if any(part in name for part in GRADIENTS_OF):
            expected[f"gradient.{name}"] = parameter.grad
    folder = FOLDER / f"audio-{transformers.__version__}" / class_name
    model.save_pretrained(folder)
    contiguous = {name: tensor.detach().clone().contiguous() for name, tensor in expected.items()}
    save_file(contiguous, folder / "expected.safetensors")


if __name__ == "__main__":
    for task in ("Model", "ForCTC", "ForSequenceClassification", "ForAudioFrameClassification", "ForXVector"):
        make(f"Data2VecAudio{task}")
