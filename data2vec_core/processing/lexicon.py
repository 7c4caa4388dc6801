"""The words a recogniser may write, as a tree of their spellings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.processor import Processor

LEXICON_FILE = "lexicon.json"


@dataclass(slots=True)
class Spelling:
    """A beginning of words: a node of the tree."""

    children: dict[int, Spelling] = field(default_factory=dict)
    """By the id of the next character."""
    weight: float | None = None
    """What a word that ends here adds to a score; None: none does."""


class Lexicon(Processor):
    """Words with how often they occur.

    Args:
        counts: of every word in some text, at least 1.
        unigram_weight: how much the logarithm of a word's share of that text counts beside the sound's probability.
        word_bonus: what every word adds to a score, so that the weight does not favour few words.

    Raises:
        ValueError: there are no words, one has a space or nothing in it, or a count below 1.
    """

    def __init__(self, counts: Mapping[str, int], *, unigram_weight: float = 0.0, word_bonus: float = 0.0) -> None:
        if not counts:
            raise ValueError("counts: at least one word is needed")
        for word, count in counts.items():
            if not word or word.split() != [word] or count < 1:
                raise ValueError(f"counts: expected words with counts of at least 1, got {word!r}: {count}")
        self.counts = dict(counts)
        self.unigram_weight = unigram_weight
        self.word_bonus = word_bonus

    @classmethod
    def of_texts(cls, texts: Iterable[str], *, unigram_weight: float = 0.0, word_bonus: float = 0.0) -> Self:
        """The words of texts, the most frequent first."""
        counts = Counter(word for text in texts for word in text.split())
        return cls(dict(counts.most_common()), unigram_weight=unigram_weight, word_bonus=word_bonus)

    def __len__(self) -> int:
        """Number of words."""
        return len(self.counts)

    def weight(self, word: str) -> float:
        """What a word adds to a score."""
        share = self.counts[word] / sum(self.counts.values())
        return self.unigram_weight * math.log(share) + self.word_bonus

    def tree(self, tokenizer: CTCTokenizer) -> Spelling:
        """The root of the words' spellings in a tokenizer's ids.

        Raises:
            ValueError: a word cannot be spelled.
        """
        root = Spelling()
        for word in self.counts:
            ids = tokenizer.encode(word)
            if not ids or tokenizer.vocab.get(tokenizer.unk_token) in ids:
                raise ValueError(f"lexicon: the tokenizer cannot spell {word!r}")
            node = root
            for index in ids:
                node = node.children.setdefault(index, Spelling())
            node.weight = self.weight(word)
        return root

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        path = Path(folder) / LEXICON_FILE
        values = read_json(path)
        try:
            return cls(
                {word: int(count) for word, count in values["words"].items()},
                unigram_weight=float(values.get("unigram_weight", 0.0)),
                word_bonus=float(values.get("word_bonus", 0.0)),
            )
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is not a lexicon: {error!r}") from None

    def _write(self, folder: Path) -> None:
        values = {"unigram_weight": self.unigram_weight, "word_bonus": self.word_bonus, "words": self.counts}
        write_json(folder / LEXICON_FILE, values)
