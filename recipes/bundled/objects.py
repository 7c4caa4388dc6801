"""`objects`: 25 classes of Caltech-101 and five flowers; the sunflowers of both are one class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.tasks.image_classification import ImageClassifier
from recipes.bundled.model import BundledModel
from recipes.finetuning.picture_classes import Hints, Picture, PictureClasses
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.metrics import mean_class_accuracy
from recipes.packs import Split, read_pictures

PACKS = ("caltech25", "flowers5")
#: Of both packs, sorted.
LABELS = (
    "airplane",
    "bonsai",
    "butterfly",
    "chandelier",
    "crab",
    "daisy",
    "dalmatian",
    "dandelion",
    "dragonfly",
    "electric_guitar",
    "elephant",
    "face",
    "flamingo",
    "grand_piano",
    "helicopter",
    "kangaroo",
    "laptop",
    "leopard",
    "llama",
    "motorbike",
    "rose",
    "sailboat",
    "sea_turtle",
    "soccer_ball",
    "starfish",
    "sunflower",
    "tulip",
    "umbrella",
    "watch",
)

CARD = Card(
    name="objects",
    modality="vision",
    task="classification",
    title="29 kinds of things, animals and flowers in photographs",
    description=(
        "Names one of 29 things that fill the picture, from airplane to watch, five flowers among them. Anything else "
        "is called by the most similar of the 29."
    ),
    trained_on=(
        "train splits of Caltech-101, 25 classes (1,559 pictures), and flower_photos, five classes (1,797); the "
        "sunflowers of both are one class"
    ),
    training_items=3356,
    baseline=(
        "accuracy 74.1 % (Caltech part, its 25 classes) and 67.1 % (flowers, their five): histograms of gradients and "
        "colours, support vector machine"
    ),
    advice=(
        "Try a photograph that one thing fills: an airplane, a piano, a leopard, a tulip. It will not find several "
        "things, nor say that it knows none of them."
    ),
    licence="CC-BY-SA-4.0 (as the encoder it comes from; its own pictures: CC-BY-4.0, CC-BY-2.0)",
    parent="vision",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=9000, warmup=200),
    weight_decay=0.05,
    undecayed=("cls_token", "position_embeddings"),
    layer_decay=0.85,
    average=0.999,
    score_every=300,
    bf16=("cpu", "cuda"),
)


def examples(data: Path, split: Split) -> list[Picture]:
    """Photographs with their class, those of Caltech-101 first."""
    return [
        Picture(picture.image, picture.record["label"])
        for pack in PACKS
        for picture in read_pictures(data, pack, split)
    ]


def tuning(start: Start, plan: FinePlan, train: Sequence[Picture], valid: Sequence[Picture]) -> PictureClasses:
    """Half of the patches at first, for speed, and edges as a second thing to learn: from the encoder before, a linear
    map reads less than a tenth of their variance."""
    return PictureClasses(
        start,
        plan,
        train,
        valid,
        labels=LABELS,
        side=88,
        cropped=72,
        smallest=0.6,
        mixed=0.5,
        early=(0.5, 0.9),
        hints=Hints(layer=3, weight=0.5),
        use_mean_pooling=True,
        drop_path_rate=0.15,
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Accuracy over each pack's pictures, all 29 classes being open always, and over Caltech's classes, which are
    uneven."""
    classify = ImageClassifier.from_pretrained(model)
    metrics = []
    for pack in PACKS:
        pictures = list(read_pictures(data, pack, split))
        predicted = [classify(picture.image).labels[0].label for picture in pictures]
        true = [picture.record["label"] for picture in pictures]
        right = sum(p == t for p, t in zip(predicted, true, strict=True))
        metrics.append(Metric(f"accuracy, {pack} part", right / len(true), split))
        if pack == "caltech25":
            metrics.append(Metric(f"mean class accuracy, {pack} part", mean_class_accuracy(predicted, true), split))
    return metrics


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
