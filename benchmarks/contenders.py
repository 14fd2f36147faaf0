"""Detectors that the benchmarks compare: trained on windows, they give errors by stream for others."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from node.settings import DEFAULTS

import numpy as np
from numpy.typing import NDArray

from anomaly.alarm import Normal, learn
from anomaly.autoencoder import Scorer, build, code_size, fit
from anomaly.principal_components import Components

Array = NDArray[np.float64]

MARGIN = float(DEFAULTS["alarm_margin"])


class Contender(NamedTuple):
    """`errors` takes windows (n, n_steps, n_streams) and returns (n, n_streams)."""

    errors: Callable[[Array], Array]
    normal: Normal
    scorer: Scorer | None = None


def autoencoder(windows: Array, seed: int) -> Contender:
    """Train the autoencoder as AnomalyDetector.py does."""
    _, n_steps, n_streams = windows.shape
    model = build(n_steps, n_streams, seed)
    fit(model, windows, seed=seed)
    scorer = Scorer(model)
    normal = learn(windows, scorer.score(windows)[1], code_size(n_steps, n_streams))
    return Contender(lambda w: scorer.score(w)[1], normal, scorer)


def pca(windows: Array, seed: int = 0) -> Contender:
    """Fit principal components to the same windows, as many as the autoencoder's linear code has numbers."""
    _, n_steps, n_streams = windows.shape
    mean, spread = windows.mean(axis=(0, 1)), windows.std(axis=(0, 1))
    spread = np.where(spread > 0, spread, 1)

    def flat(w: Array) -> Array:
        rows: Array = ((w - mean) / spread).reshape(len(w), -1)
        return rows

    components = Components(flat(windows), code_size(n_steps, n_streams))

    def errors(w: Array) -> Array:
        # A floor of what float32 resolves: with clean signals the residual is rounding, which says nothing.
        squares: Array = components.squares(flat(w)).reshape(w.shape).mean(axis=1)
        return squares + 1e-12

    return Contender(errors, learn(windows, errors(windows), code_size(n_steps, n_streams)))
