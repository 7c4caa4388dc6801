"""Record the training replays: `python -m recipes.record --data DATA`.

A very small student learns from the photographs of caltech25 in four ways: as it should, and with one part of the
method left out each time. All begin with the same weights and see the same pictures under the same masks; what
becomes of them is measured, not arranged, and the collapse alarm is off. At moments that lie closer together at the
start, where most happens, the run is looked at on fixed pictures; see `analysis.recordings.Recording`.

A run takes a few minutes of one processor core, and gives the same file again on the same machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from analysis.geometry import effective_rank
from analysis.maps import principal_plane, turned_to
from analysis.probing import Scaling, accuracy, knn_classify
from analysis.recordings import RECORDINGS_FOLDER, SUFFIX, About, Recording
from analysis.similarity import linear_cka
from data2vec_core import Data2VecVisionConfig, Data2VecVisionModel, Trace
from data2vec_core.checkpoints.files import read_json
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.loop import pretrain
from data2vec_core.pretraining.masking import InverseBlocks, mask_generators
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import VisionPretraining
from data2vec_core.pretraining.objective import Moments, Objective
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.progress import with_progress_bar
from data2vec_core.pretraining.saved import METHOD_FILE
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from data2vec_core.pretraining.targets import TargetRule
from recipes.backbones.starts import start_from_places
from recipes.backbones.vision import Views
from recipes.packs import add_data_option, read_pictures
from recipes.sight import as_tensor, normalise

PACK = "caltech25"
SIDE, STORED_SIDE = 48, 54
"""Pixels of a picture as the student sees it, and as it is kept for crops."""
CLASSES = (
    "airplane",
    "bonsai",
    "butterfly",
    "chandelier",
    "face",
    "grand_piano",
    "leopard",
    "motorbike",
    "sunflower",
    "watch",
)
"""Of the fixed items."""
ITEMS_OF_CLASS = 20
ASKED_OF_CLASS = 30
"""Pictures that the neighbours are asked about: as many of each of the 25 classes, so that guessing names one in 25."""
LOSS_ITEMS = 128
"""Pictures of valid that loss and spreads are measured on."""
ATTENTION_INPUT = "examples/chelsea.jpg"
"""Inside assets."""

STUDENT = Data2VecVisionConfig(
    hidden_size=96,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=384,
    image_size=SIDE,
    patch_size=8,
    use_mean_pooling=False,
    use_absolute_position_embeddings=True,
    layer_norm_eps=1e-6,
    layer_scale_init_value=1.0,
)

HEALTHY = Method(
    masking=InverseBlocks(kept=0.32),
    decay=TeacherDecay(0.99, 0.996, 1600),
    targets=TargetRule(top_layers=3, tensor="hidden", layer_norm="instance", mean_norm="layer"),
    head="linear",
    objective=Objective(divisor="elements"),
    decoder=ConvDecoder(width=96, layers=2, groups=8),
)


@dataclass(frozen=True)
class Way:
    """One way of training, as the replay presents it."""

    title: str
    description: str
    method: Method


WAYS = {
    "healthy": Way(
        "The whole method",
        "Targets are the last three of four blocks, normalised and averaged; the teacher is a slow average of the "
        "student. The neighbours get better from 19 % to 29 %, where guessing names 4 %, and the effective rank, 17 at "
        "first, ends at 15.",
        HEALTHY,
    ),
    "tau0": Way(
        "tau = 0: the teacher is the student",
        "The teacher is copied from the student after every step, instead of following slowly. The effective "
        "rank falls from 17 to 2 and the neighbours learn nothing, while the loss falls lower than that of "
        "the whole method. The spread of the targets, which are normalised, stays at 1: it does not show this "
        "collapse, the effective rank does.",
        HEALTHY.replace(decay=TeacherDecay(0.0, 0.0, 1)),
    ),
    "unnormalised": Way(
        "No normalisation of the targets",
        "The last three blocks are averaged as they are. No lasting collapse: within some 50 steps the effective "
        "rank falls from 17 to 5 and the neighbours get worse, then both recover, but the neighbours stay behind "
        "those of the whole method. The loss rises while it learns, for its target grows.",
        HEALTHY.replace(targets=dataclasses.replace(HEALTHY.targets, layer_norm="none", mean_norm="none")),
    ),
    "k1": Way(
        "K = 1: the last layer alone",
        "The target is the last block, normalised, without those below. Nothing fails: at this size and length "
        "neighbours, rank and spread are about those of the whole method.",
        HEALTHY.replace(targets=dataclasses.replace(HEALTHY.targets, top_layers=1)),
    ),
}


@dataclass(frozen=True)
class Settings:
    """Of all ways alike."""

    steps: int = 1600
    batch: int = 32
    """Pictures of a step."""
    rate: float = 1.5e-3
    """Learning rate at its peak."""
    warmup: int = 100
    """Steps."""
    moments: int = 29
    seed: int = 0

    def plan(self) -> Plan:
        """How the student is optimised."""
        return Plan(
            schedule=WarmupCosine(peak=self.rate, total=self.steps, warmup=self.warmup, end=1e-5),
            weight_decay=0.05,
            decays_vectors=False,
            undecayed=("cls_token", "position_embeddings"),
            clip=3.0,
            seed=self.seed,
            save_every=self.steps,
        )

    def looks(self) -> list[int]:
        """Steps of the moments, from 0 to the last, closer together at the start; fewer where steps are few."""
        shares = np.linspace(0, 1, self.moments) ** 2
        return sorted({round(self.steps * share) for share in shares})


@dataclass(frozen=True)
class Pictures:
    """All that a run learns from and is looked at on; uint8 (pictures, 3, side, side)."""

    unlabelled: Tensor
    """Of train, `STORED_SIDE` wide."""
    asked: Tensor
    """The first `ASKED_OF_CLASS` of every class among them, `SIDE` wide."""
    names: NDArray[np.str_]
    """The classes of those, for the neighbours and the colours of the map alone."""
    unseen: Tensor
    """Of valid, for the loss."""
    attended: Tensor
    """One picture, (1, 3, side, side)."""

    @classmethod
    def read(cls, data: Path) -> Pictures:
        """From the pack, and the example that attention is shown on, cropped to a square."""
        train = list(read_pictures(data, PACK, "train"))
        valid = [picture.image for picture in read_pictures(data, PACK, "valid")][:LOSS_ITEMS]
        with Image.open(RECORDINGS_FOLDER.parent / ATTENTION_INPUT) as image:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.convert("RGB").crop((left, top, left + side, top + side))
        names = np.array([picture.record["label"] for picture in train])
        asked = np.concatenate([np.flatnonzero(names == name)[:ASKED_OF_CLASS] for name in np.unique(names)])
        return cls(
            unlabelled=as_tensor([picture.image for picture in train], STORED_SIDE),
            asked=as_tensor([train[index].image for index in asked], SIDE),
            names=names[asked],
            unseen=as_tensor(valid, SIDE),
            attended=as_tensor([square], SIDE),
        )

    @property
    def fixed(self) -> NDArray[np.intp]:
        """The items of the map among those asked about: the first of every class of `CLASSES`."""
        return np.concatenate([np.flatnonzero(self.names == name)[:ITEMS_OF_CLASS] for name in CLASSES])


@torch.no_grad()
def look(model: VisionPretraining, pictures: Pictures, step: int) -> dict[str, Any]:
    """The fields of a `Recording` at one moment; `positions` not yet turned. Leaves the run as it was."""
    model.eval()
    generators = mask_generators(0, 0, range(len(pictures.unseen)), model.method.masks_per_sample)
    with torch.random.fork_rng(devices=[]):  # the decoder stands noise in for what is hidden: always the same here
        torch.manual_seed(0)
        output = model({"pixel_values": normalise(pictures.unseen)}, generators)
    trace = Trace({"attention": [model.student.config.num_hidden_layers]})
    model.student(normalise(pictures.attended), trace=trace)
    (attention,) = trace.all("attention")
    student, teacher = (pooled(encoder, pictures.asked) for encoder in (model.student, model.teacher.model))
    model.train()
    fixed = pictures.fixed
    plane = principal_plane(student[-1][fixed])
    return {
        "steps": step,
        "tau": model.method.decay(step),
        "loss": output.loss.item(),
        "target_spread": Moments.of(output.targets).spread(),
        "prediction_spread": Moments.of(output.predictions).spread(),
        "effective_rank": [effective_rank(layers[-1][fixed]) for layers in (student, teacher)],
        "knn": [neighbours(layers[-1], pictures.names) for layers in (student, teacher)],
        "cka": [linear_cka(mine[fixed], other[fixed]) for mine, other in zip(student, teacher, strict=True)],
        "distance": model.teacher.distances(model.student),
        "positions": plane.points,
        "explained": plane.explained,
        "attention": attention[0].numpy(),
    }


def pooled(model: Any, pixels: Tensor) -> NDArray[np.float32]:
    """Means over the patches of every layer, 0 first: (layers, pictures, dim)."""
    parts = []
    for some in pixels.split(256):
        trace = Trace({"hidden": None}, reduce={"hidden": lambda hidden: hidden[:, 1:].mean(dim=1)})
        model(normalise(some), trace=trace)
        parts.append(trace.stack("hidden"))
    return torch.cat(parts, dim=1).numpy()


def neighbours(vectors: NDArray[np.float32], names: NDArray[np.str_]) -> float:
    """Share of the pictures that their neighbours name rightly, every dimension scaled."""
    return accuracy(knn_classify(Scaling.of(vectors)(vectors), names), names)


def record(way: Way, pictures: Pictures, settings: Settings = Settings()) -> Recording:  # noqa: B008
    """Train one way and look at it."""
    torch.manual_seed(settings.seed)
    student = start_from_places(Data2VecVisionModel(STUDENT, add_pooling_layer=False))
    model, looks = VisionPretraining(student, way.method), settings.looks()
    views = Views(pictures.unlabelled, side=SIDE, batch=settings.batch, seed=settings.seed)
    moments = [look(model, pictures, 0)]
    with tempfile.TemporaryDirectory() as folder:
        for report in with_progress_bar(pretrain(model, views, settings.plan(), folder), settings.steps):
            if report.step in looks:
                moments.append(look(model, pictures, report.step))
        method = read_json(Path(folder) / METHOD_FILE)
    for earlier, moment in zip(moments, moments[1:], strict=False):
        moment["positions"] = turned_to(moment["positions"], earlier["positions"])
    arrays: dict[str, NDArray[Any]] = {
        name: np.array([moment[name] for moment in moments], dtype=np.int32 if name == "steps" else np.float32)
        for name in moments[0]
    }
    labels = np.array([CLASSES.index(name) for name in pictures.names[pictures.fixed]], dtype=np.uint8)
    return Recording(about=about(way, pictures, settings, method), labels=labels, **arrays)


def about(way: Way, pictures: Pictures, settings: Settings, method: dict[str, Any]) -> About:
    """What the file says of itself."""
    classes, counts = np.unique(pictures.names, return_counts=True)
    side = SIDE // STUDENT.patch_size_pair[0]
    return About(
        title=way.title,
        description=way.description,
        trained_on=(
            f"train split, without its labels, of {len(classes)} classes of Caltech-101 "
            f"({len(pictures.unlabelled):,} pictures)"
        ),
        licence="CC-BY-4.0",
        model=(
            f"{STUDENT.num_hidden_layers} blocks, {STUDENT.hidden_size} wide, {STUDENT.num_attention_heads} heads, "
            f"pictures of {SIDE} pixels in patches of {SIDE // side}"
        ),
        method=method,
        settings=dataclasses.asdict(settings),
        layer=STUDENT.num_hidden_layers,
        classes=CLASSES,
        knn_items=len(pictures.names),
        knn_chance=float(counts.max() / counts.sum()),
        attention_input=ATTENTION_INPUT,
        grid=(side, side),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.record", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WAYS)} (all)")
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=RECORDINGS_FOLDER, help="folder (assets/recordings)")
    parser.add_argument("--steps", type=int, default=Settings.steps, help="of every run (%(default)s)")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in WAYS:
            parser.error(f"NAME: expected one of {', '.join(WAYS)}, got {name!r}")
    torch.set_num_threads(1)  # so that the same machine gives the same file
    options.out.mkdir(parents=True, exist_ok=True)
    pictures = Pictures.read(options.data)
    for name in options.names or WAYS:
        recording = record(WAYS[name], pictures, Settings(steps=options.steps))
        recording.save(options.out / f"{name}{SUFFIX}")
        knn, rank = recording.knn[-1, 0], recording.effective_rank[-1, 0]
        print(f"{name}: kNN {recording.knn[0, 0]:.1%} -> {knn:.1%}, effective rank {rank:.1f}", flush=True)


if __name__ == "__main__":
    main()
