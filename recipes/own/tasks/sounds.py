"""One's own sounds: what class they are of, what is said in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data2vec_core import Data2VecAudioForXVector
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.pretraining.schedule import Schedule, TriStage
from data2vec_core.processing.audio_errors import AudioTooShortError
from data2vec_core.processing.audio_io import load_audio
from data2vec_core.processing.ctc import VOCAB_FILE, CTCTokenizer
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.tasks.speaker_verification import save_threshold
from recipes.finetuning.frames import SCORED_WITH, SpeakerTurns
from recipes.finetuning.learning import FineTuning
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.sound_classes import Sound, SoundClasses
from recipes.finetuning.speakers import SpeakerVectors, Utterance, Voice, embed
from recipes.finetuning.start import Start
from recipes.finetuning.transcription import Sentence, Transcription
from recipes.mixtures import FIELD, HOP, Mixture, Scenery, Speech, conversations, converse, find_speech, pair
from recipes.own.file_items import FileExample, Shelf
from recipes.own.folders import OTHER_KIND, Account, scan
from recipes.own.labelled import FolderReader, check_labels
from recipes.own.tables import Row, WrongRowError
from recipes.own.tasks.task import OwnTask, Say, rows_by_class
from recipes.own.text_files import read_document
from recipes.sound import Samples, add_noise, change_speed, colour
from recipes.voice_metrics import equal_error

LONGEST = 30
"""Seconds; as much as the page takes, too."""
CONVERSATIONS = 40
"""To choose by."""
LONGEST_CROP = 5
"""Seconds of a clip that training looks at, at most."""


def change(samples: Samples, random: np.random.Generator) -> Samples:
    """Another speed and pitch, another microphone, some noise: what few recordings of any kind gain from."""
    samples = change_speed(samples, random.uniform(0.9, 1.1))
    if random.random() < 0.5:
        samples = colour(samples, 6, random)
    return add_noise(samples, random.uniform(10, 40), random) if random.random() < 0.3 else samples


class OwnSounds(OwnTask):
    """Base of the tasks on sounds."""

    modality = "audio"
    files = ("file",)
    fixed = ("backbone.feature_extractor.",)

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        self._shortest = Data2VecAudioConfig.from_dict(self.config).receptive_field
        self._shelf: Shelf[Samples] = Shelf(self._read)

    def _read(self, path: Path) -> Samples:
        samples = load_audio(path, max_seconds=LONGEST)
        if len(samples) < self._shortest:
            raise AudioTooShortError(f"The sound has {len(samples)} samples; {self._shortest} are needed.")
        return samples

    def _sound(self, row: Row, target: Any) -> FileExample[Samples, Any]:
        """An example of a file that can be read."""
        path = row.file("file")
        _ = self._shelf[path]
        return FileExample(self._shelf, path, target)


class OwnSoundClasses(OwnSounds):
    """A class for a whole sound clip."""

    name = "audio-classification"
    answerer = "AudioClassifier"
    columns = ("file", "label")
    formats = "a folder of sounds for each class, or a table with the columns file and label"
    batch, unit = 16, "sounds"
    has_labels = True

    @property
    def read_folder(self) -> FolderReader:
        return partial(rows_by_class, modality="audio", column="file")

    def example(self, row: Row) -> Sound:
        return self._sound(row, row.text("label"))

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Sound], valid: Sequence[Sound], batch: int
    ) -> SoundClasses:
        labels = check_labels([example.target for example in train], [example.target for example in valid])
        typical = int(np.percentile([len(example.content) for example in train], 90))
        return SoundClasses(
            start,
            plan,
            train,
            valid,
            labels=labels,
            length=min(typical, LONGEST_CROP * MODEL_RATE),
            batch=batch,
            is_balanced=True,
            change=change,
            mixup=0.2,
        )


class OwnTranscription(OwnSounds):
    """Speech to text."""

    name = "transcription"
    answerer = "Transcriber"
    columns = ("file", "text")
    formats = "sounds with a text file of the same name beside each (a.wav, a.txt), or a table with file and text"
    batch, unit = 12, "seconds of sound"
    steps = 3000

    @property
    def read_folder(self) -> FolderReader:
        return _rows_with_texts

    def example(self, row: Row) -> Sentence:
        text = read_document(row.file(_TEXT_FILE)) if _TEXT_FILE in row.values else row.text("text")
        if not (text := " ".join(text.split())):
            raise WrongRowError("its text is empty")
        return self._sound(row, text)

    def schedule(self, rate: float, steps: int) -> Schedule:
        """A long warm-up: at full rate from the start, CTC stays on a plateau of blanks."""
        return TriStage(peak=rate, total=steps, warmup=0.2, hold=0.4)

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Sentence], valid: Sequence[Sentence], batch: int
    ) -> Transcription:
        tokenizer, spelled = self._tokenizer([example.target for example in (*train, *valid)])

        def respelled(example: Sentence) -> Sentence:
            assert isinstance(example, FileExample)
            return example.with_target(spelled(example.target))

        return Transcription(
            start,
            plan,
            [respelled(example) for example in train],
            [respelled(example) for example in valid],
            batch=batch * MODEL_RATE,
            change=change,
            masked_from=0.35,
            tokenizer=tokenizer,
            ctc_zero_infinity=True,
            ctc_loss_reduction="mean",
        )

    def _tokenizer(self, texts: Sequence[str]) -> tuple[CTCTokenizer, Callable[[str], str]]:
        """The checkpoint's, where it knows all characters of the texts, perhaps as capitals, or one of these
        characters; and how texts are spelled for it."""
        characters = set("".join(texts)) - {" "}
        if (open_checkpoint(self.checkpoint).folder / VOCAB_FILE).is_file():
            own = CTCTokenizer.from_pretrained(self.checkpoint)
            for spelled in (str, str.upper):
                if set(map(spelled, characters)) <= set(own.vocab):
                    self.say(
                        f"characters: the {len(own)} of {self.checkpoint}{', in capitals' * (spelled is str.upper)}"
                    )
                    return own, spelled
        self.say(f"characters: {len(characters)}, those of the texts: {''.join(sorted(characters))}")
        return CTCTokenizer.of_characters(sorted(characters)), str


class OwnSpeakers(OwnSounds):
    """Whose voice it is: vectors of one voice lie close together."""

    name = "speaker-verification"
    answerer = "SpeakerVerifier"
    columns = ("file", "speaker")
    formats = "a folder of recordings for each speaker, or a table with the columns file and speaker"
    batch, unit = 32, "crops of two seconds"
    held_groups = 2

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        config = Data2VecAudioConfig.from_dict(self.config)
        widths = zip(config.tdnn_kernel, config.tdnn_dilation, strict=True)
        frames = sum((kernel - 1) * dilation for kernel, dilation in widths)  # beside the first
        self._shortest += frames * config.inputs_to_logits_ratio

    @property
    def read_folder(self) -> FolderReader:
        return partial(rows_by_class, modality="audio", column="file", label="speaker")

    def example(self, row: Row) -> Utterance:
        return self._sound(row, Voice(row.text("speaker")))

    def check(self, train: Sequence[Utterance], valid: Sequence[Utterance]) -> None:
        learnt, asked = ({example.target.speaker for example in part} for part in (train, valid))
        if both := sorted(learnt & asked):
            raise ValueError(f"{both[0]} is heard in train and in valid; whom to choose by must be new to the model")
        if len(learnt) < 2:
            raise ValueError("one speaker only to learn from; two at least are needed to tell apart")
        if len(asked) < 2 or len(asked) == len(valid):
            raise ValueError("to choose by, two speakers at least are needed, and two recordings of one of them")

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Utterance], valid: Sequence[Utterance], batch: int
    ) -> FineTuning[Any]:
        return SpeakerVectors(start, plan, train, valid, batch=batch, spectra=0)

    def finish(self, tuning: FineTuning[Any], folder: Path) -> None:
        """The threshold at which as many voices are taken for each other as are not known again."""
        assert isinstance(tuning, SpeakerVectors)
        model = Data2VecAudioForXVector.from_pretrained(folder)
        with torch.inference_mode():
            vectors = embed(model, tuning.extract, [example.content for example in tuning.valid])
        one, other = np.triu_indices(len(vectors), k=1)
        voices = np.array([example.target.speaker for example in tuning.valid])
        point = equal_error((vectors @ vectors.T).numpy()[one, other], voices[one] == voices[other])
        save_threshold(folder, point.threshold, split="valid")


class OwnSpeakerActivity(OwnSpeakers):
    """Who speaks when, learnt from conversations that are made of the recordings of two speakers each."""

    name = "speaker-activity"
    answerer = "SpeakerActivity"
    batch, unit = 8, "made conversations of eight seconds"

    def __init__(self, checkpoint: str, say: Say) -> None:
        super().__init__(checkpoint, say)
        config = Data2VecAudioConfig.from_dict(self.config)
        if (config.inputs_to_logits_ratio, config.receptive_field) != (HOP, FIELD):
            raise ValueError(
                f"--from {checkpoint}: its frames are not those of 25 ms every 20 ms that turns are told by"
            )

    def tuning(
        self, start: Start, plan: FinePlan, train: Sequence[Utterance], valid: Sequence[Utterance], batch: int
    ) -> FineTuning[Any]:
        voices = _speech_of(train)
        scenery = Scenery(speed=(0.88, 1.14), alone=0.05)

        def draw(random: np.random.Generator, progress: float) -> Mixture:  # noqa: ARG001
            return converse(pair(voices, random), random, scenery)

        fixed = conversations([_speech_of(valid)], CONVERSATIONS, seed=plan.seed, scenery=Scenery())
        return SpeakerTurns(start, plan, draw, fixed, batch=batch)

    def finish(self, tuning: FineTuning[Any], folder: Path) -> None:  # noqa: ARG002
        """As it was scored."""
        SCORED_WITH.save(folder)


def _speech_of(utterances: Sequence[Utterance]) -> dict[str, list[Speech]]:
    """What every speaker has said."""
    voices: dict[str, list[Speech]] = defaultdict(list)
    for utterance in utterances:
        voices[utterance.target.speaker].append(find_speech(utterance.content))
    return dict(voices)


_TEXT_FILE = "text file"
_NO_TEXT = "without a text beside it"


def _rows_with_texts(folder: Path, skipped: Account) -> list[Row]:
    """Every sound that has a text file of its name beside it."""
    found = scan(folder, "audio")
    found.skipped.counts.pop(OTHER_KIND, None)  # the texts, mostly
    skipped.include(found.skipped)
    rows = []
    for entry in found.entries:
        beside = (folder / entry.name).with_suffix(".txt")
        if beside.is_file():
            rows.append(Row({"file": str(folder / entry.name), _TEXT_FILE: str(beside)}, entry.name))
        else:
            skipped.add(_NO_TEXT, entry.name)
    if not rows:
        raise ValueError(
            f"none of the sounds in {folder} has its text beside it (a.wav, a.txt); add the texts, or a table with the "
            "columns file and text"
        )
    return rows
