"""Checks what streams have to do with each other, and whether each moves as usual.

A check is, for each stream, a moving average of a prediction's residuals, or of how the stream moves, turned into a
statistic and divided by a limit: above 1, something is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly.features import Array
from anomaly.prediction import BOTH, OTHERS, OWN

CLIP = 1.3  # residuals count up to so many times the largest in training
STEADY = 8.0  # robust standard deviations: or up to so many, if no residual in training exceeded that
MOST_SQUARED = 1e3  # the most that a residual's square counts
MOST_NOISE = 9.0  # the most that it counts as noise, in robust variances: a single spike is not noise
MOST_BEYOND = 100.0  # ranges: the most that a sample outside of the trained one counts
SMALLEST = 1e-6  # changes below this, relative to a stream's spread, are none; added to an energy that is inverted
NO_ENERGY = 1e-3  # changes in a window, relative to the usual ones, below which a stream stands still
HISTORY = 64  # samples that evidence goes back
RECENT = 20  # samples whose order is looked at


class Form(Enum):
    """How a moving average becomes a statistic."""

    MEAN = auto()
    SQUARE = auto()  # ÷ what it is on average for white noise
    INVERSE = auto()


class Subject(Enum):
    """What a check is about."""

    TOGETHER = auto()  # how a stream belongs to the others
    JUMP = auto()  # what it does next, as far as its own past tells
    LOUD = auto()  # more noise
    QUIET = auto()  # less noise, or less motion
    STILL = auto()  # equal values in a row
    RANGE = auto()  # values that training did not hold


class Check(NamedTuple):
    """A statistic for each stream.

    `source`: the prediction whose residuals are averaged; None: what is averaged is how the stream moves. `weight` is
    that of a sample in the average, `least` the least limit, that of white noise, and `tail` the least scale of the
    tail: for INVERSE that of the logarithm, otherwise relative to the mean.
    """

    name: str
    subject: Subject
    source: int | None
    weight: float
    form: Form
    least: float = 0
    tail: float = 0


CHECKS = (
    Check("both, squared", Subject.TOGETHER, BOTH, 0.1, Form.MEAN, least=2.9, tail=0.2),
    Check("others, squared", Subject.TOGETHER, OTHERS, 0.1, Form.MEAN, least=2.9, tail=0.2),
    Check("own, squared", Subject.JUMP, OWN, 0.1, Form.MEAN, least=2.9, tail=0.2),
    Check("both", Subject.TOGETHER, BOTH, 0.1, Form.SQUARE, least=28, tail=2),
    Check("both, slow", Subject.TOGETHER, BOTH, 0.03, Form.SQUARE, least=28, tail=2),
    Check("others", Subject.TOGETHER, OTHERS, 0.1, Form.SQUARE, least=28, tail=2),
    Check("others, slow", Subject.TOGETHER, OTHERS, 0.03, Form.SQUARE, least=28, tail=2),
    Check("loud", Subject.LOUD, BOTH, 0.1, Form.MEAN, least=2.7, tail=0.1),
    Check("loud, own", Subject.LOUD, OWN, 0.1, Form.MEAN, least=2.7, tail=0.1),
    Check("loud, slow", Subject.LOUD, OWN, 0.03, Form.MEAN, least=1.7, tail=0.055),
    Check("quiet", Subject.QUIET, OWN, 0.05, Form.INVERSE, tail=0.1),
    Check("quiet, slow", Subject.QUIET, OWN, 0.015, Form.INVERSE, tail=0.045),
    Check("flat", Subject.QUIET, None, 1, Form.INVERSE, tail=0.1),
    Check("flat, slow", Subject.QUIET, None, 0.05, Form.INVERSE, tail=0.1),
    Check("run", Subject.STILL, None, 1, Form.MEAN),
    Check("range", Subject.RANGE, None, 0.1, Form.MEAN),
)
NAMES = tuple(check.name for check in CHECKS)
N_RESIDUAL = 7  # checks of residuals and their squares: the first
N_PREDICTED = 12  # these, and checks of the noise in residuals
FLAT, FLAT_SLOW, RUN, RANGE = range(N_PREDICTED, len(CHECKS))


def about(*subjects: Subject) -> NDArray[np.bool_]:
    """Return which of CHECKS are about these subjects."""
    return np.array([check.subject in subjects for check in CHECKS])


_SOURCES = np.array([check.source for check in CHECKS[:N_PREDICTED]], int)
_WEIGHTS = np.array([check.weight for check in CHECKS])[:, None]
_FADED = 1 - _WEIGHTS
# Checks of a form stand together; slices take half the time of masks.
_SQUARED, _SIGNED, _INVERTED = slice(0, 3), slice(3, N_RESIDUAL), slice(N_PREDICTED - 2, FLAT_SLOW + 1)
_WHITE = (_WEIGHTS / (2 - _WEIGHTS))[_SIGNED]  # mean square of an average of white noise


@dataclass(frozen=True)
class Usual:
    """What is usual in training, in normalised units.

    `spread`, `robust` and `largest` are the residuals' standard deviation, the same as estimated from their median,
    and the largest residual, of shape (N_PREDICTIONS, n_streams); `change` is each stream's mean squared change from
    sample to sample, shape (n_streams,), infinite if it often does not change at all. `start` and `limits`, of shape
    (len(CHECKS), n_streams), are where the averages start, and the limits of the statistics.
    """

    spread: Array
    robust: Array
    largest: Array
    change: Array
    start: Array
    limits: Array

    @cached_property
    def most(self) -> Array:
        """The most that residuals count, shape (N_PREDICTIONS, n_streams)."""
        steady = (self.largest < STEADY * self.robust).all()
        most: Array = np.maximum(CLIP * self.largest, STEADY * self.robust * steady)
        return most


class Seen(NamedTuple):
    """Windows as the checks see them: `residuals` have the shape (n, N_PREDICTIONS, n_streams).

    `normal`: the normalised windows, shape (n, n_steps, n_streams). `beyond`: how far the newest samples are out of
    the trained range, relative to it, shape (n, n_streams).
    """

    residuals: Array
    normal: NDArray[np.float32]
    beyond: Array


class Evidence(NamedTuple):
    """What a window shows: `levels`, shape (len(CHECKS), n_streams), and for each stream, shape (n_streams,), more.

    `jitter` is von Neumann's ratio (1941) of the latest residuals of the prediction from others: about 2 if they are
    white noise, near 0 if they stay on one side. `still`: whether the stream stands still, though it usually moves.
    `beyond`: how far it is out of the trained range.
    """

    levels: Array
    jitter: Array
    still: NDArray[np.bool_]
    beyond: Array


class Checks:
    """The checks of windows in order of time."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._averages = usual.start
        self._run = np.zeros(usual.change.shape)  # samples that each stream has been standing still
        self._levels = self._residuals = np.empty((0, *usual.spread.shape))  # the last ones
        self._beyond = np.empty((0, len(self._run)))

    def levels(self, seen: Seen) -> Array:
        """Return all checks of the next windows, one or more, shape (n, len(CHECKS), n_streams)."""
        averages, self._run = terms(self._usual, seen, self._run)
        averages *= _WEIGHTS
        before = self._averages
        for average in averages:  # one by one, so that the result does not depend on how many there are
            average += _FADED * before
            before = average
        self._averages = before.copy()
        self._levels = _statistics(averages) / self._usual.limits
        self._residuals = np.concatenate([self._residuals[-HISTORY:], seen.residuals])
        self._beyond = seen.beyond
        return self._levels

    def evidence(self, index: int) -> Evidence:
        """Return what a window of the last `levels` shows, with residuals that are not clipped.

        A level says when to alarm, and must fall soon after the worst of anomalies; evidence says what is wrong.
        """
        levels, limits = self._levels[index].copy(), self._usual.limits
        end = len(self._residuals) - len(self._levels) + index + 1
        relative = self._residuals[max(0, end - HISTORY) : end] / self._usual.spread
        weights = _WEIGHTS[:N_RESIDUAL]
        faded = weights * (1 - weights) ** np.arange(len(relative))[::-1]
        averages = np.einsum("ca,acs->cs", faded, _residual_terms(relative))
        levels[:N_RESIDUAL] = _statistics(averages[None])[0] / limits[:N_RESIDUAL]
        others = relative[-RECENT:, OTHERS]
        jitter = np.square(np.diff(others, axis=0)).sum(axis=0) / np.maximum(np.square(others).sum(axis=0), 1e-12)
        at_rest = np.isfinite(self._usual.change) & (levels[FLAT] * limits[FLAT] > 1 / (NO_ENERGY + SMALLEST))
        return Evidence(levels, jitter, at_rest | (levels[RUN] > 1), self._beyond[index])


def terms(usual: Usual, seen: Seen, run: Array) -> tuple[Array, Array]:
    """Return what the checks average, shape (n, len(CHECKS), n_streams), and the last run; `run`: the one before."""
    normal = seen.normal
    residuals = np.maximum(np.minimum(seen.residuals, usual.most), -usual.most)
    noise = np.minimum(np.square(residuals / usual.robust), MOST_NOISE)
    changes = normal[:, 1:] - normal[:, :-1]
    energy = np.square(changes) / usual.change
    averaged = np.empty((len(normal), len(CHECKS), normal.shape[2]))
    averaged[:, :N_RESIDUAL] = _residual_terms(residuals / usual.spread)
    averaged[:, N_RESIDUAL:N_PREDICTED] = noise[:, _SOURCES[N_RESIDUAL:]]
    averaged[:, FLAT] = energy.mean(axis=1)
    averaged[:, FLAT_SLOW] = np.minimum(energy[:, -1], MOST_NOISE)
    averaged[:, RUN] = runs = _runs(np.abs(changes[:, -1]) > SMALLEST, run)
    averaged[:, RANGE] = np.minimum(seen.beyond, MOST_BEYOND)
    return averaged, runs[-1].copy()


def _residual_terms(relative: Array) -> Array:
    """Return what the first checks average, shape (n, N_RESIDUAL, n_streams), from residuals ÷ spread."""
    averaged = relative[:, _SOURCES[:N_RESIDUAL]]
    averaged[:, _SQUARED] = np.minimum(np.square(averaged[:, _SQUARED]), MOST_SQUARED)
    return averaged


def _runs(moved: NDArray[np.bool_], before: Array) -> Array:
    """Return how many samples in a row did not move, up to each of `moved`, shape (n, n_streams)."""
    if len(moved) == 1:
        return np.where(moved, 0.0, before + 1)
    number = np.arange(len(moved))[:, None]
    last = np.maximum.accumulate(np.where(moved, number, -1), axis=0)
    runs: Array = np.where(last < 0, before + number + 1, number - last).astype(np.float64)
    return runs


def _statistics(averages: Array) -> Array:
    """Turn averages, shape (n, all checks or the first few, n_streams), into statistics, in place."""
    averages[:, _SIGNED] = np.square(averages[:, _SIGNED]) / _WHITE
    averages[:, _INVERTED] = 1 / (np.maximum(averages[:, _INVERTED], 0) + SMALLEST)
    return averages
