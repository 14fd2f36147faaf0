"""Trains a model on windows, and examines windows with a trained model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from node.errors import UserError

import keras
import numpy as np
from numpy.typing import NDArray

from anomaly.alarm import Alarm, Normal, Verdict, learn
from anomaly.autoencoder import Scorer, build, code_size, fit
from anomaly.blame import Blame, blame
from anomaly.windows import Window

LARGEST_SPREAD = 1e19  # standard deviation; Keras keeps its square as float32


class Finding(NamedTuple):
    """The result for a window: its MSE, its streams' errors, float64 of shape (n_streams,), verdict and blame.

    `verdict` is None if the model came without error statistics. `blame` names the stream that started the present
    anomaly; it is None if there is no anomaly or no single stream to blame.
    """

    window: Window
    mse: float
    errors: NDArray[np.float64]
    verdict: Verdict | None
    blame: Blame | None


class BadStream(UserError):
    """A stream cannot be learned."""


class BadMetadata(UserError):
    """A model's metadata do not fit the model."""


def train(
    windows: NDArray[np.float32], streams: Sequence[str], epochs: int, verbose: int | str = 0
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a model on normal windows; return it and the metadata to save with it.

    `windows`: finite float32 of shape (n, n_steps, n_streams), in order of time. `streams`: the streams' names.
    `verbose`: Keras's. Raises BadStream if a stream varies too much for float32.
    """
    _, n_steps, n_streams = windows.shape
    for stream, spread in zip(streams, windows.std(axis=(0, 1), dtype=np.float64), strict=True):
        if spread > LARGEST_SPREAD:
            raise BadStream(
                f"stream {stream} varies by {spread:.0e}, too much for float32; publish it in a larger unit"
            )
    model = build(n_steps, n_streams)
    fit(model, windows, epochs=epochs, verbose=verbose)
    _, errors = Scorer(model).score(windows)
    normal = learn(windows, errors, code_size(n_steps, n_streams))
    return model, {"streams": list(streams), "normal": normal.to_metadata()}


class Detector:
    """Scores windows in order of time and runs the alarm."""

    def __init__(
        self, model: keras.Model, metadata: dict[str, Any], stride: int, margin: float, after: int = 1
    ) -> None:
        """`metadata` come from `train`; without error statistics in them there is no alarm.

        `stride`: from one window to the next, in samples. `margin`: the threshold divided by the highest score
        expected of normal windows. `after`: how many windows in a row start an alarm. Raises BadMetadata.
        """
        n_streams = model.input_shape[2]
        if "streams" in metadata and not _are_names(metadata["streams"], n_streams):
            raise BadMetadata(f"the model does not name its {n_streams} streams; train again with ./train.sh")
        self._scorer = Scorer(model)
        self._alarm: Alarm | None = None
        self._blame: Blame | None = None
        if "normal" in metadata:
            try:
                self._normal = Normal.from_metadata(metadata["normal"], n_streams)
            except ValueError as error:
                raise BadMetadata(f"the model was saved with {error}; train again with ./train.sh") from None
            self._alarm = Alarm(self._normal, stride, margin, after=after)

    @property
    def threshold(self) -> float | None:
        """The score above which an alarm starts, None if there are no alarms."""
        return self._alarm.threshold if self._alarm else None

    def examine(self, windows: Sequence[Window]) -> list[Finding]:
        """Return the finding for each window; they are scored in one batch."""
        # Joined, then parted: np.stack takes three times as long for many small arrays.
        values = np.concatenate([window.values for window in windows]).reshape(len(windows), *windows[0].values.shape)
        mse, errors = self._scorer.score(values)
        scores = self._normal.scores(errors).tolist() if self._alarm else [math.nan] * len(windows)
        return [self._judge(*found) for found in zip(windows, mse.tolist(), errors, scores, strict=True)]

    def _judge(self, window: Window, mse: float, errors: NDArray[np.float64], score: float) -> Finding:
        verdict = self._alarm.judge(score) if self._alarm else None
        if verdict and verdict.changed:
            self._blame = None
            if verdict.alarm:
                self._blame = blame(errors, self._scorer.repaired(window.values), self._normal.typical)
        return Finding(window, mse, errors, verdict, self._blame)


def _are_names(names: object, count: int) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == count
