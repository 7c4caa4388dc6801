"""A vector for a voice, learnt by telling the train speakers apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core import Data2VecAudioForXVector
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.samples import MODEL_RATE
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.voice_start import start_from_discriminants, start_from_spectra
from recipes.sound import Samples
from recipes.voice_metrics import equal_error


@dataclass(frozen=True)
class Voice:
    """Whose voice a clip is."""

    speaker: str
    corpus: str = ""
    """Voices of several corpora are told apart by their microphones: only those of one are compared."""
    gender: str | None = None
    """Likewise: only voices of one are compared."""


Utterance = Example[Samples, Voice]
Change = Callable[[Samples, np.random.Generator], Samples]
"""A random change of a clip that leaves the voice what it is."""


class SpeakerVectors(FineTuning[Data2VecAudioForXVector]):
    """Crops of one length, the corpora and in each the speakers drawn equally often.

    The head starts as `voice_start` says, unless `spectra` is 0. Its last projection stays the identity, so that the
    vectors that are compared are those that the loss sees.

    Args:
        train: utterances to learn from.
        valid: to choose by.
        length: samples of a crop; utterances of one speaker are joined to reach it.
        batch: crops in a step.
        change: of the crops.
        scale: of the cosines in the loss.
        spectra: steps in which the layers below the pooling are taught to give spectra, before anything else; 0 leaves
            the head as it is drawn, of any shape.
        margin: by which the right cosine is lowered in the end; it grows from 0 during the first half.
        **configuration: fields of the model's configuration to change.
    """

    model_class = Data2VecAudioForXVector

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Utterance],
        valid: Sequence[Utterance],
        *,
        length: int = 2 * MODEL_RATE,
        batch: int = 32,
        change: Change = lambda samples, random: samples,  # noqa: ARG005
        scale: float = 20.0,
        margin: float = 0.2,
        spectra: int = 250,
        **configuration: Any,
    ) -> None:
        self.extract = SpeechFeatureExtractor()
        super().__init__(start, plan, (self.extract,))
        self.valid = valid
        self.length = length
        self.batch = batch
        self.change = change
        self.scale, self.margin = scale, margin
        self.spectra = spectra
        self.configuration = configuration
        self._clips: dict[Voice, list[Samples]] = defaultdict(list)
        for utterance in train:
            self._clips[utterance.target].append(utterance.content)
        self._corpora: dict[str, list[int]] = defaultdict(list)
        self._voices = list(self._clips)
        for index, voice in enumerate(self._voices):
            self._corpora[voice.corpus].append(index)

    def build_model(self) -> Data2VecAudioForXVector:
        names = [f"{voice.corpus} {voice.speaker}" for voice in self._voices]
        model = self.start.build(self.model_class, id2label=dict(enumerate(names)), **self.configuration)
        with torch.no_grad():
            nn.init.eye_(model.classifier.weight)
            nn.init.zeros_(model.classifier.bias)
        model.classifier.requires_grad_(False)
        if not self.spectra:
            return model
        start_from_spectra(model, self.crops, steps=self.spectra)
        clips = [(index, clip) for index, voice in enumerate(self._voices) for clip in self._clips[voice]]
        start_from_discriminants(
            model,
            [self.extract(clip)["input_values"] for _, clip in clips],
            [index for index, _ in clips],
            [self._voices[index].corpus for index, _ in clips],
        )
        return model

    def crops(self, step: int) -> Tensor:
        """A batch for the head start, none of those of the steps: (batch, samples)."""
        clips, _ = self.draw(np.random.default_rng((self.plan.seed, self.plan.steps + step)))
        return self.extract(clips)["input_values"]

    def loss(self, model: Data2VecAudioForXVector, step: int) -> Tensor:
        clips, speakers = self.draw(np.random.default_rng((self.plan.seed, step)))
        vectors = model(self.extract(clips)["input_values"]).logits
        cosines = F.normalize(vectors, dim=1) @ F.normalize(model.objective.weight, dim=0)  # (batch, speakers)
        margin = self.margin * min(1.0, 2 * step / self.plan.steps)
        return F.cross_entropy(self.scale * (cosines - margin * F.one_hot(speakers, cosines.shape[1])), speakers)

    def draw(self, random: np.random.Generator) -> tuple[list[Samples], Tensor]:
        """A batch of crops, and whose voice each is, (batch,)."""
        clips, speakers = [], []
        corpora = list(self._corpora.values())
        for _ in range(self.batch):
            members = corpora[random.integers(len(corpora))]
            voice = members[random.integers(len(members))]
            clips.append(self.change(self._crop(self._clips[self._voices[voice]], random), random))
            speakers.append(voice)
        return clips, torch.tensor(speakers)

    def _crop(self, clips: Sequence[Samples], random: np.random.Generator) -> Samples:
        joined: list[Samples] = []
        while sum(map(len, joined)) < self.length:
            joined.append(clips[int(random.integers(len(clips)))])
        samples = np.concatenate(joined)
        start = random.integers(len(samples) - self.length + 1)
        return samples[start : start + self.length]

    def score(self, model: Data2VecAudioForXVector) -> float:
        """What the mean equal error rate of the corpora leaves of 1, over all pairs of utterances of one corpus and
        gender."""
        vectors = embed(model, self.extract, [utterance.content for utterance in self.valid])
        return 1 - float(np.mean([equal_error(*trials).rate for trials in self._trials(vectors).values()]))

    def _trials(self, vectors: Tensor) -> dict[str, tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Similarities and whether they are of one voice, by corpus."""
        similarities = (vectors @ vectors.T).numpy()
        trials: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for (i, one), (j, other) in combinations(enumerate(self.valid), 2):
            a, b = one.target, other.target
            if (a.corpus, a.gender) == (b.corpus, b.gender):
                trials[a.corpus].append((similarities[i, j], a == b))
        return {
            corpus: (np.array([s for s, _ in pairs], np.float32), np.array([same for _, same in pairs]))
            for corpus, pairs in trials.items()
        }


def embed(model: Data2VecAudioForXVector, extract: SpeechFeatureExtractor, clips: Sequence[Samples]) -> Tensor:
    """(clips, x-vector dim) vectors of length 1, every clip by itself and whole."""
    return torch.cat([F.normalize(model(extract(clip)["input_values"]).embeddings, dim=-1) for clip in clips])
