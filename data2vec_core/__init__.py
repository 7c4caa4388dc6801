"""data2vec for speech, text and vision in PyTorch (Baevski et al., arXiv 2202.03555)."""

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

__all__ = [
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
