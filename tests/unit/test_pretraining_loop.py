"""The loop: exact resumption, accumulation, learning, alarms, files, and what it reports."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.pretraining.distributed import Shard
from data2vec_core.pretraining.loop import StepReport, pretrain
from data2vec_core.pretraining.masking import mask_generators
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Batch
from data2vec_core.pretraining.objective import CollapseAlarm, CollapseError
from data2vec_core.pretraining.plan import Plan, parameter_groups
from data2vec_core.pretraining.progress import with_progress_bar
from data2vec_core.pretraining.schedule import TeacherDecay, WarmupCosine
from tests.pretraining_samples import MODALITIES, STILL, tiny_batch, tiny_method, tiny_pretraining, tiny_student

ROOT = Path(__file__).resolve().parents[2]


def plan(steps: int = 6, *, rate: float = 1e-3, **changes: Any) -> Plan:
    """A short run."""
    settings: dict[str, Any] = {"schedule": WarmupCosine(peak=rate, total=steps, warmup=1), "save_every": 2}
    return Plan(**(settings | changes))


def small(modality: str, seed: int = 0, **options: Any) -> Any:
    """A model whose weights follow from the seed."""
    torch.manual_seed(seed)
    return tiny_pretraining(modality, **options)


def timeless(reports: list[StepReport]) -> list[StepReport]:
    """Without what the clock decides."""
    return [dataclasses.replace(report, items_per_second=0, seconds=0) for report in reports]


def batches(modality: str, size: int = 3) -> Any:
    """Another random batch at every number."""
    return lambda index, shard: {n: shard.of(rows) for n, rows in tiny_batch(modality, index, size).items()}


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_run_killed_between_steps_goes_on_bit_for_bit(modality: str, tmp_path: Path) -> None:
    """With dropout, layer drop and drop path on: killed after the third step, it goes on from the second."""
    whole_model, model = small(modality), small(modality)
    whole = timeless(list(pretrain(whole_model, batches(modality), plan(), tmp_path / "whole")))
    assert [report.step for report in whole] == [1, 2, 3, 4, 5, 6]
    for report in pretrain(model, batches(modality), plan(), tmp_path / "halves"):
        if report.step == 3:
            break
    model = small(modality, seed=99)  # another process would not have the same weights either
    rest = timeless(list(pretrain(model, batches(modality), plan(), tmp_path / "halves")))
    assert rest == whole[2:]
    expected = whole_model.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "halves")]
    assert [json.loads(line)["loss"] for line in logs[1]] == [json.loads(line)["loss"] for line in logs[0]]


def test_a_crash_while_writing_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = timeless(list(pretrain(small("text"), batches("text"), plan(), tmp_path / "whole")))
    run = pretrain(small("text"), batches("text"), plan(), tmp_path / "crash")
    assert [next(run).step for _ in range(3)] == [1, 2, 3]

    def half_a_file(_state: object, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_a_file)
        with pytest.raises(OSError, match="disk is full"):
            next(run)
    with (tmp_path / "crash" / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "lo')  # as a kill in the middle of a line would leave it
    files, complete = ({path.name for path in (tmp_path / name).iterdir()} for name in ("crash", "whole"))
    assert files == complete >= {"log.jsonl", "model.safetensors", "state.pt", "teacher.safetensors"}
    rest = timeless(list(pretrain(small("text", seed=5), batches("text"), plan(), tmp_path / "crash")))
    assert rest == whole[2:]
    lines = (tmp_path / "crash" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_a_process_killed_by_the_system_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = timeless(list(pretrain(small("vision"), batches("vision"), plan(), tmp_path / "whole")))
    code = (
        "import os, signal, sys, torch\n"
        "from tests.unit.test_pretraining_loop import batches, plan, pretrain, small\n"
        "torch.set_num_threads(int(sys.argv[2]))\n"
        "for report in pretrain(small('vision'), batches('vision'), plan(), sys.argv[1]):\n"
        "    if report.step == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    folder = tmp_path / "killed"
    run = subprocess.run([sys.executable, "-c", code, folder, str(torch.get_num_threads())], cwd=ROOT, check=False)
    assert run.returncode == -9
    rest = timeless(list(pretrain(small("vision", seed=7), batches("vision"), plan(), folder)))
    assert rest == whole[4:]


@pytest.mark.parametrize("modality", MODALITIES)
def test_loss_falls_on_one_batch_and_targets_keep_their_spread(modality: str, tmp_path: Path) -> None:
    # Random patches tell nothing about each other; only where they are can help to predict them.
    positions = {"use_absolute_position_embeddings": True} if modality == "vision" else {}
    model = build_pretraining(tiny_student(modality, **STILL[modality], **positions), tiny_method(modality))
    batch = tiny_batch(modality)
    reports = list(pretrain(model, lambda *_: batch, plan(100, rate=1e-2, save_every=100, seed=3), tmp_path))
    first, last = (sum(report.loss for report in part) for part in (reports[:5], reports[-5:]))
    assert last < 0.7 * first
    assert min(report.target_spread for report in reports) > 0.1
    assert reports[-1].prediction_spread > 0.1
    assert all(0 < distance < 1 for distance in reports[-1].distances)


@pytest.mark.parametrize("modality", MODALITIES)
def test_accumulated_batches_are_one_large_batch(modality: str, tmp_path: Path) -> None:
    """Two batches of one step make the gradient of the sum of their losses over all that is masked in both."""
    model, expected = small(modality, still=True), small(modality, still=True)
    once = plan(1, rate=0.0, accumulate=2, seed=3)
    parts = [tiny_batch(modality, size=3), tiny_batch(modality, seed=1, size=2)]
    (report,) = pretrain(model, lambda index, _: parts[index], once, tmp_path)
    masks = [mask_generators(3, index, range(size)) for index, size in ((0, 3), (1, 2))]
    outputs = [expected(batch, generators) for batch, generators in zip(parts, masks, strict=True)]
    assert outputs[0].count != outputs[1].count
    loss = (outputs[0].total + outputs[1].total) / (outputs[0].count + outputs[1].count)
    loss.backward()
    norm = torch.stack([p.grad.norm() for p in expected.parameters() if p.grad is not None]).norm()
    assert report.loss == pytest.approx(loss.item(), rel=1e-5)
    assert report.gradient_norm == pytest.approx(norm.item(), rel=1e-4)
    assert report.items == 5
    targets = torch.cat([output.targets for output in outputs])
    assert report.target_spread == pytest.approx(torch.sqrt(targets.var(dim=0) + 1e-6).mean().item(), rel=1e-4)


def test_what_is_fixed_stays_and_the_rest_learns(tmp_path: Path) -> None:
    model = small("text")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    list(pretrain(model, batches("text"), plan(fixed=("embeddings.word",), weight_decay=0.5), tmp_path))
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    student = {f"student.{name}" for name, _ in model.student.named_parameters()}
    assert student - changed == {"student.embeddings.word_embeddings.weight"}
    # and a run that goes on fixes the same
    again = small("text", seed=1)
    longer = plan(8, fixed=("embeddings.word",), weight_decay=0.5)
    assert [report.step for report in pretrain(again, batches("text"), longer, tmp_path)] == [7, 8]
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(again.student.state_dict()[name], before[f"student.{name}"])


def test_teacher_follows_after_every_update(tmp_path: Path) -> None:
    """With plain arithmetic on one weight: student after each step, teacher the running mean."""
    model = small("vision", still=True, decay=TeacherDecay(0.5, 0.9, 4))
    name = "embeddings.patch_projection.weight"
    teacher = model.student.get_parameter(name).detach().clone()
    for report in pretrain(model, batches("vision"), plan(3, rate=1e-2), tmp_path):
        decay = 0.5 + 0.1 * report.step
        assert report.teacher_decay == pytest.approx(decay)
        teacher = decay * teacher + (1 - decay) * model.student.get_parameter(name).detach()
        assert_close(model.teacher.model.get_parameter(name), teacher)


def test_reports_rates_clipping_and_the_time_limit(tmp_path: Path) -> None:
    slow = plan(7, rate=1e-3, report_every=3, clip=1e-6)
    before = small("text")
    reports = list(pretrain(model := small("text"), batches("text"), slow, tmp_path / "a"))
    assert [report.step for report in reports] == [3, 6, 7], "every third, and the last"
    assert [r.learning_rate for r in reports] == [slow.schedule(r.step - 1) for r in reports]
    assert all(report.gradient_norm > 1e-3 for report in reports), "before clipping"
    assert all(report.items_per_second > 0 for report in reports)
    assert len(reports[0].distances) == 3
    assert not torch.equal(model.head[0].weight, before.head[0].weight)

    stopped = list(pretrain(small("text"), batches("text"), slow, tmp_path / "b", minutes=0))
    assert [report.step for report in stopped] == [1]
    resumed = list(pretrain(small("text"), batches("text"), slow, tmp_path / "b"))
    assert timeless(resumed) == timeless(reports)
    assert list(pretrain(small("text"), batches("text"), slow, tmp_path / "b")) == []


def test_collapse_and_numbers_that_are_none_stop_a_run(tmp_path: Path) -> None:
    model = small("vision", collapse=CollapseAlarm(after=2, target=50.0))
    run = pretrain(model, batches("vision"), plan(), tmp_path / "a")
    assert [next(run).step for _ in range(2)] == [1, 2]
    with pytest.raises(CollapseError, match="step 3: the targets"):
        next(run)

    def broken(index: int, _: Shard) -> Batch:
        return {name: tensor * (float("nan") if index == 3 else 1.0) for name, tensor in tiny_batch("vision").items()}

    run = pretrain(small("vision"), broken, plan(save_every=1), tmp_path / "b")
    assert [next(run).step for _ in range(3)] == [1, 2, 3]
    with pytest.raises(FloatingPointError, match="step 4: the loss is nan"):
        next(run)
    state = torch.load(tmp_path / "b" / "state.pt", weights_only=True)
    assert state["step"] == 3
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_a_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    list(pretrain(small("vision"), batches("vision"), plan(1), tmp_path))
    with pytest.raises(CheckpointError, match="another model"):
        next(pretrain(small("text"), batches("text"), plan(1), tmp_path))


def test_weight_decay_groups() -> None:
    model = small("vision", still=True)
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    def spared(**options: Any) -> set[str]:
        groups = parameter_groups(model, 0.05, **options)
        assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
        assert sum(len(group["params"]) for group in groups) == sum(p.requires_grad for p in model.parameters())
        return {names[id(parameter)] for parameter in groups[1]["params"]}

    assert spared(decays_vectors=True) == set()
    vectors = spared()
    assert {"head.bias", "student.layernorm.weight"} <= vectors
    assert not {"student.embeddings.cls_token", "student.embeddings.mask_token", "head.weight"} & vectors
    assert spared(undecayed=("cls_token",)) - vectors == {"student.embeddings.cls_token"}
    with pytest.raises(ValueError, match=r"Plan.accumulate=0: at least 1"):
        plan(accumulate=0)
    with pytest.raises(ValueError, match=r"Plan.seed=-1: at least 0"):
        plan(seed=-1)


def test_progress_bar_starts_where_the_run_does(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    list(pretrain(small("vision"), batches("vision"), plan(), tmp_path, minutes=0))
    screen = Terminal()
    reports = list(with_progress_bar(pretrain(small("vision"), batches("vision"), plan(), tmp_path), 6, screen))
    assert [report.step for report in reports] == [2, 3, 4, 5, 6]
    assert "1/6" in screen.getvalue()
    assert "6/6" in screen.getvalue()
    assert f"loss {reports[-1].loss:.4f}" in screen.getvalue()
    quiet = io.StringIO()
    assert len(list(with_progress_bar(iter(reports), 6, quiet))) == 5
    assert quiet.getvalue() == ""
    screen = Terminal()
    assert len(list(with_progress_bar(iter(reports), 6, screen, is_shown=False))) == 5
    assert screen.getvalue() == ""
