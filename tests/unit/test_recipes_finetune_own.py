"""Fine-tuning on one's own labelled data: every kind of task from its data to an answer, and every way to be wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data2vec_core.checkpoints.source import open_checkpoint
from recipes import finetune
from recipes.finetuning.learning import learn
from recipes.finetuning.sound_classes import SoundClasses
from recipes.own import file_items
from recipes.own.fine_run import FineWishes, prepare
from recipes.own.tables import Row
from recipes.own.tasks import OWN_TASKS
from tests.labelled_data import (
    SENTENCES,
    write_csv,
    write_data,
    write_mask,
    write_picture,
    write_sound,
)


def run(task: str, data: Path, out: Path, start: str, *options: str) -> None:
    """The command, for two steps."""
    finetune.main([task, "--from", start, "--data", str(data), "--out", str(out), "--steps", "2", *options])


ASKED: dict[str, Callable[[Any, Path], Any]] = {
    "transcription": lambda answer, data: answer(data / "0.wav").text,
    "audio-classification": lambda answer, data: [label.label for label in answer(data / "hum" / "0.wav").labels],
    "speaker-verification": lambda answer, data: answer(data / "speaker 0" / "0.wav", data / "speaker 1" / "1.wav"),
    "speaker-activity": lambda answer, data: answer(data / "speaker 0" / "0.wav"),
    "text-classification": lambda answer, data: [label.label for label in answer(SENTENCES[0]).labels],  # noqa: ARG005
    "token-classification": lambda answer, data: answer(SENTENCES[0]).entities,  # noqa: ARG005
    "masked-language": lambda answer, data: answer("the <mask> film"),  # noqa: ARG005
    "causal-language": lambda answer, data: answer("the good", max_new_tokens=3),  # noqa: ARG005
    "question-answering": lambda answer, data: answer("what film", SENTENCES[0]),  # noqa: ARG005
    "multiple-choice": lambda answer, data: answer(SENTENCES[0], ["good", "bad"]),  # noqa: ARG005
    "image-classification": lambda answer, data: [label.label for label in answer(data / "cat" / "0.png").labels],
    "segmentation": lambda answer, data: answer(data / "images" / "0.jpg").mask.shape,
}


@pytest.mark.parametrize("task", OWN_TASKS)
def test_from_data_to_an_answer(
    task: str, encoders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(task, tmp_path / "data"), tmp_path / "run"
    run(task, data, out, encoders[OWN_TASKS[task].modality])
    said = capsys.readouterr().out
    assert re.search(r"\d+ examples to learn from, \d+ to choose by \(held apart by seed 0\)", said)
    assert "step 2/2" in said
    loading = [line.strip() for line in said.splitlines()[-2:]]
    names: dict[str, Any] = {}
    exec("\n".join(loading), names)  # the two lines that say how to use it
    answer = ASKED[task](names["answer"], data if data.is_dir() else data.parent)
    match task:
        case "audio-classification":
            assert sorted(answer) == ["hiss", "hum"]
        case "image-classification":
            assert sorted(answer) == ["cat", "dog"]
        case "text-classification":
            assert open_checkpoint(out).read_config()["id2label"] == {"0": "negative", "1": "positive"}
        case "token-classification":
            labels = open_checkpoint(out).read_config()["id2label"]
            assert list(labels.values()) == ["O", "B-kind", "I-kind"]
        case "segmentation":
            assert answer == (36, 40)
            assert open_checkpoint(out).read_config()["id2label"] == {"0": "class 0", "1": "class 1"}


class TestRuns:
    def test_a_stopped_run_goes_on(
        self, encoders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data("text-classification", tmp_path / "data")
        run("text-classification", data, tmp_path / "run", encoders["text"], "--minutes", "0")
        assert "stopped after step 1 of 2; the same command goes on" in capsys.readouterr().out
        run("text-classification", data, tmp_path / "run", encoders["text"])
        assert "step 1/2" not in capsys.readouterr().out

    def test_a_folder_keeps_the_run_of_one_set_of_settings(
        self, encoders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data("text-classification", tmp_path / "data")
        run("text-classification", data, tmp_path / "run", encoders["text"], "--minutes", "0")
        with pytest.raises(SystemExit) as ended:
            run("text-classification", data, tmp_path / "run", encoders["text"], "--rate", "0.01")
        assert ended.value.code == 2
        assert "holds a run with rate=None, this one has 0.01" in capsys.readouterr().err

    def test_a_file_that_goes_away_ends_the_run_with_a_sentence(
        self,
        encoders: dict[str, str],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        data = write_data("image-classification", tmp_path / "data")
        monkeypatch.setattr(file_items, "KEPT_BYTES", 0)

        def learn_without_files(*given: Any, **options: Any) -> Any:
            shutil.rmtree(data)
            return learn(*given, **options)

        monkeypatch.setattr(finetune, "learn", learn_without_files)
        with pytest.raises(SystemExit) as ended:
            run("image-classification", data, tmp_path / "run", encoders["vision"])
        assert ended.value.code == 1
        assert "There is no file" in capsys.readouterr().err

    def test_a_head_of_another_number_of_classes_starts_afresh(self, encoders: dict[str, str], tmp_path: Path) -> None:
        two = write_data("image-classification", tmp_path / "two")
        run("image-classification", two, tmp_path / "first", encoders["vision"])
        for index in range(2):
            write_picture(two / "fox" / f"{index}.png", index)
        run("image-classification", two, tmp_path / "second", str(tmp_path / "first"))
        assert len(open_checkpoint(tmp_path / "second").read_config()["id2label"]) == 3

    def test_what_cannot_be_read_is_counted_and_left_out(
        self, encoders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = write_data("audio-classification", tmp_path / "data")
        (data / "hum" / "broken.wav").write_bytes(b"RIFF no sound")
        (data / "hum" / "notes.md").write_text("about")
        write_sound(data / "stray.wav")
        write_sound(data / "hum" / "short.wav", seconds=0.01)
        run("audio-classification", data, tmp_path / "run", encoders["audio"])
        said = capsys.readouterr().out
        for part in (
            "1 unreadable (hum/broken.wav)",
            "1 another kind of file (hum/notes.md)",
            "1 in no class's folder (stray.wav)",
            "1 too short (hum/short.wav)",
        ):
            assert part in said
        assert "8 examples" in said or "6 examples to learn from, 2 to choose by" in said

    def test_the_encoder_of_the_modality_is_where_it_starts(self, tmp_path: Path) -> None:
        said: list[str] = []
        data = write_data("image-classification", tmp_path / "data")
        prepare(FineWishes(task="image-classification", data=data, out=tmp_path / "run"), said.append)
        assert said[-1].startswith("begins with vision; steps: 1,000 of 32 pictures, peak rate 0.0005")


def silent(line: str) -> None:  # noqa: ARG001
    """Says nothing."""


class TestParts:
    def test_a_column_says_what_is_for_what(self, encoders: dict[str, str], tmp_path: Path) -> None:
        for index in range(6):
            write_sound(tmp_path / f"{index}.wav", index)
        rows = [[f"{i}.wav", "ab"[i % 2], split] for i, split in enumerate(["train"] * 2 + ["dev"] * 2 + ["test"] * 2)]
        table = write_csv(tmp_path / "sounds.csv", ["file", "label", "split"], rows)
        said: list[str] = []
        wishes = FineWishes(task="audio-classification", data=table, out=tmp_path / "run", start=encoders["audio"])
        tuning = prepare(wishes, said.append).tuning
        assert isinstance(tuning, SoundClasses)
        assert (len(tuning.train), len(tuning.valid)) == (2, 2)
        assert any("2 examples to learn from, 2 to choose by (as the data says)" in line for line in said)
        assert any("2 of a test part" in line for line in said)

    @pytest.mark.parametrize("valid", ["valid", "validation", "val", "dev"])
    def test_folders_say_it(self, valid: str, encoders: dict[str, str], tmp_path: Path) -> None:
        for part, count in (("train", 4), (valid, 2), ("test", 2)):
            for index in range(count):
                write_picture(tmp_path / "data" / part / "ab"[index % 2] / f"{index}.png", index)
        wishes = FineWishes(
            task="image-classification", data=tmp_path / "data", out=tmp_path / "run", start=encoders["vision"]
        )
        tuning = prepare(wishes, silent).tuning
        assert (len(tuning.train), len(tuning.valid)) == (4, 2)  # type: ignore[attr-defined]

    def test_a_class_may_be_called_train(self, encoders: dict[str, str], tmp_path: Path) -> None:
        for index in range(6):
            write_picture(tmp_path / "data" / ("train", "car")[index % 2] / f"{index}.png", index)
        wishes = FineWishes(
            task="image-classification", data=tmp_path / "data", out=tmp_path / "run", start=encoders["vision"]
        )
        assert prepare(wishes, silent).tuning.labels == ["car", "train"]  # type: ignore[attr-defined]

    def test_tables_of_a_folder_say_it(self, encoders: dict[str, str], tmp_path: Path) -> None:
        rows = [[text, "ab"[index % 2]] for index, text in enumerate(SENTENCES)]
        write_csv(tmp_path / "data" / "train.csv", ["text", "label"], rows[:8])
        write_csv(tmp_path / "data" / "valid.csv", ["text", "label"], rows[8:])
        said: list[str] = []
        wishes = FineWishes(
            task="text-classification", data=tmp_path / "data", out=tmp_path / "run", start=encoders["text"]
        )
        prepare(wishes, said.append)
        assert any("8 examples to learn from, 4 to choose by (as the data says)" in line for line in said)

    def test_text_files_called_train_and_valid_say_it(self, encoders: dict[str, str], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        passage = "a film of words " * 300
        (tmp_path / "data" / "train.txt").write_text(f"{passage}\n\n{passage}\r\n\r\n{passage}")
        (tmp_path / "data" / "valid.txt").write_text("another film")
        said: list[str] = []
        wishes = FineWishes(
            task="causal-language", data=tmp_path / "data", out=tmp_path / "run", start=encoders["text"]
        )
        prepare(wishes, said.append)
        assert any("3 examples to learn from, 1 to choose by (as the data says)" in line for line in said)


class TestFiles:
    def test_what_was_read_long_ago_is_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[Path] = []

        def load(path: Path) -> np.ndarray[Any, Any]:
            read.append(path)
            return np.zeros(10, np.float32)

        monkeypatch.setattr(file_items, "KEPT_BYTES", 90)
        shelf = file_items.Shelf(load)
        for name in ("a", "b", "a", "c", "a", "b"):
            _ = shelf[Path(name)]
        assert [path.name for path in read] == ["a", "b", "c", "b"]

    def test_large_pictures_are_kept_small(self, encoders: dict[str, str], tmp_path: Path) -> None:
        task = OWN_TASKS["segmentation"](encoders["vision"], silent)
        write_picture(tmp_path / "a.png", size=(600, 400))
        write_mask(tmp_path / "b.png", size=(600, 400))
        example = task.example(Row({"image": str(tmp_path / "a.png"), "mask": str(tmp_path / "b.png")}, "a"))
        assert example.content.size == (200, 134)
        assert example.target.shape == (134, 200)

    def test_the_characters_of_a_transcription(self, encoders: dict[str, str], tmp_path: Path) -> None:
        data = write_data("transcription", tmp_path / "data")
        run("transcription", data, tmp_path / "first", encoders["audio"])
        said: list[str] = []
        wishes = FineWishes(task="transcription", data=data, out=tmp_path / "b", start=str(tmp_path / "first"))
        prepare(wishes, said.append)
        assert any("characters: the 12 of" in line for line in said)
        (data / "0.txt").write_text("with a z")
        said.clear()
        prepare(FineWishes(task="transcription", data=data, out=tmp_path / "c", start=wishes.start), said.append)
        assert any("those of the texts" in line for line in said)


def test_sounds_are_blended_with_their_classes(encoders: dict[str, str], tmp_path: Path) -> None:
    data = write_data("audio-classification", tmp_path / "data")
    wishes = FineWishes(task="audio-classification", data=data, out=tmp_path / "run", start=encoders["audio"], batch=64)
    tuning = prepare(wishes, silent).tuning
    assert isinstance(tuning, SoundClasses)
    clips, targets = tuning.draw(np.random.default_rng(0))
    assert {len(clip) for clip in clips} == {tuning.length}
    assert torch.allclose(targets.sum(dim=1), torch.ones(64))
    assert ((targets > 0) & (targets < 1)).any(dim=1).float().mean() > 0.2
