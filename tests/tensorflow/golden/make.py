"""Make the golden files of the TensorFlow classes of transformers 4.x, which 5.x no longer has.

    python -m tests.tensorflow.golden.make

writes a folder a class: the library's own checkpoint of a tiny random model (`config.json`, and `tf_model.h5`, packed),
and `expected.npz` with inputs and results. The options are such that the library is right: means of patches, images of
the trained size, a single scale of pyramid pooling (of several, it gives each what the one before has made of the map).
It wants an environment of its own:

    python3.11 -m venv golden-tensorflow
    golden-tensorflow/bin/pip install torch==2.13.0 transformers==4.57.6 tensorflow-cpu==2.21.0 tf-keras==2.21.0
    golden-tensorflow/bin/python -m tests.tensorflow.golden.make
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import transformers

FOLDER = Path(__file__).parent
SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "image_size": 16,
    "patch_size": 4,
    "use_relative_position_bias": True,
    "num_labels": 3,
}
CASES: dict[str, dict[str, Any]] = {
    "TFData2VecVisionModel": {
        "use_shared_relative_position_bias": True,
        "use_absolute_position_embeddings": True,
        "use_mask_token": True,
    },
    "TFData2VecVisionForImageClassification": {},
    "TFData2VecVisionForSemanticSegmentation": {
        "num_hidden_layers": 4,
        "out_indices": [1, 2, 3, 4],
        "pool_scales": [1],
        "auxiliary_channels": 4,
        "auxiliary_num_convs": 2,
        "auxiliary_concat_input": True,
    },
}


def make(class_name: str, changes: dict[str, Any]) -> None:
    """Save one case."""
    random = np.random.default_rng(0)
    model = getattr(transformers, class_name)(transformers.Data2VecVisionConfig(**SMALL | changes))
    pixels = random.standard_normal((2, 3, 16, 16)).astype(np.float32)
    model(pixels)  # which builds it
    for weight in model.weights:
        values = weight.numpy()
        spread = np.abs(random.standard_normal(values.shape)) if "variance" in weight.name else None
        weight.assign(values + 0.2 * (random.standard_normal(values.shape) if spread is None else spread))
    inputs: dict[str, Any] = {"pixel_values": pixels}
    if class_name.endswith("Classification"):
        inputs["labels"] = np.array([2, 0])
    if class_name.endswith("Segmentation"):
        inputs["labels"] = random.integers(0, 3, (2, 16, 16))
    if class_name.endswith("Model"):
        inputs["bool_masked_pos"] = random.random((2, 16)) < 0.5
    result = model(**inputs, output_hidden_states=True, output_attentions=True)
    expected = {f"input.{name}": values for name, values in inputs.items()}
    for name, value in result.items():
        parts = {f"{name}.{i}": each for i, each in enumerate(value)} if isinstance(value, tuple) else {name: value}
        expected |= {part: np.asarray(each) for part, each in parts.items()}
    folder = FOLDER / class_name
    model.save_pretrained(folder)
    weights = folder / "tf_model.h5"
    (folder / "tf_model.h5.gz").write_bytes(gzip.compress(weights.read_bytes(), mtime=0))
    weights.unlink()
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    for name, what_differs in CASES.items():
        make(name, what_differs)
