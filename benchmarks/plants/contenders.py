"""The detector and simple methods: trained on a plant's samples, they return a level for later ones.

The simple methods are the standard ones of process monitoring: principal components of the window
with their squared prediction error (SPE, or Q) and Hotelling's T² (Jackson and Mudholkar, 1979), each stream
predicted from the others by ridge regression (Hoerl and Kennard, 1970), a check for flat lines, and two general
outlier detectors from PyOD on single samples: ECOD (Li et al., 2022) and the isolation forest (Liu, Ting and Zhou,
2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from anomaly import averages
from anomaly.alarm import SMOOTHING
from anomaly.detector import Finding
from benchmarks import contenders
from benchmarks.plants.kinds import Array

N_STEPS = 20
CHUNK = 2000  # windows at once: bounds the memory
VARIANCE = 0.95  # that the principal components explain
RIDGE = 0.01  # of a feature's variance

Levels = Callable[[Array], Array]
"""Takes samples (n, n_streams), returns float64 of shape (n - N_STEPS + 1,): one for each window."""


def windows(samples: Array) -> Array:
    """Return the sliding windows of `samples`, shape (n, N_STEPS, n_streams)."""
    return np.lib.stride_tricks.sliding_window_view(samples, N_STEPS, axis=0).transpose(0, 2, 1)


def smoothed(values: Array) -> Array:
    """Return the exponentially weighted moving average of `values` along axis 0; it begins at their median."""
    values = np.asarray(values, np.float64)
    return averages.smoothed(values, SMOOTHING, np.median(values, axis=0))


def _chunked(function: Levels, samples: Array) -> Array:
    """Apply `function` to CHUNK windows at a time."""
    n_windows = len(samples) - N_STEPS + 1
    starts = range(0, n_windows, CHUNK)
    return np.concatenate([function(samples[start : start + CHUNK + N_STEPS - 1]) for start in starts])


class Watched:
    """The detector, trained as AnomalyDetector.py does: its levels are scores, which an alarm exceeds at 1."""

    threshold = 1.0

    def __init__(self, training: Array, seed: int) -> None:
        self._detector = contenders.detector(contenders.windows(training, N_STEPS), seed)
        self.findings: list[Finding] = []  # of the last samples

    def __call__(self, samples: Array) -> Array:
        """Return the levels of samples, shape (n, n_streams), in order of time; the first has no past."""
        self._detector.start()
        self.findings = self._detector.examine(contenders.windows(samples, N_STEPS))
        return np.array([finding.verdict.score if finding.verdict else np.nan for finding in self.findings])


def simple(training: Array, seed: int) -> Iterator[tuple[str, Levels]]:
    """Train the simple methods; yield the name and the levels of each."""
    mean, spread = training.mean(axis=0), training.std(axis=0)
    spread = np.where(spread > 0, spread, 1)

    def scaled(samples: Array) -> Array:
        rows: Array = (samples - mean) / spread
        return rows

    def flat(samples: Array) -> Array:
        cut = windows(scaled(samples))
        return cut.reshape(len(cut), -1)

    def smooth(function: Levels) -> Levels:
        return lambda samples: smoothed(_chunked(function, samples))

    n_streams = training.shape[1]
    known = flat(training)
    covariance = known.T @ known / len(known)
    variances, components = np.linalg.eigh(covariance)
    kept = np.cumsum(variances) > (1 - VARIANCE) * variances.sum()
    code, rest = components[:, kept] / np.sqrt(variances[kept]), components[:, ~kept]
    yield "PCA SPE", smooth(lambda samples: np.square(flat(samples) @ rest).sum(axis=1))
    yield "PCA T²", smooth(lambda samples: np.square(flat(samples) @ code).sum(axis=1))

    # The part of the inverse covariance for one stream gives its regression on all the others.
    inverse = np.linalg.inv(covariance + RIDGE * np.eye(len(covariance)))
    of = np.arange(N_STEPS * n_streams).reshape(N_STEPS, n_streams).T  # a stream's columns in a flat window
    residual = np.concatenate([inverse[:, c] @ np.linalg.inv(inverse[np.ix_(c, c)]) for c in of], axis=1)

    def residuals(samples: Array) -> Array:
        found: Array = (flat(samples) @ residual).reshape(-1, n_streams, N_STEPS)
        return found

    apart = residuals(training[:CHUNK])
    usual_square, usual_mean = np.square(apart).mean(axis=(0, 2)), np.square(apart.mean(axis=2)).mean(axis=0)
    yield "ridge MSE", smooth(lambda s: (np.square(residuals(s)).mean(axis=2) / usual_square).max(axis=1))
    yield "ridge mean", smooth(lambda s: (np.square(residuals(s).mean(axis=2)) / usual_mean).max(axis=1))

    def changes(samples: Array) -> Array:
        return np.square(np.diff(scaled(samples[N_STEPS - 2 :]), axis=0))

    usual = np.median(smoothed(changes(training)), axis=0)
    noisy = usual > 0

    def flatness(samples: Array) -> Array:
        least = 1e-9 * usual[noisy]
        level: Array = (usual[noisy] / (smoothed(changes(samples))[:, noisy] + least)).max(axis=1)
        return level

    yield "flat line", flatness

    from pyod.models.ecod import ECOD  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from pyod.models.iforest import IForest  # type: ignore[import-not-found,import-untyped,unused-ignore]

    for name, model in (("ECOD", ECOD()), ("IForest", IForest(random_state=seed))):
        model.fit(scaled(training))
        lowest = float(model.decision_scores_.min())

        def outlying(samples: Array, model: ECOD | IForest = model, lowest: float = lowest) -> Array:
            return smoothed(model.decision_function(scaled(samples[N_STEPS - 1 :])) - lowest)

        yield name, outlying
