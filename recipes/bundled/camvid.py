"""`camvid`: what is where in a street, eleven classes of CamVid. Its data allow research only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from recipes.bundled.model import BundledModel
from recipes.bundled.scenes import scenes_of
from recipes.bundled.scores import overlaps
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.segmentation import Scene, Segmentation, rarity_weights
from recipes.finetuning.start import Start
from recipes.packs import Split

LABELS = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
VOID = 11
"""In the pack's maps: pixels that the data set does not classify; neither loss nor score looks there."""

CARD = Card(
    name="camvid",
    modality="vision",
    task="segmentation",
    title="Parts of a street scene (non-commercial research only)",
    description=(
        "Colours road, pavement, buildings, trees, cars and six further classes in pictures taken from a car. The "
        "data's licence allows personal and research use only, and so does that of these weights."
    ),
    trained_on=(
        "CamVid, frames of four drives in one town, 128 x 96 pixels, train split: 367 pictures; the encoder is that of "
        "objects, fixed"
    ),
    training_items=367,
    baseline="mean IoU 0.296: colours, local means and spreads, and place of each pixel, random forest",
    advice=(
        "Try a photograph of a street from a driver's height, by day. Poles and signs are a pixel or two wide at the "
        "size that it sees, and it knows no other scene than a street."
    ),
    licence="CC-BY-NC-4.0 (non-commercial research only)",
    parent="objects",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=700, warmup=50),
    weight_decay=0.05,
    fixed=("backbone.",),
    average=0.99,
    score_every=100,
    bf16=("cpu", "cuda"),
)
"""With an encoder that learns along it is 0.525 on valid and 0.388 on test, where this one has 0.493 and 0.357; but
that one is twice as large."""


def examples(data: Path, split: Split) -> list[Scene]:
    """Frames with their label maps."""
    return scenes_of(data, "camvid", split, unscored=VOID)


def tuning(start: Start, plan: FinePlan, train: Sequence[Scene], valid: Sequence[Scene]) -> Segmentation:
    """The states after blocks 2, 4, 6 and 8 of a fixed encoder, a head that pools whole pictures only, which keeps it
    small, more weight for what covers few pixels, and strong changes of colour, for every drive has a light of its own.
    """
    return Segmentation(
        start,
        plan,
        train,
        valid,
        labels=LABELS,
        size=(96, 128),
        batch=8,
        recoloured=0.6,
        class_weights=rarity_weights([scene.target for scene in train], len(LABELS), offset=1.03),
        out_indices=(3, 5, 7, 9),  # counted as the public files do (data2vec.md 2.3)
        pool_scales=(1,),
        drop_path_rate=0.1,
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Intersection over union at each picture's own size; void does not count."""
    return overlaps(model, examples(data, split), split)


MODEL = BundledModel(
    card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate, stratum=lambda scene: 10 in scene.target
)
