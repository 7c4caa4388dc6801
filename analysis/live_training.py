"""A very small data2vec that learns while one watches: a generator of what becomes of it, moment by moment.

A student of two hundred thousand weights learns from pieces of the photographs that come with the project, for a
minute or two on one processor core. It is a toy: what holds for it need not hold for a model that saw a million
photographs. But nothing is arranged. It is the method of `data2vec_core.pretraining`, with whatever is left out of it.

The pieces are grey and of one contrast, for by colour and brightness alone even an untrained network tells the
photographs apart.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from analysis.geometry import effective_rank
from analysis.items.photographs import PHOTOGRAPHS_FOLDER, photographs
from analysis.live_settings import DEPTH, STEPS, LiveSettings
from analysis.neighbours import nearest
from analysis.probing import Scaling, accuracy
from analysis.similarity import linear_cka
from data2vec_core import Data2VecVisionConfig, Data2VecVisionModel, Trace
from data2vec_core.pretraining.decoder import ConvDecoder
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.loop import Batches, StepReport, pretrain
from data2vec_core.pretraining.masking import InverseBlocks
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import VisionPretraining
from data2vec_core.pretraining.model import Batch
from data2vec_core.pretraining.objective import Objective
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from data2vec_core.pretraining.seeds import mixed_seed
from data2vec_core.pretraining.targets import TargetRule

SIDE: Final = 48
"""Pixels of a piece as the student sees it."""
PATCH: Final = 8
WIDTH: Final = 64
STORED_SIDE: Final = 144
"""Pixels of the shorter side of a photograph as it is kept."""
CUT: Final = 72
"""Side of a piece before it is reduced, in pixels of the stored photograph."""
GRID: Final = (4, 2)
"""Pieces along the longer and the shorter side of a photograph whose neighbours are looked for."""
BATCH: Final = 32
"""Pieces of a step."""
SHARE: Final = 0.3
"""Of the time that may go into looking, about."""


@dataclass(frozen=True, kw_only=True)
class LiveMoment:
    """What has become of the run. Of (student, teacher) where there are two."""

    step: int
    """Updates of the student so far; the first moment is before any."""
    seconds: float
    """Since the beginning."""
    tau: float | None
    """Of the last update; None before any, as of the next four."""
    loss: float | None
    """Of training, mean over the steps since the moment before. Not comparable between runs of other targets."""
    target_spread: float | None
    """Standard deviation over the masked patches of the last step, mean over channels."""
    prediction_spread: float | None
    distance: tuple[float, ...] | None
    """Of the weights, student to teacher, as a share of the student's, by block."""
    effective_rank: tuple[float, float]
    """Of the mean vectors of the pieces after the last block; their mean is not taken off."""
    knn: tuple[float, float]
    """Share of the pieces whose nearest neighbour among the others, in cosine and with every dimension scaled, is from
    the same photograph."""
    cka: tuple[float | None, ...]
    """Debiased, student against teacher, by layer, 0 being the input of the first block; None where undefined."""


@dataclass(frozen=True)
class Pieces:
    """What a run learns from and is looked at on."""

    photographs: tuple[Tensor, ...]
    """uint8 (height, width) each, grey."""
    asked: Tensor
    """(pieces, 3, side, side), those whose neighbours are looked for."""
    sources: NDArray[np.intp]
    """(pieces,) number of the photograph that each is from."""

    @classmethod
    def read(cls, folder: Path = PHOTOGRAPHS_FOLDER) -> Pieces:
        """From the photographs of a folder.

        Raises:
            ItemsError: there are none.
        """
        stored, asked, sources = [], [], []
        for number, photograph in enumerate(photographs(folder)):
            grey = photograph.open().convert("L")
            scale = STORED_SIDE / min(grey.size)
            size = (round(scale * grey.width), round(scale * grey.height))
            stored.append(torch.from_numpy(np.array(grey.resize(size, Image.Resampling.BICUBIC))))
            for box in boxes(grey.size):
                piece = grey.crop(box).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                asked.append(torch.from_numpy(np.array(piece)))
                sources.append(number)
        return cls(tuple(stored), of_one_contrast(torch.stack(asked)), np.array(sources))

    @property
    def chance(self) -> float:
        """What guessing reaches: the share of the photograph that most pieces are from."""
        return float(np.bincount(self.sources).max() / len(self.sources))

    def views(self, seed: int) -> Batches:
        """Batches of pieces cut anywhere, mirrored half of the time."""

        def views(index: int, shard: Shard = Shard()) -> Batch:  # noqa: B008
            generator = torch.Generator().manual_seed(mixed_seed(seed, index))
            cut = []
            for number in torch.randint(len(self.photographs), (BATCH,), generator=generator).tolist():
                photograph = self.photographs[number]
                top, left = (int(torch.randint(size - CUT + 1, (), generator=generator)) for size in photograph.shape)
                cut.append(photograph[top : top + CUT, left : left + CUT])
            is_mirrored = torch.rand(BATCH, generator=generator) < 0.5
            pixels = torch.stack(cut).float()
            pixels = torch.where(is_mirrored[:, None, None], pixels.flip(-1), pixels)
            reduced = torch.nn.functional.interpolate(pixels[:, None], (SIDE, SIDE), mode="bilinear", antialias=True)
            return {"pixel_values": of_one_contrast(shard.of(reduced[:, 0]))}

        return views


def boxes(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """(left, top, right, bottom) of squares that do not overlap, `GRID` of them, in the middles of as many fields of a
    picture of (width, height)."""
    across, down = GRID if size[0] >= size[1] else GRID[::-1]
    side = min(size[0] // across, size[1] // down)
    corners = [
        (round((column + 0.5) * size[0] / across - side / 2), round((row + 0.5) * size[1] / down - side / 2))
        for row in range(down)
        for column in range(across)
    ]
    return [(left, top, left + side, top + side) for left, top in corners]


def of_one_contrast(grey: Tensor) -> Tensor:
    """(pictures, height, width) -> (pictures, 3, height, width), each of mean 0 and standard deviation 0.5, less where
    there is hardly any."""
    values = grey.float() / 127.5 - 1
    values = values - values.mean(dim=(1, 2), keepdim=True)
    values = 0.5 * values / (values.std(dim=(1, 2), keepdim=True) + 0.05)
    return values[:, None].expand(-1, 3, -1, -1).contiguous()


def train_live(
    settings: LiveSettings, pieces: Pieces | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[LiveMoment]:
    """Train, and look again and again: as often as `SHARE` of the time allows, and at the end. Closing the generator
    ends the run. Looking changes nothing: step by step the same settings give the same run, however fast the machine.

    Args:
        settings: of the run.
        pieces: those of `Pieces.read()` when None.
        clock: seconds, from any beginning.

    Yields:
        a moment before the first step, then some, then one of the last step, unless closed before.

    Raises:
        FloatingPointError: the loss is not a number any more; see `pretrain`.
    """
    pieces = pieces or Pieces.read()
    torch.manual_seed(settings.seed)
    model = VisionPretraining(new_student(), method_of(settings))
    losses: list[float] = []
    started = looked = clock()
    moment = _look(model, pieces, None, losses, 0.0)
    wait, looked = _patience(clock() - looked), clock()
    yield moment
    with tempfile.TemporaryDirectory() as folder:
        for report in pretrain(model, pieces.views(settings.seed), plan_of(settings), folder):
            losses.append(report.loss)
            now = clock()
            is_last = report.step == STEPS or now - started >= settings.seconds
            if not is_last and now - looked < wait:
                continue
            moment = _look(model, pieces, report, losses, now - started)
            wait, looked = _patience(clock() - now), clock()
            losses.clear()
            yield moment
            if is_last:
                return


def new_student() -> Data2VecVisionModel:
    """With random weights."""
    config = Data2VecVisionConfig(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        intermediate_size=4 * WIDTH,
        image_size=SIDE,
        patch_size=PATCH,
        use_mean_pooling=False,
        use_absolute_position_embeddings=True,
        layer_norm_eps=1e-6,
        layer_scale_init_value=1.0,
    )
    return Data2VecVisionModel(config, add_pooling_layer=False)


def method_of(settings: LiveSettings) -> Method:
    """As `data2vec_core.pretraining` takes it."""
    return Method(
        masking=InverseBlocks(kept=1 - settings.masked),
        decay=TeacherDecay(settings.tau_start, settings.tau_end, STEPS),
        targets=TargetRule(
            top_layers=settings.top_layers,
            tensor="hidden",
            layer_norm="none",  # over the patches, it would keep tau = 0 from collapsing so soon
            mean_norm="layer" if settings.is_normalised else "none",
        ),
        head="linear",
        objective=Objective(divisor="elements"),
        decoder=ConvDecoder(width=WIDTH, layers=2, groups=8),
    )


def plan_of(settings: LiveSettings) -> Plan:
    """How the student is optimised."""
    return Plan(
        schedule=WarmupCosine(peak=settings.rate, total=STEPS, warmup=STEPS // 20, end=1e-5),
        weight_decay=0.05,
        decays_vectors=False,
        undecayed=("cls_token", "position_embeddings"),
        clip=3.0,
        seed=settings.seed,
        save_every=STEPS,
    )


def _look(
    model: VisionPretraining, pieces: Pieces, report: StepReport | None, losses: list[float], seconds: float
) -> LiveMoment:
    model.eval()
    encoders: tuple[Any, Any] = (model.student, model.teacher.model)
    student, teacher = (_pooled(encoder, pieces.asked) for encoder in encoders)
    model.train()
    similarities = [linear_cka(mine, other) for mine, other in zip(student, teacher, strict=True)]
    return LiveMoment(
        step=report.step if report else 0,
        seconds=seconds,
        tau=report.teacher_decay if report else None,
        loss=math.fsum(losses) / len(losses) if losses else None,
        target_spread=report.target_spread if report else None,
        prediction_spread=report.prediction_spread if report else None,
        distance=report.distances if report else None,
        effective_rank=(effective_rank(student[-1]), effective_rank(teacher[-1])),
        knn=(_neighbours(student[-1], pieces), _neighbours(teacher[-1], pieces)),
        cka=tuple(None if math.isnan(value) else value for value in similarities),
    )


@torch.no_grad()
def _pooled(encoder: Any, pixels: Tensor) -> NDArray[np.float32]:
    """Means over the patches of every layer, 0 first: (layers, pieces, dim)."""
    trace = Trace({"hidden": None}, reduce={"hidden": lambda hidden: hidden[:, 1:].mean(dim=1)})
    encoder(pixels, trace=trace)
    return trace.stack("hidden").numpy()


def _neighbours(vectors: NDArray[np.float32], pieces: Pieces) -> float:
    scaled = Scaling.of(vectors)(vectors)
    return accuracy(pieces.sources[nearest(scaled, 1)[:, 0]], pieces.sources)


def _patience(cost: float) -> float:
    """Seconds to learn after a look that took `cost`; a few moments a second at most."""
    return max(0.4, cost * (1 - SHARE) / SHARE)
