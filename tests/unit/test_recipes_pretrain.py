"""Pre-training on folders of one's own: from the first look at the data to a checkpoint that loads, stops included."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from data2vec_core.pretraining.distributed import World
from data2vec_core.pretraining.masking import BertTokens
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.plan import Plan
from data2vec_core.pretraining.schedule import TriStage, WarmupCosine
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.text import TextTokenizer, train_tokenizer
from recipes import pretrain
from recipes.backbones.text import rows_of
from recipes.own import run as own_run
from recipes.own.folders import Account, scan
from recipes.own.run import Scale, Wishes, prepare, scale_of, with_steps
from recipes.own.token_rows import TokenRows
from tests.pretraining_samples import MODALITIES, STILL, tiny_config, tiny_method, tiny_pretraining, tiny_student

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["teacher", "student", "layer", "mask", "learns", "predicts", "the", "whole", "hidden", "part"]


def tiny_scale(modality: str, preset: str = "tiny") -> Scale:  # noqa: ARG001
    """The tests' tiny students in place of the bundled ones."""
    changes: dict[str, dict[str, Any]] = {
        "text": {"vocab_size": 300},
        "vision": {"use_absolute_position_embeddings": True},
    }
    return Scale(
        student=tiny_config(modality, **changes.get(modality, {})),
        method=tiny_method(modality),
        plan=Plan(schedule=WarmupCosine(peak=1e-3, total=4, warmup=1), save_every=2),
        batch={"audio": 2, "text": 150, "vision": 4}[modality],
        reach={"audio": 1, "text": 32, "vision": 32}[modality],
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_run, "scale_of", tiny_scale)


def write_data(modality: str, folder: Path, count: int = 10) -> Path:
    """Noise, pictures of one colour, or sentences of random words."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for index in range(count):
        match modality:
            case "audio":
                soundfile.write(folder / f"{index}.wav", 0.1 * random.standard_normal(8000 + 2000 * index), 16_000)
            case "text":
                (folder / f"{index}.txt").write_text(" ".join(random.choice(WORDS, 12 + 4 * index)))
            case _:
                pixels = random.integers(0, 256, (30 + index, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def run(modality: str, data: Path, out: Path, *options: str) -> None:
    """The command."""
    pretrain.main([modality, "--data", str(data), "--out", str(out), "--device", "cpu", *options])


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """What the command says when it ends with 2."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("tiny")
class TestCommand:
    @pytest.mark.parametrize("modality", MODALITIES)
    def test_from_a_folder_to_a_checkpoint_that_loads(
        self, modality: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data(modality, tmp_path / "data")
        (data / "notes.md").write_text("about")
        run(modality, data, tmp_path / "run")
        said = capsys.readouterr().out
        noun = {"audio": "sounds", "text": "texts", "vision": "pictures"}[modality]
        assert f"{data}: 10 {noun}" in said
        assert "skipped: 1 another kind of file (notes.md)" in said
        assert "steps: 4, which is " in said
        assert len(losses(tmp_path / "run")) == 4
        names: dict[str, Any] = {}
        exec("\n".join(line.strip() for line in said.splitlines()[-3:]), names)  # the three lines for loading
        student, teacher = names["student"], names["teacher"]
        assert student.load_report.is_complete
        assert student.config == teacher.config
        assert any(
            not torch.equal(ours, theirs)
            for ours, theirs in zip(student.parameters(), teacher.parameters(), strict=True)
        )
        match modality:
            case "audio":
                assert SpeechFeatureExtractor.from_pretrained(tmp_path / "run") == SpeechFeatureExtractor()
            case "text":
                tokenizer = TextTokenizer.from_pretrained(tmp_path / "run")
                assert len(tokenizer) == student.config.vocab_size
                assert tokenizer("The TEACHER")["input_ids"].tolist() == tokenizer("the teacher")["input_ids"].tolist()
            case _:
                assert ImageProcessor.from_pretrained(tmp_path / "run").size == (32, 32)

    @pytest.mark.parametrize("modality", MODALITIES)
    def test_a_stopped_run_goes_on_bit_for_bit(
        self, modality: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data(modality, tmp_path / "data")
        run(modality, data, tmp_path / "whole")
        run(modality, data, tmp_path / "parts", "--minutes", "0")
        assert "stopped after step 1 of 4; the same command goes on" in capsys.readouterr().out
        run(modality, data, tmp_path / "parts", "--save-every", "1")
        assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
        for name in ("model.safetensors", "teacher.safetensors"):
            assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    def test_the_same_seed_gives_the_same_run_and_another_does_not(self, tmp_path: Path) -> None:
        data = write_data("vision", tmp_path / "data")
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
            run("vision", data, tmp_path / name, "--seed", seed, "--steps", "2")
        assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")

    def test_a_run_goes_on_with_its_own_settings_only(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        data = write_data("vision", tmp_path / "data")
        run("vision", data, tmp_path / "run", "--steps", "1")
        assert "seed=0, this one has 5" in refused(capsys, "vision", data, tmp_path / "run", "--seed", "5")
        assert "batch=None, this one has 2" in refused(capsys, "vision", data, tmp_path / "run", "--batch", "2")
        write_data("audio", tmp_path / "sounds")
        assert "modality=vision" in refused(capsys, "audio", tmp_path / "sounds", tmp_path / "run")
        assert "something else" in refused(capsys, "vision", data, data)
        run("vision", data, tmp_path / "run", "--steps", "3")
        assert len(losses(tmp_path / "run")) == 3, "but it may become longer"

    def test_new_texts_are_read_and_the_vocabulary_stays(self, tmp_path: Path) -> None:
        data = write_data("text", tmp_path / "data")
        run("text", data, tmp_path / "run", "--steps", "1")
        vocabulary = (tmp_path / "run" / "tokenizer.json").read_bytes()
        (data / "lines.txt.gz").write_bytes(gzip.compress(b"quite other words in here\n" * 20))
        run("text", data, tmp_path / "run", "--steps", "2")
        assert (tmp_path / "run" / "tokenizer.json").read_bytes() == vocabulary
        assert len(list((tmp_path / "run").glob("tokens-*.bin"))) == 2

    def test_wrong_folders_end_with_a_sentence_and_leave_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "run"
        assert "there is no folder" in refused(capsys, "audio", tmp_path / "nowhere", out)
        few = write_data("vision", tmp_path / "few", 3)
        (few / "bad.png").write_bytes(b"\x89PNG of nothing")
        said = refused(capsys, "vision", few, out)
        assert "has 3 of the 8 pictures needed; skipped: 1 unreadable (bad.png)" in said
        short = tmp_path / "short"
        short.mkdir()
        for index in range(9):
            soundfile.write(short / f"{index}.wav", np.zeros(4000), 16_000)
        assert "9 too short (0.wav, 1.wav, 2.wav, ...)" in refused(capsys, "audio", short, out)
        assert "should hold texts" in refused(capsys, "text", few, out)
        assert "steps=0: at least 1" in refused(capsys, "vision", few, out, "--steps", "0")
        assert not out.exists()
        (tmp_path / "texts").mkdir()
        (tmp_path / "texts" / "a.txt").write_text("the teacher predicts the hidden part of the layer")
        assert "rows of text, and 8 are needed" in refused(capsys, "text", tmp_path / "texts", out)

    def test_files_that_fail_late_are_named_and_the_run_goes_on(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data("vision", tmp_path / "data")
        Image.effect_noise((300, 300), 50).save(data / "5.png")
        (data / "5.png").write_bytes((data / "5.png").read_bytes()[:300])
        run("vision", data, tmp_path / "run", "--steps", "6")
        said = capsys.readouterr()
        assert "10 pictures" in said.out
        assert said.err.endswith("not read: 1 unreadable (5.png)\n")
        assert len(losses(tmp_path / "run")) == 6

    def test_a_text_that_fails_late_is_counted_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = write_data("text", tmp_path / "data")
        look = own_run.scan

        def changed_after(*arguments: Any, **options: Any) -> Any:
            folder = look(*arguments, **options)
            (data / "3.txt").write_bytes(b"\xff\xff")
            return folder

        monkeypatch.setattr(own_run, "scan", changed_after)
        run("text", data, tmp_path / "run")
        assert capsys.readouterr().err.endswith("not read: 1 not UTF-8 text (3.txt)\n")

    def test_when_nothing_is_left_the_run_ends_with_a_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = write_data("vision", tmp_path / "data")

        def gone(*arguments: Any) -> own_run.OwnRun:
            run = prepare(*arguments)
            for path in data.iterdir():
                path.unlink()
            return run

        monkeypatch.setattr(pretrain, "prepare", gone)
        with pytest.raises(SystemExit) as ended:
            run("vision", data, tmp_path / "run")
        assert ended.value.code == 1
        assert "none of the 10 files can be read any more" in capsys.readouterr().err

    @pytest.mark.parametrize("where", ["prepare", "pretrain"])
    def test_an_interrupted_run_says_how_to_go_on(
        self, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(pretrain, where, interrupted)
        with pytest.raises(SystemExit) as ended:
            run("vision", write_data("vision", tmp_path / "data"), tmp_path / "run")
        assert ended.value.code == 130
        assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.usefixtures("tiny")
class TestInit:
    @pytest.mark.parametrize("has_teacher", [True, False])
    @pytest.mark.parametrize("modality", MODALITIES)
    def test_student_and_teacher_of_a_checkpoint(self, modality: str, has_teacher: bool, tmp_path: Path) -> None:
        before = checkpoint(modality, tmp_path / "before")
        if not has_teacher:
            (tmp_path / "before" / "teacher.safetensors").unlink()
        data = write_data(modality, tmp_path / "data")
        said: list[str] = []
        made = prepare(wishes(modality, data, tmp_path, init=str(tmp_path / "before")), World(), said.append)
        expected = before.student.state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in made.model.student.state_dict().items())
        own = "its own teacher" if has_teacher else "a copy of the student as teacher, for it has none"
        assert f"begins with {tmp_path / 'before'} and {own}" in said
        of_file = before.teacher.distances(before.student)
        assert max(of_file) > 0.01
        distances = made.model.teacher.distances(made.model.student)
        assert distances == pytest.approx(of_file if has_teacher else [0.0] * len(of_file))

    def test_a_checkpoint_of_another_modality_or_none(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        checkpoint("audio", tmp_path / "before")
        data = write_data("vision", tmp_path / "data")
        said = refused(capsys, "vision", data, tmp_path / "run", "--init", str(tmp_path / "before"))
        assert "is a model of audio, not of vision" in said
        said = refused(capsys, "vision", data, tmp_path / "run", "--init", "nothing-of-the-kind")
        assert "no checkpoint 'nothing-of-the-kind'" in said


def checkpoint(modality: str, folder: Path, *, still: bool = False) -> Data2VecPretraining:
    """Student and another teacher, with processors."""
    tokenizer = train_tokenizer([" ".join(WORDS)] * 9, 270, max_length=32)
    torch.manual_seed(7)
    if modality == "text":
        tokenizer.save_pretrained(folder)
        tokens = len(tokenizer)
        student = tiny_student("text", vocab_size=tokens, **(STILL["text"] if still else {}))
        masking = BertTokens(vocab_size=tokens, mask_id=tokens - 1)
        model = build_pretraining(student, tiny_method("text", masking=masking))
    else:
        model = tiny_pretraining(modality, still=still)
    with torch.no_grad():
        for parameter in model.teacher.parameters():
            parameter.mul_(1.1)
    model.save_pretrained(folder)
    return model


def wishes(modality: str, data: Path, folder: Path, **changes: Any) -> Wishes:
    return Wishes(modality=modality, data=data, out=folder / "run", **changes)  # type: ignore[arg-type]


class TestSettings:
    @pytest.mark.parametrize("modality", MODALITIES)
    def test_the_presets_are_the_bundled_and_the_published_ones(self, modality: Any) -> None:
        small, base = scale_of(modality, "tiny"), scale_of(modality, "base")
        assert base.student.num_hidden_layers == 12
        assert base.student.hidden_size == 768
        assert small.student.hidden_size < 300
        assert base.published_batch
        assert base.plan.steps >= 400_000
        assert small.plan.steps < 50_000

    @pytest.mark.slow
    @pytest.mark.parametrize("modality", MODALITIES)
    def test_the_bundled_students_learn_on_folders(self, modality: Any, tmp_path: Path) -> None:
        data = write_data(modality, tmp_path / "data", 20)
        batch = {"audio": 2, "text": 200, "vision": 2}[modality]
        said: list[str] = []
        made = prepare(wishes(modality, data, tmp_path, batch=batch, steps=4), World(), said.append)
        inputs = made.batches(0)
        rows = len(next(iter(inputs.values())))
        generators = [torch.Generator().manual_seed(row) for row in range(rows * made.model.method.masks_per_sample)]
        made.model(inputs, generators).total.backward()
        assert (modality == "audio") == any("tell spectra apart (steps: 1)" in line for line in said)
        assert max(made.model.teacher.distances(made.model.student)) == 0, "the teacher has the head start, too"
        if modality == "text":
            assert "embeddings.word_embeddings." in made.plan.fixed

    def test_a_schedule_over_other_steps_keeps_its_shape(self) -> None:
        cosine = with_steps(WarmupCosine(peak=1.0, total=1000, warmup=100, end=0.1), 50)
        assert cosine == WarmupCosine(peak=1.0, total=50, warmup=5, end=0.1)
        stages = TriStage(peak=1.0, total=1000)
        assert with_steps(stages, 100)(50) == stages(500)


class TestTokenRows:
    def test_rows_on_disk_are_those_in_memory(self, tmp_path: Path) -> None:
        data = write_data("text", tmp_path / "data", 4)
        (data / "z.txt.gz").write_bytes(
            gzip.compress(b"the student learns the whole part\n\nhidden mask layer teacher")
        )
        (data / "late.txt").write_text("good for now")
        tokenizer = train_tokenizer([" ".join(WORDS)] * 9, 270, max_length=32)
        folder = scan(data, "text")
        (data / "late.txt").write_bytes(b"\xff\xfe")
        failed = Account()
        rows = TokenRows(folder, tmp_path)
        assert not rows.is_written
        rows.write(tokenizer, 16, failed)
        assert TokenRows(folder, tmp_path).is_written
        rows.open()
        texts = [(data / f"{index}.txt").read_text() for index in range(4)]
        texts += ["the student learns the whole part", "hidden mask layer teacher"]
        expected = rows_of(tokenizer, texts, longest=16)
        assert len(rows) == len(expected)
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(rows, expected, strict=True))
        assert rows.tokens == sum(map(len, expected))
        assert len(rows[1:3]) == 2
        assert str(failed) == "1 not UTF-8 text (late.txt)"
        with pytest.raises(IndexError):
            rows[len(expected)]
        (data / "new.txt").write_text("more")
        assert not TokenRows(scan(data, "text"), tmp_path).is_written

    def test_texts_that_give_no_row(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a.txt").write_text("a")
        rows = TokenRows(scan(tmp_path / "data", "text"), tmp_path)
        rows.write(train_tokenizer(["a"], 261), 16, Account())
        rows.open()
        assert len(rows) == rows.tokens == 0


@pytest.mark.slow
def test_under_torchrun_the_losses_are_those_of_one_process(tmp_path: Path) -> None:
    """The student of a checkpoint without dropout, so that nothing is random but the masks."""
    checkpoint("text", tmp_path / "before", still=True)
    data = write_data("text", tmp_path / "data", 13)
    options = ["--init", str(tmp_path / "before"), "--steps", "3", "--batch", "150", "--accumulate", "2"]
    run("text", data, tmp_path / "one", *options)
    command = ["torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "recipes.pretrain", "text"]
    command += ["--data", str(data), "--out", str(tmp_path / "two"), "--device", "cpu", *options]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout.count("13 texts") == 1
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
