"""What is kept of attention, and what heads do, against the attention itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.attention import (
    attention_distance,
    attention_entropy,
    grid_distances,
    rollout,
    sequence_distances,
    without,
)
from analysis.attention_heads import heads_over_items, record_heads
from analysis.attention_view import (
    Quantised,
    Size,
    attention_map,
    averaged_down,
    bin_starts,
    place_labels,
    quantise,
    record_attention,
    sink_places,
)
from analysis.subject import ROLES, Role, Shown, Subject, View
from analysis.value_zeroing import block_alone, rank_correlation, value_zeroing
from tests.lab import bundle
from tests.pretraining_samples import MODALITIES
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture

INPUTS: dict[str, Any] = {
    "audio": np.sin(np.arange(4000) / 7).astype(np.float32) * np.linspace(0, 1, 4000, dtype=np.float32),
    "text": "a warm film",
    "vision": np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8),
}
WHOLE = 10_000_000


@pytest.fixture(scope="module")
def encoders(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    return bundle(checkpoints, tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="module", params=MODALITIES)
def looked(request: pytest.FixtureRequest, encoders: Path) -> tuple[Subject, Shown]:
    subject = Subject.from_pretrained(encoders / request.param)
    source = INPUTS[request.param]
    return subject, subject.show(source, sampling_rate=16_000 if request.param == "audio" else None)


def size(subject: Subject, shown: Shown, **limits: int) -> Size:
    limits = {"whole": WHOLE, "small": 1, "large": 1} | limits
    return Size.within(subject.depth, subject.heads, len(shown) + shown.class_tokens, **limits)


def stack(subject: Subject, shown: Shown) -> np.ndarray:
    return np.stack([subject.attention(shown, layer) for layer in range(1, subject.depth + 1)])


def test_of_a_short_input_all_is_kept(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    whole = stack(subject, shown)
    found = record_attention(subject, shown, layer=2, position=1, size=size(subject, shown))
    assert found.small == pytest.approx(whole, abs=1e-6)
    assert found.large == pytest.approx(whole[1], abs=1e-6)
    assert found.rows == pytest.approx(whole[:, :, shown.place(1)], abs=1e-6)
    assert (found.hidden == 0).all()


def test_of_a_long_input_means_are_kept_and_one_row_as_it_is(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    whole = stack(subject, shown)
    small = Size(small=(3, 2), large=(2, 3))
    found = record_attention(subject, shown, layer=1, position=2, size=small)
    assert found.small.shape == (subject.depth, subject.heads, 3, 2)
    assert found.large.shape == (subject.heads, 2, 3)
    assert found.rows == pytest.approx(whole[:, :, shown.place(2)], abs=1e-6)
    half = bin_starts(whole.shape[-1], 2)[1]
    third = bin_starts(whole.shape[-2], 3)[1]
    assert found.small[..., 0, 0] == pytest.approx(whole[..., :third, :half].mean(axis=(-2, -1)), rel=1e-5)


def test_hidden_places_get_nothing_and_the_rest_is_one_again(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    sinks = sink_places(shown)
    found = record_attention(subject, shown, size=size(subject, shown), hide=sinks)
    assert (found.small[..., list(sinks)] == 0).all()
    assert found.small.sum(axis=-1) == pytest.approx(np.ones(found.small.shape[:-1]), abs=1e-5)
    whole = stack(subject, shown)
    assert found.hidden == pytest.approx(whole[..., list(sinks)].sum(axis=-1).mean(axis=-1), abs=1e-5)
    others = np.setdiff1d(np.arange(whole.shape[-1]), sinks)
    expected = without(whole[0], sinks).attention
    assert found.small[0][:, others][..., others] == pytest.approx(expected, abs=1e-5)


def test_rollout_is_that_of_all_layers_below(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    whole = stack(subject, shown)
    found = record_attention(subject, shown, size=size(subject, shown), mode="rollout")
    assert found.small.shape[1] == 1
    assert found.small.sum(axis=-1) == pytest.approx(np.ones(found.small.shape[:-1]), abs=1e-5)
    for layer in range(1, subject.depth + 1):
        assert found.small[layer - 1, 0] == pytest.approx(rollout(list(whole[:layer])), abs=1e-5)


def test_a_difference_is_the_students_minus_the_teachers(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    roles: tuple[View, ...] = ("student", "teacher", "difference")
    student, teacher, found = (record_attention(subject, shown, role, size=size(subject, shown)) for role in roles)
    assert found.small == pytest.approx(student.small - teacher.small)
    assert np.abs(found.small).max() > 1e-4
    assert found.small.sum(axis=-1) == pytest.approx(np.zeros(found.small.shape[:-1]), abs=1e-5)
    row = attention_map(subject, shown, "difference", 1, 2, 0).weights
    assert row == pytest.approx(found.small[0, 1, shown.place(0)], abs=1e-6)


def test_one_map_is_what_the_model_has(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    whole = subject.attention(shown, 2)
    found = attention_map(subject, shown, "student", 2, 1)
    assert found.weights == pytest.approx(whole[0], abs=1e-6)
    assert found.shape == whole.shape[1:]
    assert len(found.labels) == whole.shape[-1]
    mean = attention_map(subject, shown, "student", 2, 0, 1)
    assert mean.weights == pytest.approx(whole.mean(axis=0)[shown.place(1)], abs=1e-6)
    if shown.class_tokens:
        assert found.labels[:2] == ("class token", "1, 1")
        assert attention_map(subject, shown, "student", 2, 1, -1).weights == pytest.approx(whole[0, 0], abs=1e-6)
    assert place_labels(shown) == found.labels


def test_what_is_not_there_is_refused(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    with pytest.raises(ValueError, match="layer=0"):
        attention_map(subject, shown, "student", 0, 1)
    with pytest.raises(ValueError, match="head="):
        attention_map(subject, shown, "student", 1, subject.heads + 1)
    with pytest.raises(ValueError, match="position="):
        attention_map(subject, shown, "student", 1, 1, 10_000)
    with pytest.raises(ValueError, match="role='both'"):
        attention_map(subject, shown, "both", 1, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode="):
        record_attention(subject, shown, size=size(subject, shown), mode="flow")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="layer=99"):
        record_attention(subject, shown, size=size(subject, shown), layer=99)


def test_sizes_stay_within_what_they_may_take() -> None:
    assert Size.within(4, 8, 20, whole=12_800, small=1, large=1) == Size(small=(20, 20), large=(20, 20))
    long = Size.within(12, 12, 1499, whole=800_000, small=240_000, large=400_000)
    assert 144 * math.prod(long.small) <= 240_000
    assert 12 * math.prod(long.large) <= 400_000
    assert long.large[1] == 3 * long.large[0]
    photo = Size.within(12, 12, 197, whole=800_000, small=240_000, large=500_000)
    assert photo.large == (197, 197)
    assert not photo.is_whole(197)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_averages_of_even_weights_are_even_and_all_weights_count(places: int, wanted: int, seed: int) -> None:
    even = averaged_down(np.full((2, places, places), 0.25), (wanted, wanted))
    assert even == pytest.approx(np.full_like(even, 0.25))
    assert even.shape == (2, min(places, wanted), min(places, wanted))
    rows = np.random.default_rng(seed).random((1, places, places))
    counts = np.diff(np.append(bin_starts(places, min(places, wanted)), places))
    sums = averaged_down(rows, (wanted, wanted))[0] * np.outer(counts, counts)
    assert sums.sum() == pytest.approx(rows.sum(), rel=1e-4)


@given(st.integers(0, 999), st.booleans())
def test_eight_bits_keep_a_weight_within_their_bound(seed: int, signed: bool) -> None:
    rows = np.random.default_rng(seed).gamma(0.2, size=(3, 7, 11)).astype(np.float32)
    if signed:
        rows -= rows[:, :, ::-1]
    found = quantise(rows, signed=signed)
    assert found.codes.dtype == np.uint8
    bound = np.abs(rows).max(axis=-1, keepdims=True) / (127 if signed else 255)
    assert (np.abs(found.restored() - rows) <= bound * 1.001 + 1e-12).all()
    assert quantise(np.zeros((2, 3)), signed=signed).restored() == pytest.approx(np.zeros((2, 3)))


def test_negative_weights_are_differences() -> None:
    with pytest.raises(ValueError, match="differences"):
        quantise(np.array([[-0.1, 1.1]]))
    assert isinstance(quantise(np.array([[-0.1, 0.1]]), signed=True), Quantised)


@pytest.mark.parametrize("role", ROLES)
def test_heads_are_measured_as_attention_comes_to_be(looked: tuple[Subject, Shown], role: Role) -> None:
    subject, shown = looked
    record = record_heads(subject, shown, role, position=1, whole=(2, 1), hidden=True)
    whole = np.stack([subject.attention(shown, layer, role) for layer in range(1, subject.depth + 1)])
    places = [*range(shown.class_tokens), *(shown.class_tokens + one for one in shown.special)]
    kept = without(whole, places).attention
    apart = grid_distances(*shown.grid) if shown.grid else sequence_distances(kept.shape[-1], shown.step)
    assert record.distance == pytest.approx(attention_distance(kept, apart), rel=1e-5)
    most = math.log(kept.shape[-1])
    assert record.entropy == pytest.approx(attention_entropy(kept).mean(axis=-1) / most, rel=1e-5)
    mean_row = attention_entropy(kept.mean(axis=-2, keepdims=True))[..., 0]
    assert record.mean_entropy == pytest.approx(mean_row / most, rel=1e-5)
    assert record.rows == pytest.approx(whole[:, :, shown.place(1)], abs=1e-6)  # layers below ran fused there
    assert record.map is not None
    assert record.map == pytest.approx(whole[1, 0], abs=1e-6)
    assert record.hidden is not None
    assert record.hidden == pytest.approx(subject.hidden(shown, role), abs=1e-5)
    plain = record_heads(subject, shown, role)
    assert plain.map is None
    assert plain.hidden is None
    with pytest.raises(ValueError, match=r"whole=\(9, 1\)"):
        record_heads(subject, shown, role, whole=(9, 1))


def test_heads_are_measured_over_items(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    found = heads_over_items(subject, [shown, shown])
    assert found.distance.shape == found.entropy.shape == (subject.depth, subject.heads)
    assert (found.items, found.positions) == (2, 2 * (len(shown) - len(shown.special)))
    assert found.distance_spread == pytest.approx(np.zeros_like(found.distance), abs=1e-9)
    assert found.entropy.max() <= 1 + 1e-9
    assert (found.kinds is not None) == (subject.modality == "audio")
    if subject.modality == "text":
        count = len(shown) - 2
        assert found.uniform_distance == pytest.approx((count**2 - 1) / (3 * count))
    with pytest.raises(ValueError, match="at least one"):
        heads_over_items(subject, [])


def test_one_block_alone_gives_what_the_whole_model_gives(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    for role in ROLES:
        alone = value_zeroing(block_alone(subject, shown, role, 2), 2)
        whole = value_zeroing(lambda copies, trace: subject.run(shown, role, trace, copies=copies), 2)  # noqa: B023
        assert alone == pytest.approx(whole, abs=1e-5)


def test_heads_and_groups_are_silenced_alone(looked: tuple[Subject, Shown]) -> None:
    subject, shown = looked
    run = block_alone(subject, shown, "student", 1)
    all_heads, one = value_zeroing(run, 1), value_zeroing(run, 1, head=1)
    assert one.shape == all_heads.shape
    assert not np.allclose(one, all_heads, atol=1e-9, rtol=1e-3)
    groups = value_zeroing(run, 1, [[0, 1], [2]])
    assert groups.shape == (len(all_heads), 2)
    assert groups[:, 1] == pytest.approx(all_heads[:, 2], abs=1e-5)
    with pytest.raises(ValueError, match="head=99"):
        value_zeroing(run, 1, head=99)
    with pytest.raises(ValueError, match="layer=99"):
        block_alone(subject, shown, "student", 99)


def test_rank_correlation_against_known_values() -> None:
    rising = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    # two of five swapped: 1 - 6 * 2 / (5 * 24)
    assert rank_correlation(rising, np.array([2.0, 1.0, 3.0, 4.0, 5.0])) == pytest.approx(0.9)
    # ties share their rank
    assert rank_correlation(np.array([1, 2, 2, 3]), np.array([1, 2, 3, 4])) == pytest.approx(0.9486833)
    assert math.isnan(rank_correlation(rising, np.ones(5)))
    with pytest.raises(ValueError, match="one length"):
        rank_correlation(rising, rising[:3])
