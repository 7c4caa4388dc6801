"""Reading packs, and the augmentations."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from recipes.batching import LengthBatches
from recipes.packs import data_folder, read_clips, read_pictures, read_records
from recipes.sight import as_tensor, gradient_histograms, normalise, random_views, take_views
from recipes.sound import add_noise, change_speed, fit_length, shift


def write_lines(path: Path, records: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record) + "\n" for record in records)


def test_clips_are_cut_from_the_long_file(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 1000, dtype=np.float32)
    soundfile.write(tmp_path / "p_train.wav", ramp, 16_000, subtype="FLOAT")
    records: list[dict[str, object]] = [
        {"file": "p_train.wav", "start": 100, "num_samples": 50, "split": "train", "text": "A"},
        {"file": "p_valid.wav", "start": 0, "num_samples": 50, "split": "valid", "text": "B"},
    ]
    write_lines(tmp_path / "p.jsonl.gz", records)
    [clip] = read_clips(tmp_path, "p", "train")
    assert np.array_equal(clip.samples, ramp[100:150])
    assert clip.record["text"] == "A"
    assert [record["text"] for record in read_records(tmp_path, "p", "valid")] == ["B"]


def test_a_pack_of_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "p.wav", np.zeros(100), 8_000)
    write_lines(tmp_path / "p.jsonl.gz", [{"file": "p.wav", "start": 0, "num_samples": 50, "split": "train"}])
    with pytest.raises(ValueError, match="16000 Hz, got 8000 Hz"):
        read_clips(tmp_path, "p", "train")


def test_label_maps_keep_their_ids(tmp_path: Path) -> None:
    ids = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    label = Image.fromarray(ids, mode="P")
    label.putpalette([255, 0, 0] * 4)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name, image in {"i.png": Image.new("L", (2, 2)), "l.png": label}.items():
            buffer = io.BytesIO()
            image.save(buffer, "png")
            archive.writestr(name, buffer.getvalue())
        archive.writestr("manifest.jsonl", json.dumps({"image": "i.png", "label": "l.png", "split": "test"}) + "\n")
    [picture] = read_pictures(tmp_path, "s", "test")
    assert picture.image.mode == "RGB"
    assert picture.labels is not None
    assert np.array_equal(picture.labels, ids)


def test_a_missing_data_folder_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data"):
        data_folder(tmp_path / "nowhere")


def test_batches_cover_an_epoch_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(1_000, 9_000, 60).tolist()
    batches = LengthBatches(lengths, 20_000, seed=3)
    epoch = batches.epoch(0)
    assert sorted(index for batch in epoch for index in batch) == list(range(60))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 20_000 for batch in epoch)
    assert batches.epoch(1) != epoch
    assert LengthBatches(lengths, 20_000, seed=3).indices(5) == batches.indices(5)


def test_sound_augmentations() -> None:
    random = np.random.default_rng(0)
    samples = np.sin(np.arange(1000) / 20).astype(np.float32)
    assert len(change_speed(samples, 2.0)) == 500
    assert np.array_equal(change_speed(samples, 1.0), samples[:-1])
    noise = add_noise(samples, 20, random) - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.5)
    for _ in range(5):
        moved = shift(samples, 100, random)
        assert len(moved) == 1000
        assert np.isin(moved, np.append(samples, 0)).all()
    assert len(fit_length(samples, 300)) == 300
    assert np.array_equal(fit_length(samples, 1100)[1000:], np.zeros(100))


def test_whole_view_gives_the_picture_back() -> None:
    pixels = torch.rand(2, 3, 16, 16)
    whole = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).expand(2, 2, 3)
    assert torch.allclose(take_views(pixels, whole, 16), pixels, atol=1e-5)


def test_views_of_labels_invent_none() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (8, 1, 24, 24), generator=generator).float()
    views = random_views(8, generator, smallest=0.5, aspect=1.5, turn=0.3)
    seen = take_views(labels, views, 20, mode="nearest")
    assert set(seen.unique().tolist()) <= {0.0, 1.0, 2.0}


def test_pictures_are_normalised_as_at_inference() -> None:
    from data2vec_core.processing.image import ImageProcessor

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    ours = normalise(as_tensor([image], 32))
    theirs = ImageProcessor(size=(32, 32))(image)["pixel_values"]
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_gradient_histograms_tell_directions_apart() -> None:
    stripes = torch.sin(torch.arange(32) / 2)
    upright, lying = stripes.expand(1, 3, 32, 32), stripes[:, None].expand(1, 3, 32, 32)
    of_upright, of_lying = gradient_histograms(upright, 4), gradient_histograms(lying, 4)
    assert of_upright.shape == (1, 16, 36)
    by_direction = [h.unflatten(-1, (9, 4)).sum(dim=(0, 1, 3)) for h in (of_upright, of_lying)]
    assert by_direction[0].argmax() in (0, 8)  # gradients across
    assert by_direction[1].argmax() in (4, 5)  # gradients down
    assert torch.allclose(gradient_histograms(-upright, 4), of_upright, atol=1e-4)  # light on dark is dark on light
    assert gradient_histograms(torch.ones(1, 3, 32, 32), 4).abs().max() == 0
