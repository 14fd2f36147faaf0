"""Detectors that the benchmarks compare: trained on windows, they examine others in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from node.settings import DEFAULTS

import numpy as np
from numpy.typing import NDArray

from anomaly.alarm import Alarm, learn
from anomaly.autoencoder import code_size
from anomaly.detector import Detector, Finding, train
from anomaly.principal_components import Components
from anomaly.windows import Window

Array = NDArray[np.float64]

MARGIN = float(DEFAULTS["alarm_margin"])
EPOCHS = int(DEFAULTS["training_epochs"])


class Contender(Protocol):
    """What `Detector` does."""

    def start(self) -> None:
        """Forget the windows so far."""

    def examine(self, windows: Sequence[Window]) -> list[Finding]:
        """Return the finding for each window."""


def windows(samples: Array, n_steps: int) -> list[Window]:
    """Cut samples, shape (n, n_streams), into windows at a stride of 1; the first sample has the number 1."""
    cut = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), n_steps, axis=0)
    return [Window(n_steps + i, 0, values, False, values) for i, values in enumerate(cut.transpose(0, 2, 1))]


def joined(windows: Sequence[Window]) -> NDArray[np.float32]:
    """Return the windows' values, shape (n, n_steps, n_streams)."""
    return np.array([window.values for window in windows])


def detector(training: Sequence[Window], seed: int) -> Detector:
    """Train the detector as AnomalyDetector.py does, for a stride of 1."""
    values = joined(training)
    trained = train(values, [f"s{column}" for column in range(values.shape[2])], EPOCHS, seed=seed)
    return Detector(trained.model, trained.metadata, stride=1, margin=MARGIN)


class PrincipalComponents:
    """As many components as the autoencoder's linear code has numbers, with the alarm of the reconstruction error."""

    def __init__(self, training: Sequence[Window]) -> None:
        values = joined(training)
        _, n_steps, n_streams = values.shape
        self._mean, spread = values.mean(axis=(0, 1)), values.std(axis=(0, 1))
        self._spread = np.where(spread > 0, spread, 1)
        self._components = Components(self._flat(values), code_size(n_steps, n_streams))
        self._normal = learn(values, self._errors(values), code_size(n_steps, n_streams))
        self.start()

    def start(self) -> None:
        """Forget the windows so far."""
        self._alarm = Alarm(self._normal, stride=1, margin=MARGIN)

    def examine(self, windows: Sequence[Window]) -> list[Finding]:
        """Return the finding for each window; there is no diagnosis."""
        errors = self._errors(joined(windows))
        verdicts = map(self._alarm.judge, self._normal.relative(errors))
        return [Finding(w, e.mean(), e, v, None) for w, e, v in zip(windows, errors, verdicts, strict=True)]

    def _flat(self, values: NDArray[np.float32]) -> Array:
        rows: Array = ((values.astype(np.float64) - self._mean) / self._spread).reshape(len(values), -1)
        return rows

    def _errors(self, values: NDArray[np.float32]) -> Array:
        # A floor of what float32 resolves: with clean signals the residual is rounding, which says nothing.
        errors: Array = self._components.squares(self._flat(values)).reshape(values.shape).mean(axis=1) + 1e-12
        return errors
