"""Principal components: the linear autoencoder with the least squared error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
SPARE = 8  # additional components during the iteration


class Components:
    """The first `count` principal components of `data`, shape (n, n_numbers)."""

    def __init__(self, data: NDArray[np.float64], count: int) -> None:
        """Uses subspace iteration from a fixed start (Halko, Martinsson and Tropp, 2011): cheap for wide data."""
        self.mean = data.mean(axis=0)
        centred = data - self.mean
        width = min(count + SPARE, *data.shape)
        basis = np.random.default_rng(0).normal(size=(data.shape[1], width))
        for _ in range(ROUNDS):
            basis, _ = np.linalg.qr(centred.T @ (centred @ np.linalg.qr(basis)[0]))
        _, _, rotation = np.linalg.svd(centred @ basis, full_matrices=False)
        self.basis = basis @ rotation.T[:, :count]  # shape (n_numbers, count or less), the first explains most
        self.spread = (centred @ self.basis).std(axis=0)  # standard deviation along each of them

    def squares(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared residuals of `data`, in its shape (n, n_numbers)."""
        centred = data - self.mean
        squares: NDArray[np.float64] = np.square(centred - centred @ self.basis @ self.basis.T)
        return squares
