"""Says what a trained model can and cannot see, and whether its training can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anomaly.averages import smoothed
from anomaly.checks import CHECKS, MOST_NOISE, NAMES
from anomaly.features import Array
from anomaly.limits import RESOLVED, freedom, memories
from anomaly.prediction import BOTH, OTHERS, OWN, explained_by_others
from anomaly.relations import FEWEST, Relations

UNRELATED = 0.1  # of a stream's variance that the others explain: less is nothing
UNLIKELY = 10.0  # robust standard deviations of a slow average that normal training does not reach
ALONE = 2.0  # times that an anomaly stands out from the next such event: what happens more often is normal
APART = 60  # samples between two events
LEAST_AVERAGE = 0.05  # robust standard deviation of a slow average, at least: less is rounding
ENOUGH = 20.0  # independent averages: with fewer, limits are more than twice as high as they need be
OUT, MOST_OUT = 0.05, 0.25  # of the range, and of the last samples: so many should not lie so far out of the first
SLOW = CHECKS[NAMES.index("others, slow")].weight


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
    bias, explained = smallest_bias(relations), explained_by_others(held_out)
    constant = (windows == windows[0, 0]).all(axis=(0, 1))
    width = max(len("stream"), *map(len, streams))
    yield f"{'stream':{width}}  smallest lasting bias found  explained by the others"
    for column, stream in enumerate(streams):
        size = f"{bias[column]:.2g} σ = {bias[column] * relations.features.spread[column]:.2g}"
        share = f"{explained[column]:.0%}"
        yield f"{stream:{width}}  " + ("constant: any change" if constant[column] else f"{size:27}  {share}")
    if unrelated := _named(streams, (explained < UNRELATED) & ~constant):
        yield f"nothing to do with the other streams, and checked only by itself: {unrelated}"
    yield from _anomalies(streams, windows, relations, held_out)
    yield from _too_short(windows, relations, held_out)
    yield from _uncovered(streams, windows[:, -1])


def smallest_bias(relations: Relations) -> Array:
    """Return the least lasting shift of each stream that raises an alarm, in its standard deviations in training."""
    usual = relations.usual
    limits = [(CHECKS[i].weight, usual.limits[i]) for i in map(NAMES.index, ("others", "others, slow"))]
    least: Array = np.min([usual.spread[OTHERS] * np.sqrt(limit * w / (2 - w)) for w, limit in limits], axis=0)
    return least


def _anomalies(
    streams: Sequence[str], windows: NDArray[np.float32], relations: Relations, held_out: Array
) -> Iterator[str]:
    """Say where the training is unlike the rest of it, of all streams the worst, and which streams stand still."""
    n_steps, usual = windows.shape[1], relations.usual
    noise = np.minimum(np.square(held_out[:, OWN] / usual.robust[OWN]), MOST_NOISE)
    relative = (held_out[:, BOTH] / usual.robust[BOTH], held_out[:, OTHERS] / usual.robust[OTHERS])
    unlikely = np.max([*(np.abs(_unlikely(each)) for each in relative), _unlikely(noise)], axis=0)
    column = int(unlikely.max(axis=0).argmax())
    event = unlikely[:, column]
    begin, end = _around(event > event.max() / 4, int(event.argmax()))
    elsewhere = np.concatenate([event[: max(0, begin - APART)], event[end + APART :]])
    if event.max() > UNLIKELY and elsewhere.max(initial=0) < event.max() / ALONE:
        yield (
            f"the training may hold an anomaly: stream {streams[column]} behaves differently around samples "
            f"{begin + n_steps}-{end + n_steps}. If that was not normal, train on other data"
        )
    still = (windows == windows[:, :1]).all(axis=1) & np.isfinite(usual.change)
    for column in map(int, np.flatnonzero(still.any(axis=0))):
        at = int(still[:, column].argmax()) + n_steps
        yield f"the training may hold an anomaly: stream {streams[column]} stands still around sample {at}"


def _too_short(windows: NDArray[np.float32], relations: Relations, held_out: Array) -> Iterator[str]:
    """Say if there are too few samples for the limits, given how long residuals remember."""
    weights, spread = relations.weights[:, OTHERS], relations.usual.spread[OTHERS]
    rounding = spread <= RESOLVED * np.linalg.norm(weights, axis=0) * 1.001
    independent = freedom(CHECKS[NAMES.index("others")], len(windows), memories(relations.usual, held_out))
    least = np.where(rounding, np.inf, independent).min()
    if least < ENOUGH:
        samples = len(windows) + windows.shape[1] - 1
        enough = -(-samples * ENOUGH / max(least, 1) // 100) * 100
        yield (
            "training short: limits had to be set high. For earlier alarms, raise training_size in Gravity.ini "
            f"to {enough:.0f} or more"
        )


def _uncovered(streams: Sequence[str], samples: NDArray[np.float32]) -> Iterator[str]:
    """Say which streams are, in the last fifth of the training, out of the range of what came before."""
    before, last = np.split(samples, [4 * len(samples) // 5])
    low, high = before.min(axis=0), before.max(axis=0)
    out = np.maximum(last - high, low - last) > OUT * (high - low)
    if names := _named(streams, out.mean(axis=0) > MOST_OUT):
        yield (
            "the training does not cover what follows: at its end, these leave the range of what came before: "
            f"{names}. Train for longer, on data that include all that is normal"
        )


def _named(streams: Sequence[str], which: NDArray[np.bool_]) -> str:
    return ", ".join(stream for stream, chosen in zip(streams, which, strict=True) if chosen)


def _unlikely(values: Array) -> Array:
    """Return slow averages of `values`, shape (n, n_streams), in robust standard deviations from their median."""
    averages = smoothed(values, SLOW, np.median(values, axis=0))
    from_median = averages - np.median(averages, axis=0)
    unlikely: Array = from_median / np.maximum(1.4826 * np.median(np.abs(from_median), axis=0), LEAST_AVERAGE)
    return unlikely


def _around(high: NDArray[np.bool_], peak: int) -> tuple[int, int]:
    """Return the first and the last index of what is high without a break around `peak`."""
    low = np.flatnonzero(~high)
    at = int(np.searchsorted(low, peak))
    return (int(low[at - 1]) + 1 if at else 0), (int(low[at]) - 1 if at < len(low) else len(high) - 1)
