"""`vision`: photographs, from three packs of pictures and none of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from data2vec_core.checkpoints.card import Card
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.masking import InverseBlocks
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.model import Batch
from data2vec_core.pretraining.objective import CollapseAlarm, Objective
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from data2vec_core.pretraining.seeds import mixed_seed
from data2vec_core.pretraining.targets import TargetRule
from recipes.backbones.backbone import Backbone
from recipes.batching import LengthBatches
from recipes.packs import read_pictures
from recipes.sight import as_tensor, change_colours, normalise, random_colours, random_views, take_views

PACKS = ("caltech25", "flowers5", "pets3")
STORED_SIDE = 72
"""Pixels of a stored picture; a little more than the model sees, for crops."""

STUDENT = Data2VecVisionConfig(
    hidden_size=144,
    num_hidden_layers=8,
    num_attention_heads=6,
    intermediate_size=576,
    image_size=64,
    patch_size=8,
    use_mean_pooling=False,
    use_absolute_position_embeddings=True,
    layer_norm_eps=1e-6,
    layer_scale_init_value=1.0,
    drop_path_rate=0.05,
)

BACKBONE = Backbone(
    card=Card(
        name="vision",
        modality="vision",
        task="pretraining",
        title="Photographs of things, flowers and pets, without labels",
        description=(
            "An encoder of small photographs, with its teacher. It gives one vector for each of 64 patches and has no "
            "head: it answers nothing by itself."
        ),
        trained_on=(
            "train splits, without their labels, of 25 classes of Caltech-101 (1,559 pictures), flower_photos (1,797) "
            "and three breeds of Oxford-IIIT Pet (255)"
        ),
        licence="CC-BY-SA-4.0 (the strictest of its pictures': CC-BY-4.0, CC-BY-2.0, CC-BY-SA-4.0)",
    ),
    student=STUDENT,
    method=Method(
        masking=InverseBlocks(kept=0.32),
        decay=TeacherDecay(0.99, 0.999, 4000),
        # Normalised over the patches, not over the channels: on few pictures a part of the channels becomes the same
        # everywhere, and layer norm would make that the target.
        targets=TargetRule(top_layers=6, tensor="hidden", layer_norm="instance", mean_norm="layer"),
        head="linear",
        objective=Objective(beta=2.0, divisor="elements"),
        collapse=CollapseAlarm(after=500),
        masks_per_sample=4,
        decoder=ConvDecoder(width=144, layers=3, groups=8),
    ),
    plan=Plan(
        schedule=WarmupCosine(peak=1.5e-3, total=6000, warmup=300, end=1e-5),
        weight_decay=0.05,
        decays_vectors=False,
        undecayed=("cls_token", "position_embeddings"),
        clip=3.0,
        report_every=20,
        save_every=500,
    ),
    further=Plan(
        schedule=WarmupCosine(peak=1.2e-3, total=2500, warmup=300, end=1e-5),
        weight_decay=0.05,
        decays_vectors=False,
        undecayed=("cls_token", "position_embeddings"),
        clip=3.0,
        seed=1,
        report_every=20,
        save_every=500,
    ),
)


class Views:
    """Batches of random crops, mirrored half of the time, with other colours.

    Args:
        pictures: uint8 (3, height, width) each, all of one size: `STORED_SIDE` for the default side.
        side: of a view, in pixels.
        batch: pictures in a batch.
        seed: of the order and the views.
        least: see `LengthBatches`.
    """

    def __init__(
        self, pictures: Sequence[Tensor] | Tensor, *, side: int = 64, batch: int = 16, seed: int = 0, least: int = 1
    ) -> None:
        self._pictures = pictures
        self._side = side
        self._seed = seed
        self._batches = LengthBatches([1] * len(pictures), batch, seed, least=least)
        self.per_epoch = self._batches.per_epoch
        """Batches."""

    def __call__(self, index: int, shard: Shard = Shard()) -> Batch:  # noqa: B008
        rows = self._batches.indices(index)
        generator = torch.Generator().manual_seed(mixed_seed(self._seed, index))
        views = random_views(len(rows), generator, smallest=0.6, aspect=1.3)
        colours = random_colours(len(rows), generator)
        pixels = normalise(torch.stack([self._pictures[row] for row in shard.of(rows)]))
        cropped = take_views(pixels, shard.of(views), self._side)
        return {"pixel_values": change_colours(cropped, shard.of(colours))}


def views_of_packs(data: Path, *, seed: int = 0) -> Views:
    """Of the train splits."""
    images = [picture.image for pack in PACKS for picture in read_pictures(data, pack, "train")]
    return Views(as_tensor(images, STORED_SIDE), seed=seed)
