"""Predicts each stream's newest sample: from the others, from its own past, and from both.

All predictions are ridge regressions on the features of a window (Hoerl and Kennard, 1970). The inverse of the
features' covariance holds them all: the regression of a part of the variables on the others follows from its rows
(Lauritzen, "Graphical Models", 1996, 5.1.3). How strongly to regularise is chosen for each stream and prediction by
leaving out blocks of windows, whose residuals also show how well unseen windows are predicted.
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

BOTH, OTHERS, OWN = range(3)
"""What a sample is predicted from: the others' windows and its own past, the others only, its own past only."""
N_PREDICTIONS = 3


class Prediction(NamedTuple):
    """`weights`, float32 of shape (n_features, N_PREDICTIONS, n_streams), take features to residuals.

    `held_out`: the residuals of the training windows when their part was left out of learning, float32 of shape
    (n_windows, N_PREDICTIONS, n_streams).
    """

    weights: NDArray[np.float32]
    held_out: NDArray[np.float32]


def learn(features: NDArray[np.float32], n_hinges: int, n_steps: int) -> Prediction:
    """Learn from the features of training windows, shape (n_windows, n_streams, n_features), in order of time.

    `n_hinges`: the number of each stream's features that are hinges; the others are in order of time.
    """
    n_windows, n_streams, n_own = features.shape
    flat = features.reshape(n_windows, -1)
    total = _gram(flat)
    hinge = np.tile(np.arange(n_own) < n_hinges, n_streams)
    penalties = [
        ridge * np.where(hinge, factor, 1) for ridge in RIDGES for factor in (HINGE_PENALTIES if n_hinges else (1.0,))
    ]
    held_out = np.empty((len(penalties), n_windows, N_PREDICTIONS, n_streams), np.float32)
    for block in np.array_split(np.arange(n_windows), FOLDS):
        near = slice(max(0, block[0] - n_steps), block[-1] + n_steps + 1)  # these windows overlap with the block's
        covariance = (total - _gram(flat[near])) / (n_windows - len(flat[near]))
        for held, penalty in zip(held_out, penalties, strict=True):
            held[block] = _applied(flat[block], _weights(covariance, penalty, n_streams, n_hinges))
    best = np.square(held_out).mean(axis=1).argmin(axis=0)
    weights = np.empty((flat.shape[1], N_PREDICTIONS, n_streams), np.float32)
    for index in np.unique(best):
        chosen = best == index
        weights[:, chosen] = _weights(total / n_windows, penalties[index], n_streams, n_hinges)[:, chosen]
    return Prediction(weights, np.take_along_axis(held_out, best[None, None], axis=0)[0])


def _applied(flat: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return (flat @ weights.reshape(flat.shape[1], -1)).reshape(len(flat), *weights.shape[1:])


def _gram(flat: NDArray[np.float32]) -> Array:
    total = np.zeros((flat.shape[1],) * 2)
    for start in range(0, len(flat), 1024):
        part = flat[start : start + 1024].astype(np.float64)
        total += part.T @ part
    return total


def _weights(covariance: Array, penalty: Array, n_streams: int, n_hinges: int) -> NDArray[np.float32]:
    """Return what takes features to residuals, shape (n_features, N_PREDICTIONS, n_streams)."""
    precision = np.linalg.inv(covariance + np.diag(penalty))
    n_own = len(covariance) // n_streams
    weights = np.zeros((len(covariance), N_PREDICTIONS, n_streams), np.float32)
    for stream in range(n_streams):
        own = slice(stream * n_own, (stream + 1) * n_own)
        means = slice(own.start + n_hinges, own.stop)
        # The residuals of this stream's means, given the others' features, and then given each other.
        given_others = precision[:, own] @ np.linalg.inv(precision[own, own])[:, n_hinges:]
        inner = np.linalg.inv(np.linalg.inv(precision[own, own])[n_hinges:, n_hinges:])
        weights[:, OTHERS, stream] = given_others[:, -1]
        weights[:, BOTH, stream] = given_others @ inner[:, -1] / inner[-1, -1]
        alone = np.linalg.inv(covariance[means, means] + OWN_RIDGE * np.eye(n_own - n_hinges))
        weights[means, OWN, stream] = alone[:, -1] / alone[-1, -1]
    return weights
