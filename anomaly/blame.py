"""Which stream is to blame for an anomaly?

A stream that breaks away spoils the reconstruction of the others, too, so the highest error need not be its own.
Repair tells better: replace one stream by its reconstruction, and see how much of the error is gone. Between two
streams that both look normal, but not together, there is nothing to choose: the repair of either helps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LEAST_SHARE = 0.2  # of the error that the repair of the stream must take away
# What the repair of any other may take away, relative to that: else the other explains the error as well.
MOST_ELSEWHERE_OF_TWO, MOST_ELSEWHERE = 0.45, 0.6  # of two, none can be outvoted


class Blame(NamedTuple):
    """A stream's column, and which share of the error, 0 to 1, goes away when it is repaired."""

    column: int
    share: float


def blame(errors: ArrayLike, repaired: ArrayLike, typical: ArrayLike) -> Blame | None:
    """Return the stream to blame, None if no single one is.

    `errors`, shape (n_streams,), are a window's; `repaired`, shape (n_streams, n_streams), those left when stream
    i is repaired, and `typical`, shape (n_streams,), the mean ones of normal windows, by which all are divided.
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
