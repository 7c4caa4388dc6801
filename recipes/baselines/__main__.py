"""Score a classical model: `python -m recipes.baselines qa --data DATA`.

mlm: perplexity from the frequency of tokens; causal: of smoothed trigrams; qa: exact answers from a lexicon of slot
values; choice: accuracy of the description that is most similar by tf-idf.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from data2vec_core.processing.text import TextTokenizer
from recipes.baselines.lexicon import Lexicon
from recipes.baselines.ngrams import KneserNey, ids_of, unigram_cross_entropy
from recipes.bundled.choice import DESCRIPTIONS
from recipes.bundled.qa import slots_of
from recipes.bundled.running_text import examples
from recipes.finetuning.answers import normalised, word_overlap
from recipes.packs import Split, add_data_option, read_records

ENCODER = "text"
"""Whose tokens the language models count."""


def mlm(data: Path, split: Split) -> dict[str, float]:
    """Perplexity of the hidden tokens."""
    tokenizer = TextTokenizer.from_pretrained(ENCODER)
    train, texts = ([example.content for example in examples(data, part)] for part in ("train", split))
    return {"perplexity": unigram_cross_entropy(tokenizer, ids_of(tokenizer, train), texts).perplexity}


def causal(data: Path, split: Split) -> dict[str, float]:
    """Perplexity of every token."""
    tokenizer = TextTokenizer.from_pretrained(ENCODER)
    train, texts = ([example.content for example in examples(data, part)] for part in ("train", split))
    model = KneserNey(ids_of(tokenizer, train), len(tokenizer))
    return {"perplexity": model.cross_entropy(ids_of(tokenizer, texts), special=tokenizer.special_ids).perplexity}


def qa(data: Path, split: Split) -> dict[str, float]:
    """Exact answers to slot questions, and their F1."""
    lexicon = Lexicon()
    for record in read_records(data, "snips_nlu", "train"):
        words = record["tokens"]
        starts = _starts(words)
        for slot, span in slots_of(words, record["tags"]).items():
            start = starts.index(span.start)
            lexicon.learn(slot, words, start, start + len(" ".join(words)[span.start : span.end].split(" ")))
    exact, overlap = [], []
    for record in read_records(data, "snips_nlu", split):
        text = " ".join(record["tokens"])
        for slot, span in slots_of(record["tokens"], record["tags"]).items():
            given, true = lexicon.answer(slot, record["tokens"]), text[span.start : span.end]
            exact.append(normalised(given) == normalised(true))
            overlap.append(word_overlap(given, true))
    return {"exact match, slot questions": sum(exact) / len(exact), "F1, slot questions": sum(overlap) / len(overlap)}


def _starts(words: list[str]) -> list[int]:
    """Where each word begins in the text of all, joined by spaces."""
    starts = [0]
    for word in words[:-1]:
        starts.append(starts[-1] + len(word) + 1)
    return starts


def choice(data: Path, split: Split) -> dict[str, float]:
    """Accuracy among the seven intents, whose descriptions are all the wordings that are trained on together."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    descriptions = [" ".join(wordings[:-1]) for wordings in DESCRIPTIONS.values()]
    queries = {part: read_records(data, "snips_nlu", part) for part in ("train", split)}
    texts = {part: [" ".join(record["tokens"]) for record in records] for part, records in queries.items()}
    vectors = TfidfVectorizer(sublinear_tf=True).fit([*texts["train"], *descriptions])
    similarities = vectors.transform(texts[split]) @ vectors.transform(descriptions).T
    intents = list(DESCRIPTIONS)
    guesses = [intents[place] for place in similarities.toarray().argmax(axis=1)]
    right = [guess == record["intent"] for guess, record in zip(guesses, queries[split], strict=True)]
    return {"accuracy, intent among 7": sum(right) / len(right)}


BASELINES: dict[str, Callable[[Path, Split], dict[str, float]]] = {
    "mlm": mlm,
    "causal": causal,
    "qa": qa,
    "choice": choice,
}


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.baselines", description=__doc__)
    parser.add_argument("name", choices=BASELINES)
    add_data_option(parser)
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    options = parser.parse_args(arguments)
    for score, value in BASELINES[options.name](options.data, options.split).items():
        print(f"{options.name:8} {options.split:6} {score:30} {value:.4f}")


if __name__ == "__main__":
    main()
