"""What a representation knows: nearest neighbours and linear probes against labels (analysis-methods.md, section 5).

Rows are items, columns dimensions. Labels are anything that numpy can compare. Features may be a dense array or a
scipy sparse matrix (tf-idf), except where they are standardised.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = Any
"""(items, dim) numbers: an array or a scipy sparse matrix."""
Labels = NDArray[Any]
"""(items,)"""

NEIGHBOURS = 20
TEMPERATURE = 0.07
"""Both as in the papers that made kNN a habit (arXiv 1805.01978, 2104.14294)."""


@dataclass(frozen=True)
class Scaling:
    """Mean 0 and standard deviation 1 of every dimension, by the statistics of one set of rows.

    One to three dimensions of large values can decide every cosine (arXiv 2109.04404); scaling gives all a say.
    """

    mean: NDArray[np.floating]
    """(dim,)"""
    deviation: NDArray[np.floating]
    """(dim,) positive; 1 where the rows did not vary."""

    @classmethod
    def of(cls, features: NDArray[Any]) -> Scaling:
        """Measure (items, dim) features.

        Raises:
            ValueError: they are not (items, dim) with at least one item.
        """
        _check(features)
        deviation = features.std(axis=0)
        # A constant column differs from its mean by rounding alone, which must not be blown up.
        is_constant = deviation <= 1e-6 * np.abs(features).max(axis=0)
        return cls(features.mean(axis=0), np.where(is_constant, 1, deviation))

    def __call__(self, features: NDArray[Any]) -> NDArray[np.floating]:
        """(items, dim) -> the same, scaled."""
        return (features - self.mean) / self.deviation


def knn_classify(
    fit: Features,
    labels: Labels,
    items: Features | None = None,
    *,
    k: int | Sequence[int] = NEIGHBOURS,
    temperature: float = TEMPERATURE,
    batch: int = 1024,
) -> Labels:
    """The class of each item by a vote of its nearest neighbours in cosine (arXiv 1805.01978, section 3.4).

    Each of the k neighbours votes for its class with the weight exp(cosine / temperature). Ties go to the class that
    sorts first. A row of zeros has cosine 0 to everything.

    Args:
        fit: (n, dim) features of the items whose class is known.
        labels: (n,) their classes.
        items: (m, dim) features of the items asked about; None: those of `fit`, each without itself (leave one out).
        k: number of neighbours, from 1; more than there are means all. Several: all are answered from one search.
        temperature: positive; the smaller, the more the nearest decide.
        batch: items whose similarities are held at a time.

    Returns:
        (m,) classes; of several k, (number of k, m).

    Raises:
        ValueError: shapes that do not fit, k or temperature out of range, or nobody left to vote.
    """
    _check_labelled(fit, labels)
    ks = [k] if isinstance(k, int) else list(k)
    others = len(labels) - (items is None)
    if not ks or min(ks) < 1:
        raise ValueError(f"k={k}: expected whole numbers from 1")
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: must be positive")
    if others < 1:
        raise ValueError("fit has one item only: leaving it out leaves nobody to vote")
    if items is not None and (items.ndim != 2 or items.shape[1] != fit.shape[1]):
        raise ValueError(f"items must be (items, {fit.shape[1]}) like fit, got shape {items.shape}")

    classes, ids = np.unique(labels, return_inverse=True)
    predicted = np.empty((len(ks), (fit if items is None else items).shape[0]), dtype=np.int64)
    for start, cosines in _cosines(fit, items, batch):
        nearest = _nearest(cosines, min(max(ks), others))  # (batch, k), nearest first
        near = np.take_along_axis(cosines, nearest, axis=1)
        weights = np.exp((near - near[:, :1]) / temperature)  # a common factor elects nobody, and cannot overflow
        rows = np.arange(len(cosines))[:, None]
        for index, count in enumerate(ks):
            votes = np.zeros((len(cosines), len(classes)))
            np.add.at(votes, (rows, ids[nearest[:, :count]]), weights[:, :count])
            predicted[index, start : start + len(cosines)] = votes.argmax(axis=1)
    return classes[predicted[0] if isinstance(k, int) else predicted]


def _cosines(fit: Features, items: Features | None, batch: int) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """First row and (batch, n) cosines; -inf of an item with itself where `items` is None."""
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import safe_sparse_dot

    directions = normalize(fit)
    asked = directions if items is None else normalize(items)
    for start in range(0, asked.shape[0], batch):
        cosines = np.asarray(safe_sparse_dot(asked[start : start + batch], directions.T, dense_output=True))
        if items is None:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf
        yield start, cosines


def _nearest(cosines: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """(batch, k) columns of the largest entries of each row, largest first."""
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(cosines, nearest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(nearest, order, axis=1)


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on frozen features (arXiv 1610.01644): logistic regression with an L2 penalty."""

    scaling: Scaling | None
    """By the fit part; None: the features are taken as they come."""
    classifier: Any
    """The fitted `sklearn.linear_model.LogisticRegression`."""
    penalty: float
    """See `fit_probe`."""

    def classify(self, features: Features) -> Labels:
        """(items, dim) -> (items,) classes."""
        return np.asarray(self.classifier.predict(features if self.scaling is None else self.scaling(features)))


def fit_probe(
    features: Features, labels: Labels, penalty: float, *, standardise: bool = True, max_iterations: int = 200
) -> LinearProbe:
    """Fit a probe: minimise the mean cross-entropy over the items plus penalty / 2 * |weights|^2, biases free.

    The penalty stands beside a mean, so that it means the same for any number of items (scikit-learn's
    C = 1 / (items * penalty)). The fit may stop at `max_iterations` short of its minimum; this acts as a little more
    penalty.

    Args:
        features: (items, dim).
        labels: (items,), of at least two classes.
        penalty: positive.
        standardise: scale every dimension by the mean and standard deviation of these items, and later those it
            classifies by the same; leave it off for sparse features.
        max_iterations: of L-BFGS.

    Raises:
        ValueError: shapes that do not fit, one class only, or a penalty that is not positive.
    """
    return next(fit_path(features, labels, [penalty], standardise=standardise, max_iterations=max_iterations))


def fit_path(
    features: Features,
    labels: Labels,
    penalties: Sequence[float],
    *,
    standardise: bool = True,
    max_iterations: int = 200,
) -> Iterator[LinearProbe]:
    """A probe of each penalty in turn, each starting from the solution of the one before: from the largest penalty
    down it costs little more than one probe. Takes and raises what `fit_probe` does."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    _check_labelled(features, labels)
    if min(penalties) <= 0:
        raise ValueError(f"penalty={min(penalties)}: must be positive")
    if len(np.unique(labels)) < 2:
        raise ValueError("labels: a probe needs at least two classes, got one")
    scaling = Scaling.of(features) if standardise else None
    scaled = features if scaling is None else scaling(features)
    coordinates, directions = _span(scaled) if scaling is not None else (scaled, None)
    classifier = LogisticRegression(max_iter=max_iterations, warm_start=True)
    for penalty in penalties:
        classifier.C = 1 / (len(labels) * penalty)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is documented
            classifier.fit(coordinates, labels)
        fitted = copy.copy(classifier)
        if directions is not None:
            fitted.coef_ = classifier.coef_ @ directions
            fitted.n_features_in_ = scaled.shape[1]
        yield LinearProbe(scaling, fitted, penalty)


def _span(features: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Items that have more dimensions than there are items, in an orthonormal basis of what they span: coordinates
    (items, rank) and basis (rank, dim). The penalty keeps a probe's weights in that span, so that nothing is lost and
    much time won. Others as they are, and None."""
    items, dim = features.shape
    if dim <= items:
        return features, None
    squares, vectors = np.linalg.eigh(features @ features.T)
    is_kept = squares > np.finfo(squares.dtype).eps * items * squares.max()
    if not is_kept.any():
        return features, None
    vectors, lengths = vectors[:, is_kept], np.sqrt(squares[is_kept])
    return vectors * lengths, (vectors / lengths).T @ features


def choose_penalty(
    features: Features,
    labels: Labels,
    penalties: Sequence[float],
    *,
    valid: tuple[Features, Labels] | None = None,
    folds: int = 3,
    seed: int = 0,
    standardise: bool = True,
    max_iterations: int = 200,
) -> float:
    """The penalty whose probe is right most often; the largest of those that tie.

    Args:
        features, labels: (items, dim) and (items,), which probes are fitted to.
        penalties: candidates.
        valid: features and labels to be right about. None: `folds`-fold stratified cross-validation inside the fit
            items. Never the items that the result is reported on.
        folds, seed: of the cross-validation; each class needs at least as many items as there are folds.
        standardise, max_iterations: see `fit_probe`.

    Raises:
        ValueError: as of `fit_probe`, or no candidates, or a class with too few items for the folds.
    """
    _check_labelled(features, labels)
    if not len(penalties):
        raise ValueError("penalties: expected at least one candidate")
    if valid is not None:
        parts = [(features, labels, *valid)]
    else:
        parts = [
            (features[fit], labels[fit], features[score], labels[score])
            for fit, score in _stratified(labels, folds, seed)
        ]
    candidates = sorted(penalties, reverse=True)
    right = np.zeros(len(candidates))
    for fit_features, fit_labels, score_features, score_labels in parts:
        path = fit_path(fit_features, fit_labels, candidates, standardise=standardise, max_iterations=max_iterations)
        right += [np.sum(probe.classify(score_features) == score_labels) for probe in path]
    return candidates[int(right.argmax())]


def _stratified(labels: Labels, folds: int, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import StratifiedKFold

    fewest = np.unique(labels, return_counts=True)[1].min()
    if not 2 <= folds <= fewest:
        raise ValueError(f"folds={folds}: expected at least 2, and at most {fewest}, the items of the rarest class")
    yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels)


def accuracy(predicted: Labels, true: Labels) -> float:
    """Share of right answers, 0 to 1.

    Raises:
        ValueError: the two are not (items,) of one length, or empty.
    """
    if predicted.shape != true.shape or true.ndim != 1 or not len(true):
        raise ValueError(f"predicted and true must both be (items,), got shapes {predicted.shape} and {true.shape}")
    return float(np.mean(predicted == true))


def confidence_margin(accuracy: float, items: int) -> float:
    """Half the width of the 95 % confidence interval of an accuracy over so many independent items, by the normal
    approximation 1.96 sqrt(a (1 - a) / n)."""
    return 1.96 * float(np.sqrt(accuracy * (1 - accuracy) / items))


def _check(features: Features) -> None:
    if features.ndim != 2 or not features.shape[0]:
        raise ValueError(f"features must be (items, dim) with at least one item, got shape {features.shape}")


def _check_labelled(features: Features, labels: Labels) -> None:
    _check(features)
    if labels.shape != (features.shape[0],):
        raise ValueError(f"labels must be ({features.shape[0]},), one for each item, got shape {labels.shape}")
