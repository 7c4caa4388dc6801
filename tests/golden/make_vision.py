"""Make the golden files of the vision models, with whatever version of the transformers library is installed.

    python -m tests.golden.make_vision

writes `tests/golden/vision-<version>/<class>/`: the library's own checkpoint of a tiny random model, and
`expected.safetensors` with inputs and results. The folders kept here are of 5.23.0 and of 4.57.6; the latter, which
names the tensors of the segmentation head differently, wants an environment of its own:

    pip install transformers==4.57.6 torch safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
SHAPE = (2, 3, 16, 16)
"""Of the images: the trained size, the only one that the library segments."""
SETTINGS: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "image_size": 16,
    "patch_size": 4,
    "use_relative_position_bias": True,
    "use_shared_relative_position_bias": True,
    "use_absolute_position_embeddings": True,
    "out_indices": [1, 2, 3, 4],
    "auxiliary_channels": 4,
    "num_labels": 3,
}


def make(class_name: str) -> None:
    """Save one class: checkpoint, inputs, results."""
    torch.manual_seed(0)
    config = transformers.Data2VecVisionConfig(**SETTINGS)
    model = getattr(transformers, class_name)._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.5)
    inputs = {"pixel_values": torch.randn(SHAPE)}
    if class_name.endswith("ImageClassification"):
        inputs["labels"] = torch.tensor([2, 0])
    if class_name.endswith("SemanticSegmentation"):
        inputs["labels"] = torch.randint(0, 3, (2, 16, 16))
    with torch.no_grad():
        result = model(**inputs, output_hidden_states=True, output_attentions=True)
    expected = {f"input.{name}": tensor for name, tensor in inputs.items()}
    for name, value in result.items():
        expected |= {name: value} if torch.is_tensor(value) else {f"{name}.{i}": t for i, t in enumerate(value)}
    folder = FOLDER / f"vision-{transformers.__version__}" / class_name
    model.save_pretrained(folder)
    save_file({name: tensor.clone() for name, tensor in expected.items()}, folder / "expected.safetensors")


if __name__ == "__main__":
    for task in ("Model", "ForImageClassification", "ForSemanticSegmentation"):
        make(f"Data2VecVision{task}")
