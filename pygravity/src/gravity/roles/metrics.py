"""Counts the messages and bytes that a node publishes and receives, in samples."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from ..GravityMetricsDataPB_pb2 import GravityMetricsDataPB, GravityMetricsPB

PUBLICATION, SUBSCRIPTION = "PUBLICATION", "SUBSCRIPTION"


@dataclass(slots=True)
class _Counter:
    """Bytes and messages of the current sample, and earlier samples: (start, end, bytes, messages)."""

    size: int = 0
    messages: int = 0
    samples: list[tuple[int, int, int, int]] = field(default_factory=list)


class Metrics:
    """Counts by data product and direction; thread-safe."""

    def __init__(self) -> None:
        self.samples = 0
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, str], _Counter] = defaultdict(_Counter)
        self._since = 0

    def begin(self, now: int) -> None:
        """Start the first sample at `now`, in microseconds since the epoch."""
        self._since = now

    def count(self, direction: str, id: str, size: int) -> None:
        """Count a message of `size` bytes."""
        with self._lock:
            counter = self._counters[direction, id]
            counter.size += size
            counter.messages += 1

    def sample(self, now: int) -> None:
        """End the sample and start the next one at `now`, in microseconds since the epoch."""
        with self._lock:
            for counter in self._counters.values():
                counter.samples.append((self._since, now, counter.size, counter.messages))
                counter.size = counter.messages = 0
            self._since = now
            self.samples += 1

    def take(self, component_id: str, ip: str) -> GravityMetricsDataPB:
        """Return the samples since the last call as the message to publish."""
        message = GravityMetricsDataPB(componentID=component_id, ipAddress=ip)
        with self._lock:
            for (direction, id), counter in sorted(self._counters.items()):
                starts, ends, sizes, counts = zip(*counter.samples, strict=True) if counter.samples else ((),) * 4
                message.metrics.append(
                    GravityMetricsPB(
                        dataProductID=id,
                        messageType=direction,
                        startTime=starts,
                        endTime=ends,
                        numBytes=sizes,
                        numMessages=counts,
                    )
                )
                counter.samples.clear()
            self.samples = 0
        return message
