"""From windows to a trained model, and with that from windows to findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from anomaly.alarm import MARGIN, Alarm, Normal, Verdict, learn
from anomaly.autoencoder import Scorer, build, code_size, fit
from anomaly.blame import Blame, blame
from anomaly.windows import Window

LARGEST_SPREAD = 1e19  # standard deviation, whose square Keras keeps as float32


class Finding(NamedTuple):
    """What is found in a window: its MSE, its streams' errors, shape (n_streams,), and what follows from them.

    `verdict` is None if the model came without error statistics. `blame` is for the stream that a present
    anomaly began with, None if there is no anomaly or no single stream.
    """

    window: Window
    mse: float
    errors: NDArray[np.float64]
    verdict: Verdict | None
    blame: Blame | None


class BadStream(ValueError):
    """A stream cannot be learned; the text says why and what to do."""


class BadMetadata(ValueError):
    """What a model's metadata say of normal errors cannot be used; the text says what to do."""


def train(
    windows: NDArray[np.float32], streams: Sequence[str], epochs: int, verbose: int | str = 0
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a model on normal windows of `streams`; return it and the metadata to save with it.

    The arguments are those of `autoencoder.fit`. Raises BadStream.
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
    """Scores windows in the order in which they come, and keeps watch over the alarm."""

    def __init__(
        self, model: keras.Model, metadata: dict[str, Any], stride: int, margin: float = MARGIN, after: int = 1
    ) -> None:
        """`metadata` come from `train`; without them there is no alarm. The numbers are those of `Alarm`.

        Raises BadMetadata.
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
        """The score above which an alarm begins, None if there is no alarm."""
        return self._alarm.threshold if self._alarm else None

    def examine(self, windows: Sequence[Window]) -> list[Finding]:
        """Return a finding for each window; all of them are scored at once."""
        # Joined, then parted: np.stack takes three times as long for many small arrays.
        values = np.concatenate([window.values for window in windows]).reshape(len(windows), *windows[0].values.shape)
        mse, errors = self._scorer.score(values)
        scores = self._normal.scores(errors).tolist() if self._alarm else [math.nan] * len(windows)
        return [self._judge(*found) for found in zip(windows, mse.tolist(), errors, scores, strict=True)]

    def _judge(self, window: Window, mse: float, errors: NDArray[np.float64], score: float) -> Finding:
        verdict = self._alarm.judge_score(score) if self._alarm else None
        if verdict and verdict.changed:
            self._blame = None
            if verdict.alarm:
                self._blame = blame(errors, self._scorer.repaired(window.values), self._normal.typical)
        return Finding(window, mse, errors, verdict, self._blame)


def _are_names(names: object, count: int) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == count
