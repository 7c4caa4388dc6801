"""Neighbours and linear probes against hand-counted votes and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from analysis.probing import (
    Scaling,
    accuracy,
    choose_penalty,
    confidence_margin,
    fit_path,
    fit_probe,
    knn_classify,
)


def clouds(items: int = 120, dim: int = 6, classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    """Overlapping Gaussian clouds, one a class."""
    random = np.random.default_rng(seed)
    ids = np.arange(items) % classes
    centres = 1.2 * random.standard_normal((classes, dim))
    return centres[ids] + random.standard_normal((items, dim)), np.array(["red", "green", "blue"])[ids]


def test_votes_weigh_by_similarity() -> None:
    fit = np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8], [-1.0, 0.0]])
    labels = np.array(["a", "b", "b", "b"])
    item = np.array([[2.0, 0.0]])  # cosines 1, 0.6, 0.6, -1, whatever its length
    assert knn_classify(fit, labels, item, k=1).tolist() == ["a"]
    # exp(1 / t) against 2 exp(0.6 / t): equal at t = 0.4 / ln 2 = 0.577
    assert knn_classify(fit, labels, item, k=3, temperature=0.57).tolist() == ["a"]
    assert knn_classify(fit, labels, item, k=3, temperature=0.58).tolist() == ["b"]
    assert knn_classify(fit, labels, item, k=99, temperature=1e-4).tolist() == ["a"]  # all of them, no overflow


@pytest.mark.parametrize("k", [1, 5, 20])
def test_neighbours_agree_with_scikit_learn(k: int) -> None:
    features, labels = clouds()
    fit, items = features[:80], features[80:]
    theirs = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07)).fit(fit, labels[:80])
    ours = knn_classify(fit, labels[:80], items, k=k, batch=7)
    assert ours.tolist() == theirs.predict(items).tolist()


def test_leaving_one_out_is_asking_about_each_with_the_others() -> None:
    features, labels = clouds(40)
    one_by_one = [
        knn_classify(np.delete(features, i, axis=0), np.delete(labels, i), features[i : i + 1], k=5)[0]
        for i in range(len(features))
    ]
    assert knn_classify(features, labels, k=5, batch=9).tolist() == one_by_one
    assert knn_classify(features, labels, k=1).tolist() != labels.tolist()  # with itself, everything would be right


def test_several_k_are_answered_as_if_asked_alone() -> None:
    features, labels = clouds()
    together = knn_classify(features, labels, k=[1, 3, 50, 500])
    assert together.shape == (4, 120)
    for row, k in zip(together, (1, 3, 50, 500), strict=True):
        assert row.tolist() == knn_classify(features, labels, k=k).tolist()


def test_sparse_features_vote_like_dense_ones() -> None:
    features, labels = clouds()
    features = np.where(features > 1, features, 0.0)
    dense = knn_classify(features, labels, features[:10], k=3)
    compressed = sparse.csr_matrix(features)
    assert knn_classify(compressed, labels, compressed[:10], k=3).tolist() == dense.tolist()
    assert knn_classify(compressed, labels, k=3).tolist() == knn_classify(features, labels, k=3).tolist()


def test_neighbours_refuse_what_makes_no_sense() -> None:
    features, labels = clouds(12)
    for change, message in (
        ({"k": 0}, "k=0"),
        ({"k": []}, "whole numbers from 1"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"labels": labels[:5]}, r"labels must be \(12,\)"),
        ({"items": features[:, :2]}, r"items must be \(items, 6\)"),
        ({"fit": features[:1], "labels": labels[:1]}, "nobody to vote"),
        ({"fit": features[:0], "labels": labels[:0]}, "at least one item"),
    ):
        with pytest.raises(ValueError, match=message):
            knn_classify(**({"fit": features, "labels": labels} | change))


def test_scaling_is_by_the_rows_it_was_measured_on() -> None:
    features, _ = clouds()
    features[:, 2] = 7.1  # constant
    scaling = Scaling.of(features[:80])
    expected = StandardScaler().fit(features[:80]).transform(features)
    varied = [0, 1, 3, 4, 5]
    assert np.allclose(scaling(features)[:, varied], expected[:, varied])
    assert np.abs(scaling(features)[:, 2]).max() < 1e-6
    constant = np.full((50, 1), 0.1, dtype=np.float32)
    assert np.abs(Scaling.of(constant)(constant)).max() < 1e-6  # rounding is not blown up


def test_probe_is_scikit_learns_logistic_regression_on_scaled_features() -> None:
    features, labels = clouds()
    probe = fit_probe(features[:80], labels[:80], 0.05)
    scaler = StandardScaler().fit(features[:80])
    theirs = LogisticRegression(C=1 / (80 * 0.05), max_iter=1000).fit(scaler.transform(features[:80]), labels[:80])
    assert np.allclose(probe.classifier.coef_, theirs.coef_, atol=1e-3)
    assert probe.classify(features[80:]).tolist() == theirs.predict(scaler.transform(features[80:])).tolist()


def test_probe_minimises_the_stated_objective() -> None:
    features, labels = clouds()
    penalty = 0.1
    best = fit_probe(features, labels, penalty, standardise=False, max_iterations=2000).classifier
    ids = np.searchsorted(best.classes_, labels)

    def objective(weights: Any, biases: Any) -> float:
        logits = features @ weights.T + biases
        log_sum = np.log(np.exp(logits).sum(axis=1))
        cross_entropy = (log_sum - logits[np.arange(len(ids)), ids]).mean()
        return float(cross_entropy + penalty / 2 * (weights**2).sum())

    least = objective(best.coef_, best.intercept_)
    random = np.random.default_rng(0)
    for _ in range(20):
        step = 0.05 * random.standard_normal(best.coef_.shape)
        assert objective(best.coef_ + step, best.intercept_) > least


def test_probe_of_more_dimensions_than_items_is_the_same_probe() -> None:
    features, labels = clouds(40, dim=100)
    features[1] = features[0]  # a span smaller than the number of items
    probe = fit_probe(features[:30], labels[:30], 0.01, max_iterations=1000)
    scaler = StandardScaler().fit(features[:30])
    theirs = LogisticRegression(C=1 / 0.3, max_iter=5000, tol=1e-8).fit(scaler.transform(features[:30]), labels[:30])
    assert probe.classifier.coef_.shape == (3, 100)
    assert np.allclose(probe.classifier.coef_, theirs.coef_, atol=5e-3)
    assert probe.classify(features[30:]).tolist() == theirs.predict(scaler.transform(features[30:])).tolist()


def test_a_path_of_probes_ends_where_each_alone_would() -> None:
    features, labels = clouds()
    path = list(fit_path(features, labels, [1.0, 0.1, 0.01], max_iterations=1000))
    for probe in path:
        alone = fit_probe(features, labels, probe.penalty, max_iterations=1000)
        assert np.allclose(probe.classifier.coef_, alone.classifier.coef_, atol=5e-3)
    assert np.abs(path[0].classifier.coef_).max() < np.abs(path[2].classifier.coef_).max()


def test_penalty_is_chosen_by_folds_inside_the_fit_part() -> None:
    features, labels = clouds(60, dim=30)
    penalties = [1e-4, 1e-2, 1.0]
    chosen = choose_penalty(features, labels, penalties, folds=3, seed=1, standardise=False, max_iterations=1000)
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": [1 / (40 * penalty) for penalty in sorted(penalties, reverse=True)]},  # 40 of 60 items in each fit
        cv=StratifiedKFold(3, shuffle=True, random_state=1),
    ).fit(features, labels)
    assert chosen == pytest.approx(1 / (40 * search.best_params_["C"]))


def test_penalty_is_chosen_by_the_valid_part_where_there_is_one() -> None:
    random = np.random.default_rng(0)
    labels = np.array(["a", "b"] * 20)
    features = random.standard_normal((40, 60))  # noise, which a weak penalty learns by heart
    by_heart = choose_penalty(features, labels, [1e-4, 1e2], valid=(features, labels))
    assert by_heart == 1e-4
    tie = choose_penalty(features, labels, [1e-4, 1e-3], valid=(features, labels))
    assert tie == 1e-3  # the larger of two that are always right


def test_probes_refuse_what_makes_no_sense() -> None:
    features, labels = clouds(12)
    with pytest.raises(ValueError, match="penalty=0"):
        fit_probe(features, labels, 0)
    with pytest.raises(ValueError, match="at least two classes"):
        fit_probe(features, np.full(12, "red"), 1)
    with pytest.raises(ValueError, match=r"labels must be \(12,\)"):
        fit_probe(features, labels[:3], 1)
    with pytest.raises(ValueError, match="folds=5: expected at least 2, and at most 4"):
        choose_penalty(features, labels, [1.0], folds=5)
    with pytest.raises(ValueError, match="at least one candidate"):
        choose_penalty(features, labels, [])


def test_accuracy_and_its_margin() -> None:
    assert accuracy(np.array(["a", "b", "b", "a"]), np.array(["a", "b", "a", "a"])) == 0.75
    assert confidence_margin(0.5, 100) == pytest.approx(0.098)
    with pytest.raises(ValueError, match=r"both be \(items,\)"):
        accuracy(np.array(["a"]), np.array(["a", "b"]))
