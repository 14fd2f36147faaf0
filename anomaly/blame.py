"""Finds the stream that is to blame for an anomaly.

A stream that breaks away also spoils the reconstruction of the others, so the highest error need not be its own.
Repair finds it more reliably: replace one stream by its reconstruction and see how much of the error disappears. If
two streams look normal by themselves but not together, repairing either helps, and neither is blamed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LEAST_SHARE = 0.2  # of the error that repairing the stream must remove
# The most that repairing any other stream may remove, relative to that; beyond it the other explains the error, too.
MOST_ELSEWHERE_OF_TWO, MOST_ELSEWHERE = 0.45, 0.6  # of two streams, neither can be outvoted


class Blame(NamedTuple):
    """A stream's column, and the share of the error, 0 to 1, that its repair removes."""

    column: int
    share: float


def blame(errors: ArrayLike, repaired: ArrayLike, typical: ArrayLike) -> Blame | None:
    """Return the stream to blame, None if it is not a single one.

    `errors`: the streams' errors in a window, shape (n_streams,). `repaired`: row i holds the errors that are left
    when stream i is repaired, shape (n_streams, n_streams). `typical`: the streams' mean errors in normal windows,
    shape (n_streams,), by which all are divided.
    """
    typical = np.asarray(typical, np.float64)
    before = (np.asarray(errors, np.float64) / typical).sum()
    left = (np.asarray(repaired, np.float64) / typical).sum(axis=1)
    if not (np.isfinite(before) and np.isfinite(left).all()):
        return None
    if len(left) < 2:
        return None
    shares = 1 - left / before
    second, best = np.argsort(shares)[-2:]
    most = MOST_ELSEWHERE_OF_TWO if len(left) == 2 else MOST_ELSEWHERE
    if shares[best] < LEAST_SHARE or shares[second] > most * shares[best]:
        return None
    return Blame(int(best), float(shares[best]))
