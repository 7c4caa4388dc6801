"""Raw input in, a small result out: what a notebook, the HTTP endpoints and the page's tabs all call."""

from data2vec_core.tasks.audio_classification import AudioClassifier
from data2vec_core.tasks.choosing import Chooser
from data2vec_core.tasks.continuation import TextContinuer
from data2vec_core.tasks.exports import cues, to_json, to_rttm, to_srt, to_textgrid, to_txt, to_vtt
from data2vec_core.tasks.image_classification import ImageClassifier
from data2vec_core.tasks.image_segmentation import ImageSegmenter
from data2vec_core.tasks.live_transcription import LiveTranscriber
from data2vec_core.tasks.mask_filling import MaskFiller
from data2vec_core.tasks.question_answering import QuestionAnswerer
from data2vec_core.tasks.registry import TASKS, task_of
from data2vec_core.tasks.results import (
    Activity,
    AlignedSpan,
    Alignment,
    Alternative,
    Answer,
    Choice,
    Classification,
    ClassShare,
    Continuation,
    Emissions,
    Entity,
    FilledText,
    Filling,
    LabelScore,
    LiveText,
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
from data2vec_core.tasks.windows import Windows

__all__ = [
    "TASKS",
    "Activity",
    "AlignedSpan",
    "Alignment",
    "Alternative",
    "Answer",
    "AudioClassifier",
    "Choice",
    "Chooser",
    "ClassShare",
    "Classification",
    "Continuation",
    "Emissions",
    "Entity",
    "FilledText",
    "Filling",
    "ImageClassifier",
    "ImageSegmenter",
    "LabelScore",
    "LiveText",
    "LiveTranscriber",
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
    "Windows",
    "Word",
    "cues",
    "task_of",
    "to_json",
    "to_rttm",
    "to_srt",
    "to_textgrid",
    "to_txt",
    "to_vtt",
]
