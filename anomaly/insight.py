"""Says what a trained model can and cannot see, and whether its training can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.checks import CHECKS, MOST_NOISE, NAMES, RESOLVED, freedom
from anomaly.features import Array
from anomaly.prediction import BOTH, OTHERS, OWN
from anomaly.relations import FEWEST, Relations

UNRELATED = 0.1  # of a stream's variance that the others explain: less is nothing
UNLIKELY = 10.0  # robust standard deviations of a slow average that normal training does not reach
ENOUGH = 20.0  # independent averages: with fewer, limits are more than twice as high as they need be
UNCOVERED = 0.25  # of the range: what comes last lies further out than what came before
LEAST_AVERAGE = 0.05  # robust standard deviation of a slow average, at least: less is rounding
OTHERS_SLOW = NAMES.index("others, slow")


def too_few(n_windows: int) -> str:
    """Return the remark on a training with fewer windows than relations can be learned from."""
    return (
        f"training too short: how the streams belong together cannot be learned from {n_windows} windows, but from "
        f"{FEWEST} or more; only the reconstruction error counts. Raise training_size in Gravity.ini"
    )


def remarks(
    streams: Sequence[str], windows: NDArray[np.float32], relations: Relations, held_out: Array
) -> Iterator[str]:
    """Yield lines on what training windows, shape (n, n_steps, n_streams), have shown.

    `held_out`: the residuals of these windows when left out, shape (n, N_PREDICTIONS, n_streams).
    """
    bias, explained = smallest_bias(relations), 1 - np.square(held_out[:, OTHERS]).mean(axis=0)
    units = bias * relations.features.spread
    width = max(len("stream"), *map(len, streams))
    yield f"{'stream':{width}}  smallest lasting bias found  explained by the others"
    for stream, size, unit, share in zip(streams, bias, units, explained, strict=True):
        yield f"{stream:{width}}  {f'{size:.2g} σ = {unit:.2g}':27}  {max(share, 0):.0%}"
    for stream, share in zip(streams, explained, strict=True):
        if share < UNRELATED:
            yield f"stream {stream} has nothing to do with the others: only its own jumps, noise and stops are seen"
    yield from _doubts(streams, windows, relations, held_out)


def smallest_bias(relations: Relations) -> Array:
    """Return the least lasting shift of each stream that raises an alarm, in its standard deviations in training."""
    usual = relations.usual
    limits = [(CHECKS[i].weight, usual.limits[i]) for i in map(NAMES.index, ("others", "others, slow"))]
    least: Array = np.min([usual.spread[OTHERS] * np.sqrt(limit * w / (2 - w)) for w, limit in limits], axis=0)
    return least


def _doubts(
    streams: Sequence[str], windows: NDArray[np.float32], relations: Relations, held_out: Array
) -> Iterator[str]:
    n_windows, n_steps, _ = windows.shape
    usual = relations.usual
    noise = np.minimum(np.square(held_out[:, OWN] / usual.robust[OWN]), MOST_NOISE)
    unlikely = [
        _unlikely(held_out[:, BOTH] / usual.robust[BOTH]),
        _unlikely(held_out[:, OTHERS] / usual.robust[OTHERS]),
        np.maximum(_unlikely(noise), 0),
    ]
    worst = np.max(np.abs(unlikely), axis=0)
    for column, stream in enumerate(streams):
        if worst[:, column].max() > UNLIKELY and column == worst.max(axis=0).argmax():
            begin, end = _around(worst[:, column] > UNLIKELY / 2, int(worst[:, column].argmax()))
            yield (
                f"the training may hold an anomaly: stream {stream} is unlike the rest of it around samples "
                f"{begin + n_steps}-{end + n_steps}. If that was not normal, train on other data"
            )
        if np.isfinite(usual.change[column]) and (run := _first_still(windows[:, :, column])):
            yield f"the training may hold an anomaly: stream {stream} stands still around sample {run + n_steps}"
    exact = usual.spread[OTHERS] <= RESOLVED * np.linalg.norm(relations.weights[:, OTHERS], axis=0) * 1.001
    independent = np.where(exact, np.inf, freedom(CHECKS[NAMES.index("others")], usual, held_out)).min()
    if independent < ENOUGH:
        enough = -(-(n_windows + n_steps - 1) * ENOUGH / max(independent, 1) // 100) * 100
        yield (
            "training short: the limits had to be set high. For earlier alarms, raise training_size in Gravity.ini "
            f"to about {enough:.0f}"
        )
    samples = windows[:, -1]
    before, last = np.split(samples, [4 * len(samples) // 5])
    span = np.maximum(before.max(axis=0) - before.min(axis=0), 1e-30)
    out = np.maximum(last.max(axis=0) - before.max(axis=0), before.min(axis=0) - last.min(axis=0)) / span
    if names := [stream for stream, far in zip(streams, out, strict=True) if far > UNCOVERED]:
        yield (
            f"the training does not cover what follows: at its end {', '.join(names)} left the range of what came "
            "before. Train for longer, on data that include all that is normal"
        )


def _unlikely(values: Array) -> Array:
    """Return slow averages of `values`, shape (n, n_streams), in robust standard deviations from their median."""
    weight = CHECKS[OTHERS_SLOW].weight
    average = np.median(values, axis=0)
    averages = np.array([average := average + weight * (row - average) for row in values])
    from_median = averages - np.median(averages, axis=0)
    unlikely: Array = from_median / np.maximum(1.4826 * np.median(np.abs(from_median), axis=0), LEAST_AVERAGE)
    return unlikely


def _around(high: NDArray[np.bool_], peak: int) -> tuple[int, int]:
    """Return the first and the last index of what is high without a break around `peak`."""
    low = np.flatnonzero(~high)
    at = int(np.searchsorted(low, peak))
    return (int(low[at - 1]) + 1 if at else 0), (int(low[at]) - 1 if at < len(low) else len(high) - 1)


def _first_still(windows: NDArray[np.float32]) -> int:
    """Return the first of the windows of a stream, shape (n, n_steps), in which all values are equal; 0 if none."""
    return int((windows == windows[:, :1]).all(axis=1).argmax())
