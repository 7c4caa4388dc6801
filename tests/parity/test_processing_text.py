"""Byte-level BPE against transformers' RoBERTa tokenizer, on a small vocabulary learnt here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from tests.parity.reference import transformers

CORPUS = [
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs, said the fox to the dog!",
    "A film that is both warm and wise; it isn't perfect, but it's moving.",
    "Numbers such as 1984 and 2022 stand beside naïve café words.",
] * 4

TEXTS = [
    "The quick brown fox isn't lazy",
    " leading and trailing spaces  ",
    "line\nbreaks\tand tabs",
    "émotions 😀👩‍👩‍👧 and العربية עברית 中文",
    "nul \x00 inside",
    "a <mask> b <mask>. </s> <pad>",
    "",
    "x",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One vocabulary in the file layouts that checkpoints come in."""
    root = tmp_path_factory.mktemp("tokenizers")
    train_tokenizer(CORPUS, 400, lowercase=False, max_length=512).save_pretrained(root / "ours")
    reference = transformers.RobertaTokenizerFast.from_pretrained(root / "ours")
    reference.save_pretrained(root / "reference")
    pieces = root / "pieces"
    pieces.mkdir()
    reference._tokenizer.model.save(str(pieces))  # vocab.json and merges.txt
    # the learnt pairs know nothing of the mask, which the public vocab.json holds too
    (pieces / "vocab.json").write_text(json.dumps(reference.get_vocab()))
    shutil.copy(root / "ours" / "tokenizer_config.json", pieces)
    return {name: root / name for name in ("ours", "reference", "pieces")}


@pytest.fixture(scope="module")
def reference(folders: dict[str, Path]) -> transformers.RobertaTokenizerFast:
    return transformers.RobertaTokenizerFast.from_pretrained(folders["reference"])


@pytest.mark.parametrize("layout", ["ours", "reference", "pieces"])
@pytest.mark.parametrize("text", TEXTS)
def test_ids_and_offsets_equal_the_reference(
    folders: dict[str, Path], reference: transformers.RobertaTokenizerFast, layout: str, text: str
) -> None:
    ours = TextTokenizer.from_folder(folders[layout])
    expected = reference(text, return_offsets_mapping=True)
    windows = ours.windows(text)
    assert windows.input_ids[0].tolist() == expected.input_ids
    assert [tuple(span) for span in windows.offsets[0].tolist()] == expected.offset_mapping
    assert len(ours) == len(reference)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("skip_special_tokens", [False, True])
def test_decoding_equals_the_reference(
    folders: dict[str, Path], reference: transformers.RobertaTokenizerFast, text: str, skip_special_tokens: bool
) -> None:
    ours = TextTokenizer.from_folder(folders["ours"])
    ids = reference(text).input_ids
    expected = reference.decode(ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False)
    assert ours.decode(ids, skip_special_tokens=skip_special_tokens) == expected
    assert ours.tokens(ids) == reference.convert_ids_to_tokens(ids)


def test_padded_batches_equal_the_reference(
    folders: dict[str, Path], reference: transformers.RobertaTokenizerFast
) -> None:
    ours = TextTokenizer.from_folder(folders["ours"])
    expected = reference(TEXTS, padding=True, truncation=True, max_length=9, return_tensors="pt")
    batch = ours(TEXTS, max_length=9)
    assert batch["input_ids"].equal(expected.input_ids)
    assert batch["attention_mask"].equal(expected.attention_mask)


@pytest.mark.parametrize(("max_length", "stride"), [(8, 0), (8, 3), (12, 5), (50, 10)])
def test_windows_equal_the_reference(
    folders: dict[str, Path], reference: transformers.RobertaTokenizerFast, max_length: int, stride: int
) -> None:
    ours = TextTokenizer.from_folder(folders["ours"])
    expected = reference(
        TEXTS,
        padding=True,
        truncation=True,
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    windows = ours.windows(TEXTS, max_length=max_length, stride=stride)
    assert windows.input_ids.equal(expected.input_ids)
    assert windows.attention_mask.equal(expected.attention_mask)
    assert windows.offsets.equal(expected.offset_mapping)
    assert windows.text_index.equal(expected.overflow_to_sample_mapping)


@pytest.mark.parametrize("truncation", ["longest_first", "only_first", "only_second"])
def test_pairs_equal_the_reference(
    folders: dict[str, Path], reference: transformers.RobertaTokenizerFast, truncation: str
) -> None:
    ours = TextTokenizer.from_folder(folders["ours"])
    first, second = "The quick brown fox jumps over the dog", "Pack my box with five dozen liquor jugs"
    expected = reference(
        first, second, truncation=truncation, max_length=24, stride=2, return_overflowing_tokens=True, padding=True
    )
    windows = ours.windows(first, second, truncation=truncation, max_length=24, stride=2)  # type: ignore[arg-type]
    assert windows.input_ids.tolist() == expected.input_ids
    for row in range(len(windows)):
        assert windows.sequence[row].tolist() == [-1 if i is None else i for i in expected.sequence_ids(row)]


def test_without_special_tokens(folders: dict[str, Path], reference: transformers.RobertaTokenizerFast) -> None:
    ours = TextTokenizer.from_folder(folders["ours"])
    batch = ours("over the dog", add_special_tokens=False)
    assert batch["input_ids"][0].tolist() == reference("over the dog", add_special_tokens=False).input_ids


@pytest.mark.parametrize("lowercase", [False, True])
def test_a_learnt_tokenizer_loads_in_the_reference(tmp_path: Path, lowercase: bool) -> None:
    ours = train_tokenizer(CORPUS, 330, lowercase=lowercase, max_length=77)
    ours.save_pretrained(tmp_path)
    reference = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "The QUICK <mask> Fox, isn't É"
    assert reference(text).input_ids == ours(text)["input_ids"][0].tolist()
    assert reference.model_max_length == 77
    assert (reference.pad_token_id, reference.mask_token_id) == (ours.pad_id, ours.mask_id) == (1, len(ours) - 1)
