"""Labelled data of one's own as people have it, a few items a kind of task, and tiny encoders to teach with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from data2vec_core.processing.text import train_tokenizer
from tests.pretraining_samples import tiny_student

RATE = 16_000
SENTENCES = [f"the {word} film is {end}" for word in ("good", "bad", "long", "new") for end in ("fun", "dull", "here")]


def save_encoder(modality: str, folder: Path) -> str:
    """A tiny checkpoint without a head."""
    changes: dict[str, Any] = {}
    match modality:
        case "audio":  # frames of 25 ms every 20 ms, as conversations are made for
            changes = {
                "conv_dim": (8,) * 7,
                "conv_stride": (5, 2, 2, 2, 2, 2, 2),
                "conv_kernel": (10, 3, 3, 3, 3, 2, 2),
            }
        case "text":
            tokenizer = train_tokenizer(SENTENCES, 300, max_length=32)
            tokenizer.save_pretrained(folder)
            changes = {"vocab_size": len(tokenizer), "type_vocab_size": 1}
    tiny_student(modality, **changes).save_pretrained(folder)
    return str(folder)


def write_sound(path: Path, seed: int = 0, seconds: float = 0.4) -> None:
    """Noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal(int(RATE * seconds)), RATE)


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (40, 36)) -> None:
    """Noise, (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_mask(path: Path, size: tuple[int, int] = (40, 36), largest: int = 1) -> None:
    """Class 0 on the left, `largest` on the right, nothing known between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.zeros((size[1], size[0]), dtype=np.uint8)
    ids[:, size[0] // 2] = 255
    ids[:, size[0] // 2 + 1 :] = largest
    Image.fromarray(ids).save(path)


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",") -> Path:
    """A table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return path


def write_lines(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    """JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def write_data(task: str, folder: Path) -> Path:
    """The data of a kind of task: a folder or a table."""
    folder.mkdir(parents=True, exist_ok=True)
    match task:
        case "transcription":
            for index in range(6):
                write_sound(folder / f"{index}.wav", index)
                (folder / f"{index}.txt").write_text(f"one two {'ab'[index % 2]}\n")
        case "audio-classification":
            for index in range(8):
                write_sound(folder / ("hum", "hiss")[index % 2] / f"{index}.wav", index)
        case "speaker-verification" | "speaker-activity":
            for index in range(10):
                write_sound(folder / f"speaker {index % 5}" / f"{index}.wav", index, seconds=1.0)
        case "text-classification":
            labels = ["positive" if "good" in text or "fun" in text else "negative" for text in SENTENCES]
            return write_csv(folder / "films.csv", ["text", "label"], list(zip(SENTENCES, labels, strict=True)))
        case "token-classification":
            records = [{"tokens": text.split(), "tags": ["O", "B-kind", "I-kind", "O", "O"]} for text in SENTENCES]
            return write_lines(folder / "tags.jsonl", records)
        case "masked-language" | "causal-language":
            for index, text in enumerate(SENTENCES):
                (folder / f"{index}.txt").write_text(f"{text}, and {text}")
        case "question-answering":
            rows = [["what film", text, text.split()[1]] for text in SENTENCES]
            return write_csv(folder / "questions.tsv", ["question", "context", "answer"], rows, "\t")
        case "multiple-choice":
            rows = [[text, "good | bad | fun", str(index % 3)] for index, text in enumerate(SENTENCES)]
            return write_csv(folder / "choices.csv", ["prompt", "choices", "label"], rows)
        case "image-classification":
            for index in range(8):
                write_picture(folder / ("cat", "dog")[index % 2] / f"{index}.png", index)
        case _:
            for index in range(5):
                write_picture(folder / "images" / f"{index}.jpg", index)
                write_mask(folder / "masks" / f"{index}.png")
    return folder
