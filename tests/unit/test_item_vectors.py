"""Vectors of sets of items: who may see what, which items they are of, and what can be read off them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analysis.component_colours import followed_colours
from analysis.item_sets import ItemSet, item_set, item_sets, quarters
from analysis.item_vectors import ItemVectors, item_vectors, paired, pooled_vectors
from analysis.items.manifest import ItemsError
from analysis.layer_comparison import compare_layers, fewest_items
from analysis.layer_knowledge import layer_knowledge
from analysis.subject import Subject
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def subject(checkpoints: dict[str, Path]) -> Subject:  # noqa: F811
    return Subject.from_pretrained(checkpoints["vision"])


def pictures(count: int, seed: int = 0) -> list[Image.Image]:
    generator = np.random.default_rng(seed)
    return [Image.fromarray(generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)) for _ in range(count)]


def own(count: int) -> ItemSet:
    seen = pictures(count)
    names = tuple(f"picture {number}" for number in range(count))
    return ItemSet("own", names, {"parity": tuple(str(n % 2) for n in range(count))}, {"vision": lambda: seen})


def test_every_bundled_set_has_names_and_labels_of_all_items() -> None:
    for name in item_sets():
        found = item_set(name)
        assert len(found) >= 30, name
        assert found.modalities, name
        assert all(len(values) == len(found) for values in found.labels.values()), name


def test_the_three_senses_of_things_are_in_one_order() -> None:
    things = item_set("things")
    assert set(things.modalities) == {"audio", "text", "vision"}
    assert things.sources["text"]() == list(things.names)
    assert len(things.sources["vision"]()) == len(things.sources["audio"]()) == len(things)


def test_batches_give_what_single_inputs_give(subject: Subject) -> None:
    seen = pictures(5)
    together = pooled_vectors(subject, seen)
    assert together.shape == (subject.depth + 1, 5, subject.dim)
    for place, one in enumerate(seen):
        shown = subject.show(one)
        for layer in (0, subject.depth):
            np.testing.assert_allclose(together[layer, place], subject.embed(shown, layer), atol=1e-5)


def test_items_can_be_fewer_and_sides_are_paired_by_what_they_are(subject: Subject) -> None:
    items = own(9)
    whole = item_vectors(items, "tiny", subject=subject)
    few = item_vectors(items, "tiny", subject=subject, most=4)
    assert few.index.tolist() == [0, 3, 5, 8]
    first, second = paired(whole, few)
    assert first.names == second.names == ("picture 0", "picture 3", "picture 5", "picture 8")
    np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-5)
    assert first.labels["parity"] == ("0", "1", "1", "0")
    with pytest.raises(ValueError, match="different items"):
        paired(whole, item_vectors("flowers5", "vision"))
    with pytest.raises(ValueError, match="item 1 of own"):
        few.of(np.array([0, 1]))


def test_an_untrained_network_is_another_one_of_the_same_shape(
    checkpoints: dict[str, Path],  # noqa: F811
    subject: Subject,
) -> None:
    trained = item_vectors(own(4), str(checkpoints["vision"]), subject=subject)
    control = item_vectors(own(4), str(checkpoints["vision"]), subject=subject, untrained=True)
    assert control.is_untrained
    assert control.vectors.shape == trained.vectors.shape
    assert np.abs(control.vectors - trained.vectors).max() > 1e-3


def test_packs_have_stored_vectors_of_those_who_saw_them_and_no_items() -> None:
    found = item_vectors("an4", "text", "teacher")
    assert found.modality == "text"
    assert found.rounding > 0
    assert found.has_role
    assert not item_vectors("flowers5", "objects", "teacher").has_role
    assert item_set("an4").raw("audio") is None
    with pytest.raises(ItemsError, match="no vectors of vision"):
        item_vectors("an4", "vision")
    with pytest.raises(ItemsError, match="untrained"):
        item_vectors("an4", "audio", untrained=True)
    with pytest.raises(ItemsError, match="there are things"):
        item_set("no such set")


def test_an_utterance_is_nearer_to_its_own_transcript_than_chance_has_it() -> None:
    sound, text = item_vectors("an4", "audio"), item_vectors("an4", "text")
    found = compare_layers(sound.vectors, text.vectors, "cka").matrix
    shuffled = compare_layers(sound.vectors, text.vectors, "cka", shuffled=0).matrix
    assert found.max() > np.abs(shuffled).max()


@pytest.mark.parametrize("modality", ["vision", "audio", "text"])
def test_raw_features_differ_where_inputs_do(modality: Any) -> None:
    raw = item_set("things").raw(modality)
    assert raw is not None
    assert len(raw) == 208
    assert np.isfinite(raw).all()
    assert len(np.unique(raw.round(6), axis=0)) > 200


def test_a_set_refuses_models_of_a_modality_that_it_lacks(subject: Subject) -> None:
    texts = ItemSet("own", ("a", "b"), {}, {"text": lambda: ["a", "b"]})
    with pytest.raises(ValueError, match="nothing to show"):
        item_vectors(texts, "tiny", subject=subject)


def test_quarters_hold_a_quarter_each() -> None:
    assert quarters([5, 1, 8, 2, 7, 3, 6, 4]) == ("3", "1", "4", "1", "4", "2", "3", "2")


def test_fewest_items_is_what_the_measures_refuse_below() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 1, 40, 4)), generator.standard_normal((2, 1, 40, 3))
    first, second = first[0], second[0]
    for measure in ("svcca", "pwcca"):
        needed = fewest_items(first, second, measure)
        assert needed == 14
        compare_layers(first[:, :needed], second[:, :needed], measure)
        with pytest.raises(ValueError, match="too few"):
            compare_layers(first[:, : needed - 1], second[:, : needed - 1], measure)
    assert fewest_items(first, second, "cka") == 4


def test_a_layer_that_holds_the_label_knows_it_and_noise_does_not() -> None:
    generator = np.random.default_rng(0)
    labels = np.array(["a", "b", "c"] * 20 + ["rare", "rare"])
    noise = generator.standard_normal((62, 8))
    told = noise + 6 * np.eye(8)[np.unique(labels, return_inverse=True)[1]]
    found = layer_knowledge(np.stack([noise, told]), labels)
    assert (found.n, found.classes, found.folds) == (60, 3, 5)
    assert found.chance == pytest.approx(1 / 3)
    assert found.probe[1] > 0.95
    assert found.knn[1] > 0.95
    assert found.probe[0] < 0.6
    assert found.knn[0] < 0.6
    assert found.margins(found.probe)[0] > 0.1
    with pytest.raises(ValueError, match="two classes"):
        layer_knowledge(told[None], np.array(["x"] * 62))


def test_colours_follow_from_layer_to_layer_when_only_the_axes_turn() -> None:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((30, 6)) * [9, 5, 3, 0.1, 0.1, 0.1]
    turn = np.linalg.qr(generator.standard_normal((6, 6)))[0]
    colours, shares = followed_colours(np.stack([rows, rows @ turn]))
    assert colours.shape == (2, 30, 3)
    assert np.abs(colours[0].astype(int) - colours[1]).max() <= 2
    assert shares[0] == pytest.approx(shares[1])
    both, _ = followed_colours(np.stack([rows, rows]), np.stack([rows, rows]))
    assert (both[:, :30] == both[:, 30:]).all()


def test_vectors_are_of_as_many_items_as_the_index_says() -> None:
    found = item_vectors("flowers5", "vision")
    assert isinstance(found, ItemVectors)
    assert len(found) == found.vectors.shape[1] == len(found.names)
