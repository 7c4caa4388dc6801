"""What a run on one's own folder is made of: student and teacher, batches, plan, processors, and what to say of them.

Sizes and settings are those of the bundled backbones (`tiny`) or the published ones (`base`).
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.files import STATE_FILE
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.config import ModelConfig
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.distributed import Shard, World
from data2vec_core.pretraining.masking import FrameSpans
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.presets import PUBLISHED
from data2vec_core.pretraining.schedule import Schedule, WarmupCosine
from data2vec_core.pretraining.start import encoder_class, load_student, load_teacher
from data2vec_core.processing.any import modality_of
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.processor import Processor
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.vision.model import Data2VecVisionModel
from recipes.backbones import audio, text, vision
from recipes.backbones.begin import BACKBONES
from recipes.backbones.starts import start_from_neighbours, start_from_places, start_from_spectra
from recipes.own.folders import Account, Folder, Limits, scan
from recipes.own.lazy_items import Pictures, Sounds
from recipes.own.run_folder import claim
from recipes.own.token_rows import TokenRows, folder_texts

FEWEST = 8
"""Sounds, rows of text or pictures that a run needs at least."""

NEIGHBOUR_ROWS = 20_000
"""Rows of text, about, that the head start counts neighbours in."""
SETTINGS_FILE = "pretrain.json"
"""In the run's folder: what may not change when it goes on."""

PresetName = Literal["tiny", "base"]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a preset means for one modality."""

    student: ModelConfig
    method: Method
    plan: Plan
    batch: int
    """Seconds of sound, tokens or pictures."""
    reach: int
    """Seconds of the longest crop, tokens of a row, or pixels of a side."""
    published_batch: str = ""
    """What one published step reads."""


_BASE_SIZES: dict[Modality, tuple[int, int]] = {"audio": (120, 20), "text": (8192, 512), "vision": (64, 224)}
"""Batch and reach: what one large GPU takes. More GPUs, or `--accumulate`, come to the published batch."""


def scale_of(modality: Modality, preset: PresetName) -> Scale:
    """Sizes and settings of a preset."""
    if preset == "base":
        published = PUBLISHED[f"{modality}-base"]
        batch, reach = _BASE_SIZES[modality]
        return Scale(
            student=published.student,
            method=published.method,
            plan=published.plan.replace(report_every=10),
            batch=batch,
            reach=reach,
            published_batch=published.batch,
        )
    backbone = BACKBONES[modality]
    batch, reach = {
        "audio": (24, audio.LONGEST // MODEL_RATE),
        "text": (1024, text.MAX_LENGTH),
        "vision": (16, vision.STUDENT.image_size_pair[0]),
    }[modality]
    return Scale(student=backbone.student, method=backbone.method, plan=backbone.plan, batch=batch, reach=reach)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the person at the command line asks for; None leaves it to the preset."""

    modality: Modality
    data: Path
    out: Path
    preset: PresetName = "tiny"
    init: str | None = None
    steps: int | None = None
    batch: int | None = None
    accumulate: int = 1
    save_every: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "save_every"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name}={value}: at least 1")

    def kept(self) -> dict[str, Any]:
        """What may not change when a run goes on."""
        names = ("modality", "preset", "init", "batch", "accumulate", "seed")
        return {name: getattr(self, name) for name in names}

    @property
    def has_head_start(self) -> bool:
        """Whether the student begins as the bundled ones do, with what can be computed of the input alone; see
        `recipes.backbones.starts`."""
        return self.preset == "tiny" and self.init is None

    @property
    def is_resumed(self) -> bool:
        """Whether a saved state will replace the weights, so that a start that takes long is not made."""
        return (self.out / STATE_FILE).is_file()


class Source(Protocol):
    """Batches over a folder."""

    per_epoch: int

    def __call__(self, index: int, shard: Shard = ...) -> Batch: ...


@dataclass(kw_only=True)
class OwnRun:
    """Everything that `pretrain` needs."""

    model: Data2VecPretraining
    batches: Source
    plan: Plan
    processor: Processor
    failed: Callable[[], Account]
    """What could not be read so far, though the scan found nothing wrong with it."""


Say = Callable[[str], object]


def prepare(wishes: Wishes, world: World, say: Say) -> OwnRun:
    """Look at the data, build student and teacher.

    Every process of a world calls it. Of text, the first process learns the vocabulary, and the first of each host
    writes the tokens into the run's folder.

    Args:
        say: is told, line by line, what there is and what is done with it.

    Raises:
        ValueError, CheckpointError: a sentence for the person at the command line.
    """
    scale = scale_of(wishes.modality, wishes.preset)
    torch.manual_seed(wishes.seed)
    run = {"audio": _sounds, "text": _texts, "vision": _pictures}[wishes.modality](wishes, scale, world, say)
    plan, model = run.plan, run.model
    config = model.student.config
    shape = f"{config.num_hidden_layers} layers of {config.hidden_size}"
    say(f"student: {model.student.num_parameters() / 1e6:.1f} million parameters, {shape}")
    if wishes.init is not None:
        with _without_talk_of_heads():
            has_teacher = load_teacher(model, wishes.init)
        own = "its own teacher" if has_teacher else "a copy of the student as teacher, for it has none"
        say(f"begins with {wishes.init} and {own}")
    unit = {"audio": "seconds of sound", "text": "tokens", "vision": "pictures"}[wishes.modality]
    reads = f"a step reads up to {(wishes.batch or scale.batch) * plan.accumulate:,} {unit}"
    say(reads + (f" (published: {scale.published_batch})" if scale.published_batch else ""))
    epoch = run.batches.per_epoch / plan.accumulate
    say(f"steps: {plan.steps:,}, which is {plan.steps / epoch:,.1f} times the data (an epoch: {epoch:,.1f} steps)")
    return run


def _sounds(wishes: Wishes, scale: Scale, world: World, say: Say) -> OwnRun:
    student = _student(wishes, scale)
    spans = scale.method.masking
    assert isinstance(spans, FrameSpans)
    # One frame more than a span, and one for what headers round.
    needed = student.config.receptive_field + (spans.span + 1) * student.config.inputs_to_logits_ratio
    shortest = max(needed, audio.SHORTEST) / MODEL_RATE
    folder = scan(wishes.data, "audio", limits=Limits(min_seconds=shortest), at_least=_fewest(world))
    _claim(wishes, world, folder, say)
    sounds = Sounds(folder)
    batches = audio.Crops(
        sounds,
        seconds=wishes.batch or scale.batch,
        seed=wishes.seed,
        longest=scale.reach * MODEL_RATE,
        least=world.shard.size,
    )
    if (
        wishes.has_head_start and world.is_first and not wishes.is_resumed
    ):  # the others get its weights, teacher included
        assert isinstance(student, Data2VecAudioModel)
        steps = max(1, (wishes.steps or scale.plan.steps) // 4)
        say(f"the convolutions first learn to tell spectra apart (steps: {steps:,})")
        start_from_spectra(student, batches, steps=steps)
    return _run(wishes, scale, student, scale.method, batches, SpeechFeatureExtractor(), lambda: sounds.failed)


def _pictures(wishes: Wishes, scale: Scale, world: World, say: Say) -> OwnRun:
    has_decoder = scale.method.decoder is not None
    student = _student(wishes, scale, use_mask_token=not has_decoder)
    height, side = student.config.image_size_pair
    if height != side:
        raise ValueError(f"init: {wishes.init} is for pictures of {height} x {side} pixels, and views are square")
    folder = scan(wishes.data, "vision", at_least=_fewest(world))
    _claim(wishes, world, folder, say)
    if wishes.has_head_start and student.config.use_absolute_position_embeddings:
        assert isinstance(student, Data2VecVisionModel)
        start_from_places(student)
    stored = round(side * vision.STORED_SIDE / vision.STUDENT.image_size_pair[0])
    pictures = Pictures(folder, stored)
    batches = vision.Views(
        pictures, side=side, batch=wishes.batch or scale.batch, seed=wishes.seed, least=world.shard.size
    )
    processor = ImageProcessor(size=(side, side))
    return _run(wishes, scale, student, scale.method, batches, processor, lambda: pictures.failed)


def _texts(wishes: Wishes, scale: Scale, world: World, say: Say) -> OwnRun:
    folder = scan(wishes.data, "text")
    _claim(wishes, world, folder, say)
    tokenizer = _tokenizer(wishes, scale, folder, world)
    student = _student(wishes, scale, vocab_size=len(tokenizer))
    rows, failed = TokenRows(folder, wishes.out), Account()
    if int(os.environ.get("LOCAL_RANK", "0")) == 0 and not rows.is_written:
        rows.write(tokenizer, min(tokenizer.max_length, student.config.max_length), failed)
    world.wait()
    rows.open()
    if len(rows) < _fewest(world):
        raise ValueError(f"{wishes.data} gives {len(rows)} rows of text, and {_fewest(world)} are needed")
    say(f"{rows.tokens:,} tokens of {len(tokenizer):,} kinds in {len(rows):,} rows")
    if wishes.has_head_start and not wishes.is_resumed:
        assert isinstance(student, Data2VecTextModel)
        some = range(0, len(rows), max(1, len(rows) // NEIGHBOUR_ROWS))
        start_from_neighbours(student, [rows[row] for row in some])
    batches = text.Rows(
        rows, tokenizer.pad_id, tokens=wishes.batch or scale.batch, seed=wishes.seed, least=world.shard.size
    )
    masking = dataclasses.replace(
        scale.method.masking,  # type: ignore[type-var]
        vocab_size=student.config.vocab_size,
        mask_id=tokenizer.mask_id,
        special_ids=tuple(sorted(tokenizer.special_ids - {tokenizer.mask_id})),
    )
    method = scale.method.replace(masking=masking)
    return _run(wishes, scale, student, method, batches, tokenizer, lambda: failed)


def _fewest(world: World) -> int:
    return max(FEWEST, world.shard.size)


def _student(wishes: Wishes, scale: Scale, **changes: Any) -> PretrainedModel:
    """The checkpoint's encoder, or a fresh one."""
    if wishes.init is not None:
        if (found := modality_of(wishes.init)) != wishes.modality:
            raise ValueError(f"init: {wishes.init} is a model of {found}, not of {wishes.modality}")
        changes.pop("vocab_size", None)  # its tokenizer comes with it
        with _without_talk_of_heads():
            return load_student(wishes.init, **changes).train()
    config = scale.student.replace(**changes)
    model_class, options = encoder_class(wishes.modality)
    return model_class(config, **options)


def _tokenizer(wishes: Wishes, scale: Scale, folder: Folder, world: World) -> TextTokenizer:
    """The checkpoint's, that of the run before, or one learnt from the texts, which the run's folder then keeps."""
    if wishes.init is not None:
        return TextTokenizer.from_pretrained(wishes.init)
    if world.is_first and not (wishes.out / "tokenizer.json").is_file():
        size, length = scale.student.vocab_size, scale.reach  # type: ignore[union-attr]
        train_tokenizer(folder_texts(folder, Account()), size, max_length=length).save_pretrained(wishes.out)
    world.wait()
    return TextTokenizer.from_folder(wishes.out)


def _run(
    wishes: Wishes,
    scale: Scale,
    student: PretrainedModel,
    method: Method,
    batches: Source,
    processor: Processor,
    failed: Callable[[], Account],
) -> OwnRun:
    depth = student.config.num_hidden_layers
    targets = dataclasses.replace(method.targets, top_layers=min(method.targets.top_layers, depth))
    plan = scale.plan.replace(
        schedule=with_steps(scale.plan.schedule, wishes.steps or scale.plan.steps),
        seed=wishes.seed,
        accumulate=wishes.accumulate,
        save_every=wishes.save_every or scale.plan.save_every,
        fixed=scale.plan.fixed if wishes.has_head_start else (),  # only what had a start of its own
    )
    return OwnRun(
        model=build_pretraining(student, method.replace(targets=targets)),
        batches=batches,
        plan=plan,
        processor=processor,
        failed=failed,
    )


def with_steps(schedule: Schedule, steps: int) -> Schedule:
    """The same schedule over another number of steps; a warm-up keeps its share."""
    if isinstance(schedule, WarmupCosine):
        return dataclasses.replace(schedule, total=steps, warmup=round(schedule.warmup * steps / schedule.total))
    return dataclasses.replace(schedule, total=steps)


@contextmanager
def _without_talk_of_heads() -> Iterator[None]:
    """Nothing is wrong with a head that is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)
        yield


def _claim(wishes: Wishes, world: World, folder: Folder, say: Say) -> None:
    """Once the data is known to be of use, and before anything is written."""
    if world.is_first:
        claim(wishes.out, wishes.kept(), SETTINGS_FILE)
    say(str(folder))
