"""All that the stage draws of one input, in small numbers: colours are three bytes a position and layer, measures two
bytes, and no vector leaves the server. Every K of both tensors is there, so that changing them asks nothing more.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ui.inside.selection import Looked, whole
from ui.words import say

if TYPE_CHECKING:
    from PIL import Image

    from analysis.masked_prediction import MaskedPrediction, TargetTensor

NEAREST: Final = 3
"""Places told of a prediction."""
LONGEST_SIDE: Final = 480
"""Pixels of a photo on the page."""
_STEPS: Final = 8
"""Of the waveform's envelope in a frame."""
_CODES: Final = 65535
MOST_SEED: Final = 9999
_TENSORS: Final = ("hidden", "feed_forward")


@dataclass(frozen=True)
class Asked:
    """What the visitor has set; None and empty stand for the method's own."""

    k: int | None = None
    tensor: TargetTensor | None = None
    seed: int = 0
    masked: tuple[int, ...] = ()

    @classmethod
    def of(cls, value: Any, looked: Looked) -> Asked:
        """From the widget's value, as far as it fits what is looked at now: a mask belongs to one input, K and the
        tensor to one model, and a link to whatever it selects."""
        given = value if isinstance(value, dict) else {}
        was, now = given.get("of") or [], place_of(looked)
        is_same_model = was[:2] == now[:2] if was else True
        k = whole(given.get("k"), 0, least=0) if is_same_model else 0
        tensor = given.get("tensor") if is_same_model else None
        masked = read_positions(str(given.get("masked") or ""), len(looked.shown)) if was in ([], now) else []
        return cls(
            k=k if 1 <= k <= looked.subject.depth else None,
            tensor=tensor if tensor in _TENSORS else None,
            seed=min(whole(given.get("seed"), 0, least=0), MOST_SEED),
            masked=tuple(place for place in masked if place not in looked.shown.special),
        )


def place_of(looked: Looked) -> list[str]:
    """By what the page tells inputs apart: modality, model, and the input itself."""
    selection = looked.selection
    return [selection.modality, selection.model, selection.example, selection.given]


def read_positions(text: str, count: int) -> list[int]:
    """Positions from a list such as `3-7,12`, those below `count`; what cannot be read is left out."""
    found: set[int] = set()
    for part in text[:10_000].split(","):
        first, _, last = part.partition("-")
        if first.isascii() and first.isdigit() and len(first) < 7:
            end = int(last) if last.isascii() and last.isdigit() and len(last) < 7 else int(first)
            found.update(range(int(first), min(end, count - 1) + 1))
    return sorted(found)


def written_positions(positions: Sequence[int]) -> str:
    """Positions as such a list."""
    parts = []
    ordered = np.unique(np.asarray(positions, dtype=np.int64))
    for run in np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1) if len(ordered) else []:
        parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(parts)


def drawn(looked: Looked, found: MaskedPrediction, asked: Asked, notes: Sequence[str]) -> dict[str, Any]:
    """The data of the widget.

    Args:
        asked: what was asked for, and is shown.
        notes: sentences on what stands in for what this checkpoint lacks.
    """
    shown, subject = looked.shown, looked.subject
    maskable = np.ones(len(shown), dtype=np.uint8)
    maskable[list(shown.special)] = 0
    return {
        "kind": shown.modality,
        "labels": list(shown.labels),
        "step": shown.step,
        "depth": subject.depth,
        "own": {"k": found.rule.top_layers, "tensor": found.rule.tensor},
        "asked": {
            "k": asked.k or 0,
            "tensor": asked.tensor or "",
            "seed": asked.seed,
            "masked": written_positions(asked.masked),
        },
        "of": place_of(looked),
        "masked": encoded(found.is_masked.astype(np.uint8)),
        "maskable": encoded(maskable),
        "mustSee": subject.pretraining.decoder is not None,
        "tensors": {tensor: _by_rule(found, tensor) for tensor in _TENSORS},
        "notes": list(notes),
        "isPredicted": found.predictions is not None,
        "hasTeacher": subject.has_teacher,
        "facts": facts(looked, found, asked),
        **_input(looked, found),
    }


def facts(looked: Looked, found: MaskedPrediction, asked: Asked) -> str:
    """What the numbers are made from; K, tensor and spread are left for the script to fill in."""
    shown, rule = looked.shown, found.rule
    norms = {
        "none": say("stage.norm_none"),
        "layer": say("stage.norm_layer"),
        "instance": say("stage.norm_instance"),
    }
    sentences = [
        say(
            "stage.facts",
            model=looked.selection.model.replace("{", "").replace("}", ""),
            k="{k}",
            depth=looked.subject.depth,
            layers="{layers}",
            tensor="{tensor}",
            each=norms[rule.layer_norm],
            dim=looked.subject.dim,
        ),
        say("stage.facts_spread", agreement="{agreement}", least="{least}"),
        say("stage.facts_mean", norm=norms[rule.mean_norm]) if rule.mean_norm != "none" else "",
        say("stage.facts_mask", masked=len(found.positions), positions=len(shown)),
        say("stage.facts_seed", seed=asked.seed) if not asked.masked else say("stage.facts_painted"),
    ]
    if shown.picture is not None:
        height, width = shown.picture.shape[:2]
        sentences.append(say("stage.facts_picture", width=width, height=height))
    return say("app.between_sentences").join(filter(None, sentences))


def _by_rule(found: MaskedPrediction, tensor: TargetTensor) -> dict[str, Any]:
    """Of one tensor, with every K: colours on one basis, measures, and what they come to."""
    from analysis.component_colours import ColourBasis

    depth = len(found.layers[tensor])
    own_k = found.rule.top_layers
    basis = ColourBasis.of(found.target(own_k, tensor).vectors)
    targets, predicted, error, cosine, rank, nearest, means = [], [], [], [], [], [], []
    for k in range(1, depth + 1):
        target = found.target(k, tensor)
        errors, near = found.compare(target, NEAREST)
        targets.append(basis.colours(target.vectors))
        if found.predictions is None or k == 1:
            predicted.append(basis.colours(found.predicted(target)))
        error.append(errors.error)
        cosine.append(errors.cosine)
        rank.append(errors.rank)
        nearest.append(near)
        means.append(
            {
                "error": float(errors.error.mean()),
                "cosine": float(errors.cosine.mean()),
                "first": float((errors.rank == 1).mean()),
                "rank": float(np.median(errors.rank)),
                "guess": found.guess(target),
                "agreement": target.agreement(),
            }
        )
        tiles = target.tiles
    most = float(np.max(error)) or 1.0
    return {
        "tiles": encoded(basis.colours(tiles)),  # of the last K, which is all layers
        "targets": encoded(np.stack(targets)),
        "predicted": encoded(np.stack(predicted)),
        "most": most,
        "error": encoded(np.rint(np.stack(error) / most * _CODES).astype("<u2")),
        "cosine": encoded(np.rint((np.stack(cosine).clip(-1, 1) + 1) / 2 * _CODES).astype("<u2")),
        "rank": encoded(np.stack(rank).astype("<u2")),
        "nearest": encoded(np.stack(nearest).astype("<u2")),
        "near": nearest[0].shape[1],
        "means": means,
        "explained": list(basis.explained),
    }


def _input(looked: Looked, found: MaskedPrediction) -> dict[str, Any]:
    shown = looked.shown
    if shown.waveform is not None:
        return {"wave": encoded(_envelope(shown.waveform, round(shown.step * shown.rate), len(shown)))}
    if shown.picture is not None:
        assert shown.grid is not None
        picture = _photo(looked)
        return {"picture": _data_uri(picture), "size": [picture.width, picture.height], "grid": list(shown.grid)}
    tokenizer: Any = looked.subject.processor
    return {"read": tokens_read(looked, found), "mask": tokenizer.tokens([tokenizer.mask_id])[0]}


def tokens_read(looked: Looked, found: MaskedPrediction) -> list[str]:
    """What the student read at each place of a text: as it was written, `<mask>`, or another token."""
    tokenizer: Any = looked.subject.processor
    assert found.shown_ids is not None
    before, after = looked.shown.batch["input_ids"][0].tolist(), found.shown_ids.tolist()
    tokens = [token.removeprefix("Ġ") for token in tokenizer.tokens(after)]
    return [
        label if old == new else token
        for label, old, new, token in zip(looked.shown.labels, before, after, tokens, strict=True)
    ]


def _photo(looked: Looked) -> Image.Image:
    """As it came, where the model sees all of it; else what the model sees."""
    from PIL import Image

    from data2vec_core.processing.image_io import load_image  # brings in torch
    from ui.inside.selection import source_of

    processor: Any = looked.subject.processor
    if processor.do_center_crop:
        return Image.fromarray(looked.shown.picture)  # type: ignore[arg-type]
    source, _ = source_of(looked.selection)
    small = load_image(source)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return small


def _data_uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _envelope(samples: NDArray[np.float32], frame: int, frames: int) -> NDArray[np.uint8]:
    """(frames, steps, 2) lowest and highest sample of each part of a frame, 0 to 255 with 128 for silence, by the
    loudest sample; what lies after the last frame is left out."""
    size = max(1, frame // _STEPS)
    wanted = frames * _STEPS * size
    padded = np.zeros(wanted, np.float32)
    padded[: min(wanted, len(samples))] = samples[:wanted]
    parts = padded.reshape(frames, _STEPS, size)
    both = np.stack([parts.min(axis=2), parts.max(axis=2)], axis=2) / max(float(np.abs(samples).max()), 1e-9)
    return np.rint(128 + 127 * both).astype(np.uint8)


def encoded(values: NDArray[Any]) -> str:
    """Base64 of the bytes."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
