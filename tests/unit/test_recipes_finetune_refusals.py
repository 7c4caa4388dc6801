"""Fine-tuning on one's own labelled data: everything that can be wrong is a sentence before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recipes import finetune
from recipes.own.tasks import OWN_TASKS
from tests.labelled_data import write_csv, write_data, write_lines, write_mask, write_sound
from tests.pretraining_samples import tiny_student


@pytest.fixture
def refused(encoders: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command says when it ends with 2, having written nothing."""

    def refuse(task: str, data: Path, *options: str, start: str | None = None) -> str:
        where = ("--data", str(data), "--out", str(tmp_path / "refused"))
        with pytest.raises(SystemExit) as ended:
            finetune.main([task, "--from", start or encoders[OWN_TASKS[task].modality], *where, *options])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert not (tmp_path / "refused").exists()
        return said

    return refuse


@pytest.mark.parametrize("task", OWN_TASKS)
def test_no_such_data(task: str, refused: Callable[..., str], tmp_path: Path) -> None:
    assert f"there is no folder or table {tmp_path / 'nowhere'}" in refused(task, tmp_path / "nowhere")


@pytest.mark.parametrize("task", OWN_TASKS)
def test_an_empty_folder(task: str, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert str(tmp_path / "data") in refused(task, tmp_path / "data")


@pytest.mark.parametrize("task", OWN_TASKS)
def test_a_column_is_missing(task: str, refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["other"], [["x"]])
    columns = OWN_TASKS[task].columns
    assert f"has no column {', '.join(columns)}; it has other, and needs {', '.join(columns)}" in refused(task, table)


@pytest.mark.parametrize("task", OWN_TASKS)
def test_a_checkpoint_of_another_modality(
    task: str, refused: Callable[..., str], encoders: dict[str, str], tmp_path: Path
) -> None:
    other = encoders["vision" if OWN_TASKS[task].modality != "vision" else "text"]
    assert "is a model of" in refused(task, write_data(task, tmp_path / "data"), start=other)


def test_no_such_checkpoint(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "no").mkdir()
    data = write_data("segmentation", tmp_path / "data")
    assert "no has no config.json" in refused("segmentation", data, start=str(tmp_path / "no"))


def test_no_data_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        finetune.main(["segmentation"])
    assert ended.value.code == 2
    assert "segmentation needs --data, a folder or table: folders images and masks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--steps", "0", "steps=0"),
        ("--batch", "0", "batch=0"),
        ("--rate", "2", "rate=2"),
        ("--seed", "-1", "seed=-1"),
    ],
)
def test_a_number_out_of_range(option: str, value: str, said: str, refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data("segmentation", tmp_path / "data")
    assert said in refused("segmentation", data, option, value)


def test_options_of_own_data_for_a_bundled_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        finetune.main(["sst2", "--data", str(tmp_path), "--steps", "3"])
    assert ended.value.code == 2
    assert "sst2 has a plan" in capsys.readouterr().err


def test_no_packs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        finetune.main(["sst2", "--data", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert f"no data folder at {tmp_path / 'nowhere'}" in capsys.readouterr().err


def test_a_file_of_a_table_is_missing(refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["file", "label"], [[f"{i}.wav", "a"] for i in range(5)])
    said = refused("audio-classification", table)
    assert f"t.csv, line 2: there is no file {tmp_path / '0.wav'};" in said
    assert "(and 2 more rows); correct or remove what is wrong" in said


def test_a_cell_is_empty(refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["text", "label"], [["a", "b"], ["c", ""]])
    assert "t.csv, line 3: nothing in the column label" in refused("text-classification", table)


def test_an_unknown_part(refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["text", "label", "split"], [["a", "b", "trian"]])
    assert "t.csv, line 2: split is 'trian'; it has to be one of train" in refused("text-classification", table)


def test_several_tables(refused: Callable[..., str], tmp_path: Path) -> None:
    for name in "ab":
        write_csv(tmp_path / "data" / f"{name}.csv", ["text", "label"], [["a", "b"]])
    assert "has several tables (a.csv, b.csv); name the one that counts" in refused(
        "text-classification", tmp_path / "data"
    )


@pytest.mark.parametrize("task", ["audio-classification", "image-classification"])
def test_a_class_without_files(task: str, refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data(task, tmp_path / "data")
    (data / "nothing").mkdir()
    assert f"nothing in {data / 'nothing'} can be used; fill the folder or remove it" in refused(task, data)


def test_files_without_folders_of_classes(refused: Callable[..., str], tmp_path: Path) -> None:
    write_sound(tmp_path / "data" / "a.wav")
    said = refused("audio-classification", tmp_path / "data")
    assert "put the files of each class in a folder of its name" in said


def test_nothing_that_can_be_read(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    table = write_csv(tmp_path / "t.csv", ["file", "label"], [["a.wav", "a"]])
    assert "has nothing that audio-classification can be taught with" in refused("audio-classification", table)


def test_a_label_with_one_example(refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["text", "label"], [["a", "x"], ["b", "x"], ["c", "y"]])
    assert "one example only of y; add more" in refused("text-classification", table)


def test_sounds_without_their_texts(refused: Callable[..., str], tmp_path: Path) -> None:
    write_sound(tmp_path / "data" / "a.wav")
    assert "has its text beside it (a.wav, a.txt)" in refused("transcription", tmp_path / "data")


def test_speakers_in_both_parts(refused: Callable[..., str], tmp_path: Path) -> None:
    for part in ("train", "valid"):
        for index in range(4):
            write_sound(tmp_path / "data" / part / f"{index % 2}" / f"{index}.wav", index)
    assert "0 is heard in train and in valid" in refused("speaker-verification", tmp_path / "data")


def test_too_few_speakers(refused: Callable[..., str], tmp_path: Path) -> None:
    for index in range(4):
        write_sound(tmp_path / "data" / f"{index % 2}" / f"{index}.wav", index)
    assert "there are 2 speakers, and 3 are needed" in refused("speaker-verification", tmp_path / "data")


def test_conversations_need_frames_of_20_ms(refused: Callable[..., str], tmp_path: Path) -> None:
    tiny_student("audio").save_pretrained(tmp_path / "fast")
    data = write_data("speaker-activity", tmp_path / "data")
    assert "its frames are not those of 25 ms every 20 ms" in refused(
        "speaker-activity", data, start=str(tmp_path / "fast")
    )


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["O"], "2 tokens and 1 tags"),
        (["O", "person"], "the tag 'person' is neither O nor begins with B- or I-"),
        (["O", "O"], "no word has a tag but O"),
    ],
)
def test_tags_that_do_not_fit(tags: list[str], said: str, refused: Callable[..., str], tmp_path: Path) -> None:
    table = write_lines(tmp_path / "t.jsonl", [{"tokens": ["a", "b"], "tags": tags}] * 3)
    assert said in refused("token-classification", table)


@pytest.mark.parametrize(
    ("answer", "start", "said"),
    [
        ("fox", "", "the answer does not stand in its context"),
        ("cat", "3", "the answer does not stand at answer_start=3"),
    ],
)
def test_an_answer_that_is_not_in_its_context(
    answer: str, start: str, said: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    columns = ["question", "context", "answer", "answer_start"]
    table = write_csv(tmp_path / "t.csv", columns, [["who?", "the cat", answer, start]])
    assert f"t.csv, line 2: {said}" in refused("question-answering", table)


@pytest.mark.parametrize(
    ("choices", "label", "said"),
    [("a", "0", "one choice only"), ("a|b", "2", "label '2' is none of the 2 choices, nor a number below 2")],
)
def test_a_choice_that_is_none(
    choices: str, label: str, said: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "t.csv", ["prompt", "choices", "label"], [["p", choices, label]])
    assert said in refused("multiple-choice", table)


def test_masks_that_do_not_fit(refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data("segmentation", tmp_path / "data")
    write_mask(data / "masks" / "3.png", size=(41, 36))
    assert "3.jpg: the mask has 41 x 36 pixels, and the picture 40 x 36" in refused("segmentation", data)


def test_class_ids_without_a_name(refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data("segmentation", tmp_path / "data")
    (data / "labels.txt").write_text("ground\ncat\n")
    write_mask(data / "masks" / "3.png", largest=2)
    assert "3.jpg: the mask has the class id 2, and ids go from 0 to 1" in refused("segmentation", data)


def test_masks_of_one_class(refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data("segmentation", tmp_path / "data")
    for index in range(5):
        write_mask(data / "masks" / f"{index}.png", largest=0)
    assert "all masks have one class only" in refused("segmentation", data)


def test_pictures_without_masks(refused: Callable[..., str], tmp_path: Path) -> None:
    data = write_data("segmentation", tmp_path / "data")
    for index in range(5):
        (data / "masks" / f"{index}.png").rename(data / "masks" / f"other {index}.png")
    assert "has a mask of the same name" in refused("segmentation", data)
