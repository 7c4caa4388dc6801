"""The five tasks of the comparison, and how long each is learnt."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretraining.schedule import WarmupCosine
from recipes.bundled import an4, commands, sst2, trec
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.picture_classes import Picture, PictureClasses
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.transcription import Lesson, Sentence, Transcription
from recipes.packs import Split, read_pictures

Build = Callable[[Start, FinePlan, Sequence[Any], Sequence[Any]], FineTuning[Any]]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One task of the comparison."""

    name: str
    modality: Modality
    """Also the bundled encoder to start from."""
    score: str
    """What is measured, higher being better."""
    examples: Callable[[Path, Split], Sequence[Example[Any, Any]]]
    build: Build
    steps: int
    """With all labels; with fewer, `few_steps`."""
    few_steps: int
    candidates: tuple[tuple[float, float], ...]
    """Peaks of the learning rate and layer decays (schedules over the depth) to choose from, for either start."""
    fixed: tuple[str, ...] = ()
    """What stays as pre-training left it; from scratch, nothing does."""
    stratum: Callable[[Example[Any, Any]], Hashable] = lambda example: example.target

    def plan(self, *, share: float, is_trained: bool, rate: float, layer_decay: float, seed: int) -> FinePlan:
        """How one of the compared models learns."""
        steps = self.steps if share == 1 else self.few_steps
        return FinePlan(
            schedule=WarmupCosine(peak=rate, total=steps, warmup=steps // 8),
            weight_decay=0.05,
            layer_decay=layer_decay,
            average=0.98,
            score_every=max(1, steps // 4),
            fixed=self.fixed if is_trained else (),
            bf16=("cpu", "cuda"),
            seed=seed,
        )


def _sentences(start: Start, plan: FinePlan, train: Sequence[Sentence], valid: Sequence[Sentence]) -> Transcription:
    """Without synthetic voices, so that nothing but the pack's labels is learnt from."""
    short = [sentence for sentence in train if len(sentence.content) <= an4.SHORT]
    return Transcription(
        start,
        plan,
        train,
        valid,
        lessons=(Lesson(0.1, short),) if short else (),
        change=an4.change,
        variants=6 if plan.fixed else None,
        masked_from=1.0,
    )


def _caltech(data: Path, split: Split) -> list[Picture]:
    return [Picture(picture.image, picture.record["label"]) for picture in read_pictures(data, "caltech25", split)]


def _pictures(start: Start, plan: FinePlan, train: Sequence[Picture], valid: Sequence[Picture]) -> PictureClasses:
    """As `objects`, without its hint at edges, which is a help of its own to a start from scratch."""
    labels = sorted({picture.target for picture in [*train, *valid]})
    return PictureClasses(
        start, plan, train, valid, labels=labels, side=64, early=(0.5, 0.75), use_mean_pooling=True, drop_path_rate=0.1
    )


SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject(
            name="an4",
            modality="audio",
            score="1 - word error rate",
            examples=an4.examples,
            build=_sentences,
            steps=1500,
            few_steps=1000,
            candidates=((5e-4, 1.0), (1e-3, 1.0)),
            fixed=("backbone.feature_extractor.",),
            stratum=lambda example: len(example.target.split()) > 1,
        ),
        Subject(
            name="commands",
            modality="audio",
            score="accuracy",
            examples=commands.examples,
            build=commands.tuning,
            steps=450,
            few_steps=250,
            candidates=((5e-4, 1.0), (1.5e-3, 1.0), (1.5e-3, 0.8)),
            fixed=("backbone.feature_extractor.",),
        ),
        Subject(
            name="sst2",
            modality="text",
            score="accuracy",
            examples=sst2.examples,
            build=sst2.tuning,
            steps=300,
            few_steps=200,
            candidates=((1e-3, 1.0), (3e-3, 1.0), (1e-3, 0.8)),
        ),
        Subject(
            name="trec",
            modality="text",
            score="accuracy",
            examples=trec.examples,
            build=trec.tuning,
            steps=300,
            few_steps=200,
            candidates=((1e-3, 1.0), (3e-3, 1.0), (1e-3, 0.8)),
        ),
        Subject(
            name="caltech25",
            modality="vision",
            score="accuracy",
            examples=_caltech,
            build=_pictures,
            steps=600,
            few_steps=300,
            candidates=((5e-4, 1.0), (1.5e-3, 1.0), (1.5e-3, 0.8)),
        ),
    )
}
