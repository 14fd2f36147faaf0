"""Trains once, in a process that has not trained before: `python -m benchmarks.detector_fit ours|keras`.

Both train the same model on the same windows, in the same batches and with the same learning rates, and show the
loss of each epoch; `keras` leaves the epochs to Keras's own `fit`. Prints the seconds that it took, compilation
included, as the last line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from anomaly import autoencoder
from benchmarks.separation import TRAINING

EPOCHS = 10


def keras_fit(
    model: keras.Model,
    optimizer: keras.Optimizer,
    windows: NDArray[np.float32],
    *,
    epochs: int,
    batch_size: int,
    verbose: int | str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[float]:
    """Take the place of `anomaly.training.train`."""
    model.compile(optimizer, loss="mse")
    history = model.fit(
        windows, windows, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=list(callbacks)
    )
    return list(history.history["loss"])


def main(kind: str) -> None:
    """Train as `kind` says."""
    if kind == "keras":
        autoencoder.train = keras_fit  # type: ignore[attr-defined]  # imported there
    model = autoencoder.build(*TRAINING.shape[1:])
    start = time.perf_counter()
    autoencoder.fit(model, TRAINING, epochs=EPOCHS, verbose=2)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1])
