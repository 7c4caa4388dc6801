"""Make the golden files of the text models, with whatever version of the transformers library is installed.

    python -m tests.golden.make_text

writes `tests/golden/text-<version>/<class>/`: the library's own checkpoint of a tiny random model, and
`expected.safetensors` with inputs, results and some gradients. The folders kept here are of 5.23.0, one a class, and of
4.57.6, one for each form of relative position that 5.x no longer has; the latter want an environment of their own:

    pip install transformers==4.57.6 torch safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

FOLDER = Path(__file__).parent
SETTINGS: dict[str, Any] = {
    "vocab_size": 24,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 12,
    "num_labels": 2,
}
RELATIVE_FORMS = ("relative_key", "relative_key_query")
GRADIENTS_OF = ("word_embeddings", "distance_embedding")


def make(class_name: str, form: str = "absolute") -> None:
    """Save one class: checkpoint, inputs, results."""
    torch.manual_seed(0)
    is_decoder = class_name.endswith("CausalLM")
    settings = SETTINGS | {"is_decoder": is_decoder, "use_cache": False, "position_embedding_type": form}
    config = transformers.Data2VecTextConfig(**settings)
    model = getattr(transformers, class_name)._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
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
    folder = (
        FOLDER / f"text-{transformers.__version__}" / (class_name if form == "absolute" else f"{class_name}-{form}")
    )
    model.save_pretrained(folder)
    for leftover in folder.glob("generation_config.json"):
        leftover.unlink()
    save_file({name: tensor.detach().clone() for name, tensor in expected.items()}, folder / "expected.safetensors")


def inputs_of(class_name: str) -> dict[str, Tensor]:
    """A padded batch, and labels where the class takes any."""
    ids = torch.randint(4, SETTINGS["vocab_size"], (3, 7))
    ids[1, 5:] = 1
    inputs = {"input_ids": ids, "attention_mask": (ids != 1).long()}
    match class_name.removeprefix("Data2VecTextFor"):
        case "MultipleChoice":
            inputs = {name: tensor[None] for name, tensor in inputs.items()}
            return inputs | {"labels": torch.tensor([2])}
        case "SequenceClassification":
            return inputs | {"labels": torch.tensor([1, 0, 1])}
        case "TokenClassification":
            return inputs | {"labels": torch.where(ids == 1, -100, ids % 2)}
        case "QuestionAnswering":
            return inputs | {"start_positions": torch.tensor([0, 2, 3]), "end_positions": torch.tensor([1, 2, 9])}
        case "MaskedLM" | "CausalLM":
            return inputs | {"labels": torch.where(ids == 1, -100, ids)}
    return inputs


if __name__ == "__main__":
    if transformers.__version__.startswith("4."):
        for relative in RELATIVE_FORMS:
            make("Data2VecTextForMaskedLM", relative)
            make("Data2VecTextForCausalLM", relative)
    else:
        make("Data2VecTextModel")
        for task in (
            "CausalLM",
            "MaskedLM",
            "SequenceClassification",
            "MultipleChoice",
            "TokenClassification",
            "QuestionAnswering",
        ):
            make(f"Data2VecTextFor{task}")
