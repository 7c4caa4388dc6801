"""Recordings for the replay: what the file keeps, how they are made, and what those that are bundled show."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analysis.recordings import RECORDINGS_FOLDER, SUFFIX, About, Recording, bundled_recordings, load_recording
from recipes import record
from recipes.record import CLASSES, HEALTHY, WAYS, Pictures, Settings, main

MEGABYTE = 1_000_000


def sample(**changes: Any) -> Recording:
    """A run of 3 moments, 5 items and 2 heads that never was."""
    random = np.random.default_rng(0)
    scores = random.standard_normal((3, 2, 7, 7)) * 3
    attention = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    about = About(
        title="a title",
        description="größer",
        trained_on="nothing",
        licence="none",
        model="small",
        method={"targets": {"top_layers": 1}},
        settings={"steps": 9},
        layer=2,
        classes=("a", "b"),
        knn_items=5,
        knn_chance=0.5,
        attention_input="examples/none.jpg",
        grid=(2, 3),
    )

    def measured(*shape: int) -> Any:
        return random.uniform(size=(3, *shape)).astype(np.float32)

    cka = measured(3)
    cka[1] = np.nan
    fields: dict[str, Any] = {
        "about": about,
        "steps": np.array([0, 2, 9], dtype=np.int32),
        "cka": cka,
        "labels": np.array([0, 1, 1, 0, 1], dtype=np.uint8),
        "positions": (random.standard_normal((3, 5, 2)) * [[[50]], [[1]], [[1e-3]]]).astype(np.float32),
        "attention": attention.astype(np.float32),
        "distance": measured(2),
        "knn": measured(2),
        "effective_rank": measured(2),
    }
    fields |= {name: measured() for name in ("tau", "loss", "target_spread", "prediction_spread", "explained")}
    return Recording(**(fields | changes))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = sample()
    written.save(tmp_path / "a.npz")
    read = load_recording(tmp_path / "a.npz")
    assert read.about == written.about
    for field in dataclasses.fields(Recording):
        if field.name not in ("about", "positions", "attention"):
            before, after = getattr(written, field.name), getattr(read, field.name)
            assert before.dtype == after.dtype, field.name
            assert np.array_equal(before, after, equal_nan=before.dtype.kind == "f"), field.name


def test_quantised_numbers_stay_within_their_bounds(tmp_path: Path) -> None:
    written = sample()
    written.save(tmp_path / "a.npz")
    read = load_recording(tmp_path / "a.npz")
    assert read.positions.dtype == read.attention.dtype == np.float32
    assert (abs(read.positions - written.positions) <= abs(written.positions) / 2048 + 2**-25).all()
    bound = written.attention.max(axis=-1, keepdims=True) / 510
    assert (abs(read.attention - written.attention) <= bound * (1 + 1e-5)).all()
    assert read.attention.max(axis=-1) == pytest.approx(written.attention.max(axis=-1))


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sample().save(tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"loss": np.zeros(2, dtype=np.float32)}, "loss"),
        ({"knn": np.zeros(3, dtype=np.float32)}, "knn"),
        ({"positions": np.zeros((3, 4, 2), dtype=np.float32)}, "positions"),
        ({"attention": np.zeros((3, 2, 6, 6), dtype=np.float32)}, "attention"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"Recording\.{named}"):
        sample(**changes)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no recording 'nobody'"):
        load_recording("nobody")
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", steps=np.arange(3))
    sample().save(tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:2000])
    for name in ("text", "other", "cut"):
        with pytest.raises(ValueError, match="is no recording"):
            load_recording(tmp_path / f"{name}.npz")


def pack(folder: Path) -> None:
    """Noise: three pictures of every class of the map to learn from, one to measure the loss on."""
    random = np.random.default_rng(0)
    lines = []
    with zipfile.ZipFile(folder / "caltech25.zip", "w") as archive:
        for index, label in enumerate(CLASSES):
            for number, split in enumerate(("train", "train", "train", "valid")):
                buffer = io.BytesIO()
                pixels = random.integers(0, 255, (60, 60, 3)) // 2 + 10 * index
                Image.fromarray(pixels.astype(np.uint8)).save(buffer, "png")
                lines.append(json.dumps({"file": f"{label}{number}.png", "label": label, "split": split}))
                archive.writestr(f"{label}{number}.png", buffer.getvalue())
        archive.writestr("manifest.jsonl", "\n".join(lines))


def test_command_records_a_run_and_the_same_one_again(tmp_path: Path) -> None:
    pack(tmp_path)
    for out in ("a", "b"):
        main(["tau0", "--data", str(tmp_path), "--out", str(tmp_path / out), "--steps", "3"])
    assert (tmp_path / "a" / "tau0.npz").read_bytes() == (tmp_path / "b" / "tau0.npz").read_bytes()
    recording = load_recording(tmp_path / "a" / "tau0.npz")
    assert recording.steps.tolist() == [0, 1, 2, 3]
    assert len(recording.labels) == 3 * len(CLASSES)
    assert recording.about.title == WAYS["tau0"].title
    assert recording.about.method["decay"] == {"start": 0.0, "end": 0.0, "steps": 1}

    # Looking changes nothing: fewer looks see the same.
    fewer = record.record(WAYS["tau0"], Pictures.read(tmp_path), Settings(steps=3, moments=2))
    assert fewer.steps.tolist() == [0, 3]
    assert fewer.loss[-1] == recording.loss[-1]
    with pytest.raises(SystemExit):
        main(["nobody", "--data", str(tmp_path)])


def test_looks_come_closer_together_at_the_start() -> None:
    looks = Settings().looks()
    assert looks[0] == 0
    assert looks[-1] == Settings.steps
    assert len(looks) == Settings.moments
    assert all(0 < before <= after for before, after in zip(np.diff(looks), np.diff(looks)[1:], strict=False))


def test_every_way_leaves_out_one_thing() -> None:
    assert HEALTHY.collapse is None
    for name, way in WAYS.items():
        method = way.method
        changed = {f.name for f in dataclasses.fields(method) if getattr(method, f.name) != getattr(HEALTHY, f.name)}
        assert changed == {"healthy": set(), "tau0": {"decay"}}.get(name, {"targets"})


def test_all_ways_are_bundled_and_small() -> None:
    assert bundled_recordings() == sorted(WAYS)
    assert sum((RECORDINGS_FOLDER / f"{name}{SUFFIX}").stat().st_size for name in WAYS) < 4 * MEGABYTE


@pytest.mark.parametrize("name", WAYS)
def test_bundled_recording_is_whole(name: str) -> None:
    recording, way = load_recording(name), WAYS[name]
    assert len(recording.steps) >= 24
    assert recording.steps[0] == 0
    assert (np.diff(recording.steps) > 0).all()
    assert (recording.about.title, recording.about.description) == (way.title, way.description)
    assert recording.about.trained_on
    assert recording.about.licence
    assert recording.about.settings == dataclasses.asdict(Settings())
    assert recording.about.method["targets"] == dataclasses.asdict(way.method.targets)
    assert len(recording.labels) == 200
    assert (RECORDINGS_FOLDER.parent / recording.about.attention_input).is_file()
    assert recording.attention.sum(axis=-1) == pytest.approx(1, abs=0.03)
    for field in dataclasses.fields(Recording):
        if field.name not in ("about", "cka"):
            assert np.isfinite(getattr(recording, field.name)).all(), field.name
    first = load_recording("healthy")
    for field_name in ("effective_rank", "knn", "positions", "attention"):  # all ways begin with the same weights
        assert getattr(recording, field_name)[0] == pytest.approx(getattr(first, field_name)[0], abs=1e-3)
    if name == "tau0":
        assert not recording.tau.any()
        assert not recording.distance.any()
        assert recording.cka[np.isfinite(recording.cka)] == pytest.approx(1)


def test_the_whole_method_learns() -> None:
    knn = load_recording("healthy").knn
    assert (knn[-1] > knn[0] + 0.08).all()
    assert (knn[-1] > 3 * load_recording("healthy").about.knn_chance).all()
