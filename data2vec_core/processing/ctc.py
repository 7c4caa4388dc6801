"""Text to CTC labels and back: the character vocabulary of the public speech checkpoints (data2vec.md 7.2)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import read_json, write_json
from data2vec_core.labels import IGNORED_LABEL
from data2vec_core.processing.processor import (
    SPECIAL_TOKENS_FILE,
    TOKENIZER_CONFIG_FILE,
    Processor,
    read_json_if_there,
    token_text,
)
from data2vec_core.processing.text_errors import EmptyTextError, TextError

VOCAB_FILE = "vocab.json"
ADDED_TOKENS_FILE = "added_tokens.json"

ENGLISH_LETTERS = "ETAONIHSRDLUMWCFGYPBVK'XJQZ"
"""Letters of the public English checkpoints, in the order of their ids 5 to 31."""


@dataclass(frozen=True, kw_only=True)
class CTCSpan:
    """A character or a word, and the frames that spell it."""

    text: str
    start: int
    """First frame."""
    end: int
    """One past the last frame."""
    confidence: float | None = None
    """Geometric mean of the probabilities of the frames that spell it (blanks left out), 0 to 1. None when decoding
    from ids alone."""

    def seconds(self, seconds_per_frame: float) -> tuple[float, float]:
        """Start and end in seconds (`config.inputs_to_logits_ratio / sampling_rate` a frame, 0.02 at public sizes)."""
        return self.start * seconds_per_frame, self.end * seconds_per_frame


@dataclass(frozen=True, kw_only=True)
class CTCDecoding:
    """What greedy decoding found in one clip."""

    text: str
    characters: tuple[CTCSpan, ...]
    """In order; a word boundary counts as a character."""
    words: tuple[CTCSpan, ...]


class UnspellableTextError(TextError):
    """The text has characters that the model does not write."""


class CTCTokenizer(Processor):
    """Characters to ids, and frames of scores to text with times.

    Args:
        vocab: id of every token; tokens of several characters are matched whole.
        pad_token: also the CTC blank.
        word_delimiter_token: stands for the space between words.
        do_lower_case: take lower-case text for an upper-case vocabulary and give lower-case text back.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        *,
        pad_token: str = "<pad>",
        bos_token: str = "<s>",
        eos_token: str = "</s>",
        unk_token: str = "<unk>",
        word_delimiter_token: str = "|",
        replace_word_delimiter_char: str = " ",
        do_lower_case: bool = False,
    ) -> None:
        if pad_token not in vocab:
            raise ValueError(f"vocab: the blank {pad_token!r} is not among its {len(vocab)} tokens")
        if len(set(vocab.values())) != len(vocab):
            raise ValueError("vocab: two tokens share an id")
        self.vocab = dict(vocab)
        self.pad_token, self.bos_token, self.eos_token, self.unk_token = pad_token, bos_token, eos_token, unk_token
        self.word_delimiter_token = word_delimiter_token
        self.replace_word_delimiter_char = replace_word_delimiter_char
        self.do_lower_case = do_lower_case
        self._token_of = {index: token for token, index in self.vocab.items()}
        long_tokens = sorted((re.escape(token) for token in vocab if len(token) > 1), key=len, reverse=True)
        self._long_tokens = re.compile(rf"\s*({'|'.join(long_tokens)})\s*") if long_tokens else None

    @classmethod
    def of_characters(cls, characters: Iterable[str] = ENGLISH_LETTERS, *, do_lower_case: bool = False) -> Self:
        """A vocabulary in the public layout: four special tokens, the word boundary, then the given characters.

        With the default characters it is the vocabulary of the public English checkpoints, 32 tokens.
        """
        tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *characters]
        return cls({token: index for index, token in enumerate(tokens)}, do_lower_case=do_lower_case)

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.vocab)

    @property
    def pad_id(self) -> int:
        """Id of the padding token, the CTC blank."""
        return self.vocab[self.pad_token]

    @property
    def special_tokens(self) -> frozenset[str]:
        """Tokens that are no part of a text; the blank is not among them, decoding needs it until it has collapsed."""
        return frozenset({self.bos_token, self.eos_token, self.unk_token}) - {self.word_delimiter_token, self.pad_token}

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special tokens that are in the vocabulary."""
        return frozenset(self.vocab[token] for token in self.special_tokens & self.vocab.keys())

    def encode(self, text: str) -> list[int]:
        """One id a character, spaces as word boundaries, unknown characters as the unknown token.

        Raises:
            ValueError: an unknown character, and the vocabulary has no unknown token.
        """
        ids: list[int] = []
        pieces = self._long_tokens.split(text) if self._long_tokens else [text]
        for index, piece in enumerate(pieces):
            if index % 2:  # what the pattern matched
                ids.append(self.vocab[piece])
                continue
            piece = piece.upper() if self.do_lower_case else piece
            ids.extend(self._id_of(character) for character in piece.replace(" ", self.word_delimiter_token))
        return ids

    def spell(self, text: str) -> list[int]:
        """Ids of a text that somebody wrote, with one boundary between two words. A word that cannot be spelled as it
        stands is tried in upper and in lower case.

        Raises:
            TextError: (a ValueError) the text is empty, or has characters that are not in the vocabulary.
        """
        words: list[list[int]] = []
        unknown: set[str] = set()
        for word in text.split():
            form = next((form for form in (word, word.upper(), word.lower()) if self._can_spell(form)), None)
            if form is None:
                unknown.update([character for character in word if not self._can_spell(character.upper())] or [word])
            else:
                words.append(self.encode(form))
        if unknown:
            raise UnspellableTextError(
                f"The model does not write {' '.join(sorted(unknown))}: leave it out, or put it into words."
            )
        if not words:
            raise EmptyTextError("There is no text: write what is said.")
        boundary = self.vocab.get(self.word_delimiter_token)
        first, *others = words
        return first + [index for word in others for index in ([] if boundary is None else [boundary]) + word]

    def spelled(self, ids: Sequence[int]) -> str:
        """The words that ids of characters spell, with one space between two."""
        return " ".join(word.text for word in self.decode(ids, skip_special_tokens=True, group_tokens=False).words)

    def decode(
        self,
        ids: Sequence[int] | Tensor,
        *,
        log_probabilities: Sequence[float] | None = None,
        skip_special_tokens: bool = False,
        group_tokens: bool = True,
    ) -> CTCDecoding:
        """Best id of every frame to text: collapse runs, then drop blanks.

        With `skip_special_tokens` the blank still separates doubled letters, as it did in transformers 4 (5.23 drops it
        first and makes HELO of HELLO), and times stay those of the given frames.

        Args:
            ids: (frames,); only frames of the clip, not of its padding.
            log_probabilities: (frames,) of these ids, for the confidences.
            skip_special_tokens: leave out `<s>`, `</s>` and `<unk>`.
            group_tokens: collapse runs; False for ids of a text instead of frames.
        """
        tokens = [self._token_of.get(int(index), self.unk_token) for index in ids]
        kept = [
            (i, token) for i, token in enumerate(tokens) if not (skip_special_tokens and token in self.special_tokens)
        ]
        if group_tokens:
            runs = [list(run) for _, run in groupby(kept, key=lambda item: item[1])]
        else:
            runs = [[item] for item in kept]

        characters: list[CTCSpan] = []
        frames_of: list[list[int]] = []
        for run in runs:
            token, frames = run[0][1], [index for index, _ in run]
            if token != self.pad_token:
                text = self.replace_word_delimiter_char if token == self.word_delimiter_token else token
                characters.append(self._span(text, frames, log_probabilities))
                frames_of.append(frames)
        text = "".join(character.text for character in characters).strip()
        return CTCDecoding(
            text=text,
            characters=tuple(characters),
            words=tuple(self._words(characters, frames_of, log_probabilities)),
        )

    def decode_logits(
        self, logits: Tensor, lengths: Sequence[int] | Tensor | None = None, *, skip_special_tokens: bool = False
    ) -> list[CTCDecoding]:
        """Greedy decoding of a batch, with confidences.

        Args:
            logits: (batch, frames, vocab).
            lengths: (batch,) frames of each clip; later ones are padding, whose scores mean nothing. All by default.

        Raises:
            ValueError: shapes that do not fit together.
        """
        if logits.ndim != 3:
            raise ValueError(f"logits: expected (batch, frames, vocab), got shape {tuple(logits.shape)}")
        counts = [logits.shape[1]] * len(logits) if lengths is None else [int(length) for length in lengths]
        if len(counts) != len(logits) or any(not 0 <= count <= logits.shape[1] for count in counts):
            raise ValueError(
                f"lengths: expected {len(logits)} numbers of at most {logits.shape[1]} frames, got {counts}"
            )
        best, ids = logits.detach().float().log_softmax(dim=-1).max(dim=-1)  # both (batch, frames)
        return [
            self.decode(
                row[:count].tolist(),
                log_probabilities=scores[:count].tolist(),
                skip_special_tokens=skip_special_tokens,
            )
            for row, scores, count in zip(ids, best, counts, strict=True)
        ]

    def pad(self, sequences: Sequence[Sequence[int]], *, value: int = IGNORED_LABEL) -> Tensor:
        """Label sequences as one tensor (batch, labels), padded with what the CTC loss ignores."""
        longest = max(map(len, sequences), default=0)
        return torch.tensor([[*ids, *[value] * (longest - len(ids))] for ids in sequences], dtype=torch.long)

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        folder = Path(folder)
        vocab = read_json(folder / VOCAB_FILE)
        settings = read_json_if_there(folder / SPECIAL_TOKENS_FILE) | read_json_if_there(folder / TOKENIZER_CONFIG_FILE)
        if not all(isinstance(index, int) for index in vocab.values()):
            raise CheckpointError(
                f"{folder / VOCAB_FILE} should map tokens to ids; one table a language is not supported"
            )
        added = read_json_if_there(folder / ADDED_TOKENS_FILE)
        for index, token in settings.get("added_tokens_decoder", {}).items():
            added[token_text(token, "")] = int(index)
        taken = set(vocab.values())
        vocab |= {token: index for token, index in added.items() if token not in vocab and index not in taken}
        names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        return cls(
            vocab,
            **{name: token_text(settings.get(name), default) for name, default in names.items()},
            word_delimiter_token=token_text(settings.get("word_delimiter_token"), "|"),
            replace_word_delimiter_char=token_text(settings.get("replace_word_delimiter_char"), " "),
            do_lower_case=bool(settings.get("do_lower_case", False)),
        )

    def _write(self, folder: Path) -> None:
        special = {
            "pad_token": self.pad_token,
            "bos_token": self.bos_token,
            "eos_token": self.eos_token,
            "unk_token": self.unk_token,
        }
        settings: dict[str, Any] = {
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "processor_class": "Wav2Vec2Processor",
            "word_delimiter_token": self.word_delimiter_token,
            "replace_word_delimiter_char": self.replace_word_delimiter_char,
            "do_lower_case": self.do_lower_case,
        }
        write_json(folder / VOCAB_FILE, self.vocab)
        write_json(folder / TOKENIZER_CONFIG_FILE, settings | special)
        write_json(folder / SPECIAL_TOKENS_FILE, special)

    def _id_of(self, character: str) -> int:
        index = self.vocab.get(character, self.vocab.get(self.unk_token))
        if index is None:
            raise ValueError(f"text: {character!r} is not in the vocabulary, which has no unknown token")
        return index

    def _can_spell(self, word: str) -> bool:
        """Whether all of a word is characters of the vocabulary."""
        no_characters = self.special_ids | {self.pad_id, self.vocab.get(self.word_delimiter_token)}
        try:
            return no_characters.isdisjoint(self.encode(word))
        except ValueError:
            return False

    def _span(self, text: str, frames: Sequence[int], log_probabilities: Sequence[float] | None) -> CTCSpan:
        confidence = None
        if log_probabilities is not None:
            confidence = math.exp(sum(log_probabilities[frame] for frame in frames) / len(frames))
        text = text.lower() if self.do_lower_case else text
        return CTCSpan(text=text, start=frames[0], end=frames[-1] + 1, confidence=confidence)

    def _words(
        self,
        characters: Sequence[CTCSpan],
        frames_of: Sequence[Sequence[int]],
        log_probabilities: Sequence[float] | None,
    ) -> Iterable[CTCSpan]:
        spelled = zip(characters, frames_of, strict=True)
        for is_boundary, group in groupby(spelled, key=lambda item: item[0].text == self.replace_word_delimiter_char):
            if not is_boundary:
                letters = list(group)
                frames = [frame for _, frames in letters for frame in frames]
                yield self._span("".join(letter.text for letter, _ in letters), frames, log_probabilities)
