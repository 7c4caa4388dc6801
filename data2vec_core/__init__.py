"""data2vec for speech, text and vision in PyTorch (Baevski et al., arXiv 2202.03555)."""

from data2vec_core.config import Data2VecAudioConfig, Data2VecTextConfig, Data2VecVisionConfig
from data2vec_core.trace import Trace
from data2vec_core.vision.classification import Data2VecVisionForImageClassification
from data2vec_core.vision.model import Data2VecVisionModel
from data2vec_core.vision.segmentation import Data2VecVisionForSemanticSegmentation

__all__ = [
    "Data2VecAudioConfig",
    "Data2VecTextConfig",
    "Data2VecVisionConfig",
    "Data2VecVisionForImageClassification",
    "Data2VecVisionForSemanticSegmentation",
    "Data2VecVisionModel",
    "Trace",
]
