"""Two processes under torchrun against one: the same losses, one teacher, one folder, an exact resumption, no hanging.

The processes make all runs of `tests/distributed_runs.py` once, for all tests here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core.pretraining.distributed import Shard, World, distributed_world
from data2vec_core.pretraining.loop import StepReport, pretrain
from data2vec_core.pretraining.plan import Plan
from tests.distributed_runs import ROWS, batches, model, plan, weights
from tests.pretraining_samples import MODALITIES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs of two processes."""
    folder = tmp_path_factory.mktemp("two")
    list(pretrain(model("text"), batches("text"), plan(), folder / "continued" / "0", minutes=0))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*launcher, "-m", "tests.distributed_runs", str(folder)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (folder / "crashed.txt").exists(), done.stderr
    assert done.returncode != 0, "the last run crashes in one process, and the other does not wait for ever"
    assert "a file has gone" in done.stderr
    return folder


def result(folder: Path, name: str) -> dict[str, Any]:
    """What both processes say."""
    first, second = (torch.load(folder / f"{name}-{rank}.pt") for rank in (0, 1))
    assert first["losses"] == second["losses"]
    for key, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][key]), f"{key} of teacher or student differs"
    return first


def alone(modality: str, how: Plan, folder: Path, masks: int = 1) -> tuple[list[StepReport], dict[str, Any]]:
    """The same run in one process."""
    pretraining = model(modality, masks=masks)
    return list(pretrain(pretraining, batches(modality), how, folder)), weights(pretraining)


@pytest.mark.parametrize(
    ("name", "modality", "how", "masks"),
    [
        *((modality, modality, plan(), 1) for modality in MODALITIES),
        ("accumulated", "audio", plan(4, accumulate=2), 1),
        ("masked twice", "audio", plan(4), 2),
    ],
)
def test_two_processes_take_the_steps_of_one(
    runs: Path, name: str, modality: str, how: Plan, masks: int, tmp_path: Path
) -> None:
    two = result(runs, name)
    reports, expected = alone(modality, how, tmp_path, masks)
    assert len(two["losses"]) == how.steps
    assert two["losses"] == pytest.approx([report.loss for report in reports], rel=1e-5)
    for key, tensor in two["weights"].items():
        if not key.endswith("key.bias"):  # no part of the function: its gradient is rounding, which Adam makes steps of
            assert torch.allclose(tensor, expected[key], atol=1e-5, rtol=1e-5), key
    last = reports[-1]
    assert two["last"]["items"] == last.items == ROWS * how.accumulate
    for field in ("target_spread", "prediction_spread", "gradient_norm", "distances"):
        assert two["last"][field] == pytest.approx(getattr(last, field), rel=1e-3), field


def test_gradients_meet_though_layer_drop_skips_other_blocks_in_each_process(runs: Path) -> None:
    first, second = (torch.load(runs / f"gradients-{rank}.pt") for rank in (0, 1))
    assert any(together is None and "encoder.layers" in name for name, together, _ in first if "student" in name)
    for (name, together, mean), (_, other, _) in zip(first, second, strict=True):
        if together is None:
            assert not mean.any(), name
        else:
            assert torch.equal(together, other), name
            assert torch.allclose(together, mean, rtol=1e-4, atol=1e-5 * float(mean.abs().max()) + 1e-7), name


def test_the_first_process_alone_writes(runs: Path) -> None:
    for name in MODALITIES:
        assert {path.name for path in (runs / name).iterdir()} == {"0"}
        lines = (runs / name / "0" / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["loss"] for line in lines] == result(runs, name)["losses"]
        files = {path.name for path in (runs / name / "0").iterdir()}
        assert {"log.jsonl", "model.safetensors", "state.pt", "teacher.safetensors"} <= files
        assert not any(file.startswith(".") for file in files), "half-written"


def test_a_broken_off_run_of_two_goes_on_bit_for_bit(runs: Path) -> None:
    """With dropout, and layer drop that leaves other parameters without gradients in each process."""
    whole, rest = result(runs, "whole"), result(runs, "rest")
    assert rest["losses"] == whole["losses"][4:]
    for key, tensor in rest["weights"].items():
        assert torch.equal(tensor, whole["weights"][key]), key
    states = torch.load(runs / "whole" / "0" / "state.pt")["random"]
    assert len(states) == 2
    assert not torch.equal(states[0]["cpu"], states[1]["cpu"]), "dropout is another in each process"


def test_two_processes_go_on_where_one_was(runs: Path) -> None:
    assert result(runs, "continued")["losses"] == pytest.approx(result(runs, "text")["losses"][1:], rel=1e-5)


def test_both_stop_when_one_has_to(runs: Path) -> None:
    assert len(result(runs, "late")["losses"]) == 1, "its time is up in the second process alone"
    for rank in (0, 1):
        assert "step 3: the loss is nan" in (runs / f"broken-{rank}.txt").read_text()


def test_shards_are_the_whole_batch() -> None:
    rows, tensor = list(range(7)), torch.arange(7)
    shards = [Shard(rank, 3) for rank in range(3)]
    assert sorted(row for shard in shards for row in shard.of(rows)) == rows
    for shard in shards:
        own = shard.of(tensor).tolist()
        assert own == list(shard.of(rows)) == list(shard.places(len(own))), "values here are places"


def test_a_world_of_one_agrees_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with distributed_world("cpu") as world:
        assert type(world) is World
        assert world.is_first
        assert world.gather("a") == ["a"]
        assert world.from_first(3) == world.fewest(3) == 3
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "97")
    with pytest.raises(ValueError, match=r"this host has \d+ GPUs, too few for process 98"), distributed_world("cuda"):
        pass


def test_a_world_that_was_left_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Threads that talk to other processes, were they to run into the end of the interpreter, could abort it."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}.items():
        monkeypatch.setenv(name, value)

    def talking() -> list[str]:
        return [name for task in Path("/proc/self/task").iterdir() if "gloo" in (name := (task / "comm").read_text())]

    with distributed_world("cpu") as world:
        reports = list(pretrain(model("vision"), batches("vision"), plan(1), tmp_path / "one", world=world))
        assert talking()
    assert not talking()
    assert reports[0].loss == alone("vision", plan(1), tmp_path / "alone")[0][0].loss


def test_a_batch_without_a_row_for_a_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch 0 has no row for process 0"):
        next(pretrain(model("vision"), lambda *_: {"pixel_values": torch.zeros(0, 3, 32, 32)}, plan(), tmp_path))
