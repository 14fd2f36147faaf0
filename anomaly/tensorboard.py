"""A training as TensorBoard shows it: loss, histograms of the weights, and each stream's errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Log:
    """The log of one training, in a folder of its own below `folder`; without `folder`, nothing is written."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder and folder / time.strftime("%Y-%m-%dT%H-%M-%S")
        self.callbacks: list[keras.callbacks.Callback] = []  # to train with: these write loss and weights
        if self._folder:
            self.callbacks.append(keras.callbacks.TensorBoard(self._folder, histogram_freq=1, write_graph=False))

    def write_errors(self, streams: Sequence[str], errors: NDArray[np.float64]) -> None:
        """Write the errors of the training windows, shape (n, n_streams)."""
        if self._folder:
            with tf.summary.create_file_writer(str(self._folder / "train")).as_default(step=0):
                for name, column in zip(streams, errors.T, strict=True):
                    tf.summary.histogram(f"errors/{name}", column)
