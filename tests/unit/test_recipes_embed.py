"""Representations of folders in Parquet files: what they hold, against the models asked directly; stops and shares."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

from data2vec_core.checkpoints.files import TEACHER_FILE
from data2vec_core.checkpoints.writing import write_tensors
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from data2vec_core.trace import Trace
from recipes import embed
from recipes.own.representations import SoundReader
from tests.pretraining_samples import tiny_student

pq = pytest.importorskip("pyarrow.parquet")
ROOT = Path(__file__).resolve().parents[2]
TEXTS = {"a.txt": "A short one.", "b/long.txt": "many words, and then more of them\n" * 30, "c.txt": "Äh, größer?"}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny checkpoint of each modality, with processors; that of text has a teacher, too."""
    torch.manual_seed(3)
    folders = {modality: tmp_path_factory.mktemp(modality) for modality in ("audio", "text", "vision")}
    tokenizer = train_tokenizer(TEXTS.values(), 300, max_length=38)
    tokenizer.save_pretrained(folders["text"])
    SpeechFeatureExtractor().save_pretrained(folders["audio"])
    ImageProcessor(size=(32, 32)).save_pretrained(folders["vision"])
    for modality, folder in folders.items():
        tiny_student(modality, **({"vocab_size": len(tokenizer)} if modality == "text" else {})).save_pretrained(folder)
    teacher = tiny_student("text", vocab_size=len(tokenizer))
    write_tensors(folders["text"], teacher.public_tensors(), name=TEACHER_FILE)
    return folders


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Three documents."""
    for name, text in TEXTS.items():
        (path := tmp_path / "texts" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "texts"


def run(checkpoint: Path, data: Path, out: Path, *options: str) -> pd.DataFrame:
    """The table that the command writes."""
    embed.main([str(checkpoint), "--data", str(data), "--out", str(out), "--device", "cpu", *options])
    return pd.read_parquet(out)


def vectors(table: pd.DataFrame) -> np.ndarray:
    """(rows, dim)"""
    return np.stack(table["vector"].tolist())


def hidden(checkpoint: Path, modality: str, layer: int, role: str = "student", **inputs: Any) -> np.ndarray:
    """(positions, dim) of one item, asked directly."""
    options = {"add_pooling_layer": False} if modality == "text" else {}
    model = type(tiny_student(modality)).from_pretrained(checkpoint, role=role, **options)  # type: ignore[arg-type]
    trace = Trace({"hidden": [layer]})
    with torch.inference_mode():
        model(**inputs, trace=trace)
    return trace["hidden", layer][0].numpy()


class TestContent:
    def test_documents_pooled(self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path) -> None:
        table = run(checkpoints["text"], texts, tmp_path / "out", "--layers", "0,2", "--batch", "2")
        assert table["path"].tolist() == [name for name in ("a.txt", "c.txt", "b/long.txt") for _ in range(2)]
        assert table["layer"].tolist() == [0, 2] * 3
        tokenizer = TextTokenizer.from_pretrained(checkpoints["text"])
        for name in ("a.txt", "c.txt"):
            states = hidden(checkpoints["text"], "text", 2, **tokenizer(TEXTS[name]))[1:-1]
            row = table[(table["path"] == name) & (table["layer"] == 2)]
            assert row["positions"].item() == len(states)
            assert np.abs(vectors(row)[0] - states.mean(axis=0)).max() < 1e-5
        windows = tokenizer.windows(TEXTS["b/long.txt"], max_length=38)
        assert len(windows) > 3
        assert table[table["path"] == "b/long.txt"]["positions"].tolist() == [int((windows.sequence == 0).sum())] * 2

    def test_tokens_one_by_one_and_their_characters(
        self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path
    ) -> None:
        options = ("--pool", "none", "--layers", "last", "--role", "teacher")
        table = run(checkpoints["text"], texts, tmp_path / "out", *options)
        for name, text in TEXTS.items():
            rows = table[table["path"] == name]
            assert (rows["layer"] == 3).all()
            assert rows["end"].max() == len(text)
            if text.isascii():
                tokens = [token.replace("Ġ", " ").replace("Ċ", "\n").strip() for token in rows["token"]]
                assert tokens == [text[row.start : row.end].lower().strip() for row in rows.itertuples()]
                assert "".join(tokens) == "".join(text.lower().split())
        tokenizer = TextTokenizer.from_pretrained(checkpoints["text"])
        expected = hidden(checkpoints["text"], "text", 3, "teacher", **tokenizer(TEXTS["a.txt"]))[1:-1]
        assert np.abs(vectors(table[table["path"] == "a.txt"]) - expected).max() < 1e-5

    def test_paragraphs_of_a_compressed_file(self, checkpoints: dict[str, Path], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "lines.txt.gz").write_bytes(gzip.compress(b"one\n\ntwo words\nthree\n\n\nfour\n"))
        (tmp_path / "data" / "more.txt").write_text("more")
        table = run(checkpoints["text"], tmp_path / "data", tmp_path / "out", "--shard-size", "2")
        assert table["path"].tolist() == ["lines.txt.gz"] * 4 + ["more.txt"]
        assert table["line"].tolist()[:4] == [1, 3, 4, 7]
        assert pd.isna(table["line"][4])
        tokenizer = TextTokenizer.from_pretrained(checkpoints["text"])
        four = hidden(checkpoints["text"], "text", 3, **tokenizer("four"))[1:-1]
        assert np.abs(vectors(table)[3] - four.mean(axis=0)).max() < 1e-5

    def test_a_very_long_document_is_read_in_pieces(
        self, checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "".join(f"word{number} " for number in range(300))
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a.txt").write_text(text)
        monkeypatch.setattr("recipes.own.text_files.read_pieces.__kwdefaults__", {"characters": 250})
        table = run(checkpoints["text"], tmp_path / "data", tmp_path / "out", "--pool", "none")
        assert table["start"].is_monotonic_increasing
        assert "".join(text[row.start : row.end] for row in table.itertuples()) == text.replace(" ", "")

    def test_sounds_position_by_position(self, checkpoints: dict[str, Path], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        samples = 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
        soundfile.write(tmp_path / "data" / "a.wav", samples, 16_000, subtype="FLOAT")
        soundfile.write(tmp_path / "data" / "b.wav", samples[:1000], 16_000, subtype="FLOAT")
        table = run(checkpoints["audio"], tmp_path / "data", tmp_path / "out", "--pool", "none", "--layers", "all")
        extract = SpeechFeatureExtractor.from_pretrained(checkpoints["audio"])
        for name, clip in (("a.wav", samples), ("b.wav", samples[:1000])):
            values = extract(clip)["input_values"]
            for layer in range(4):
                rows = table[(table["path"] == name) & (table["layer"] == layer)]
                expected = hidden(checkpoints["audio"], "audio", layer, input_values=values)
                assert np.abs(vectors(rows) - expected).max() < 1e-5
                assert np.allclose(np.diff(rows["start"]), 80 / 16_000)
                assert np.allclose(rows["end"] - rows["start"], 85 / 16_000)
                assert rows["end"].max() <= len(clip) / 16_000

    def test_a_long_sound_in_windows_has_the_frames_of_the_whole(
        self, checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "data").mkdir()
        samples = 0.1 * np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
        soundfile.write(tmp_path / "data" / "a.wav", samples, 16_000, subtype="FLOAT")
        monkeypatch.setattr("data2vec_core.processing.audio_io._BLOCK_SAMPLES", 3000)
        whole = run(checkpoints["audio"], tmp_path / "data", tmp_path / "a", "--pool", "none")
        parts = run(checkpoints["audio"], tmp_path / "data", tmp_path / "b", "--pool", "none", "--window", "0.5")
        assert np.allclose(parts["start"], whole["start"])
        # Away from the cuts the features are those of the whole but for each window's own level, which noise shares.
        assert np.corrcoef(vectors(parts).ravel(), vectors(whole).ravel())[0, 1] > 0.98
        pooled = run(checkpoints["audio"], tmp_path / "data", tmp_path / "c", "--window", "0.5")
        assert np.abs(vectors(pooled)[0] - vectors(parts).mean(axis=0)).max() < 1e-5

    def test_no_window_is_longer_than_it_may_be(self, checkpoints: dict[str, Path], tmp_path: Path) -> None:
        from data2vec_core.pretraining.start import load_encoder
        from recipes.own.folders import scan

        (tmp_path / "data").mkdir()
        for seconds in (0.3, 0.76, 1.4, 5.0):
            soundfile.write(tmp_path / "data" / f"{seconds}.wav", np.zeros(round(seconds * 16_000)), 16_000)
        model = load_encoder(checkpoints["audio"], "student")
        reader = SoundReader(scan(tmp_path / "data", "audio"), checkpoints["audio"], model, 0.5)
        lengths = [[len(window.values) for window in reader.windows(item)] for item in range(4)]
        assert [len(some) for some in lengths] == [1, 2, 3, 10]
        assert max(max(some) for some in lengths) < 12_000
        assert min(some[-1] for some in lengths) >= 4000

    def test_pictures_by_patch_and_in_half_precision(self, checkpoints: dict[str, Path], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "a.png")
        Image.fromarray(255 - pixels).save(tmp_path / "data" / "b.png")
        table = run(checkpoints["vision"], tmp_path / "data", tmp_path / "out", "--pool", "none", "--dtype", "float16")
        inputs = ImageProcessor.from_pretrained(checkpoints["vision"])(tmp_path / "data" / "b.png")
        expected = hidden(checkpoints["vision"], "vision", 4, pixel_values=inputs["pixel_values"])
        rows = table[table["path"] == "b.png"]
        assert list(zip(rows["row"], rows["column"], strict=True)) == [(r, c) for r in range(4) for c in range(4)]
        assert vectors(rows).dtype == np.float16
        assert np.abs(vectors(rows) - expected[1:]).max() < 2e-3 * np.abs(expected).max()
        schema = pq.read_schema(tmp_path / "out" / "part-00000.parquet")
        assert str(schema.field("vector").type) == "fixed_size_list<element: halffloat>[32]"
        facts = json.loads(schema.metadata[b"data2vec"])
        assert {name: facts[name] for name in ("model", "role", "pool", "layers", "modality")} == {
            "model": str(checkpoints["vision"]), "role": "student", "pool": "none", "layers": [4], "modality": "vision",
        }  # fmt: skip
        assert facts["versions"]["torch"] == torch.__version__


class TestRuns:
    def test_a_killed_run_goes_on_after_its_last_whole_file(
        self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = run(checkpoints["text"], texts, tmp_path / "whole", "--shard-size", "1")
        out = tmp_path / "out"
        with monkeypatch.context() as patch:
            flush = embed._Rows.flush

            def dies_in_the_second(rows: Any) -> None:
                if (out / "part-00000.parquet").exists():
                    raise KeyboardInterrupt
                flush(rows)

            patch.setattr(embed._Rows, "flush", dies_in_the_second)
            with pytest.raises(KeyboardInterrupt):
                run(checkpoints["text"], texts, out, "--shard-size", "1")
        (out / ".part-00001.parquet.99").write_bytes(b"half a file, as a hard kill leaves it")
        assert sorted(path.name for path in out.glob("*.parquet")) == ["part-00000.parquet"]
        before = (out / "part-00000.parquet").stat().st_mtime_ns
        pd.testing.assert_frame_equal(run(checkpoints["text"], texts, out, "--shard-size", "1"), whole)
        assert (out / "part-00000.parquet").stat().st_mtime_ns == before
        assert sorted(path.name for path in out.iterdir()) == [
            "_settings.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet",
        ]  # fmt: skip

    def test_processes_share_the_files_and_write_the_same(
        self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(checkpoints["text"], texts, tmp_path / "one", "--shard-size", "1")
        monkeypatch.setenv("WORLD_SIZE", "2")
        for rank, files in ((1, {"part-00001.parquet"}), (0, {f"part-0000{shard}.parquet" for shard in range(3)})):
            monkeypatch.setenv("RANK", str(rank))
            run(checkpoints["text"], texts, tmp_path / "two", "--shard-size", "1")
            assert {path.name for path in (tmp_path / "two").glob("*.parquet")} == files
        for path in sorted((tmp_path / "one").glob("*.parquet")):
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()

    @pytest.mark.slow
    def test_under_torchrun(self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path) -> None:
        single = run(checkpoints["text"], texts, tmp_path / "one", "--shard-size", "1")
        command = ["torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "recipes.embed"]
        command += [str(checkpoints["text"]), "--data", str(texts), "--out", str(tmp_path / "two"), "--shard-size", "1"]
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert "1 file written (process 2 of 2)" in done.stdout
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "two"), single)

    def test_items_that_fail_late_are_named_and_the_rest_goes_on(
        self, checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "data").mkdir()
        for name in ("a", "b", "c"):
            Image.new("RGB", (400, 400), (10, 200, 90)).save(tmp_path / "data" / f"{name}.png")
        content = (tmp_path / "data" / "b.png").read_bytes()
        (tmp_path / "data" / "b.png").write_bytes(content[:100])  # its header is whole
        table = run(checkpoints["vision"], tmp_path / "data", tmp_path / "out")
        assert table["path"].tolist() == ["a.png", "c.png"]
        said = capsys.readouterr()
        assert "3 pictures" in said.out
        assert said.err.endswith("not read to the end: 1 unreadable (b.png)\n")
        run(checkpoints["vision"], tmp_path / "data", tmp_path / "out")
        assert "1 unreadable (b.png)" in capsys.readouterr().err, "told again by a run that finds all done"

    def test_a_mean_over_half_a_sound_is_not_written(self, checkpoints: dict[str, Path], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        noise = np.random.default_rng(0).normal(0, 0.1, 60_000).astype(np.float32)
        for name in ("a.wav", "b.wav"):
            soundfile.write(tmp_path / "data" / name, noise, 16_000, subtype="FLOAT")
        noise[50_000] = np.nan
        soundfile.write(tmp_path / "data" / "a.wav", noise, 16_000, subtype="FLOAT")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("data2vec_core.processing.audio_io._BLOCK_SAMPLES", 16_000)
            pooled = run(checkpoints["audio"], tmp_path / "data", tmp_path / "a", "--window", "0.5")
            single = run(checkpoints["audio"], tmp_path / "data", tmp_path / "b", "--window", "0.5", "--pool", "none")
        assert pooled["path"].tolist() == ["b.wav"]
        assert 2 < single[single["path"] == "a.wav"]["end"].max() < 3.2, "position by position: up to the damage"

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (["--layers", "0,9"], "the model has layers 0 to 3"),
            (["--layers", "top"], "expected all, last, or numbers"),
            (["--batch", "0"], "batch=0: at least 1"),
            (["--shard-size", "0"], "shard_size=0: at least 1"),
        ],
    )
    def test_wrong_options_end_with_a_sentence(
        self,
        checkpoints: dict[str, Path],
        texts: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        options: list[str],
        sentence: str,
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            run(checkpoints["text"], texts, tmp_path / "out", *options)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert said.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_wrong_folders_models_and_roles_end_with_a_sentence(
        self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for checkpoint, data, options, sentence in (
            (checkpoints["audio"], texts, [], "should hold sounds"),
            (checkpoints["text"], tmp_path / "nowhere", [], "there is no folder"),
            (tmp_path / "nothing", texts, [], "nothing"),
            (checkpoints["audio"], texts, ["--role", "teacher"], "has no teacher"),
        ):
            with pytest.raises(SystemExit) as ended:
                run(checkpoint, data, tmp_path / "out", *options)
            assert ended.value.code == 2
            assert sentence in capsys.readouterr().err

    def test_another_setting_or_another_content_is_refused(
        self, checkpoints: dict[str, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out"
        run(checkpoints["text"], texts, out, "--layers", "1")
        for options, sentence in (
            (["--layers", "2"], "holds a run with layers=[1], this one has [2]"),
            (["--layers", "1", "--pool", "none"], "pool=mean, this one has none"),
            (["--layers", "1", "--role", "teacher"], "role=student"),
        ):
            with pytest.raises(SystemExit):
                run(checkpoints["text"], texts, out, *options)
            assert sentence in capsys.readouterr().err
        assert len(run(checkpoints["text"], texts, out, "--layers", "1", "--batch", "1")) == 3, "the batch may change"
        (texts / "new.txt").write_text("more")
        with pytest.raises(SystemExit):
            run(checkpoints["text"], texts, out, "--layers", "1")
        assert "items=3, this one has 4" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            run(checkpoints["text"], texts, texts)
        assert "holds something else" in capsys.readouterr().err

    def test_without_pyarrow_the_extra_is_named(
        self,
        checkpoints: dict[str, Path],
        texts: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(SystemExit) as ended:
            embed.main([str(checkpoints["text"]), "--data", str(texts), "--out", str(tmp_path / "out")])
        assert ended.value.code == 2
        assert "'.[research]'" in capsys.readouterr().err
