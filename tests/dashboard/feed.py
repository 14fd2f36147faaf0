"""A publisher and a detector of our own, so that a test decides what arrives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from streams import points

from gravity import GravityDataProduct, GravityNode, gravity

N_STEPS = 20


class Feed:
    """Publishes samples of correlated streams, and a finding after every `N_STEPS` of them, at times of its own."""

    def __init__(self, ini: Path, names: Sequence[str], period: float = 0.1) -> None:
        """`period`: seconds from one sample to the next, by their timestamps."""
        self.names = list(names)
        self.number = 0
        self._period = round(1e6 * period)
        self._start = time.time_ns() // 1000
        self._node = GravityNode(ini=ini)
        assert self._node.init("Feed") == gravity.SUCCESS
        for product in ("AutoencoderExample", "AnomalyScore"):
            assert self._node.registerDataProduct(product, gravity.TCP) == gravity.SUCCESS
        self._publish("AnomalyScore", AnomalyScorePB(timestamp=self._start, sample=0, mse=0, state=2))

    def values(self, number: int) -> np.ndarray:
        """Return a sample: groups of three streams have a rhythm in common."""
        group = np.arange(len(self.names)) // 3
        return np.sin(number * (0.05 + 0.013 * group) + 0.4 * np.arange(len(self.names))) * (1 + group)

    def samples(self, count: int, blamed: str = "", kind: int = AnomalyScorePB.RELATION) -> None:
        """Publish so many samples and their findings; with `blamed`, those of an anomaly, and it jumps."""
        for _ in range(count):
            self.number += 1
            at = self._start + self.number * self._period
            values = self.values(self.number)
            for name, value in zip(self.names, values, strict=True):
                self._publish("AutoencoderExample", points.message(name, at, value + 2.5 * (name == blamed)))
            if self.number % N_STEPS == 0:
                self._publish("AnomalyScore", self._finding(at, blamed, kind))

    def _finding(self, at: int, blamed: str, kind: int) -> AnomalyScorePB:
        score = 12.0 if blamed else 0.3 + 0.1 * np.sin(self.number)
        pb = AnomalyScorePB(timestamp=at, sample=self.number, mse=0.01, state=0, score=score, threshold=1)
        rebuilt = np.array([self.values(n) for n in range(self.number - N_STEPS + 1, self.number + 1)]).T
        group = np.arange(len(self.names)) // 3
        shares = (np.equal.outer(group, group) * 0.45) * (1 - np.eye(len(group)))
        for name, own, predicted_by in zip(self.names, rebuilt, shares, strict=True):
            pb.streams.add(name=name, error=0.01, rebuilt=own, predicted_by=predicted_by)
        if blamed:
            pb.state, pb.blamed, pb.kind = AnomalyScorePB.ANOMALY, blamed, kind
        return pb

    def message(self, pb: AnomalyScorePB) -> None:
        """Publish a finding of the test's own."""
        self._publish("AnomalyScore", pb)

    def _publish(self, channel: str, message: object) -> None:
        product = GravityDataProduct(channel)
        product.data = message  # type: ignore[assignment]
        self._node.publish(product)

    def close(self) -> None:
        """End the nodes."""
        self._node.close()
