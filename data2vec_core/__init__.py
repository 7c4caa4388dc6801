"""data2vec for speech, text and vision in PyTorch (Baevski et al., arXiv 2202.03555).

The names below are imported when they are first used, so that reading a card, a sound or a picture does without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data2vec_core.audio.heads import (
        Data2VecAudioForAudioFrameClassification,
        Data2VecAudioForCTC,
        Data2VecAudioForSequenceClassification,
    )
    from data2vec_core.audio.model import Data2VecAudioModel
    from data2vec_core.audio.xvector import Data2VecAudioForXVector
    from data2vec_core.config import Data2VecAudioConfig, Data2VecTextConfig, Data2VecVisionConfig
    from data2vec_core.text.heads import (
        Data2VecTextForCausalLM,
        Data2VecTextForMaskedLM,
        Data2VecTextForMultipleChoice,
        Data2VecTextForQuestionAnswering,
        Data2VecTextForSequenceClassification,
        Data2VecTextForTokenClassification,
    )
    from data2vec_core.text.model import Data2VecTextModel
    from data2vec_core.trace import Trace
    from data2vec_core.vision.classification import Data2VecVisionForImageClassification
    from data2vec_core.vision.model import Data2VecVisionModel
    from data2vec_core.vision.segmentation import Data2VecVisionForSemanticSegmentation

_HOMES = {
    "Data2VecAudioConfig": "config",
    "Data2VecAudioForAudioFrameClassification": "audio.heads",
    "Data2VecAudioForCTC": "audio.heads",
    "Data2VecAudioForSequenceClassification": "audio.heads",
    "Data2VecAudioForXVector": "audio.xvector",
    "Data2VecAudioModel": "audio.model",
    "Data2VecTextConfig": "config",
    "Data2VecTextForCausalLM": "text.heads",
    "Data2VecTextForMaskedLM": "text.heads",
    "Data2VecTextForMultipleChoice": "text.heads",
    "Data2VecTextForQuestionAnswering": "text.heads",
    "Data2VecTextForSequenceClassification": "text.heads",
    "Data2VecTextForTokenClassification": "text.heads",
    "Data2VecTextModel": "text.model",
    "Data2VecVisionConfig": "config",
    "Data2VecVisionForImageClassification": "vision.classification",
    "Data2VecVisionForSemanticSegmentation": "vision.segmentation",
    "Data2VecVisionModel": "vision.model",
    "Trace": "trace",
}
"""Module of each public name."""

__all__ = [  # spelled out, because type checkers do not run code
    "Data2VecAudioConfig",
    "Data2VecAudioForAudioFrameClassification",
    "Data2VecAudioForCTC",
    "Data2VecAudioForSequenceClassification",
    "Data2VecAudioForXVector",
    "Data2VecAudioModel",
    "Data2VecTextConfig",
    "Data2VecTextForCausalLM",
    "Data2VecTextForMaskedLM",
    "Data2VecTextForMultipleChoice",
    "Data2VecTextForQuestionAnswering",
    "Data2VecTextForSequenceClassification",
    "Data2VecTextForTokenClassification",
    "Data2VecTextModel",
    "Data2VecVisionConfig",
    "Data2VecVisionForImageClassification",
    "Data2VecVisionForSemanticSegmentation",
    "Data2VecVisionModel",
    "Trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
