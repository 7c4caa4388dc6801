"""The comparison of the economy on a handful of random pictures: what its arms are, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import economy
from benchmarks.economy import ARMS, Pictures, Settings, build_arm, compare
from benchmarks.economy_report import draw, main, table

SMALL = Settings(minutes=1e-6, depth=2, width=32, batch=2, masks=3)


def some_pictures() -> Pictures:
    torch.manual_seed(0)
    labelled = {}
    for split in economy.SPLITS:
        pixels = torch.randint(256, (12, 3, 64, 64), dtype=torch.uint8)
        labelled[split] = pixels, np.array(["crab", "llama", "watch"] * 4)
    return Pictures(torch.randint(256, (6, 3, 72, 72), dtype=torch.uint8), labelled)


def test_arms_differ_in_the_economy_alone() -> None:
    arms = {name: build_arm(name, SMALL) for name in ARMS}
    assert {name: arm.method.masks_per_sample for name, arm in arms.items()} == {
        "plain": 1, "masks": 3, "visible": 1, "both": 3,
    }  # fmt: skip
    assert [name for name, arm in arms.items() if arm.decoder is not None] == ["visible", "both"]
    first = arms["plain"].student.state_dict()
    for arm in arms.values():
        assert arm.method.targets == arms["plain"].method.targets
        assert arm.method.decay == arms["plain"].method.decay
        tensors = arm.student.state_dict()
        assert all(torch.equal(tensor, first[name]) for name, tensor in tensors.items()), "one start for all"
        assert first.keys() - tensors.keys() <= {"embeddings.mask_token"}


def test_measurements_and_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = some_pictures()
    monkeypatch.setattr(economy, "TURN", 1)
    results = json.loads(json.dumps(compare(pictures, SMALL, ("plain", "both"))))
    assert results["pictures"] == {"unlabelled": 6, "train": 12, "valid": 12}
    assert list(results["arms"]) == ["plain", "both"]
    for points in results["arms"].values():
        assert [point["steps"] for point in points] == [0, 1]
        assert points[0]["seconds"] == 0 < points[1]["seconds"]
        for point in points:
            for role in ("student", "teacher"):
                assert list(point["knn"][role]) == ["1", "2"]
                assert all(0 <= share <= 1 for by_split in point["knn"][role].values() for share in by_split.values())
        assert points[0]["knn"]["student"] == points[0]["knn"]["teacher"]

    (tmp_path / "economy.json").write_text(json.dumps(results))
    paths = [tmp_path / "drawn" / "economy.svg", tmp_path / "economy.png"]
    draw(results, paths[0])
    main(["--results", str(tmp_path / "economy.json"), "--figure", str(paths[1])])
    assert "visible, M = 3" in paths[0].read_text()
    assert paths[1].stat().st_size > 1000


def test_the_table_says_when_an_arm_was_as_good_as_the_first() -> None:
    def points(*shares: float) -> list[dict[str, object]]:
        return [
            {
                "seconds": 10.0 * place,
                "steps": 5 * place,
                "knn": {"teacher": {"4": {"train": 0}, "6": {"train": share}}},
            }
            for place, share in enumerate(shares)
        ]

    arms = {"plain": points(0.1, 0.2, 0.3), "both": points(0.1, 0.35, 0.5), "masks": points(0.1, 0.1, 0.2)}
    settings = {"clock": "seconds", "depth": 6, "batch": 4, "masks": 3}
    _, _, *rows = table({"settings": settings, "arms": arms, "pictures": {"train": 100}}).splitlines()
    assert rows == [
        "| M = 1 | 2 | 30.0 % | 20 | 1.00 |",
        "| visible, M = 3 | 2 | 50.0 % | 10 | 0.50 |",
        "| M = 3 | 2 | 20.0 % | not reached |  |",
    ]


def test_batches_follow_from_their_number() -> None:
    pictures = some_pictures()
    batch = pictures.batch(3, 4, seed=1)["pixel_values"]
    assert batch.shape == (4, 3, 64, 64)
    assert batch.abs().max() <= 1
    assert torch.equal(pictures.batch(3, 4, seed=1)["pixel_values"], batch)
    assert not torch.equal(pictures.batch(4, 4, seed=1)["pixel_values"], batch)
