"""`pets3`: cat, dog and background, three breeds of Oxford-IIIT Pet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from recipes.bundled.model import BundledModel
from recipes.bundled.scenes import scenes_of
from recipes.bundled.scores import overlaps
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.segmentation import Scene, Segmentation
from recipes.finetuning.start import Start
from recipes.packs import Split

LABELS = ("background", "cat", "dog")
BORDER = 3
"""In the pack's maps: pixels that the data set does not classify; neither loss nor score looks there."""

CARD = Card(
    name="pets3",
    modality="vision",
    task="segmentation",
    title="Outlines of cats and dogs",
    description=(
        "Colours the pixels of cats and dogs in photographs. It has seen two breeds of cat and one of dog, so a dog "
        "unlike a bulldog may be taken for a cat. Scored without the borders, which the data set leaves open."
    ),
    trained_on="Oxford-IIIT Pet, three breeds, train split: 255 pictures; the encoder is that of objects, fixed",
    training_items=255,
    baseline="mean IoU 0.519: colours, local means and spreads, and place of each pixel, random forest",
    advice=(
        "Try a photograph of one cat or dog that fills a good part of it. It knows no other animal and colours some "
        "of whatever it is shown."
    ),
    licence="CC-BY-SA-4.0",
    parent="objects",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=400, warmup=40),
    weight_decay=0.05,
    fixed=("backbone.",),
    average=0.99,
    score_every=50,
    bf16=("cpu", "cuda"),
)


def examples(data: Path, split: Split) -> list[Scene]:
    """Photographs with their label maps."""
    return scenes_of(data, "pets3", split, unscored=BORDER)


def tuning(start: Start, plan: FinePlan, train: Sequence[Scene], valid: Sequence[Scene]) -> Segmentation:
    """The states after blocks 2, 4, 6 and 8 of a fixed encoder, and a head that pools whole pictures only, which keeps
    it small."""
    return Segmentation(
        start,
        plan,
        train,
        valid,
        labels=LABELS,
        size=80,
        batch=12,
        turn=0.2,
        out_indices=(3, 5, 7, 9),  # counted as the public files do (data2vec.md 2.3)
        pool_scales=(1,),
        drop_path_rate=0.1,
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Intersection over union at each picture's own size; the borders do not count."""
    return overlaps(model, examples(data, split), split)


MODEL = BundledModel(
    card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate, stratum=lambda scene: 2 in scene.target
)
