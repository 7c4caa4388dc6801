"""Text to token ids and back: RoBERTa's byte-level byte-pair encoding (data2vec.md 7.3), run by `tokenizers`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypedDict

import torch
from tokenizers import (
    AddedToken,
    Encoding,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import write_json
from data2vec_core.processing.processor import (
    SPECIAL_TOKENS_FILE,
    TOKENIZER_CONFIG_FILE,
    Processor,
    read_json_if_there,
    token_text,
)

TOKENIZER_FILE = "tokenizer.json"
VOCAB_FILE, MERGES_FILE = "vocab.json", "merges.txt"
DEFAULT_MAX_LENGTH: Final = 512
"""Tokens that the public checkpoint reads, special ones included."""

Truncation = Literal["longest_first", "only_first", "only_second"]

_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of a character, which no UTF-8 text can hold


class TextBatch(TypedDict):
    """Input of a text model, as keyword arguments of its `forward`."""

    input_ids: Tensor
    """(batch, tokens) int64."""
    attention_mask: Tensor
    """(batch, tokens) int64: 1 marks tokens of the text, 0 padding."""


@dataclass(frozen=True, kw_only=True)
class TokenizedText:
    """Token windows of one or several texts: one row a window, several for a text that was longer than a window."""

    input_ids: Tensor
    """(windows, tokens) int64."""
    attention_mask: Tensor
    """(windows, tokens) int64: 1 real, 0 padding."""
    offsets: Tensor
    """(windows, tokens, 2) int64: start and end (exclusive) in characters of the text; (0, 0) for special tokens."""
    sequence: Tensor
    """(windows, tokens) int64: 0 for tokens of the first text, 1 for its pair, -1 for special tokens and padding."""
    text_index: Tensor
    """(windows,) int64: which of the given texts a window belongs to."""

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def inputs(self) -> TextBatch:
        """What the model takes."""
        return TextBatch(input_ids=self.input_ids, attention_mask=self.attention_mask)


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """The tokens with a meaning of their own, under RoBERTa's names."""

    bos_token: str = "<s>"
    pad_token: str = "<pad>"
    eos_token: str = "</s>"
    unk_token: str = "<unk>"
    mask_token: str = "<mask>"

    def names(self) -> dict[str, str]:
        """As the public files name them: `cls` and `sep` are the start and end tokens again."""
        return vars(self) | {"cls_token": self.bos_token, "sep_token": self.eos_token}


class TextTokenizer(Processor):
    """Text to token windows and back. Safe to share between threads.

    Args:
        backend: an untruncated, unpadded tokenizer of the `tokenizers` library.
        special: the special tokens; all must be in its vocabulary.
        max_length: the most tokens a model takes in one row, special ones included.
    """

    def __init__(
        self, backend: Tokenizer, *, special: SpecialTokens | None = None, max_length: int = DEFAULT_MAX_LENGTH
    ) -> None:
        self.special = special or SpecialTokens()
        missing = [token for token in vars(self.special).values() if backend.token_to_id(token) is None]
        if missing:
            raise ValueError(
                f"special: {', '.join(missing)} not in the vocabulary of {backend.get_vocab_size()} tokens"
            )
        backend.no_padding()
        self._backend = backend
        self._truncation_lock = threading.Lock()  # truncation is a setting of the backend, not an argument
        self.max_length = max_length

    def __len__(self) -> int:
        """Number of tokens, special ones included."""
        return self._backend.get_vocab_size()

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self._id_of(self.special.pad_token)

    @property
    def mask_id(self) -> int:
        """Id of the mask token."""
        return self._id_of(self.special.mask_token)

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids of the special tokens."""
        return frozenset(self._id_of(token) for token in vars(self.special).values())

    def _id_of(self, token: str) -> int:
        index = self._backend.token_to_id(token)
        assert index is not None
        return index

    def __call__(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        truncation: Truncation = "longest_first",
        add_special_tokens: bool = True,
    ) -> TextBatch:
        """Texts as a padded batch for a model, one row a text; what does not fit is cut off. See `windows`."""
        tokenized = self._tokenize(texts, pairs, max_length, 0, truncation, add_special_tokens, keep_overflow=False)
        return tokenized.inputs

    def windows(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        stride: int = 0,
        truncation: Truncation = "longest_first",
        add_special_tokens: bool = True,
    ) -> TokenizedText:
        """Texts as token windows that together hold all of them.

        Args:
            texts: one or several. Halves of surrogate pairs are read as the replacement character.
            pairs: second texts, as many as `texts`, for `<s> text </s></s> pair </s>`.
            max_length: most tokens of a window, special ones included; the model's own when None.
            stride: tokens that neighbouring windows of a text share.
            truncation: which of two texts is cut.
            add_special_tokens: put `<s>` and `</s>` around.

        Returns:
            Windows in the order of the texts, padded on the right to the longest.

        Raises:
            ValueError: no texts, counts that differ, or no room in a window.
        """
        return self._tokenize(texts, pairs, max_length, stride, truncation, add_special_tokens, keep_overflow=True)

    def _tokenize(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None,
        max_length: int | None,
        stride: int,
        truncation: Truncation,
        add_special_tokens: bool,
        *,
        keep_overflow: bool,
    ) -> TokenizedText:
        texts = [texts] if isinstance(texts, str) else list(texts)
        pairs = [pairs] if isinstance(pairs, str) else pairs
        if not texts:
            raise ValueError("texts: expected at least one text, got none")
        if pairs is not None and len(pairs) != len(texts):
            raise ValueError(f"pairs: expected {len(texts)}, one for each text, got {len(pairs)}")
        length = self.max_length if max_length is None else max_length
        added = self._backend.num_special_tokens_to_add(pairs is not None) if add_special_tokens else 0
        if length <= added or not 0 <= stride < length - added:
            raise ValueError(
                f"max_length={length}, stride={stride}: a window needs room for {added} special tokens and more than "
                "stride others"
            )
        given = [_SURROGATES.sub("\ufffd", text) for text in texts]
        rows = given if pairs is None else list(zip(given, (_SURROGATES.sub("\ufffd", p) for p in pairs), strict=True))
        with self._truncation_lock:
            self._backend.enable_truncation(length, stride=stride, strategy=truncation)
            encodings = self._backend.encode_batch(rows, add_special_tokens=add_special_tokens)
        windows: list[tuple[int, Encoding]] = []
        for index, encoding in enumerate(encodings):
            windows.append((index, encoding))
            if keep_overflow:
                windows.extend((index, window) for window in encoding.overflowing)
        return self._stack(windows)

    def _stack(self, windows: Sequence[tuple[int, Encoding]]) -> TokenizedText:
        longest = max(len(encoding) for _, encoding in windows)
        shape = (len(windows), longest)
        input_ids = torch.full(shape, self.pad_id)
        attention_mask = torch.zeros(shape, dtype=torch.long)
        offsets = torch.zeros(*shape, 2, dtype=torch.long)
        sequence = torch.full(shape, -1)
        for row, (_, encoding) in enumerate(windows):
            tokens = len(encoding)
            input_ids[row, :tokens] = torch.tensor(encoding.ids, dtype=torch.long)
            attention_mask[row, :tokens] = 1
            if tokens:
                offsets[row, :tokens] = torch.tensor(encoding.offsets)
                sequence[row, :tokens] = torch.tensor([-1 if part is None else part for part in encoding.sequence_ids])
        return TokenizedText(
            input_ids=input_ids,
            attention_mask=attention_mask,
            offsets=offsets,
            sequence=sequence,
            text_index=torch.tensor([index for index, _ in windows]),
        )

    def decode(self, ids: Sequence[int] | Tensor, *, skip_special_tokens: bool = True) -> str:
        """(tokens,) back to text."""
        return self._backend.decode([int(index) for index in ids], skip_special_tokens=skip_special_tokens)

    def tokens(self, ids: Sequence[int] | Tensor) -> list[str]:
        """The vocabulary's own spelling of ids (`Ġ` is a space before a word)."""
        return [self._backend.id_to_token(int(index)) or self.special.unk_token for index in ids]

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        folder = Path(folder)
        settings = read_json_if_there(folder / SPECIAL_TOKENS_FILE) | read_json_if_there(folder / TOKENIZER_CONFIG_FILE)
        special = SpecialTokens(
            **{name: token_text(settings.get(name), default) for name, default in vars(SpecialTokens()).items()}
        )
        backend = _read_backend(folder, special, settings)
        # an absent limit is stored as a number far beyond any model
        stated = settings.get("model_max_length", DEFAULT_MAX_LENGTH)
        return cls(backend, special=special, max_length=int(stated) if stated < 1_000_000 else DEFAULT_MAX_LENGTH)

    def _write(self, folder: Path) -> None:
        with self._truncation_lock:
            self._backend.no_truncation()
            self._backend.save(str(folder / TOKENIZER_FILE))
        settings: dict[str, Any] = {
            # the library's own RoBERTa class would rebuild the tokenizer from its vocabulary and lose a normaliser
            "tokenizer_class": "RobertaTokenizerFast"
            if self._backend.normalizer is None
            else "PreTrainedTokenizerFast",
            "model_max_length": self.max_length,
            "model_input_names": ["input_ids", "attention_mask"],
        }
        write_json(folder / TOKENIZER_CONFIG_FILE, settings | self.special.names())
        write_json(folder / SPECIAL_TOKENS_FILE, self.special.names())


def _read_backend(folder: Path, special: SpecialTokens, settings: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a folder: ready-made, or put together from a vocabulary and its merges."""
    whole, vocab, merges = (folder / name for name in (TOKENIZER_FILE, VOCAB_FILE, MERGES_FILE))
    if not whole.is_file() and not (vocab.is_file() and merges.is_file()):
        raise CheckpointError(f"{folder} has neither {TOKENIZER_FILE} nor {VOCAB_FILE} with {MERGES_FILE}")
    try:
        if whole.is_file():
            return Tokenizer.from_file(str(whole))
        return roberta_backend(models.BPE.from_file(str(vocab), str(merges)), special, settings)
    except Exception as error:  # all that the library raises is a bare Exception
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {error}") from error


def roberta_backend(
    model: models.Model, special: SpecialTokens, settings: Mapping[str, Any] | None = None
) -> Tokenizer:
    """RoBERTa's pipeline around a byte-level vocabulary.

    Args:
        model: must know the special tokens.
        settings: `add_prefix_space` (False) and `trim_offsets` (True), as in `tokenizer_config.json`.
    """
    add_prefix_space = bool((settings or {}).get("add_prefix_space", False))
    backend = Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    plain = [token for token in vars(special).values() if token != special.mask_token]
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in plain])
    backend.add_special_tokens([AddedToken(special.mask_token, lstrip=True, normalized=False)])
    ids = backend.get_vocab(with_added_tokens=True)
    backend.post_processor = processors.RobertaProcessing(  # the separator goes first
        (special.eos_token, ids[special.eos_token]),
        (special.bos_token, ids[special.bos_token]),
        trim_offsets=bool((settings or {}).get("trim_offsets", True)),
        add_prefix_space=add_prefix_space,
    )
    return backend


def train_tokenizer(
    lines: Iterable[str], vocab_size: int, *, lowercase: bool = True, max_length: int = DEFAULT_MAX_LENGTH
) -> TextTokenizer:
    """Learn a byte-level byte-pair vocabulary in RoBERTa's layout.

    Its ids: `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, then bytes and merged pairs, `<mask>` last.

    Args:
        lines: of training text.
        vocab_size: tokens in all; at least 261 (256 bytes and 5 special tokens). Little text may give fewer.
        lowercase: fold case before tokenizing.
        max_length: the most tokens a model takes in one row.
    """
    special = SpecialTokens()
    leading = [special.bos_token, special.pad_token, special.eos_token, special.unk_token]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if vocab_size < len(leading) + len(alphabet) + 1:
        raise ValueError(f"vocab_size={vocab_size}: 256 bytes and 5 special tokens need at least 261")
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if lowercase:
        learner.normalizer = normalizers.Lowercase()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,  # the mask comes after
        special_tokens=leading,
        initial_alphabet=sorted(alphabet),
        show_progress=False,
    )
    learner.train_from_iterator(lines, trainer)
    backend = roberta_backend(learner.model, special)
    if lowercase:
        backend.normalizer = normalizers.Lowercase()
    return TextTokenizer(backend, special=special, max_length=max_length)
