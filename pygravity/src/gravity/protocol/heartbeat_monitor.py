"""Monitors whether a component's heartbeat arrives. Times are in microseconds of a monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

PAYLOAD = b"Good\0"  # of a heartbeat's data product


@dataclass(frozen=True, slots=True)
class Received:
    """A heartbeat has arrived since the last check."""


@dataclass(frozen=True, slots=True)
class Missed:
    """No heartbeat since the last check; `since_last`: microseconds since the last report of one, or -1."""

    since_last: int


class HeartbeatMonitor:
    """Checks once per `interval` whether a heartbeat has arrived."""

    def __init__(self, interval: int, now: int) -> None:
        self.interval = interval
        self.due = now + interval
        self._beat = False
        self._reported: int | None = None

    def beat(self) -> None:
        """Record a heartbeat."""
        self._beat = True

    def check(self, now: int) -> Received | Missed | None:
        """Return the result of a check, or None if none is due yet."""
        if now < self.due:
            return None
        self.due = now + self.interval
        if self._beat:
            self._beat = False
            self._reported = now
            return Received()
        return Missed(-1 if self._reported is None else now - self._reported)
