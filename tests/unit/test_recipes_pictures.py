"""Teaching pictures their class and their pixels: batches, second targets, weights, what is scored."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from data2vec_core import (
    Data2VecVisionForImageClassification,
    Data2VecVisionForSemanticSegmentation,
    Data2VecVisionModel,
)
from data2vec_core.config import Data2VecVisionConfig
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.presets import PRESETS
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.trace import Trace
from recipes.bundled import bundled_model, camvid, objects, pets3
from recipes.bundled.scores import overlaps
from recipes.finetuning.learning import learn
from recipes.finetuning.picture_classes import Hints, Picture, PictureClasses, unread
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.segmentation import LabelMap, Scene, Segmentation, rarity_weights
from recipes.finetuning.start import Start
from recipes.sight import as_tensor, cut_and_mix, gradient_histograms

PLAN = FinePlan(schedule=WarmupCosine(peak=3e-3, total=30, warmup=3), score_every=15, average=0.5)


@pytest.fixture
def encoder(tmp_path: Path) -> Start:
    """A tiny encoder without a head, in a folder."""
    config = PRESETS["vision-tiny"]
    assert isinstance(config, Data2VecVisionConfig)
    torch.manual_seed(0)
    Data2VecVisionModel(config).save_pretrained(tmp_path / "encoder")
    return Start(tmp_path / "encoder")


def noise(random: np.random.Generator, low: int, high: int, width: int = 44) -> Image.Image:
    return Image.fromarray(random.integers(low, high, (40, width, 3), dtype=np.uint8))


def squares(count: int, seed: int) -> list[Picture]:
    """Dark and bright ones."""
    random = np.random.default_rng(seed)
    return [
        Picture(noise(random, 130, 255) if index % 2 else noise(random, 0, 90), "bright" if index % 2 else "dark")
        for index in range(count)
    ]


def classes(start: Start, **options: Any) -> PictureClasses:
    settings: dict[str, Any] = {"labels": ("bright", "dark"), "side": 32, "batch": 8}
    return PictureClasses(start, PLAN, squares(12, 0), squares(6, 1), **settings | options)


def test_a_class_is_learnt_and_kept_with_its_processor(encoder: Start, tmp_path: Path) -> None:
    tuning = classes(encoder, early=(0.5, 0.5), cropped=24, hints=Hints(layer=2, weight=0.5), use_mean_pooling=True)
    reports = list(learn(tuning, tmp_path / "run"))
    assert reports[-1].best == 1.0
    kept = Data2VecVisionForImageClassification.from_pretrained(tmp_path / "run")
    assert kept.config.labels == ["bright", "dark"]
    with torch.inference_mode():
        assert tuning.score(kept) == 1.0


def test_a_batch_is_a_function_of_its_step(encoder: Start) -> None:
    tuning = classes(encoder, mixed=1.0)
    pixels, shares = tuning.batch_of(3)
    again, same_shares = classes(encoder, mixed=1.0).batch_of(3)
    assert torch.equal(pixels, again)
    assert torch.equal(shares, same_shares)
    assert pixels.shape == (8, 3, 32, 32)
    assert classes(encoder, cropped=24).batch_of(3)[0].shape == (8, 3, 24, 24)
    assert not torch.equal(tuning.batch_of(4)[0], pixels)
    assert torch.allclose(shares.sum(dim=1), torch.ones(8))
    assert ((shares > 0) & (shares < 1)).any()


def test_a_part_of_the_patches_is_seen_at_first(encoder: Start) -> None:
    tuning = classes(encoder, early=(0.25, 0.5), hints=Hints(layer=2, weight=1.0), smoothing=0.0)
    visible = tuning.visible(14, 16)
    assert visible is not None
    assert visible.shape == (8, 4)
    assert all(len(set(row)) == 4 for row in visible.tolist())
    assert tuning.visible(15, 16) is None
    other = tuning.visible(13, 16)
    assert other is not None
    assert not torch.equal(visible, other)
    model = tuning.build_model()
    pixels, shares = tuning.batch_of(14)
    trace = Trace({"hidden": [2]})
    logits = model.classifier(model.backbone(pixels, visible=visible, trace=trace).pooler_output)
    edges = gradient_histograms(pixels, 4)
    seen = torch.stack([rows[chosen] for rows, chosen in zip(edges, visible, strict=True)])
    expected = F.cross_entropy(logits, shares) + unread(trace["hidden", 2][:, 1:], seen)
    assert tuning.loss(model, 14).item() == pytest.approx(expected.item(), rel=1e-5)


def test_mixing_says_how_much_came_from_the_other() -> None:
    pixels = torch.stack([torch.zeros(3, 20, 30), torch.ones(3, 20, 30)])
    for seed in range(5):
        mixed, share = cut_and_mix(pixels, torch.Generator().manual_seed(seed))
        assert mixed[0].mean().item() == pytest.approx(share)
        assert mixed[1].mean().item() == pytest.approx(1 - share)


def test_the_loss_is_that_of_the_shares_and_of_what_cannot_be_read(encoder: Start) -> None:
    tuning = classes(encoder, hints=Hints(layer=2, weight=7.0), mixed=1.0, smoothing=0.0)
    model = tuning.build_model()
    pixels, shares = tuning.batch_of(1)
    trace = Trace({"hidden": [2]})
    logits = model(pixels, trace=trace).logits
    own = -(shares * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
    left = unread(trace["hidden", 2][:, 1:], gradient_histograms(pixels, 4))
    assert tuning.loss(model, 1).item() == pytest.approx((own + 7 * left).item(), rel=1e-5)


def test_what_is_linear_can_be_read_and_noise_cannot() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(8, 50, 6)
    linear = hidden @ torch.randn(6, 3) + 5
    assert unread(hidden, linear) < 1e-3
    assert unread(hidden, torch.randn(8, 50, 3)) > 0.9
    assert unread(hidden, linear + linear.std() * torch.randn(8, 50, 3)).item() == pytest.approx(0.5, abs=0.1)


def test_the_gradient_makes_it_easier_to_read() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(8, 50, 6).requires_grad_()
    wanted = torch.randn(8, 50, 3)
    before = unread(hidden, wanted)
    before.backward()
    assert hidden.grad is not None
    step = 1e-2 / hidden.grad.norm()
    after = unread(hidden - step * hidden.grad, wanted)
    expected = before - step * hidden.grad.square().sum()
    assert (before - after).item() == pytest.approx((before - expected).item(), rel=0.05)


def halves(count: int, seed: int) -> list[Scene]:
    """Dark above, bright below, at changing heights; one column is not classified."""
    random = np.random.default_rng(seed)
    scenes = []
    for _ in range(count):
        ids = np.zeros((40, 56), dtype=np.uint8)
        ids[random.integers(10, 30) :] = 1
        bright = ids[..., None] * np.uint8(160) + random.integers(0, 60, (40, 56, 3), dtype=np.uint8)
        ids[:, :4] = IGNORED_PIXEL
        scenes.append(Scene(Image.fromarray(bright), ids))
    return scenes


def segmentation(start: Start, **options: Any) -> Segmentation:
    settings: dict[str, Any] = {"labels": ("above", "below"), "size": (32, 40), "batch": 4, "pool_scales": (1,)}
    return Segmentation(start, PLAN, halves(8, 0), halves(4, 1), out_indices=(2, 3, 4, 5), **settings | options)


def test_pixels_are_learnt_and_scored_as_the_task_says_them(encoder: Start, tmp_path: Path) -> None:
    tuning = segmentation(encoder)
    reports = list(learn(tuning, tmp_path / "run"))
    assert reports[-1].best > 0.75
    kept = Data2VecVisionForSemanticSegmentation.from_pretrained(tmp_path / "run")
    assert kept.auxiliary_head is None
    mean, *by_class = overlaps(tmp_path / "run", halves(4, 1), "valid")
    assert mean.value == pytest.approx(reports[-1].best, abs=1e-6)
    assert [metric.name for metric in by_class] == ["IoU of above", "IoU of below"]
    assert mean.value == pytest.approx(np.mean([metric.value for metric in by_class]))


def test_maps_follow_their_pictures(encoder: Start) -> None:
    pixels, ids = segmentation(encoder, turn=0.2).batch_of(2)
    assert pixels.shape == (4, 3, 32, 40)
    assert ids.shape == (4, 32, 40)
    assert set(ids.unique().tolist()) <= {0, 1, IGNORED_PIXEL}
    brightness = pixels.mean(dim=1)
    for one, known in zip(brightness, ids, strict=True):
        assert one[known == 1].mean() > one[known == 0].mean() + 0.5


def test_ignored_pixels_and_weights_count_in_the_loss(encoder: Start) -> None:
    tuning = segmentation(encoder, class_weights=torch.tensor([1.0, 3.0]))
    model = tuning.build_model()
    pixels, ids = tuning.batch_of(0)
    logits = F.interpolate(model(pixels).logits, size=(32, 40), mode="bilinear", align_corners=False)
    surprise = -logits.log_softmax(dim=1)
    above, below = ids == 0, ids == 1
    total = surprise[:, 0][above].sum() + 3 * surprise[:, 1][below].sum()
    assert (ids == IGNORED_PIXEL).any()
    assert tuning.loss(model, 0).item() == pytest.approx((total / (above.sum() + 3 * below.sum())).item(), rel=1e-5)


def test_rare_classes_weigh_more_and_pixels_one_in_the_mean() -> None:
    ids: LabelMap = np.zeros((10, 10), dtype=np.uint8)
    ids[0] = 1
    ids[1] = IGNORED_PIXEL
    weights = rarity_weights([ids], 3, offset=1.1)
    shares = torch.tensor([80 / 90, 10 / 90, 0.0])
    assert (weights[1] / weights[0]).item() == pytest.approx(math.log(1.1 + 80 / 90) / math.log(1.1 + 10 / 90))
    assert (weights * shares).sum().item() == pytest.approx(1.0)
    assert weights[2] > weights[1]


def write_pack(path: Path, records: list[dict[str, str]], random: np.random.Generator, classes: int = 0) -> None:
    """A pack of pictures; with `classes`, of label maps, too."""
    with zipfile.ZipFile(path, "w") as archive:
        for record in records:
            for field in {"file", "image", "label"} & record.keys():
                if field == "label" and not classes:
                    continue
                shape = (12, 16) if field == "label" else (12, 16, 3)
                high = classes if field == "label" else 256
                buffer = io.BytesIO()
                Image.fromarray(random.integers(0, high, shape, dtype=np.uint8)).save(buffer, "png")
                archive.writestr(record[field], buffer.getvalue())
        archive.writestr("manifest.jsonl", "\n".join(json.dumps(record) for record in records))


@pytest.mark.parametrize(("module", "unclassified"), [(pets3, 3), (camvid, 11)])
def test_examples_of_scenes_leave_out_what_the_pack_does(module: Any, unclassified: int, tmp_path: Path) -> None:
    name = module.CARD.name
    record = {"image": "a.png", "label": "b.png", "split": "train"}
    write_pack(tmp_path / f"{name}.zip", [record], np.random.default_rng(0), unclassified + 1)
    [scene] = module.examples(tmp_path, "train")
    assert len(module.LABELS) == unclassified
    assert set(np.unique(scene.target)) == {*range(unclassified), IGNORED_PIXEL}
    assert bundled_model(name) is module.MODEL


def test_objects_are_of_both_packs_and_scored_by_pack(encoder: Start, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for pack, labels in {"caltech25": ["sunflower", "watch", "watch"], "flowers5": ["rose", "sunflower"]}.items():
        records = [{"file": f"{n}.png", "label": label, "split": "valid"} for n, label in enumerate(labels)]
        write_pack(tmp_path / f"{pack}.zip", records, random)
    examples = objects.examples(tmp_path, "valid")
    assert [example.target for example in examples] == ["sunflower", "watch", "watch", "rose", "sunflower"]
    assert len(objects.LABELS) == 29
    assert list(objects.LABELS) == sorted(set(objects.LABELS))
    tuning = objects.tuning(encoder, objects.PLAN, examples, examples)
    model = tuning.build_model()
    with torch.no_grad():
        assert isinstance(model.classifier, torch.nn.Linear)
        model.classifier.weight.zero_()
        model.classifier.bias[objects.LABELS.index("watch")] = 9.0  # says watch to everything
    model.save_pretrained(tmp_path / "run")
    tuning.process.save_pretrained(tmp_path / "run")
    metrics = {metric.name: metric.value for metric in objects.evaluate(tmp_path / "run", tmp_path, "valid")}
    assert metrics == {
        "accuracy, caltech25 part": pytest.approx(2 / 3),
        "mean class accuracy, caltech25 part": pytest.approx(1 / 2),
        "accuracy, flowers5 part": 0.0,
    }


def test_pictures_are_squeezed_to_a_rectangle() -> None:
    image = noise(np.random.default_rng(0), 0, 255, width=30)
    assert as_tensor([image], (20, 24)).shape == (1, 3, 20, 24)
    assert torch.equal(as_tensor([image], 16), as_tensor([image], (16, 16)))
