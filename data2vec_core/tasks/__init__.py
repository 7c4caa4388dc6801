"""Raw input in, a small result out: what a notebook, the HTTP endpoints and the page's tabs all call."""

from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.choosing import Chooser
from data2vec_core.tasks.continuation import TextContinuer
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from data2vec_core.tasks.mask_filling import MaskFiller
from data2vec_core.tasks.question_answering import QuestionAnswerer
from data2vec_core.tasks.registry import TASKS, task_of
from data2vec_core.tasks.results import (
    Activity,
    Answer,
    Choice,
    Classification,
    ClassShare,
    Continuation,
    Entity,
    FilledText,
    Filling,
    LabelScore,
    Segmentation,
    TaggedText,
    Transcript,
    Turn,
    Verification,
    Word,
)
from data2vec_core.tasks.speaker_activity import SpeakerActivity
from data2vec_core.tasks.speaker_verification import SpeakerVerifier
from data2vec_core.tasks.text_classification import TextClassifier
from data2vec_core.tasks.token_tagging import TokenTagger
from data2vec_core.tasks.transcription import Transcriber

__all__ = [
    "TASKS",
    "Activity",
    "Answer",
    "AudioClassifier",
    "Choice",
    "Chooser",
    "ClassShare",
    "Classification",
    "Continuation",
    "Entity",
    "FilledText",
    "Filling",
    "ImageClassifier",
    "ImageSegmenter",
    "LabelScore",
    "MaskFiller",
    "QuestionAnswerer",
    "Segmentation",
    "SpeakerActivity",
    "SpeakerVerifier",
    "TaggedText",
    "TextClassifier",
    "TextContinuer",
    "TokenTagger",
    "Transcriber",
    "Transcript",
    "Turn",
    "Verification",
    "Word",
    "task_of",
]
