"""Fine-tune the bundled vision encoder on caltech25 with Keras `fit`, in TensorFlow: `python -m recipes.keras_fit`.

The same lesson as the PyTorch trial of `recipes.study` with all labels: its fresh head, its pictures and changes of
them, step by step, its rate, decay, clipping and averaged weights. What differs: the model sees all patches in every
step (the Keras classes cannot leave some out), computes in float32 throughout, and drops other paths.

The weights that do best on valid are written as every checkpoint is, and scored on test through the task in both
frameworks. A run that was stopped goes on after its last whole round when the command is given again, as if it had not
been stopped but for the dropped paths.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from data2vec_core.checkpoints.files import write_json
from data2vec_core.runtime_choice import RUNTIMES
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.results import Classification
from recipes.finetuning.picture_classes import Picture, PictureClasses
from recipes.finetuning.start import Start
from recipes.packs import add_data_option
from recipes.study.subjects import SUBJECTS

if TYPE_CHECKING:
    from data2vec_core.tensorflow import TFData2VecVisionForImageClassification

SUBJECT = SUBJECTS["caltech25"]
RATE = 1.5e-3
"""At the peak: what the study chose on valid, with one rate for all layers."""
LAST, BEST, LOG, OUTCOME = "last.weights.h5", "best.weights.h5", "log.csv", "outcome.json"
"""Files of a run: weights and state of the optimiser after the last round, the best weights, every round, the end."""
_SCORED = 50
"""Pictures scored at once."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    seed: int
    valid: float
    """Accuracy of the best weights while fitting; no other choice is made."""
    test: dict[str, float]
    """Accuracy through the task, by framework."""
    same: int
    """Pictures of test of which both say the same class."""
    pictures: int
    """Of test."""
    largest_difference: float
    """Between the scores that both give to a class."""


def lesson(train: Sequence[Picture], valid: Sequence[Picture], seed: int) -> PictureClasses:
    """What the study's trial learns, and how."""
    plan = SUBJECT.plan(share=1.0, is_trained=True, rate=RATE, layer_decay=1.0, seed=seed)
    tuning = SUBJECT.build(Start(SUBJECT.modality), plan, train, valid)
    assert isinstance(tuning, PictureClasses)
    return tuning


def compiled(tuning: PictureClasses) -> TFData2VecVisionForImageClassification:
    """The model at its start, with optimiser, loss and metrics."""
    import keras

    from data2vec_core.tensorflow import TFData2VecVisionForImageClassification

    plan, schedule = tuning.plan, tuning.plan.schedule
    torch.manual_seed(plan.seed)  # the fresh head is drawn by the PyTorch class
    keras.utils.set_random_seed(plan.seed)
    labels = dict(enumerate(tuning.labels))
    model = tuning.start.build(TFData2VecVisionForImageClassification, id2label=labels, **tuning.configuration)
    optimiser = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0, schedule.total - schedule.warmup, warmup_target=schedule.peak, warmup_steps=schedule.warmup
        ),
        weight_decay=plan.weight_decay,
        beta_1=plan.betas[0],
        beta_2=plan.betas[1],
        epsilon=plan.eps,
        global_clipnorm=plan.clip,
        use_ema=True,
        ema_momentum=plan.average,
    )
    optimiser.exclude_from_weight_decay([weight for weight in model.trainable_weights if len(weight.shape) < 2])
    optimiser.build(model.trainable_weights)
    model.compile(
        optimiser,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=tuning.smoothing),
        metrics=["accuracy"],
    )
    return model


def batches(tuning: PictureClasses, first: int) -> Any:
    """A `tf.data.Dataset` of the batches from a step on: pixels (batch, 3, side, side), and what shares of them are of
    which class (batch, classes)."""
    import tensorflow as tf

    def one(step: np.int64) -> tuple[np.ndarray, np.ndarray]:
        pixels, shares = tuning.batch_of(int(step))
        return pixels.numpy(), shares.numpy()

    def shaped(step: Any) -> tuple[Any, Any]:
        pixels, shares = tf.numpy_function(one, [step], (tf.float32, tf.float32))
        side = tuning.cropped
        return (
            tf.ensure_shape(pixels, (tuning.batch, 3, side, side)),
            tf.ensure_shape(shares, (tuning.batch, len(tuning.labels))),
        )

    return tf.data.Dataset.range(first, tuning.plan.steps).map(shaped).prefetch(2)


def held_apart(tuning: PictureClasses) -> Any:
    """A `tf.data.Dataset` of the valid pictures, whole, as the task sees them."""
    import tensorflow as tf

    pixels = tuning.process([picture.content for picture in tuning.valid])["pixel_values"].numpy()
    ids = [tuning.labels.index(picture.target) for picture in tuning.valid]
    shares = np.eye(len(tuning.labels), dtype=np.float32)[ids]
    return tf.data.Dataset.from_tensor_slices((pixels, shares)).batch(_SCORED)


def fit(tuning: PictureClasses, folder: Path) -> float:
    """Fit, or go on where an earlier run in the folder ended, and write the best weights as a checkpoint.

    Returns:
        their accuracy on valid.
    """
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    model = compiled(tuning)
    if (folder / LAST).is_file():
        model.load_weights(folder / LAST)
    done, per_round = int(model.optimizer.iterations.numpy()), tuning.plan.score_every
    if done < tuning.plan.steps:
        last = keras.callbacks.ModelCheckpoint(folder / LAST, save_weights_only=True)
        averages = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        best = keras.callbacks.ModelCheckpoint(
            folder / BEST,
            monitor="val_accuracy",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=max(_accuracies(folder), default=None),
        )
        model.fit(
            batches(tuning, done),
            epochs=tuning.plan.steps // per_round,
            initial_epoch=done // per_round,
            steps_per_epoch=per_round,
            validation_data=held_apart(tuning),
            # the last weights are saved before the averages take their place, the best ones after
            callbacks=[keras.callbacks.CSVLogger(folder / LOG, append=True), last, averages, best],
            verbose=2,
        )
    model.load_weights(folder / BEST)
    model.save_pretrained(folder)
    tuning.process.save_pretrained(folder)
    return max(_accuracies(folder))


def compare(folder: Path, test: Sequence[Picture]) -> tuple[dict[str, float], int, float]:
    """Ask the task about pictures in both frameworks.

    Returns:
        accuracy by framework, of how many pictures both say the same class, and the largest difference of a score.
    """
    answers: dict[str, list[Classification]] = {}
    for runtime in RUNTIMES:
        classify = ImageClassifier.from_pretrained(folder, runtime=runtime)
        answers[runtime] = [
            answer
            for first in range(0, len(test), _SCORED)
            for answer in classify.batch([picture.content for picture in test[first : first + _SCORED]])
        ]
    right = {
        runtime: sum(one.labels[0].label == picture.target for one, picture in zip(found, test, strict=True))
        for runtime, found in answers.items()
    }
    pairs = list(zip(*answers.values(), strict=True))
    scores = [({one.label: one.score for one in each.labels} for each in pair) for pair in pairs]
    return (
        {runtime: count / len(test) for runtime, count in right.items()},
        sum(one.labels[0].label == other.labels[0].label for one, other in pairs),
        max(abs(one[label] - other[label]) for one, other in scores for label in one),
    )


def _accuracies(folder: Path) -> list[float]:
    """On valid, of every round so far."""
    if not (folder / LOG).is_file():
        return []
    with (folder / LOG).open(encoding="utf-8", newline="") as rows:
        return [float(row["val_accuracy"]) for row in csv.DictReader(rows)]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.keras_fit", description=(__doc__ or "").partition("\n")[0])
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=Path("runs/keras-caltech25"), help="folder of the run")
    parser.add_argument("--seed", type=int, default=0, help="of fresh head, pictures and dropped paths (0)")
    parser.add_argument("--threads", type=int, help="processor threads that prepare pictures (all)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    train, valid, test = (SUBJECT.examples(options.data, split) for split in ("train", "valid", "test"))
    valid_score = fit(lesson(train, valid, options.seed), options.out)
    right, same, difference = compare(options.out, test)
    outcome = Outcome(
        seed=options.seed,
        valid=valid_score,
        test=right,
        same=same,
        pictures=len(test),
        largest_difference=difference,
    )
    write_json(options.out / OUTCOME, asdict(outcome))
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
