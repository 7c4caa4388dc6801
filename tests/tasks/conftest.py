"""Tiny checkpoints with random weights, one for each task, saved as a trained one would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core import (
    Data2VecAudioForAudioFrameClassification,
    Data2VecAudioForCTC,
    Data2VecAudioForSequenceClassification,
    Data2VecAudioForXVector,
    Data2VecAudioModel,
    Data2VecTextForCausalLM,
    Data2VecTextForMaskedLM,
    Data2VecTextForMultipleChoice,
    Data2VecTextForQuestionAnswering,
    Data2VecTextForSequenceClassification,
    Data2VecTextForTokenClassification,
    Data2VecTextModel,
    Data2VecVisionForImageClassification,
    Data2VecVisionForSemanticSegmentation,
    Data2VecVisionModel,
)
from data2vec_core.presets import PRESETS
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.processor import Processor
from data2vec_core.processing.text import train_tokenizer
from data2vec_core.tasks.speaker_activity import CLASSES, Smoothing
from data2vec_core.tasks.speaker_verification import save_threshold

LINES = ["a film that is warm and wise", "a dull plot with a weak end", "it moves you"] * 3
LABELS = {
    "commands": {0: "yes", 1: "no", 2: "_silence_"},
    "sentiment": {0: "negative", 1: "positive"},
    "names": {0: "O", 1: "B-film", 2: "I-film", 3: "B-year"},
    "objects": {0: "crab", 1: "laptop", 2: "watch", 3: "llama"},
    "pets": {0: "background", 1: "cat", 2: "dog"},
}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders by task name, and `audio`, `text` and `vision`: backbones without a head."""
    root = tmp_path_factory.mktemp("checkpoints")
    tokenizer = train_tokenizer(LINES, 300)
    audio, vision = PRESETS["audio-tiny"], PRESETS["vision-tiny"]
    text = PRESETS["text-tiny"].replace(vocab_size=len(tokenizer))
    sound = SpeechFeatureExtractor()
    pixels = ImageProcessor(size=(32, 32))
    letters = CTCTokenizer.of_characters()

    def random(model_class: type[PretrainedModel], config: object, name: str) -> PretrainedModel:
        torch.manual_seed(sum(map(ord, name)))
        model = model_class(config)  # type: ignore[arg-type]
        with torch.no_grad():  # fresh weights are small: scores would hardly depend on the input
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
        return model

    made: dict[str, tuple[type[PretrainedModel], object, tuple[Processor, ...]]] = {
        "transcribe": (Data2VecAudioForCTC, audio.replace(vocab_size=len(letters)), (sound, letters)),
        "classify_audio": (
            Data2VecAudioForSequenceClassification,
            audio.replace(id2label=LABELS["commands"]),
            (sound,),
        ),
        "compare_speakers": (Data2VecAudioForXVector, audio.replace(num_labels=5), (sound,)),
        "speaker_activity": (
            Data2VecAudioForAudioFrameClassification,
            audio.replace(id2label=dict(enumerate(CLASSES))),
            (sound,),
        ),
        "classify_text": (
            Data2VecTextForSequenceClassification,
            text.replace(id2label=LABELS["sentiment"]),
            (tokenizer,),
        ),
        "tag_tokens": (
            Data2VecTextForTokenClassification,
            text.replace(id2label=LABELS["names"]),
            (tokenizer,),
        ),
        "answer_question": (Data2VecTextForQuestionAnswering, text, (tokenizer,)),
        # these two refuse what does not fit, and shall take the app's examples
        "choose": (Data2VecTextForMultipleChoice, text.replace(max_position_embeddings=130), (tokenizer,)),
        "fill_mask": (Data2VecTextForMaskedLM, text.replace(max_position_embeddings=130), (tokenizer,)),
        "continue_text": (Data2VecTextForCausalLM, text.replace(is_decoder=True), (tokenizer,)),
        "classify_image": (
            Data2VecVisionForImageClassification,
            vision.replace(id2label=LABELS["objects"]),
            (pixels,),
        ),
        "segment_image": (
            Data2VecVisionForSemanticSegmentation,
            vision.replace(id2label=LABELS["pets"]),
            (pixels,),
        ),
        "audio": (Data2VecAudioModel, audio, (sound, letters)),
        "text": (Data2VecTextModel, text, (tokenizer,)),
        "vision": (Data2VecVisionModel, vision, (pixels,)),
    }
    for name, (model_class, config, processors) in made.items():
        random(model_class, config, name).save_pretrained(root / name)
        for processor in processors:
            processor.save_pretrained(root / name)
    save_threshold(root / "compare_speakers", 0.5)
    Smoothing(window=3).save(root / "speaker_activity")
    return {name: root / name for name in made}


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Makes (samples,) or (samples, channels) of noise, in float32."""
    generator = np.random.default_rng(0)
    return lambda *shape, level=0.1: (level * generator.standard_normal(shape)).astype(np.float32)
