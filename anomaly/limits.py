"""Learns the limits of the checks from training windows, as predicted when they were left out of learning.

An exponential tail extends a statistic to what is rarer than the training could show (Davison and Smith, "Models for
exceedances over high thresholds", 1990), and the less the training says about its spread, the higher its limit is, as
a quantile of Student's t distribution is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomaly.averages import smoothed
from anomaly.checks import CHECKS, MOST_NOISE, Check, Checks, Form, Seen, Subject, Usual, terms
from anomaly.features import Array
from anomaly.prediction import OWN

RARE = 1e-7  # probability that a check exceeds its limit in any stream at a sample, if its tail is exponential
RARE_SQUARE = 28.0  # squared standard deviations that a normal residual exceeds with that probability
TAIL = 0.98  # quantile of a statistic where its tail begins
ABOVE_HIGHEST = 1.3  # a limit ÷ the highest statistic in training, at least
MARGIN = 1.25  # of all limits, for what the training does not show
JUMPY, MOST_JUMPY = 6.0, 1.5  # largest ÷ robust residual from which limits rise in proportion, and up to how much
RESOLVED = 1e-4  # smaller residuals, relative to what the weights make of a spread of 1, are rounding
STILLEST = 1e3  # usual energy ÷ the least of a window, from which flatness is nothing unusual
LONGER_RUN = 3  # times the longest run in training: a stuck sensor
SHORTEST_RUN = 5  # samples, or so many
MOST_STILL = 0.25  # of the training: a stream that stands still for longer may do so for ever
VISITS = 20  # to the trained range, independent of each other, that show what it is; with fewer its limits are wider
OUT_OF_RANGE = 0.5  # of the trained range: further out is an alarm, whatever the others do
SCALES = (0.1, 0.03, 0.01, 0.003)  # weights of averages that show how long residuals remember
NEVER = 1e30  # a limit that is not reached


def learn(seen: Seen, weights: NDArray[np.float32]) -> Usual:
    """Learn from training windows; their residuals are those of windows left out. `weights`: of the predictions."""
    held_out, normal = seen.residuals, seen.normal
    floor = RESOLVED * np.linalg.norm(weights, axis=0)
    squared = np.square(np.subtract(normal[:, -1], normal[:, -2], dtype=np.float64))
    none = np.zeros((len(CHECKS), normal.shape[2]))
    usual = Usual(
        spread=np.maximum(held_out.std(axis=0), floor),
        robust=np.maximum(1.4826 * np.median(np.abs(held_out), axis=0), floor),
        largest=np.maximum(np.abs(held_out).max(axis=0), 5 * floor),
        change=np.where(np.median(squared, axis=0) > 0, squared.mean(axis=0), np.inf),
        start=none,
        limits=none + 1,
    )
    averaged, _ = terms(usual, seen, np.zeros(normal.shape[2]))
    squares = np.array([check.form is Form.SQUARE for check in CHECKS])
    usual = replace(usual, start=np.where(squares[:, None], 0, averaged.mean(axis=0)))
    statistics = Checks(usual).levels(seen)  # divided by 1
    memory = memories(usual, held_out)
    limits = [_limit(check, statistics[:, index], usual, seen, memory) for index, check in enumerate(CHECKS)]
    return replace(usual, limits=np.array(limits))


def memories(usual: Usual, held_out: Array) -> Array:
    """Return for how many samples residuals remember, shape (N_PREDICTIONS, n_streams).

    `held_out`: the residuals of all predictions, shape (n, N_PREDICTIONS, n_streams).
    """
    return np.array([_memory(residuals) for residuals in (held_out / usual.spread).swapaxes(0, 1)])


def freedom(check: Check, n_windows: int, memory: Array) -> Array:
    """Return how many independent averages of a check so many windows hold, shape (n_streams,).

    `memory`: of the residuals of all predictions, as `memories` returns it. The longer it is, the fewer these are.
    """
    source = OWN if check.source is None else check.source
    independent: Array = n_windows / (2 / min(check.weight, 0.1) + 2 * (memory[source] - 1))
    return independent


def _memory(values: Array) -> Array:
    """Return for how many samples values remember, shape (n_streams,): 1 for white noise.

    `values`: shape (n, n_streams), with a variance of 1 (if it is less, what they remember counts less). An average
    of white noise has a variance of weight / (2 - weight), one of others so many times more.
    """
    memory = np.ones(values.shape[1])
    for weight in SCALES:
        averages = smoothed(values, weight, np.zeros_like(memory))
        memory = np.maximum(memory, np.square(averages).mean(axis=0) * (2 - weight) / weight)
    return memory


def _limit(check: Check, statistic: Array, usual: Usual, seen: Seen, memory: Array) -> Array:
    """Return a check's limit for each stream, from its statistic in training, shape (n, n_streams)."""
    highest: Array = statistic.max(axis=0)
    moves = np.isfinite(usual.change)
    if check.subject is Subject.RANGE:
        samples = seen.normal[:, -1].astype(np.float64)
        visits = len(samples) / (2 * _memory(samples))
        return OUT_OF_RANGE * np.square(np.maximum(1, VISITS / visits))
    if check.subject is Subject.STILL:
        limit = np.maximum(SHORTEST_RUN - 1, LONGER_RUN * highest) + 0.5
        return np.where(highest < MOST_STILL * len(statistic), limit, NEVER)
    doubt = _doubt(freedom(check, len(statistic), memory))
    if check.form is Form.INVERSE:
        energy = np.log(statistic)
        limit = np.exp(np.maximum(_tail(energy, check.tail), energy.max(axis=0) + np.log(ABOVE_HIGHEST)))
        return np.where(moves & (highest < STILLEST), MARGIN * limit * np.sqrt(doubt), NEVER)
    limit = np.maximum(_tail(statistic, check.tail * statistic.mean(axis=0)), ABOVE_HIGHEST * highest)
    jumpy = np.clip(usual.largest[check.source] / usual.robust[check.source] / JUMPY, 1, MOST_JUMPY)
    limit = MARGIN * jumpy * doubt * np.maximum(limit, check.least)
    return np.where(limit < MOST_NOISE, limit, NEVER) if check.subject is Subject.LOUD else limit


def _tail(statistic: Array, least: Array | float) -> Array:
    """Return what an exponential tail exceeds, in any stream, with the probability RARE.

    `least`: the least scale of the tail.
    """
    begin = np.quantile(statistic, TAIL, axis=0)
    above = np.maximum(statistic - begin, 0)
    scale = above.sum(axis=0) / np.maximum((above > 0).sum(axis=0), 1)
    end: Array = begin + np.maximum(scale, least) * np.log((1 - TAIL) * statistic.shape[1] / RARE)
    return end


def _doubt(independent: Array) -> Array:
    """Return how many times higher a limit must be because the training is short.

    As a quantile of Student's t² is higher than that of the normal distribution, in Peizer and Pratt's approximation
    (1968), with as many degrees of freedom as the training holds independent averages.
    """
    degrees = np.maximum(3.0, independent)
    exponent = np.minimum(RARE_SQUARE * (degrees - 1.5) / np.square(degrees - 1), 50)
    times: Array = np.minimum(degrees * np.expm1(exponent) / RARE_SQUARE, 1e6)
    return times
