"""What holds of processing for any input."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.image import ImageProcessor, semantic_maps
from data2vec_core.processing.samples import mix_down, pcm_to_float, resample
from data2vec_core.processing.text import train_tokenizer

LETTERS = CTCTokenizer.of_characters()
BPE = train_tokenizer(["some words to learn pairs from", "and some other words"] * 3, 290, lowercase=False)

sides = st.integers(1, 60)
floats = st.floats(-1, 1, width=32)


class TestSound:
    @given(st.integers(1, 4000), st.integers(1000, 200_000))
    def test_resampling_keeps_the_duration(self, samples: int, rate: int) -> None:
        result = resample(np.zeros(samples, np.float32), rate)
        assert abs(len(result) - samples * 16_000 / rate) <= 1

    @given(st.integers(8000, 96_000))
    @settings(max_examples=25)
    def test_resampling_keeps_a_tone(self, rate: int) -> None:
        times, resampled_times = np.arange(rate) / rate, np.arange(16_000) / 16_000
        result = resample(np.sin(2 * np.pi * 300 * times).astype(np.float32), rate)
        assert np.abs(result - np.sin(2 * np.pi * 300 * resampled_times))[400:-400].max() < 2e-3

    @given(arrays.arrays(np.float32, st.tuples(st.integers(1, 50), st.integers(1, 8)), elements=floats))
    def test_the_mix_is_the_mean_over_channels(self, samples: np.ndarray) -> None:
        mixed = mix_down(samples)
        assert mixed.shape == (len(samples),), "one value a sample, and not one a channel"
        for row, value in zip(samples, mixed, strict=True):
            assert abs(float(np.mean(row.astype(np.float64))) - value) < 1e-6

    @given(arrays.arrays(np.int16, st.integers(0, 50)))
    def test_pcm_survives_the_way_to_float_and_back(self, pcm: np.ndarray) -> None:
        assert np.array_equal((pcm_to_float(pcm) * 32768).astype(np.int16), pcm)

    @given(st.lists(st.integers(2, 300), min_size=1, max_size=4), st.integers(0, 1000))
    def test_a_clip_in_a_batch_is_the_clip_alone(self, lengths: list[int], seed: int) -> None:
        generator = np.random.default_rng(seed)
        clips = [generator.standard_normal(length).astype(np.float32) for length in lengths]
        extractor = SpeechFeatureExtractor()
        batch = extractor(clips)
        for row, mask, clip in zip(batch["input_values"], batch["attention_mask"], clips, strict=True):
            assert mask.sum() == len(clip)
            assert row[: len(clip)].equal(extractor(clip)["input_values"][0])
            assert not row[len(clip) :].any()


class TestCharacters:
    words = st.text("ABCXYZ'", min_size=1, max_size=8)

    @given(st.lists(words, max_size=5), st.data())
    def test_frames_of_a_text_decode_to_it(self, words: list[str], data: st.DataObject) -> None:
        text = " ".join(words)
        frames: list[int] = []
        spans: list[tuple[int, int]] = []
        for index in LETTERS.encode(text):
            gap = data.draw(st.integers(1 if frames and frames[-1] == index else 0, 2))
            frames += [LETTERS.pad_id] * gap
            start = len(frames)
            frames += [index] * data.draw(st.integers(1, 3))
            spans.append((start, len(frames)))
        decoding = LETTERS.decode(frames)
        assert decoding.text == text
        assert [word.text for word in decoding.words] == words
        assert [(c.start, c.end) for c in decoding.characters] == spans

    @given(st.lists(st.integers(0, 31), max_size=40))
    def test_times_rise_and_confidences_are_probabilities(self, ids: list[int]) -> None:
        logits = torch.randn(1, len(ids), 32, generator=torch.Generator().manual_seed(len(ids)))
        if ids:
            logits[0, torch.arange(len(ids)), torch.tensor(ids)] += 9
        [decoding] = LETTERS.decode_logits(logits)
        for spans in (decoding.characters, decoding.words):
            edges = [edge for span in spans for edge in (span.start, span.end)]
            assert edges == sorted(edges)
            assert all(0 <= edge <= len(ids) for edge in edges)
            assert all(span.confidence is not None and 0 < span.confidence <= 1 for span in spans)

    @given(st.text("ABC |'é1", max_size=12), st.booleans())
    def test_a_tokenizer_survives_its_files(self, text: str, lower: bool) -> None:
        original = CTCTokenizer.of_characters("ABC'", do_lower_case=lower)
        with tempfile.TemporaryDirectory() as folder:
            original.save_pretrained(folder)
            read = CTCTokenizer.from_folder(folder)
        assert read.vocab == original.vocab
        assert read.encode(text) == original.encode(text)
        assert read.decode(read.encode(text), group_tokens=False) == original.decode(
            original.encode(text), group_tokens=False
        )


class TestText:
    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    def test_bytes_survive_encoding_and_decoding(self, text: str) -> None:
        ids = BPE(text, add_special_tokens=False)["input_ids"][0]
        assert BPE.decode(ids, skip_special_tokens=False) == text

    @given(st.text(max_size=60), st.integers(4, 20), st.data())
    def test_windows_hold_every_token(self, text: str, length: int, data: st.DataObject) -> None:
        stride = data.draw(st.integers(0, length - 3))
        whole = BPE(text)["input_ids"][0][1:-1].tolist()
        joined: list[int] = []
        for row, mask in zip(*BPE.windows(text, max_length=length, stride=stride).inputs.values(), strict=True):
            inner = row[mask.bool()][1:-1].tolist()
            joined += inner[stride:] if joined else inner
        assert joined == whole


class TestPictures:
    @given(sides, sides, sides, sides)
    @settings(max_examples=50)
    def test_pictures_of_any_size_reach_the_size_asked_for(self, height: int, width: int, to_h: int, to_w: int) -> None:
        pixels = np.full((height, width, 3), 255, np.uint8)
        values = ImageProcessor(size=(to_h, to_w))(pixels)["pixel_values"]
        assert values.shape == (1, 3, to_h, to_w)
        assert values.unique().tolist() == [1]

    @given(sides, sides, st.integers(1, 40))
    @settings(max_examples=50)
    def test_the_shorter_side_decides(self, height: int, width: int, edge: int) -> None:
        new_width, new_height = ImageProcessor(size=edge).resized((width, height))
        assert min(new_width, new_height) == edge
        assert abs(new_width / new_height - width / height) <= max(width / height, 1) / edge

    @given(sides, sides, sides, sides)
    @settings(max_examples=50)
    def test_a_crop_has_its_size_and_keeps_the_middle(self, height: int, width: int, to_h: int, to_w: int) -> None:
        processor = ImageProcessor(do_resize=False, do_center_crop=True, crop_size=(to_h, to_w))
        values = processor(Image.new("RGB", (width, height), "white"))["pixel_values"]
        assert values.shape == (1, 3, to_h, to_w)
        assert (values == 1).sum() == 3 * min(height, to_h) * min(width, to_w)

    @given(st.integers(1, 4), sides, sides, st.integers(1, 9), st.integers(1, 9))
    @settings(max_examples=50)
    def test_one_class_that_leads_everywhere_wins_everywhere(
        self, classes: int, height: int, width: int, rows: int, columns: int
    ) -> None:
        logits = torch.randn(1, classes, rows, columns)
        logits[:, -1] += 20
        [best] = semantic_maps(logits, [(height, width)])
        assert best.shape == (height, width)
        assert best.unique().tolist() == [classes - 1]

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "size": st.one_of(sides, st.tuples(sides, sides)),
                "resample": st.integers(0, 5),
                "do_center_crop": st.booleans(),
                "crop_size": st.tuples(sides, sides),
                "do_rescale": st.booleans(),
                "rescale_factor": st.floats(0.001, 1),
                "do_normalize": st.booleans(),
                "image_mean": st.tuples(*[st.floats(0, 1)] * 3),
                "image_std": st.tuples(*[st.floats(0.1, 1)] * 3),
                "do_reduce_labels": st.booleans(),
            },
        )
    )
    def test_settings_survive_their_files(self, values: dict[str, Any]) -> None:
        processor = ImageProcessor(**values)
        with tempfile.TemporaryDirectory() as folder:
            processor.save_pretrained(Path(folder))
            assert ImageProcessor.from_folder(folder) == processor


@given(st.booleans(), st.booleans(), st.floats(-2, 2), st.integers(1, 48_000))
def test_feature_settings_survive_their_files(normalise: bool, mask: bool, padding: float, rate: int) -> None:
    extractor = SpeechFeatureExtractor(
        do_normalize=normalise, return_attention_mask=mask, padding_value=padding, sampling_rate=rate
    )
    with tempfile.TemporaryDirectory() as folder:
        extractor.save_pretrained(folder)
        assert SpeechFeatureExtractor.from_folder(folder) == extractor
