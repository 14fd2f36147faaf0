"""Exponentially weighted moving averages."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK = 128  # values that are smoothed at once


def smoothed(values: Array, weight: float, start: Array) -> Array:
    """Return the exponentially weighted moving average of `values` along axis 0, after `start`.

    `weight`: of a value. Computed in blocks, each a product with a triangular matrix.
    """
    result = np.empty_like(values)
    for begin in range(0, len(values), BLOCK):
        block = values[begin : begin + BLOCK]
        of_values, of_start = _fading(weight, len(block))
        result[begin : begin + BLOCK] = np.tensordot(of_values, block, 1) + np.multiply.outer(of_start, start)
        start = result[begin + len(block) - 1]
    return result


@lru_cache(maxsize=32)
def _fading(weight: float, count: int) -> tuple[Array, Array]:
    """Return the weights of `count` values, and of the average before them, in the average after each."""
    left: Array = (1 - weight) ** np.arange(count + 1.0)
    age = np.subtract.outer(np.arange(count), np.arange(count))
    return weight * np.tril(left[np.maximum(0, age)]), left[1:]
