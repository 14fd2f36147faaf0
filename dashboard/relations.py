"""Orders streams so that those that belong together stand together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def order(shares: NDArray[np.float64]) -> list[int]:
    """Return an order for the rows and columns of a matrix of non-negative numbers, shape (n, n), n > 0.

    That of Bezdek and Hathaway, "VAT: a tool for visual assessment of (cluster) tendency" (2002): each time, the one
    follows that has most to do with any of those before, as in Prim's algorithm. The first stays first.
    """
    tie = np.maximum(shares, shares.T)
    found, nearest = [0], tie[0].copy()
    while len(found) < len(tie):
        nearest[found] = -1
        found.append(int(nearest.argmax()))
        nearest = np.maximum(nearest, tie[found[-1]])
    return found
