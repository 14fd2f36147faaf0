"""Says what an anomaly is: its kind, and the stream that is to blame."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from anomaly.checks import CHECKS, Evidence, Subject, about
from anomaly.features import Array
from anomaly.prediction import OWN

MOST_ELSEWHERE = 0.75  # level of another stream, relative to that of the stream to blame
OF_ITS_OWN = 0.8  # level of a stream's own checks from which it is to blame even if there are only two
BEYOND = 0.1  # of the trained range: a sample further out has left it
NOISY = 0.5  # level of the checks for noise
JITTER = 1.1  # of residuals that are noise

TOGETHER, LOUD, QUIET = about(Subject.TOGETHER), about(Subject.LOUD), about(Subject.QUIET)
BY_ITSELF = np.array([check.source in (OWN, None) for check in CHECKS])


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


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return what the evidence of a window says."""
    levels, beyond = evidence.levels, evidence.beyond > BEYOND
    if beyond.sum() > max(1, len(beyond) // 2):
        return Diagnosis(Kind.OUTSIDE, None)
    column = _to_blame(levels)
    stream = int(levels.max(axis=0).argmax()) if column is None else column
    own = levels[:, stream]
    if evidence.still[stream]:
        return Diagnosis(Kind.FROZEN, column)
    if beyond.any():
        return Diagnosis(Kind.LEVEL, int(beyond.argmax()) if beyond.sum() == 1 else column)
    if own[QUIET].max() == own.max():
        return Diagnosis(Kind.NOISE, column)
    if own[LOUD].max() > NOISY and evidence.jitter[stream] > JITTER:
        return Diagnosis(Kind.NOISE, column)
    return Diagnosis(Kind.RELATION, column)


def refined(before: Diagnosis, again: Diagnosis | None) -> Diagnosis:
    """Return the diagnosis of an anomaly about which more is known than `before`.

    That a stream is frozen or noisy takes time to show, and looks like a broken relation at first.
    """
    if again is None or before.kind is not Kind.RELATION or again.kind not in (Kind.FROZEN, Kind.NOISE):
        return before
    if before.column is not None and again.column not in (None, before.column):
        return before
    return Diagnosis(again.kind, again.column if before.column is None else before.column)


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
