"""Predicts each stream's newest sample: from the others, from its own past, and from both.

All predictions are ridge regressions on the features of a window (Hoerl and Kennard, 1970). The inverse of the
features' covariance holds them all: the regression of a part of the variables on the others follows from its rows
(Lauritzen, "Graphical Models", 1996, 5.1.3). How strongly to regularise what is predicted from others is chosen for
each stream by leaving out blocks of windows, whose residuals also show how well unseen windows are predicted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.features import Array

FOLDS = 5
RIDGES = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # penalties, relative to a feature's variance
HINGE_PENALTIES = (10.0, 1e4)  # of hinges, relative to means
OWN_RIDGE = 1e-3
ROWS = 16  # multiplied at once

BOTH, OTHERS, OWN = range(3)
"""What a sample is predicted from: the others' windows and its own past, the others only, its own past only."""
N_PREDICTIONS = 3


class Prediction(NamedTuple):
    """`weights`, float32 of shape (n_features, N_PREDICTIONS, n_streams), take features less `mean` to residuals.

    `mean`: of the features, shape (n_features,). `held_out`: the residuals of the training windows when their part
    was left out of learning, float32 of shape (n_windows, N_PREDICTIONS, n_streams).
    """

    mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    held_out: NDArray[np.float32]


def learn(features: NDArray[np.float32], n_hinges: int, n_steps: int) -> Prediction:
    """Learn from the features of training windows, shape (n_windows, n_streams, n_features), in order of time.

    `n_hinges`: the number of each stream's features that are hinges; the others are in order of time.
    """
    n_windows, n_streams, n_own = features.shape
    flat = features.reshape(n_windows, -1)
    total = _Moments.of(flat)
    hinge = np.tile(np.arange(n_own) < n_hinges, n_streams)
    penalties = [
        ridge * np.where(hinge, factor, 1) for ridge in RIDGES for factor in (HINGE_PENALTIES if n_hinges else (1.0,))
    ]
    tried = np.empty((len(penalties), n_windows, 2, n_streams), np.float32)
    held_out = np.empty((n_windows, N_PREDICTIONS, n_streams), np.float32)
    for block in np.array_split(np.arange(n_windows), FOLDS):
        near = slice(max(0, block[0] - n_steps), block[-1] + n_steps + 1)  # these windows overlap with the block's
        rest = total.without(_Moments.of(flat[near]))
        out = flat[block] - rest.mean.astype(np.float32)
        for residuals, penalty in zip(tried, penalties, strict=True):
            residuals[block] = residual(out, _from_others(rest.covariance, penalty, n_streams, n_hinges))
        held_out[block, OWN] = out @ _from_own_past(rest.covariance, n_streams, n_hinges)
    best = np.square(tried).mean(axis=1).argmin(axis=0)
    held_out[:, :OWN] = np.take_along_axis(tried, best[None, None], axis=0)[0]
    weights = np.empty((flat.shape[1], N_PREDICTIONS, n_streams), np.float32)
    weights[:, OWN] = _from_own_past(total.covariance, n_streams, n_hinges)
    for index in np.unique(best):
        chosen = best == index
        all_weights = _from_others(total.covariance, penalties[index], n_streams, n_hinges)
        weights[:, :OWN][:, chosen] = all_weights[:, chosen]
    return Prediction(total.mean.astype(np.float32), weights, held_out)


def explained_by_others(held_out: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each stream's variance, 0 to 1, that the others explain, shape (n_streams,).

    `held_out`: the residuals of windows when left out, shape (n, N_PREDICTIONS, n_streams).
    """
    explained: NDArray[np.float64] = np.maximum(1 - np.square(held_out[:, OTHERS], dtype=np.float64).mean(axis=0), 0)
    return explained


def shares(features: NDArray[np.float32], learned: Prediction) -> NDArray[np.float32]:
    """Return the share of each row's stream's variance that each column's stream predicts, (n_streams, n_streams).

    `features`: those that were learned from. A row sums up to what is explained when windows are left out. Within it,
    shares are in proportion to the variance of what each of the others contributes to the prediction.
    """
    n_windows, n_streams, n_own = features.shape
    weights = learned.weights[:, OTHERS].reshape(n_streams, n_own, n_streams).astype(np.float64)
    contributed = np.empty((n_streams, n_streams))
    for source, mean in enumerate(learned.mean.reshape(n_streams, n_own)):
        centred = (features[:, source] - mean).astype(np.float64)
        contributed[:, source] = np.einsum(
            "ft,fg,gt->t", weights[source], centred.T @ centred / n_windows, weights[source], optimize=True
        )
    np.fill_diagonal(contributed, 0)
    explained = explained_by_others(learned.held_out)
    total = np.maximum(contributed.sum(axis=1), np.finfo(np.float64).tiny)
    result: NDArray[np.float32] = (contributed / total[:, None] * explained[:, None]).astype(np.float32)
    return result


def residual(centred: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the residuals of features less their mean, shape (n, n_features): (n, *weights.shape[1:]).

    A row's are the same, to the last bit, whatever rows there are beside it: it is always one of ROWS, padded with
    zeros. How a matrix product rounds depends on the number of rows.
    """
    n, n_features = centred.shape
    padded = np.concatenate([centred, np.zeros((-n % ROWS, n_features), np.float32)]).reshape(-1, ROWS, n_features)
    residuals = padded @ weights.reshape(n_features, -1)
    return residuals.reshape(-1, *weights.shape[1:])[:n]


class _Moments(NamedTuple):
    """Number of rows, their sum and the sum of their products."""

    rows: int
    sums: Array
    products: Array

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> _Moments:
        width = rows.shape[1]
        sums, products = np.zeros(width), np.zeros((width, width))
        for start in range(0, len(rows), 1024):
            part = rows[start : start + 1024].astype(np.float64)
            sums += part.sum(axis=0)
            products += part.T @ part
        return cls(len(rows), sums, products)

    def without(self, part: _Moments) -> _Moments:
        return _Moments(self.rows - part.rows, self.sums - part.sums, self.products - part.products)

    @property
    def mean(self) -> Array:
        return self.sums / self.rows

    @property
    def covariance(self) -> Array:
        covariance: Array = self.products / self.rows - np.multiply.outer(self.mean, self.mean)
        return covariance


def _from_others(covariance: Array, penalty: Array, n_streams: int, n_hinges: int) -> NDArray[np.float32]:
    """Return what takes features to the residuals of BOTH and OTHERS, shape (n_features, 2, n_streams)."""
    precision = np.linalg.inv(covariance + np.diag(penalty))
    n_own = len(covariance) // n_streams
    weights = np.empty((len(covariance), 2, n_streams), np.float32)
    for stream in range(n_streams):
        own = slice(stream * n_own, (stream + 1) * n_own)
        # The residuals of this stream's means given the others' features, and of the newest given those before, too.
        spread = np.linalg.inv(precision[own, own])
        given_others = precision[:, own] @ spread[:, n_hinges:]
        inner = np.linalg.inv(spread[n_hinges:, n_hinges:])
        weights[:, OTHERS, stream] = given_others[:, -1]
        weights[:, BOTH, stream] = given_others @ inner[:, -1] / inner[-1, -1]
    return weights


def _from_own_past(covariance: Array, n_streams: int, n_hinges: int) -> NDArray[np.float32]:
    """Return what takes features to the residuals of OWN, shape (n_features, n_streams)."""
    n_own = len(covariance) // n_streams
    weights = np.zeros((len(covariance), n_streams), np.float32)
    for stream in range(n_streams):
        means = slice(stream * n_own + n_hinges, (stream + 1) * n_own)
        inner = np.linalg.inv(covariance[means, means] + OWN_RIDGE * np.eye(n_own - n_hinges))
        weights[means, stream] = inner[:, -1] / inner[-1, -1]
    return weights
