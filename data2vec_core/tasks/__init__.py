"""Raw input in, a small result out: what a notebook, the HTTP endpoints and the page's tabs all call."""

from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from data2vec_core.tasks.registry import TASKS, task_of
from data2vec_core.tasks.results import Classification, ClassShare, LabelScore, Segmentation, Transcript, Word
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.tasks.transcription import Transcriber

__all__ = [
    "TASKS",
    "AudioClassifier",
    "ClassShare",
    "Classification",
    "ImageClassifier",
    "ImageSegmenter",
    "LabelScore",
    "Segmentation",
    "TextClassifier",
    "Transcriber",
    "Transcript",
    "Word",
    "task_of",
]
