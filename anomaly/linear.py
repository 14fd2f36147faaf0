"""Principal components: the linear autoencoder with the least squared error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
SPARE = 8  # more components than wanted while they are looked for


class Components:
    """The first `count` principal components of `data`, shape (n, n_numbers)."""

    def __init__(self, data: NDArray[np.float64], count: int) -> None:
        """Found by subspace iteration from a fixed start (Halko, Martinsson and Tropp, 2011): cheap for wide data."""
        self._mean = data.mean(axis=0)
        centred = data - self._mean
        width = min(count + SPARE, *data.shape)
        basis = np.random.default_rng(0).normal(size=(data.shape[1], width))
        for _ in range(ROUNDS):
            basis, _ = np.linalg.qr(centred.T @ (centred @ np.linalg.qr(basis)[0]))
        _, _, rotation = np.linalg.svd(centred @ basis, full_matrices=False)
        self._basis = basis @ rotation.T[:, :count]

    def squares(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared residuals of `data`, in its shape (n, n_numbers)."""
        centred = data - self._mean
        squares: NDArray[np.float64] = np.square(centred - centred @ self._basis @ self._basis.T)
        return squares
