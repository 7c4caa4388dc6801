"""Speech to text, character by character (connectionist temporal classification)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data2vec_core import Data2VecAudioForCTC
from data2vec_core.audio.model import Frames
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.processing.samples import MODEL_RATE
from recipes.batching import LengthBatches
from recipes.finetuning.examples import Example
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.sound_classes import Change
from recipes.finetuning.start import Start
from recipes.metrics import error_rate, word_errors
from recipes.sound import Samples

CONVOLUTIONS = "backbone.feature_extractor."

Sentence = Example[Samples, str]
"""A clip and what is said in it, in the characters of the tokenizer."""


@dataclass(frozen=True)
class Lesson:
    """What is learnt from in one part of the run."""

    until: float
    """Share of the steps at which it ends."""
    sentences: Sequence[Sentence]


class Transcription(FineTuning[Data2VecAudioForCTC]):
    """Batches of clips of similar length, all in one epoch.

    Args:
        train: sentences to learn from, after the lessons.
        valid: sentences to choose by.
        lessons: what to begin with, in order: trained on whole sentences from the start, CTC may stay long on a
            plateau of blanks.
        batch: samples of sound in a step, padding included.
        change: of the clips in training.
        variants: changes of each clip that are drawn from, whose features are computed once and kept, for which the
            plan has to fix the convolutions: half of a step is theirs (200 MB an hour of sound and variant). None: a
            new change every time.
        masked_from: share of the steps from which SpecAugment hides what the configuration says; while the model does
            not yet hear letters, hiding them only keeps it on the plateau.
        tokenizer: the characters; those of the public English checkpoints when None.
        lexicon: words to save beside the model, for a search that keeps to them; the training has no use for it.
        **configuration: fields of the model's configuration to change.

    Raises:
        ValueError: the lessons do not follow each other, a transcript has a character that the tokenizer lacks, or
            there are to be variants and the plan does not fix the convolutions.
    """

    model_class = Data2VecAudioForCTC

    def __init__(
        self,
        start: Start,
        plan: FinePlan,
        train: Sequence[Sentence],
        valid: Sequence[Sentence],
        *,
        lessons: Sequence[Lesson] = (),
        batch: int = 12 * MODEL_RATE,
        change: Change = lambda samples, random: samples,  # noqa: ARG005
        variants: int | None = None,
        masked_from: float = 0.0,
        tokenizer: CTCTokenizer | None = None,
        lexicon: Lexicon | None = None,
        **configuration: Any,
    ) -> None:
        self.extract = SpeechFeatureExtractor()
        self.tokenizer = tokenizer or CTCTokenizer.of_characters()
        super().__init__(start, plan, (self.extract, self.tokenizer, *([lexicon] if lexicon else [])))
        self.valid = valid
        self.lessons = [*lessons, Lesson(1.0, train)]
        ends = [lesson.until for lesson in self.lessons]
        if ends != sorted(set(ends)):
            raise ValueError(f"lessons: each has to end after the one before, and all before 1.0, got {ends}")
        self._batches = [
            LengthBatches([len(sentence.content) for sentence in lesson.sentences], batch, plan.seed)
            for lesson in self.lessons
        ]
        for sentence in self._sentences():
            if unknown := set(sentence.target) - set(self.tokenizer.vocab) - {" "}:
                raise ValueError(f"transcript {sentence.target!r}: the tokenizer has no {sorted(unknown)}")
        if variants is not None and CONVOLUTIONS not in plan.fixed:
            raise ValueError(f"variants={variants}: features that are kept need {CONVOLUTIONS!r} in FinePlan.fixed")
        self.change = change
        self.variants = variants
        self._numbers = {id(sentence): number for number, sentence in enumerate(self._sentences())}
        self._features: dict[tuple[int, int], Tensor] = {}
        self.masked_from = masked_from
        self.configuration = configuration

    def build_model(self) -> Data2VecAudioForCTC:
        return self.start.build(self.model_class, vocab_size=len(self.tokenizer), **self.configuration)

    def loss(self, model: Data2VecAudioForCTC, step: int) -> Tensor:
        done = step / self.plan.steps
        self._set_masking(model, done >= self.masked_from)
        stage = next(index for index, lesson in enumerate(self.lessons) if done < lesson.until)
        random = np.random.default_rng((self.plan.seed, step))
        chosen = [self.lessons[stage].sentences[index] for index in self._batches[stage].indices(step)]
        ids = self.tokenizer.pad([self.tokenizer.encode(sentence.target) for sentence in chosen])
        if self.variants is not None:
            return self._loss_of_features(model, [self._variant(model, s, random) for s in chosen], ids)
        clips = [self.change(sentence.content, random) for sentence in chosen]
        loss: Tensor = model(**self.extract(clips), labels=ids).loss
        return loss

    def _sentences(self) -> Iterator[Sentence]:
        return (sentence for lesson in self.lessons for sentence in lesson.sentences)

    def _variant(self, model: Data2VecAudioForCTC, sentence: Sentence, random: np.random.Generator) -> Tensor:
        """(frames, conv dim): what the convolutions make of a clip in one of its changes."""
        assert self.variants is not None
        key = self._numbers[id(sentence)], int(random.integers(self.variants))
        if key not in self._features:
            samples = self.change(sentence.content, np.random.default_rng((self.plan.seed, *key)))
            with torch.no_grad():
                features = model.backbone.feature_extractor(self.extract(samples)["input_values"])[0]
            self._features[key] = features.bfloat16()
        return self._features[key]

    @staticmethod
    def _loss_of_features(model: Data2VecAudioForCTC, features: Sequence[Tensor], ids: Tensor) -> Tensor:
        """What the model's `forward` does behind the convolutions."""
        lengths = torch.tensor([len(clip) for clip in features])
        padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True).float()  # (batch, frames, conv dim)
        projected, normed = model.backbone.feature_projection(padded)
        is_real = torch.arange(padded.shape[1]) < lengths[:, None]
        hidden = model.backbone.encode(Frames(normed, projected, is_real))
        return model.ctc_loss(model.lm_head(model.dropout(hidden)), lengths, ids)

    def _set_masking(self, model: Data2VecAudioForCTC, is_on: bool) -> None:
        """The encoder's configuration alone changes: the one that is saved is the head's."""
        encoder = model.backbone
        if encoder.config.apply_spec_augment != is_on:
            encoder.config = encoder.config.replace(apply_spec_augment=is_on)

    def score(self, model: Data2VecAudioForCTC) -> float:
        """1 - word error rate of the best characters, every clip by itself, as the task reads it."""
        decodings = [
            self.tokenizer.decode_logits(model(self.extract(sentence.content)["input_values"]).logits)[0]
            for sentence in self.valid
        ]
        heard = [decoding.text for decoding in decodings]
        return 1 - error_rate(word_errors, heard, [sentence.target for sentence in self.valid])
