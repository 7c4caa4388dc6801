"""Processors on cases made by hand: what they refuse, and what they read from files."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.processing import image as image_module
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.image import ImageProcessor, semantic_maps
from data2vec_core.processing.processor import Processor
from data2vec_core.processing.text import TextTokenizer, train_tokenizer

LINES = ["a film that is warm and wise", "a dull plot with a weak end", "it moves you"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return train_tokenizer(LINES, 300)


class TestSpeechFeatures:
    def test_a_clip_is_normalised_over_its_own_samples(self) -> None:
        clips = [np.array([1.0, 3.0]), np.array([5.0, 5.0, 5.0, 9.0])]
        batch = SpeechFeatureExtractor()(clips)
        assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
        assert batch["input_values"][0].tolist() == pytest.approx([-1, 1, 0, 0], abs=1e-5)
        assert batch["input_values"][1].mean().item() == pytest.approx(0, abs=1e-6)

    def test_silence_stays_finite(self) -> None:
        assert SpeechFeatureExtractor()(np.full(500, 0.25))["input_values"].abs().max() < 1e-3

    def test_another_rate_is_refused_or_converted(self) -> None:
        clip = np.random.default_rng(0).standard_normal(8000)
        with pytest.raises(ValueError, match="sampling_rate=8000: the model takes 16000"):
            SpeechFeatureExtractor()(clip, sampling_rate=8000)
        batch = SpeechFeatureExtractor()(clip, sampling_rate=8000, resample_clips=True)
        assert batch["input_values"].shape == (1, 16_000)

    @pytest.mark.parametrize("clips", [np.ones((2, 3, 4)), [np.ones((3, 2))], torch.ones(1, 1, 5)])
    def test_channels_are_refused(self, clips: Any) -> None:
        with pytest.raises(ValueError, match="mono"):
            SpeechFeatureExtractor()(clips)

    def test_too_short_or_none(self) -> None:
        with pytest.raises(ValueError, match=r"clip 1 is too short, 399 samples; at least 400 \(25 ms\)"):
            SpeechFeatureExtractor()([np.ones(400), np.ones(399)], min_samples=400)
        with pytest.raises(ValueError, match="clip 0 is too short, 0 samples"):
            SpeechFeatureExtractor()(np.zeros(0))
        with pytest.raises(ValueError, match="at least one clip"):
            SpeechFeatureExtractor()([])

    def test_a_file_without_a_word_on_masks_means_none(self, tmp_path: Path) -> None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 8000}))
        assert SpeechFeatureExtractor.from_folder(tmp_path) == SpeechFeatureExtractor(
            sampling_rate=8000, return_attention_mask=False
        )

    @pytest.mark.parametrize("changed", [{"padding_side": "left"}, {"feature_size": 80}])
    def test_settings_of_other_front_ends_are_refused(self, tmp_path: Path, changed: dict[str, Any]) -> None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(changed))
        with pytest.raises(ValueError, match="only .* is supported"):
            SpeechFeatureExtractor.from_folder(tmp_path)


class TestCTC:
    def test_the_public_vocabulary(self) -> None:
        vocab = CTCTokenizer.of_characters().vocab
        assert len(vocab) == 32
        assert [vocab[token] for token in ("<pad>", "<s>", "</s>", "<unk>", "|", "E", "N", "I", "'", "Z")] == [
            0, 1, 2, 3, 4, 5, 9, 10, 27, 31,
        ]  # fmt: skip

    def test_confidence_is_the_geometric_mean_over_the_frames_that_spell(self) -> None:
        tokenizer = CTCTokenizer.of_characters("AB")
        probability = torch.tensor([0.5, 0.8, 0.9, 0.99, 0.6])
        ids = torch.tensor([5, 5, 0, 6, 4])  # A A blank B boundary
        logits = ((1 - probability) / 6).log()[:, None].repeat(1, 7)
        logits[torch.arange(5), ids] = probability.log()
        [decoding] = tokenizer.decode_logits(logits[None])
        assert decoding.text == "AB"
        assert decoding.words[0].confidence == pytest.approx((0.5 * 0.8 * 0.99) ** (1 / 3))
        assert [c.confidence for c in decoding.characters] == pytest.approx([(0.5 * 0.8) ** 0.5, 0.99, 0.6])
        assert decoding.words[0].seconds(0.02) == (0.0, 0.08)

    def test_padded_frames_do_not_speak(self) -> None:
        tokenizer = CTCTokenizer.of_characters("AB")
        logits = torch.nn.functional.one_hot(torch.tensor([[5, 0, 6, 6]]), 7).float() * 10
        assert tokenizer.decode_logits(logits, [2])[0].text == "A"
        assert tokenizer.decode_logits(logits)[0].text == "AB"

    @pytest.mark.parametrize("lengths", [[5], [-1], [1, 1]])
    def test_lengths_that_do_not_fit(self, lengths: list[int]) -> None:
        with pytest.raises(ValueError, match="lengths"):
            CTCTokenizer.of_characters().decode_logits(torch.zeros(1, 4, 32), lengths)

    def test_skipped_special_tokens_leave_the_times_of_the_others(self) -> None:
        tokenizer = CTCTokenizer.of_characters("AB")
        decoding = tokenizer.decode([1, 1, 5, 3, 5, 0, 6], skip_special_tokens=True)
        assert decoding.text == "AB", "what stood between two runs is gone, so they are one"
        assert [(c.start, c.end) for c in decoding.characters] == [(2, 5), (6, 7)]

    def test_an_unknown_character_without_an_unknown_token(self) -> None:
        with pytest.raises(ValueError, match="'é' is not in the vocabulary"):
            CTCTokenizer({"<pad>": 0, "a": 1}).encode("aé")

    def test_labels_are_padded_with_what_the_loss_ignores(self) -> None:
        assert CTCTokenizer.of_characters().pad([[5, 6], [7]]).tolist() == [[5, 6], [7, -100]]

    @pytest.mark.parametrize("vocab", [{"a": 0}, {"<pad>": 0, "a": 1, "b": 1}])
    def test_impossible_vocabularies(self, vocab: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="vocab"):
            CTCTokenizer(vocab)

    def test_added_tokens_of_a_fine_tuned_checkpoint_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.json").write_text(json.dumps({"[PAD]": 0, "a": 1}))
        (tmp_path / "added_tokens.json").write_text(json.dumps({"<s>": 2}))
        (tmp_path / "tokenizer_config.json").write_text(
            json.dumps({"pad_token": {"content": "[PAD]"}, "added_tokens_decoder": {"3": {"content": "</s>"}}})
        )
        read = CTCTokenizer.from_folder(tmp_path)
        assert read.vocab == {"[PAD]": 0, "a": 1, "<s>": 2, "</s>": 3}
        assert read.pad_id == 0

    def test_a_vocabulary_a_language_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.json").write_text(json.dumps({"eng": {"a": 0}}))
        with pytest.raises(CheckpointError, match="one table a language"):
            CTCTokenizer.from_folder(tmp_path)


class TestText:
    def test_special_ids_are_robertas(self, tokenizer: TextTokenizer) -> None:
        ids = tokenizer("<s><pad></s><unk><mask>", add_special_tokens=False)["input_ids"][0].tolist()
        assert ids == [0, 1, 2, 3, len(tokenizer) - 1]
        assert tokenizer.special_ids == set(ids)
        assert (tokenizer.pad_id, tokenizer.mask_id) == (1, len(tokenizer) - 1)

    def test_the_vocabulary_has_the_size_asked_for(self) -> None:
        assert len(train_tokenizer(LINES, 270)) == 270
        with pytest.raises(ValueError, match="at least 261"):
            train_tokenizer(LINES, 260)

    def test_case_is_folded_on_request(self) -> None:
        folding = train_tokenizer(LINES, 300)
        assert folding("WARM Film")["input_ids"].equal(folding("warm film")["input_ids"])
        keeping = train_tokenizer(LINES, 300, lowercase=False)
        assert not keeping("Warm")["input_ids"].equal(keeping("warm")["input_ids"])

    def test_offsets_point_into_the_text(self, tokenizer: TextTokenizer) -> None:
        text = "it MOVES you"
        windows = tokenizer.windows(text)
        pieces = [text[start:end] for start, end in windows.offsets[0].tolist()]
        assert "".join(pieces) == "itMOVESyou"
        assert windows.sequence[0].tolist() == [-1, *[0] * (len(pieces) - 2), -1]

    def test_windows_overlap_by_the_stride(self, tokenizer: TextTokenizer) -> None:
        windows = tokenizer.windows("abcdefghij", max_length=6, stride=2)
        inner = [row[1:-1].tolist() for row in windows.input_ids]
        assert all(left[-2:] == right[:2] for left, right in zip(inner, inner[1:], strict=False))
        assert tokenizer.decode(tokenizer("abcdefghij")["input_ids"][0]) == "abcdefghij"

    def test_truncation_leaves_no_trace_for_the_next_call(self, tokenizer: TextTokenizer, tmp_path: Path) -> None:
        tokenizer(LINES[0], max_length=4)
        tokenizer.save_pretrained(tmp_path)
        assert json.loads((tmp_path / "tokenizer.json").read_text())["truncation"] is None
        assert tokenizer(LINES[0])["input_ids"].shape[1] > 4

    def test_halves_of_characters_become_replacement_characters(self, tokenizer: TextTokenizer) -> None:
        assert tokenizer("a \ud83d b")["input_ids"].equal(tokenizer("a \ufffd b")["input_ids"])
        pair = tokenizer.windows("x", "\udc00")
        assert pair.input_ids.equal(tokenizer.windows("x", "\ufffd").input_ids)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([],), "at least one text"),
            ((["a", "b"], ["c"]), "pairs: expected 2"),
        ],
    )
    def test_what_cannot_be_tokenized(self, tokenizer: TextTokenizer, arguments: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            tokenizer(*arguments)

    @pytest.mark.parametrize(("max_length", "stride"), [(2, 0), (0, 0), (8, 6), (8, -1)])
    def test_windows_without_room(self, tokenizer: TextTokenizer, max_length: int, stride: int) -> None:
        with pytest.raises(ValueError, match="max_length"):
            tokenizer.windows("a", max_length=max_length, stride=stride)

    def test_an_empty_text_is_its_special_tokens(self, tokenizer: TextTokenizer) -> None:
        assert tokenizer("")["input_ids"].tolist() == [[0, 2]]
        assert tokenizer(["", "a"], add_special_tokens=False)["attention_mask"].tolist() == [[0], [1]]

    def test_threads_with_different_lengths_do_not_disturb_each_other(self, tokenizer: TextTokenizer) -> None:
        def length(limit: int) -> int:
            return tokenizer(LINES[0] * 5, max_length=limit)["input_ids"].shape[1]

        limits = [4, 9, 17, 30] * 25
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(length, limits)) == limits

    def test_a_limit_beyond_any_model_means_none_was_stated(self, tokenizer: TextTokenizer, tmp_path: Path) -> None:
        tokenizer.save_pretrained(tmp_path)
        settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": int(1e30)}))
        assert TextTokenizer.from_folder(tmp_path).max_length == 512

    def test_a_broken_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.json").write_text("{}")
        with pytest.raises(CheckpointError, match="cannot be read"):
            TextTokenizer.from_folder(tmp_path)

    def test_missing_special_tokens_are_named(self, tokenizer: TextTokenizer, tmp_path: Path) -> None:
        tokenizer.save_pretrained(tmp_path)
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"mask_token": "[MASK]"}))
        with pytest.raises(ValueError, match=r"\[MASK\] not in the vocabulary"):
            TextTokenizer.from_folder(tmp_path)


class TestImages:
    def test_the_public_settings_give_minus_one_to_one(self) -> None:
        black, white = Image.new("RGB", (9, 7)), Image.new("RGB", (30, 5), "white")
        batch = ImageProcessor()([black, white])
        assert batch["pixel_values"].shape == (2, 3, 224, 224)
        assert batch["pixel_values"].dtype == torch.float32
        assert batch["pixel_values"][0].unique().tolist() == [-1]
        assert batch["pixel_values"][1].unique().tolist() == [1]

    @pytest.mark.parametrize("size", [(80, 60), (61, 200), (33, 47)])
    @pytest.mark.parametrize(
        "processor",
        [
            ImageProcessor(size=(40, 40)),
            ImageProcessor(size=48),
            ImageProcessor(do_resize=False),
            ImageProcessor(size=56, do_center_crop=True, crop_size=(40, 48)),
            ImageProcessor(do_resize=False, do_center_crop=True, crop_size=(51, 70)),
        ],
    )
    def test_the_view_says_what_the_pixels_show(self, processor: ImageProcessor, size: tuple[int, int]) -> None:
        """Pictures whose red tells the column and whose green the row."""
        height, width = size
        rows, columns = np.mgrid[:height, :width] + 0.5
        picture = np.stack([columns / width, rows / height, np.ones(size)], axis=-1).astype(np.float32)
        [pixels] = processor(picture)["pixel_values"].numpy()
        view = processor.view((width, height))
        assert pixels.shape == (3, *view.size[::-1])
        left, top, right, bottom = view.box
        across = left + (np.arange(view.size[0]) + 0.5) * (right - left) / view.size[0]
        down = top + (np.arange(view.size[1]) + 0.5) * (bottom - top) / view.size[1]
        is_seen = pixels[2] > 0  # a border is black
        assert is_seen.any(axis=0).tolist() == ((across > 0) & (across < width)).tolist()
        assert is_seen.any(axis=1).tolist() == ((down > 0) & (down < height)).tolist()
        found = (pixels[:2, is_seen] + 1) / 2
        wanted = np.broadcast_arrays(across / width, (down / height)[:, None])
        for channel, expected in zip(found, wanted, strict=True):
            assert np.abs(channel - expected[is_seen]).max() < 0.03

    def test_maps_keep_their_classes_when_enlarged(self) -> None:
        ids = np.zeros((8, 8), np.uint8)
        ids[:, 4:] = 200
        image = Image.new("RGB", (8, 8))
        processor = ImageProcessor(size=(50, 50))
        assert processor(image, ids)["labels"].unique().tolist() == [0, 200]
        mixed = processor(image, ids, resize_maps_like_images=True)["labels"]
        assert len(mixed.unique()) > 2, "the reference's filter invents classes along the border"

    def test_labels_are_reduced(self) -> None:
        ids = np.array([[0, 1], [2, 255]], np.uint8)
        processor = ImageProcessor(do_resize=False, do_reduce_labels=True)
        assert processor(Image.new("RGB", (2, 2)), ids)["labels"].tolist() == [[[255, 0], [1, 255]]]

    def test_maps_with_more_classes_than_a_byte_holds(self) -> None:
        ids = np.array([[0, 70_000]])
        batch = ImageProcessor(size=(2, 4))(Image.new("RGB", (2, 1)), ids)
        assert batch["labels"].tolist() == [[[0, 0, 70_000, 70_000]] * 2]

    def test_what_is_no_batch(self) -> None:
        small, large = Image.new("RGB", (2, 2)), Image.new("RGB", (3, 3))
        with pytest.raises(ValueError, match="at least one picture"):
            ImageProcessor()([])
        with pytest.raises(ValueError, match="sizes differ after processing"):
            ImageProcessor(do_resize=False)([small, large])
        with pytest.raises(ValueError, match="maps: expected 1"):
            ImageProcessor()(small, [np.zeros((2, 2), np.uint8)] * 2)

    @pytest.mark.parametrize(
        "values", [{"size": (0, 5)}, {"crop_size": (5, -1)}, {"size": 0}, {"image_std": (0.5, 0.0, 0.5)}]
    )
    def test_impossible_settings(self, values: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=next(iter(values))):
            ImageProcessor(**values)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            (64, (64, 64)),
            ({"height": 3, "width": 4}, (3, 4)),
            ({"shortest_edge": 9}, 9),
            ([5, 6], (5, 6)),
        ],
    )
    def test_sizes_of_all_ages_are_read(self, tmp_path: Path, size: Any, expected: Any) -> None:
        old = {"size": size, "crop_size": 32, "reduce_labels": True, "image_mean": [0, 0.1, 0.2], "resample": 2}
        (tmp_path / "preprocessor_config.json").write_text(
            json.dumps(old | {"feature_extractor_type": "BeitFeatureExtractor"})
        )
        assert ImageProcessor.from_folder(tmp_path) == ImageProcessor(
            size=expected, crop_size=(32, 32), do_reduce_labels=True, image_mean=(0, 0.1, 0.2), resample=2
        )

    @pytest.mark.parametrize("size", [{"longest_edge": 5}, "224", {"height": 5}])
    def test_sizes_nobody_understands(self, tmp_path: Path, size: Any) -> None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": size}))
        with pytest.raises(ValueError, match="expected height and width"):
            ImageProcessor.from_folder(tmp_path)

    def test_a_large_map_is_enlarged_in_strips(self, monkeypatch: pytest.MonkeyPatch) -> None:
        logits = torch.randn(1, 4, 9, 7)
        [whole] = semantic_maps(logits, [(101, 53)])
        monkeypatch.setattr(image_module, "_STRIP_VALUES", 1)  # a row at a time
        [strips] = semantic_maps(logits, [(101, 53)])
        assert whole.shape == (101, 53)
        assert strips.equal(whole)

    def test_sizes_that_do_not_fit_the_batch(self) -> None:
        with pytest.raises(ValueError, match="sizes: expected 2"):
            semantic_maps(torch.zeros(2, 3, 4, 4), [(5, 5)])


@pytest.mark.parametrize("processor", [SpeechFeatureExtractor, CTCTokenizer, TextTokenizer, ImageProcessor])
class TestFiles:
    def test_a_missing_file_is_named(self, processor: type[Processor], tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"has (no|neither) .*\.json"):
            processor.from_pretrained(tmp_path)

    def test_a_missing_checkpoint_is_named(self, processor: type[Processor]) -> None:
        with pytest.raises(CheckpointError, match="no-such-model"):
            processor.from_pretrained("no-such-model")
