"""Speech front end and CTC decoding against transformers' Wav2Vec2 classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCDecoding, CTCTokenizer
from tests.parity.reference import assert_close_to_reference, transformers

LENGTHS = (4000, 400, 2503)


def random_clips(seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [(0.3 + 0.1 * generator.standard_normal(length)).astype(np.float32) for length in LENGTHS]


@pytest.mark.parametrize("do_normalize", [True, False])
@pytest.mark.parametrize("return_attention_mask", [True, False])
@pytest.mark.parametrize("padding_value", [0.0, -1.5])
def test_features_equal_the_reference(
    tmp_path: Path, do_normalize: bool, return_attention_mask: bool, padding_value: float
) -> None:
    reference = transformers.Wav2Vec2FeatureExtractor(
        do_normalize=do_normalize, return_attention_mask=return_attention_mask, padding_value=padding_value
    )
    reference.save_pretrained(tmp_path)
    ours = SpeechFeatureExtractor.from_folder(tmp_path)
    clips = random_clips()
    expected = reference(clips, sampling_rate=16_000, padding=True, return_tensors="pt")
    assert_close_to_reference(ours(clips), expected)
    assert ours(clips)["input_values"].dtype == torch.float32


def test_clips_are_cut_before_they_are_normalised() -> None:
    clips = random_clips()
    reference = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    expected = reference(
        clips, sampling_rate=16_000, padding=True, max_length=1000, truncation=True, return_tensors="pt"
    )
    assert_close_to_reference(SpeechFeatureExtractor()(clips, max_samples=1000), expected)


def test_our_feature_settings_load_in_the_reference(tmp_path: Path) -> None:
    SpeechFeatureExtractor(do_normalize=False, padding_value=0.25).save_pretrained(tmp_path)
    reference = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
    assert isinstance(reference, transformers.Wav2Vec2FeatureExtractor)
    assert (reference.do_normalize, reference.padding_value, reference.return_attention_mask) == (False, 0.25, True)


def test_the_combined_file_of_a_reference_processor_is_read(tmp_path: Path) -> None:
    CTCTokenizer.of_characters("ABC").save_pretrained(tmp_path)
    tokenizer = transformers.Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    combined = tmp_path / "combined"
    transformers.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(combined)
    assert SpeechFeatureExtractor.from_folder(combined) == SpeechFeatureExtractor(do_normalize=False)
    assert CTCTokenizer.from_folder(combined).vocab == CTCTokenizer.of_characters("ABC").vocab


def reference_tokenizer(ours: CTCTokenizer, folder: Path) -> transformers.Wav2Vec2CTCTokenizer:
    ours.save_pretrained(folder)
    return transformers.Wav2Vec2CTCTokenizer.from_pretrained(folder)


def random_ids(vocab: int, frames: int, seed: int) -> list[int]:
    """Ids as frames have them: runs of a token between many blanks."""
    generator = np.random.default_rng(seed)
    ids = np.where(generator.random(frames) < 0.4, 0, generator.integers(0, vocab, frames))
    return np.repeat(ids, generator.integers(1, 4, frames)).tolist()


def offsets_of(decoding: CTCDecoding) -> tuple[list[dict], list[dict]]:
    """Ours in the reference's layout."""
    characters = [{"char": c.text, "start_offset": c.start, "end_offset": c.end} for c in decoding.characters]
    words = [{"word": w.text, "start_offset": w.start, "end_offset": w.end} for w in decoding.words]
    return characters, words


@pytest.mark.parametrize("do_lower_case", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_decoding_and_offsets_equal_the_reference(tmp_path: Path, seed: int, do_lower_case: bool) -> None:
    ours = CTCTokenizer.of_characters(do_lower_case=do_lower_case)
    reference = reference_tokenizer(ours, tmp_path)
    ids = random_ids(len(ours), 60, seed)
    expected = reference.decode(ids, output_char_offsets=True, output_word_offsets=True)
    decoding = ours.decode(ids)
    assert decoding.text == expected.text
    characters, words = offsets_of(decoding)
    if do_lower_case:  # the reference lowers the text, but not the characters and words it came from
        expected.char_offsets = [entry | {"char": entry["char"].lower()} for entry in expected.char_offsets]
        expected.word_offsets = [entry | {"word": entry["word"].lower()} for entry in expected.word_offsets]
    assert characters == expected.char_offsets
    assert words == expected.word_offsets


@pytest.mark.parametrize("seed", range(4))
def test_decoding_random_logits_equals_the_reference_on_the_valid_frames(tmp_path: Path, seed: int) -> None:
    ours = CTCTokenizer.of_characters()
    reference = reference_tokenizer(ours, tmp_path)
    logits = torch.randn(3, 50, len(ours), generator=torch.Generator().manual_seed(seed))
    lengths = [50, 31, 0]
    decodings = ours.decode_logits(logits, lengths)
    for row, length, decoding in zip(logits, lengths, decodings, strict=True):
        expected = reference.decode(row[:length].argmax(-1), output_word_offsets=True)
        assert decoding.text == expected.text
        assert offsets_of(decoding)[1] == expected.word_offsets


@pytest.mark.parametrize("group_tokens", [False, True])
def test_decoding_without_special_tokens(tmp_path: Path, group_tokens: bool) -> None:
    ours = CTCTokenizer.of_characters()
    reference = reference_tokenizer(ours, tmp_path)
    ids = [i for i in random_ids(len(ours), 80, seed=1) if i != ours.pad_id]
    expected = reference.decode(ids, skip_special_tokens=True, group_tokens=group_tokens)
    assert ours.decode(ids, skip_special_tokens=True, group_tokens=group_tokens).text == expected


def test_skipping_special_tokens_keeps_doubled_letters(tmp_path: Path) -> None:
    """A defect of 5.23 that is not copied: it takes the blank for a special token and drops it before collapsing."""
    ours = CTCTokenizer.of_characters()
    reference = reference_tokenizer(ours, tmp_path)
    ids = [token for letter in "HELLO" for token in (ours.vocab[letter], ours.pad_id)]
    assert ours.decode(ids, skip_special_tokens=True).text == "HELLO"
    assert reference.decode(ids) == "HELLO"
    assert reference.decode(ids, skip_special_tokens=True) == "HELO"


@pytest.mark.parametrize("do_lower_case", [False, True])
@pytest.mark.parametrize("text", ["HELLO WORLD", "it's", "", " A  B ", "A1É|Z", "A <unk> B</s>", "straße"])
def test_encoding_equals_the_reference(tmp_path: Path, text: str, do_lower_case: bool) -> None:
    ours = CTCTokenizer.of_characters(do_lower_case=do_lower_case)
    reference = reference_tokenizer(ours, tmp_path)
    assert ours.encode(text) == reference(text).input_ids


def test_a_reference_tokenizer_with_other_tokens_is_read(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"[PAD]": 3, "[UNK]": 2, "_": 0, "a": 1, "b": 4}')
    reference = transformers.Wav2Vec2CTCTokenizer(
        str(tmp_path / "vocab.json"), pad_token="[PAD]", unk_token="[UNK]", word_delimiter_token="_"
    )
    reference.save_pretrained(tmp_path / "saved")  # which adds <s> and </s> to the vocabulary
    ours = CTCTokenizer.from_folder(tmp_path / "saved")
    assert ours.vocab == reference.get_vocab()
    ids = [1, 1, 3, 1, 0, 4, 3, 3, 2]
    assert ours.decode(ids).text == reference.decode(ids)
    assert ours.encode("ab aé") == reference("ab aé").input_ids
