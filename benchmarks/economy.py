"""What the economy of data2vec 2.0 saves: `python -m benchmarks.economy --data DATA`.

The same vision student learns from the same pictures in up to four ways, the arms: as data2vec does it; with several
masks for one pass of the teacher; encoding the visible patches alone, with a decoder; and with both. Measured is how
well the nearest neighbours of a picture name its class, against the time that training took. The arms take turns of
a few steps, the one with the least time first, so that whatever else the machine does slows all alike. Evaluation is
not counted. Every arm sees as many pictures in a step, and the learning rate is constant after its warm-up, so that
any point of a curve could be the last.

Written is `benchmarks/economy.json`, of which `python -m benchmarks.economy_report` makes a figure and a table.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.probing import Scaling, accuracy, knn_classify
from benchmarks.economy_report import ARMS, CLOCKS, RESULTS
from data2vec_core import Data2VecVisionConfig, Data2VecVisionModel, Trace
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.loop import StepReport, pretrain
from data2vec_core.pretraining.masking import InverseBlocks, PatchBlocks
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import VisionPretraining
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.presets import METHODS
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from recipes.packs import Split, add_data_option, read_pictures
from recipes.sight import SMALL_ENCODER, as_tensor, jitter, normalise, random_views, take_views

SIDE, LOADED_SIDE = 64, 72
"""Pixels of a picture as the student sees it, and as it is kept for crops."""
SPLITS: tuple[Split, ...] = ("train", "valid")
TURN = 5
"""Steps that an arm takes before another may."""
ENDLESS = 10**9


@dataclass(frozen=True)
class Settings:
    """Of all arms alike."""

    minutes: float = 6.0
    """Of training, for every arm."""
    every: float = 45.0
    """Seconds of training between looks at the neighbours."""
    depth: int = 6
    width: int = 128
    batch: int = 32
    """Pictures of a step."""
    masks: int = 4
    """M of the arms with several masks."""
    kept: float = 0.3
    """Share of the patches that an arm with a decoder sees; the others hide at most 60 %, in blocks."""
    rate: float = 1e-3
    seed: int = 0
    clock: str = "seconds"
    """That ends an arm, gives the turns, and is the figure's axis: `seconds` on the wall, or `processor_seconds` on a
    machine that has much else to do. Both are written."""

    def __post_init__(self) -> None:
        if self.clock not in CLOCKS:
            raise ValueError(f"clock={self.clock!r}: one of {', '.join(CLOCKS)}")

    @property
    def layers(self) -> tuple[int, ...]:
        """That are looked at: two thirds up, and the last."""
        return (round(self.depth * 2 / 3), self.depth)


def build_arm(name: str, settings: Settings) -> VisionPretraining:
    """Student, teacher and head of one arm; all arms start from the same student."""
    is_visible = name in ("visible", "both")
    config = Data2VecVisionConfig(
        **SMALL_ENCODER
        | {
            "hidden_size": settings.width,
            "intermediate_size": 4 * settings.width,
            "num_hidden_layers": settings.depth,
            "use_mean_pooling": False,
            "use_mask_token": not is_visible,
        }
    )
    torch.manual_seed(settings.seed)
    return VisionPretraining(Data2VecVisionModel(config), method(name, settings))


def method(name: str, settings: Settings) -> Method:
    """The paper's for pictures with a faster teacher, for the run is short, and the arm's part of the economy."""
    base = METHODS["data2vec-vision"]
    rule = dataclasses.replace(base.targets, top_layers=max(settings.depth - 2, 1), layer_norm="instance")
    base = base.replace(
        targets=rule,
        decay=TeacherDecay(0.99, 0.999, 2000),
        masking=PatchBlocks(share=0.6, min_patches=4),
        masks_per_sample=settings.masks if name in ("masks", "both") else 1,
    )
    if name in ("plain", "masks"):
        return base
    return base.replace(
        masking=InverseBlocks(kept=settings.kept), decoder=ConvDecoder(width=settings.width, layers=3, groups=16)
    )


@dataclass(frozen=True)
class Pictures:
    """All that the arms learn from and are measured by."""

    unlabelled: Tensor
    """(pictures, 3, LOADED_SIDE, LOADED_SIDE) uint8"""
    labelled: Mapping[Split, tuple[Tensor, NDArray[np.str_]]]
    """`train` and `valid`: (pictures, 3, SIDE, SIDE) uint8, and (pictures,) classes."""

    @classmethod
    def read(cls, data: Path) -> Pictures:
        """Train pictures of caltech25 and flowers5, and the labels of the former."""
        train = [pic.image for pack in ("caltech25", "flowers5") for pic in read_pictures(data, pack, "train")]
        labelled = {}
        for split in SPLITS:
            found = list(read_pictures(data, "caltech25", split))
            labels = np.array([picture.record["label"] for picture in found])
            labelled[split] = as_tensor([picture.image for picture in found], SIDE), labels
        return cls(as_tensor(train, LOADED_SIDE), labelled)

    def batch(self, index: int, size: int, seed: int) -> dict[str, Tensor]:
        """Augmented pictures, the same whenever asked."""
        generator = torch.Generator().manual_seed(seed * 1_000_003 + index)
        chosen = normalise(self.unlabelled[torch.randint(len(self.unlabelled), (size,), generator=generator)])
        views = random_views(size, generator, smallest=0.6, aspect=1.3)
        return {"pixel_values": jitter(take_views(chosen, views, SIDE), generator)}


def neighbours(model: Data2VecVisionModel, pictures: Pictures, layers: Sequence[int]) -> dict[str, dict[str, float]]:
    """Accuracy by layer: `valid`, by neighbours in train, and `train`, each picture by the others.

    A picture is the mean of its patches, every dimension scaled by the train pictures.
    """
    was_training = model.training
    model.eval()
    fit, labels = _pooled(model, pictures.labelled["train"][0], layers), pictures.labelled["train"][1]
    asked, true = _pooled(model, pictures.labelled["valid"][0], layers), pictures.labelled["valid"][1]
    model.train(was_training)
    result: dict[str, dict[str, float]] = {}
    for layer, train, valid in zip(layers, fit, asked, strict=True):
        scale = Scaling.of(train)
        result[str(layer)] = {
            "valid": accuracy(knn_classify(scale(train), labels, scale(valid)), true),
            "train": accuracy(knn_classify(scale(train), labels), labels),
        }
    return result


@torch.inference_mode()
def _pooled(model: Data2VecVisionModel, pixels: Tensor, layers: Sequence[int]) -> NDArray[np.float32]:
    """(layers, pictures, dim)"""
    parts = []
    for some in pixels.split(128):
        trace = Trace({"hidden": layers}, reduce={"hidden": lambda hidden: hidden[:, 1:].mean(dim=1)})
        model(normalise(some), trace=trace)
        parts.append(trace.stack("hidden"))
    return torch.cat(parts, dim=1).numpy()


class Arm:
    """One way of learning, its clock, and what was measured."""

    def __init__(self, name: str, pictures: Pictures, settings: Settings, folder: Path) -> None:
        self.name, self.pictures, self.settings = name, pictures, settings
        self.model = build_arm(name, settings)
        self.spent = dict.fromkeys(CLOCKS, 0.0)
        self.report: StepReport | None = None
        self.points: list[dict[str, Any]] = []
        plan = Plan(
            schedule=WarmupCosine(peak=settings.rate, end=settings.rate, total=ENDLESS, warmup=100),
            weight_decay=0.05,
            decays_vectors=False,
            clip=3.0,
            seed=settings.seed,
            report_every=TURN,
            save_every=ENDLESS,
        )

        def batches(index: int, *_: object) -> dict[str, Tensor]:
            return pictures.batch(index, settings.batch, settings.seed)

        self.run: Iterator[StepReport] = pretrain(self.model, batches, plan, folder / name)

    def take_turn(self) -> None:
        """Some steps, by the clocks."""
        wall, processor = time.perf_counter(), time.process_time()
        self.report = next(self.run)
        self.spent["seconds"] += time.perf_counter() - wall
        self.spent["processor_seconds"] += time.process_time() - processor

    @property
    def time(self) -> float:
        """Seconds of training so far, by the clock of the settings."""
        return self.spent[self.settings.clock]

    def look(self) -> None:
        """Ask the neighbours of student and teacher, off the clock."""
        steps = 0 if self.report is None else self.report.step
        models = {"student": self.model.student, "teacher": self.model.teacher.model}
        self.points.append(
            {
                **{clock: round(spent, 2) for clock, spent in self.spent.items()},
                "steps": steps,
                "loss": None if self.report is None else self.report.loss,
                "target_spread": None if self.report is None else self.report.target_spread,
                "knn": {
                    role: neighbours(model, self.pictures, self.settings.layers)  # type: ignore[arg-type]
                    for role, model in models.items()
                },
            }
        )


def compare(
    pictures: Pictures,
    settings: Settings,
    names: Sequence[str] = ARMS,
    *,
    progress: Callable[[Arm], None] = lambda _: None,
) -> dict[str, Any]:
    """Let the arms learn, and measure them.

    Args:
        progress: called after every look at an arm.

    Returns:
        `settings`, how many pictures there were, and the `points` of each arm.
    """
    with tempfile.TemporaryDirectory() as folder:
        arms = [Arm(name, pictures, settings, Path(folder)) for name in names]
        for arm in arms:
            arm.look()
            progress(arm)
        while (arm := min(arms, key=lambda arm: arm.time)).time < 60 * settings.minutes:
            arm.take_turn()
            if arm.time >= 60 * settings.minutes or arm.time >= len(arm.points) * settings.every:
                arm.look()
                progress(arm)
    return {
        "settings": dataclasses.asdict(settings),
        "threads": torch.get_num_threads(),
        "processor": platform.processor() or platform.machine(),
        "pictures": {
            "unlabelled": len(pictures.unlabelled),
            **{split: len(labels) for split, (_, labels) in pictures.labelled.items()},
        },
        "arms": {arm.name: arm.points for arm in arms},
    }


def _show(arm: Arm) -> None:
    point, layer = arm.points[-1], str(arm.settings.layers[0])
    accuracies = "  ".join(
        f"{role} {100 * by_layer[layer]['valid']:.1f} / {100 * by_layer[layer]['train']:.1f}"
        for role, by_layer in point["knn"].items()
    )
    print(
        f"{arm.name:8} {point['seconds']:6.1f} s  {point['processor_seconds']:6.1f} s processor  "
        f"{point['steps']:5} steps  {accuracies}",
        flush=True,
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.economy", description=__doc__)
    add_data_option(parser)
    for field in dataclasses.fields(Settings):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default, help="(%(default)s)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--threads", type=int, default=1, help="processor threads (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file (%(default)s)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings = Settings(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Settings)})
    found = compare(Pictures.read(options.data), settings, options.arms, progress=_show)
    options.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
