"""Learns how streams belong together, and watches whether they still do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly import limits, prediction
from anomaly.checks import NAMES, Checks, Seen, Usual
from anomaly.diagnosis import Diagnosis, diagnose
from anomaly.features import Array, Features
from anomaly.prediction import N_PREDICTIONS, residual
from anomaly.windows import Window

FEWEST = 100  # windows to learn from
CHUNK = 4096  # windows at once: bounds the memory
ALARM_MARGIN = 2.5  # alarm_margin as shipped
WEAK = 0.5  # level of evidence that says nothing


@dataclass(frozen=True)
class Relations:
    """What training windows show of how streams belong together.

    `weights`, float32 of shape (n_features, N_PREDICTIONS, n_streams), take the features of a window less their
    `mean`, shape (n_features,), to the residuals of its newest sample; `usual` says which residuals are usual.
    `shares`, float32 of shape (n_streams, n_streams), are the shares of each row's stream's variance that each
    column's stream predicts; a row sums up to what all others predict. None if the model was saved without them.
    """

    features: Features
    mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    usual: Usual
    shares: NDArray[np.float32] | None = None

    @classmethod
    def learn(cls, windows: NDArray[np.float32]) -> tuple[Relations, Array]:
        """Learn from training windows, shape (n, n_steps, n_streams), in order of time; n is FEWEST or more.

        Return also the residuals of these windows when left out, shape (n, N_PREDICTIONS, n_streams).
        """
        features = Features.learn(windows)
        normal = features.normal(windows)
        described = _chunked(features, normal)
        learned = prediction.learn(described, features.n_hinges, windows.shape[1])
        held_out = learned.held_out.astype(np.float64)
        seen = Seen(held_out, normal, features.beyond(normal[:, -1]))
        usual, shares = limits.learn(seen, learned.weights), prediction.shares(described, learned)
        return cls(features, learned.mean, learned.weights, usual, shares), held_out

    @classmethod
    def from_metadata(cls, metadata: Any, n_steps: int, n_streams: int) -> Relations:
        """Return what `to_metadata` returned; raise ValueError if that is malformed or does not fit the model."""
        try:
            features = Features(**_arrays(metadata["features"]))
            usual = Usual(**_arrays(metadata["usual"]))
            mean, weights = (np.asarray(metadata[name], np.float32) for name in ("mean", "weights"))
            shares = np.asarray(metadata["shares"], np.float32) if "shares" in metadata else None
            n_features = features(np.zeros((1, n_steps, n_streams), np.float32))[0].size
            fits = (
                metadata["checks"] == list(NAMES)
                and weights.shape == (*mean.shape, N_PREDICTIONS, n_streams) == (n_features, N_PREDICTIONS, n_streams)
                and usual.spread.shape == usual.robust.shape == usual.largest.shape == weights.shape[1:]
                and usual.limits.shape == usual.start.shape == (len(NAMES), n_streams)
                and usual.change.shape == (n_streams,)
                and (shares is None or (shares.shape == (n_streams, n_streams) and np.isfinite(shares).all()))
                and not any(
                    np.isnan(array).any()
                    for array in (mean, weights, *vars(features).values(), *vars(usual).values())
                )
            )
        except Exception:  # metadata can be anything
            fits = False
        if not fits:
            raise ValueError("relations between the streams that do not fit the model")
        return cls(features, mean, weights, usual, shares)

    def to_metadata(self) -> dict[str, Any]:
        """Return names and arrays."""
        return {
            "checks": list(NAMES),
            "features": asdict(self.features),
            "mean": self.mean,
            "weights": self.weights,
            "usual": asdict(self.usual),
            **({} if self.shares is None else {"shares": self.shares}),
        }

    def see(self, windows: NDArray[np.float32]) -> Seen:
        """Return windows, shape (n, n_steps, n_streams), as the checks see them."""
        normal = self.features.normal(windows)
        centred = self.features(normal).reshape(len(windows), -1) - self.mean
        residuals = residual(centred, self.weights).astype(np.float64)
        return Seen(residuals, normal, self.features.beyond(normal[:, -1]))


class Watch:
    """Watches windows in order of time: the level of their checks, and what is wrong."""

    def __init__(self, relations: Relations, margin: float) -> None:
        """`margin`: the checks' limits are made for ALARM_MARGIN and change in proportion."""
        self._relations = relations
        self._factor = ALARM_MARGIN / margin
        self._checks = Checks(relations.usual)
        # Of the last windows: where the samples begin that are new with each, and the levels of all.
        self._begin: list[int] = []
        self._levels: Array = np.empty(0)

    def levels(self, windows: Sequence[Window]) -> list[float]:
        """Return for each of the next windows the highest level of all checks of its new samples."""
        seen = self._relations.see(self._cut(windows))
        self._levels = self._checks.levels(seen).max(axis=(1, 2)) * self._factor
        highest = (
            self._levels if len(self._levels) == len(windows) else np.maximum.reduceat(self._levels, self._begin[:-1])
        )
        levels: list[float] = highest.tolist()
        return levels

    def _cut(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Return all windows at a stride of 1, shape (n, n_steps, n_streams), and note where those of each begin."""
        n_steps = len(windows[0].values)
        counts = [len(window.recent) - n_steps + 1 for window in windows]
        rows = np.concatenate([window.recent for window in windows])
        self._begin = [0, *itertools.accumulate(counts)]
        if len(counts) == self._begin[-1]:
            return rows.reshape(len(windows), n_steps, -1)
        starts = np.repeat(np.arange(len(counts)) * (n_steps - 1), counts) + np.arange(self._begin[-1])
        every: NDArray[np.float32] = rows[starts[:, None] + np.arange(n_steps)]
        return every

    def diagnose(self, index: int, first: bool = False) -> Diagnosis | None:
        """Return what is wrong in a window of the last `levels`, None if the checks do not show it.

        `first`: at the first of its samples that is too high, not at the last.
        """
        begin, end = self._begin[index : index + 2]
        high = np.flatnonzero(self._levels[begin:end] > 1)
        at = begin + int(high[0]) if first and len(high) else end - 1
        evidence = self._checks.evidence(at)
        return diagnose(evidence) if evidence.levels.max() >= WEAK else None


def _arrays(metadata: dict[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(array, np.float64) for name, array in metadata.items()}


def _chunked(features: Features, normal: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([features(normal[start : start + CHUNK]) for start in range(0, len(normal), CHUNK)])
