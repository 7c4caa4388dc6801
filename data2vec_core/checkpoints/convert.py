"""Convert a training checkpoint of fairseq (speech, text) or BEiT style (vision) to the public layout.

    python -m data2vec_core.checkpoints.convert FILE OUT [--modality audio|text|vision] [--head NAME]

The only place that reads such files. It imports nothing that a file names: see `original.safe_unpickle`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.card import MODALITIES, Modality
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import CONFIG_FILE, TEACHER_FILE, write_json
from data2vec_core.checkpoints.loading import blank_weights, fit_tensors
from data2vec_core.checkpoints.original.beit import convert_vision
from data2vec_core.checkpoints.original.converted import Converted
from data2vec_core.checkpoints.original.fairseq import convert_audio, convert_text, stored_settings
from data2vec_core.checkpoints.original.safe_unpickle import load_training_file
from data2vec_core.checkpoints.writing import write_tensors
from data2vec_core.pretrained import PretrainedModel

CONVERTERS: dict[Modality, Callable[..., Converted]] = {
    "audio": convert_audio,
    "text": convert_text,
    "vision": convert_vision,
}


#: How the names of a modality's tensors go, in any training file of it.
_SIGNS: dict[Modality, str] = {
    "audio": "feature_extractor.conv_layers.",
    "text": "sentence_encoder.",
    "vision": "patch_embed.proj.",
}


def convert(
    file: str | Path, out: str | Path, *, modality: Modality | None = None, head: str | None = None
) -> Converted:
    """Write `config.json`, `model.safetensors`, `teacher.safetensors` where the file has a teacher, and the settings
    of the preprocessor for speech and vision.

    Args:
        file: the training checkpoint.
        out: a folder; made when it does not exist.
        modality: which model it is; by the names of its tensors when None.
        head: the head to keep: `none`, or a name (`ctc`, `lm`, `classifier`, a classification head of a text file);
            by default the one that the file has.

    Raises:
        CheckpointError: the file is damaged or would run code, or holds other tensors than it should.
    """
    file, out = Path(file), Path(out)
    content = load_training_file(file)
    modality = modality or _modality(content, file)
    try:
        converted = CONVERTERS[modality](content, head=head)
    except CheckpointError as error:
        raise CheckpointError(f"{file} as {modality}: {error}") from None
    for tensors in (converted.student, converted.teacher or converted.student):
        _require_fit(converted, tensors, str(file))
    out.mkdir(parents=True, exist_ok=True)
    config = converted.config.replace(architectures=(converted.architecture,), dtype="float32")
    write_json(out / CONFIG_FILE, config.to_dict())
    write_tensors(out, converted.student)
    if converted.teacher is not None:
        write_tensors(out, converted.teacher, name=TEACHER_FILE)
    _write_preprocessor(out, modality, converted, content)
    return converted


def _modality(content: dict[str, Any], file: Path) -> Modality:
    """Which model a file is of.

    Raises:
        CheckpointError: none that is known.
    """
    parts = [part for name in ("model", "module") if isinstance(part := content.get(name), dict)]
    names = [str(name) for part in parts for name in part]
    for modality, sign in _SIGNS.items():
        if any(sign in name for name in names):
            return modality
    raise CheckpointError(f"{file} is neither a fairseq nor a BEiT-style checkpoint of data2vec")


def _require_fit(converted: Converted, tensors: dict[str, Any], source: str) -> None:
    """Make sure that the class takes every tensor, and lacks none but a part that the format does not have."""
    model_class: type[PretrainedModel] = getattr(import_module("data2vec_core"), converted.architecture)
    with blank_weights():
        model = model_class(converted.config)
    # A bare model may be built with a pooler or without, whatever the file has.
    report = fit_tensors(model, tensors, source=source, may_lack=("pooler.",))
    if any("pooler." not in name for name in report.initialised + report.left_over):
        raise CheckpointError(f"{source} does not fit {converted.architecture}: {'; '.join(report.sentences())}")


def _write_preprocessor(out: Path, modality: Modality, converted: Converted, content: dict[str, Any]) -> None:
    if modality == "audio":
        from data2vec_core.processing.audio import SpeechFeatureExtractor

        is_normalised = bool(stored_settings(content).get("normalize", True))
        SpeechFeatureExtractor(do_normalize=is_normalised).save_pretrained(out)
    elif modality == "vision":
        from data2vec_core.processing.image import ImageProcessor

        config: Any = converted.config
        ImageProcessor(size=config.image_size_pair).save_pretrained(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m data2vec_core.checkpoints.convert", description=__doc__)
    parser.add_argument("file", type=Path, help="the .pt or .pth file")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--modality", choices=MODALITIES, help="by the names of its tensors when left out")
    parser.add_argument("--head", help="the head to keep: none, ctc, lm, classifier, or the name of a text head")
    chosen = parser.parse_args(arguments)
    try:
        converted = convert(chosen.file, chosen.out, modality=chosen.modality, head=chosen.head)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{converted.architecture}: {len(converted.student)} tensors written to {chosen.out}")
    print(f"teacher: {TEACHER_FILE if converted.teacher is not None else 'the file has none'}")
    for note in converted.notes:
        print(f"note: {note}")
    for name in converted.dropped:
        print(f"dropped: {name}")
    if converted.config.model_type != "data2vec-vision":
        print("note: the vocabulary is not in the file; copy vocab.json (and merges.txt) from the matching release")
    return 0


if __name__ == "__main__":
    sys.exit(main())
