"""`an4`: transcription of the CMU AN4 corpus (spelled names, numbers, dates)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import TriStage
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.processing.samples import MODEL_RATE
from data2vec_core.tasks.transcription import Transcriber
from data2vec_core.tasks.windows import Windows
from recipes.bundled.model import BundledModel, Sitting
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.finetuning.transcription import CONVOLUTIONS, Lesson, Sentence, Transcription
from recipes.metrics import character_errors, error_rate, word_errors
from recipes.packs import Split, read_clips
from recipes.sound import Samples, add_noise, change_speed, colour
from recipes.speech_synthesis import read_aloud

CARD = Card(
    name="an4",
    modality="audio",
    task="transcription",
    title="Spelled names, numbers and dates (English)",
    description=(
        "Writes down spelled letters, numbers, dates and about a hundred words of one old corpus of read speech. "
        "Free speech needs the public checkpoint."
    ),
    trained_on=(
        "CMU AN4, train split: 794 utterances of 62 speakers, 35 minutes; at first also 700 sentences of the same "
        "pattern in synthetic voices (espeak-ng). lexicon.json holds the 95 words of the train "
        "transcripts"
    ),
    training_items=794,
    baseline=(
        "no classical one was made; published, trained on the whole train set: word error rate 7.6 % "
        "(ESPnet, transformer with CTC and attention)"
    ),
    advice=(
        "Spell a name letter by letter, say a number, a date, or a command such as ENTER SIX. It knows about a hundred "
        "words of one old corpus: free speech needs the public checkpoint."
    ),
    licence="BSD-style, Carnegie Mellon University (notice in assets/README.md)",
    parent="audio",
)
PLAN = FinePlan(
    schedule=TriStage(peak=5e-4, total=10_000, warmup=0.12, hold=0.48),
    weight_decay=0.02,
    layer_decay=0.9,
    average=0.998,
    fixed=(CONVOLUTIONS,),
    score_every=500,
    bf16=("cpu", "cuda"),
)
"""Of a first sitting: 22.9 % of the words of valid are wrong, 13.8 % with the lexicon."""
FURTHER = PLAN.replace(
    schedule=TriStage(peak=4e-4, total=3600, warmup=0.08, hold=0.3), fixed=(), average=0.997, score_every=300, seed=1
)
"""Of a second one, in which the convolutions learn, too, from the speakers of the corpus alone."""
BEAM = 16
"""Places of the search over the lexicon; 32 found no better texts on valid."""
WINDOWS = Windows(seconds=5.0, overlap=2.0)
"""The clips that it learns from last three seconds on average. Of the clips of valid, one after the other in one long
sound, 31.5 % of the words are wrong in these windows, and 36.1 % in the usual ones."""
UNIGRAM_WEIGHTS, WORD_BONUSES = (0.0, 0.3), (0.0, 1.0, 2.0)
"""What `finish` chooses from."""
READ_ALOUD = 700
"""Sentences of synthetic voices."""
SHORT = 5 * MODEL_RATE // 2
"""Samples of the longest clip at first."""

#: Words that may stand for each other in a sentence.
KINDS = (
    tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ZERO", "OH", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"),
    ("TEN", "ELEVEN", "TWELVE", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN"),
    ("TWENTY", "THIRTY", "FORTY", "FIFTY", "SIXTY", "SEVENTY", "EIGHTY", "NINETY"),
    ("HUNDRED", "THOUSAND"),
    ("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "DECEMBER"),
    ("FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SEVENTH", "EIGHTH", "NINTH", "TWELFTH", "FIFTEENTH", "SIXTEENTH")
    + ("EIGHTEENTH", "TWENTIETH", "THIRTIETH"),
    ("YES", "NO", "GO", "STOP", "START", "HELP", "ENTER", "ERASE", "RUBOUT", "REPEAT"),
)
#: What the synthesiser has to be told: the letter, not the article; the American letter; two words.
SPOKEN = {"A": "[[eI]]", "Z": "[[zi:]]", "RUBOUT": "rub out"}


def examples(data: Path, split: Split) -> list[Sentence]:
    """Clips with their transcripts."""
    return [Sentence(clip.samples, clip.record["text"]) for clip in read_clips(data, "an4", split)]


def varied(texts: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """New sentences on the pattern of given ones: half of the words are exchanged for others of their kind, as far as
    the given texts know them."""
    known = {word for text in texts for word in text.split()}
    kin = {word: [other for other in kind if other in known] for kind in KINDS for word in kind if word in known}

    def vary(word: str) -> str:
        return str(random.choice(kin[word])) if word in kin and random.random() < 0.5 else word

    patterns = [texts[int(index)] for index in random.integers(len(texts), size=count)]
    return [" ".join(vary(word) for word in pattern.split()) for pattern in patterns]


def synthetic(texts: Sequence[str], count: int, seed: int) -> list[Sentence]:
    """Sentences like the given ones, each in another synthetic voice."""
    made = varied(texts, count, np.random.default_rng(seed))
    spoken = [" ".join(SPOKEN.get(word, word.lower()) for word in text.split()) for text in made]
    return [Sentence(samples, text) for samples, text in zip(read_aloud(spoken, seed=seed), made, strict=True)]


def change(samples: Samples, random: np.random.Generator) -> Samples:
    """Another speed and pitch, another microphone, some noise."""
    samples = change_speed(samples, random.uniform(0.86, 1.16))
    if random.random() < 0.5:
        samples = colour(samples, 6.0, random)
    return add_noise(samples, random.uniform(12, 40), random) if random.random() < 0.5 else samples


def tuning(
    start: Start,
    plan: FinePlan,
    train: Sequence[Sentence],
    valid: Sequence[Sentence],
    *,
    is_further: bool = False,
) -> Transcription:
    """Short clips first, then also synthetic voices, then the speakers of the corpus alone: these are all there is in
    the further sitting, changed anew every time."""
    texts = [sentence.target for sentence in train]
    lessons: tuple[Lesson, ...] = ()
    if not is_further:
        everything = [*train, *synthetic(texts, READ_ALOUD, plan.seed)]
        short = [sentence for sentence in everything if len(sentence.content) <= SHORT]
        lessons = (Lesson(0.05, short), Lesson(0.5, everything))
    return Transcription(
        start,
        plan,
        train,
        valid,
        lessons=lessons,
        change=change,
        variants=None if is_further else 5,
        masked_from=0.0 if is_further else 0.3,
        lexicon=Lexicon.of_texts(texts),
        mask_time_prob=0.2,
        mask_time_length=5,
        mask_feature_prob=0.1,
        mask_feature_length=16,
        activation_dropout=0.1,
    )


def finish(folder: Path, data: Path) -> None:
    """Set how long sound is cut; choose on valid what a word's frequency and a word as such count in the search, and
    write it to the lexicon."""
    WINDOWS.save(folder)
    plain = Transcriber.from_pretrained(folder)
    counts = Lexicon.from_folder(folder).counts
    sentences = examples(data, "valid")

    def errors(lexicon: Lexicon) -> float:
        search = plain.with_search(BEAM, lexicon)
        return error_rate(word_errors, _heard(search, sentences), [sentence.target for sentence in sentences])

    choices = [
        Lexicon(counts, unigram_weight=weight, word_bonus=bonus)
        for weight, bonus in itertools.product(UNIGRAM_WEIGHTS, WORD_BONUSES)
    ]
    min(choices, key=errors).save_pretrained(folder)


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Error rates of words, characters and whole sentences, by the best character of every frame, and that of words by
    a search that knows the words of the train transcripts."""
    sentences = examples(data, split)
    said = [sentence.target for sentence in sentences]
    heard = _heard(Transcriber.from_pretrained(model), sentences)
    searched = _heard(Transcriber.from_pretrained(model, beam=BEAM, lexicon=True), sentences)
    wrong = sum(ours != theirs for ours, theirs in zip(heard, said, strict=True))
    return [
        Metric("word error rate", error_rate(word_errors, heard, said), split),
        Metric("word error rate with lexicon", error_rate(word_errors, searched, said), split),
        Metric("sentence error rate", wrong / len(said), split),
        Metric("character error rate", error_rate(character_errors, heard, said), split),
    ]


def _heard(transcribe: Transcriber, sentences: Sequence[Sentence]) -> list[str]:
    return [transcribe(sentence.content, sampling_rate=MODEL_RATE).text for sentence in sentences]


MODEL = BundledModel(
    card=CARD,
    plan=PLAN,
    examples=examples,
    tuning=tuning,
    evaluate=evaluate,
    further=(Sitting(plan=FURTHER, tuning=partial(tuning, is_further=True)),),
    finish=finish,
    stratum=lambda sentence: len(sentence.target.split()) > 1,
)
