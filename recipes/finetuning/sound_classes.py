"""A class for a whole sound clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from data2vec_core import Data2VecAudioForSequenceClassification
from data2vec_core.processing.audio import SpeechFeatureExtractor, normalise
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.sound import Samples, fit_length

Sound = Example[Samples, str]
"""A clip and its class."""
Change = Callable[[Samples, np.random.Generator], Samples]
"""A random change of a clip that leaves its class what it is."""


class SoundClasses(FineTuning[Data2VecAudioForSequenceClassification]):
    """Clips of any length, in training cut at a random place or filled with silence to one length.

    Args:
        train: examples to learn from.
        valid: examples to choose by.
        labels: all classes, in the order of their ids.
        length: samples of a clip in training.
        batch: clips in a step; every class is drawn equally often where `is_balanced`.
        change: of the clips in training.
        mixup: how even the mixtures are that every clip is blended into with another of its batch: the parameter of a
            beta distribution (arXiv 1710.09412), applied to sounds of one loudness (arXiv 1711.10282); 0: none.
        smoothing: of the classes that are to be learnt; 0 to below 1.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecAudioForSequenceClassification

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Sound],
        valid: Sequence[Sound],
        *,
        labels: Sequence[str],
        length: int,
        batch: int = 32,
        is_balanced: bool = False,
        change: Change = lambda samples, random: samples,  # noqa: ARG005
        mixup: float = 0.0,
        smoothing: float = 0.0,
        **configuration: Any,
    ) -> None:
        self.extract = SpeechFeatureExtractor()
        super().__init__(start, plan, (self.extract,))
        self.train, self.valid = train, valid
        self.labels = list(labels)
        self.length = length
        self.batch = batch
        self.change = change
        self.mixup, self.smoothing = mixup, smoothing
        self.configuration = configuration
        ids = np.array([self.labels.index(example.target) for example in train])
        shares = 1 / np.bincount(ids, minlength=len(self.labels))[ids] if is_balanced else np.ones(len(train))
        self._shares = shares / shares.sum()

    def build_model(self) -> Data2VecAudioForSequenceClassification:
        return self.start.build(self.model_class, id2label=dict(enumerate(self.labels)), **self.configuration)

    def loss(self, model: Data2VecAudioForSequenceClassification, step: int) -> Tensor:
        clips, targets = self.draw(np.random.default_rng((self.plan.seed, step)))
        logits = model(self.extract(clips)["input_values"]).logits
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)

    def draw(self, random: np.random.Generator) -> tuple[list[Samples], Tensor]:
        """A batch of clips of one length, and how much of each class is in them, (batch, classes)."""
        chosen = [self.train[index] for index in random.choice(len(self.train), self.batch, p=self._shares)]
        clips = [self._crop(self.change(example.content, random), random) for example in chosen]
        targets = F.one_hot(torch.tensor([self.labels.index(example.target) for example in chosen]), len(self.labels))
        targets = targets.float()
        if not self.mixup:
            return clips, targets
        others = random.permutation(self.batch)
        weights = random.beta(self.mixup, self.mixup, self.batch).astype(np.float32)
        even = [normalise(clip) for clip in clips]
        clips = [
            weight * clip + (1 - weight) * even[other]
            for clip, other, weight in zip(even, others, weights, strict=True)
        ]
        share = torch.from_numpy(weights)[:, None]
        return clips, share * targets + (1 - share) * targets[torch.from_numpy(others)]

    def _crop(self, samples: Samples, random: np.random.Generator) -> Samples:
        spare = len(samples) - self.length
        return fit_length(samples[random.integers(spare + 1) :] if spare > 0 else samples, self.length)

    def score(self, model: Data2VecAudioForSequenceClassification) -> float:
        """Accuracy, every clip by itself and whole, as the task reads it."""
        right = 0
        for example in self.valid:
            predicted = int(model(self.extract(example.content)["input_values"]).logits.argmax())
            right += self.labels[predicted] == example.target
        return right / len(self.valid)
