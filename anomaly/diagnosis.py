"""Says what an anomaly is: its kind, and the stream that is to blame."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.checks import CHECKS, NAMES, Evidence, Subject, about
from anomaly.features import Array
from anomaly.prediction import OWN

MOST_ELSEWHERE = 0.75  # level of another stream, relative to that of the stream to blame
OF_ITS_OWN = 0.8  # level of a stream's own checks from which it is to blame even if there are only two
BEYOND = 0.1  # of the trained range: a sample further out has left it
LOUD = 0.5  # level of the checks for noise
JITTER = 1.1  # of residuals that are noise
NO_ENERGY = 1e3  # usual changes ÷ those of a window in which a stream stands still

TOGETHER, LOUDNESS, QUIETNESS = about(Subject.TOGETHER), about(Subject.LOUD), about(Subject.QUIET)
BY_ITSELF = np.array([check.source in (OWN, None) for check in CHECKS])
RUN, FLAT = NAMES.index("run"), NAMES.index("flat")


class Kind(Enum):
    """What is wrong."""

    RELATION = "relation"  # streams no longer belong together
    LEVEL = "level"  # a stream has left the range of the training
    FROZEN = "frozen"  # a stream stands still
    NOISE = "noise"  # a stream has become noisier or quieter
    OUTSIDE = "outside of what training has seen"  # streams have left its range together


class Diagnosis(NamedTuple):
    """What is wrong, None if only the reconstruction tells, and the column of the stream to blame, None for none."""

    kind: Kind | None
    column: int | None


def diagnose(
    evidence: Evidence, flat_limits: Array, newest: NDArray[np.float32], low: Array, high: Array
) -> Diagnosis:
    """Return what the evidence of a window says; arrays of shape (n_streams,) where nothing else is said.

    `flat_limits`: of the check "flat". `newest`: the window's newest sample, `low` and `high`: the trained range, all
    normalised.
    """
    levels = evidence.levels
    beyond = np.maximum(newest - high, low - newest) > BEYOND * np.maximum(high - low, 1e-3)
    if beyond.sum() > max(1, len(beyond) // 2):
        return Diagnosis(Kind.OUTSIDE, None)
    column = _to_blame(levels)
    stream = int(levels.max(axis=0).argmax()) if column is None else column
    own = levels[:, stream]
    if own[RUN] >= 1 or own[FLAT] * flat_limits[stream] >= NO_ENERGY:
        return Diagnosis(Kind.FROZEN, column)
    if beyond.any():
        return Diagnosis(Kind.LEVEL, int(beyond.argmax()) if beyond.sum() == 1 else column)
    if own[QUIETNESS].max() >= max(own[TOGETHER].max(), own[LOUDNESS].max()):
        return Diagnosis(Kind.NOISE, column)
    if own[LOUDNESS].max() > LOUD and evidence.jitter[stream] > JITTER:
        return Diagnosis(Kind.NOISE, column)
    return Diagnosis(Kind.RELATION, column)


def _to_blame(levels: Array) -> int | None:
    """Return the stream whose checks say far more than those of any other.

    Of two streams that no longer belong together, either may have changed: only what a stream does by itself counts.
    """
    if levels.shape[1] == 2:
        levels = levels[BY_ITSELF]
    second, best = np.argsort(worst := levels.max(axis=0))[-2:]
    if worst[second] > MOST_ELSEWHERE * worst[best] or (levels.shape[1] == 2 and worst[best] < OF_ITS_OWN):
        return None
    return int(best)
