"""Tracks the Service Directories of other domains by their broadcasts.

A domain appears with its third broadcast and vanishes after three missed ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...protocol.directory_messages import Broadcast
from ...protocol.limits import MOST_DOMAINS, fault_of_name

CONFIDENCE = 3  # broadcasts
EVERY_DOMAIN = "*"
_LONGEST_INTERVAL = 3600  # seconds between broadcasts


@dataclass(slots=True)
class _Neighbour:
    broadcast: Broadcast
    confidence: int
    due: float  # when the next broadcast counts as missed
    there: bool = False


@dataclass(frozen=True, slots=True)
class Appeared:
    """A domain's directory has started or restarted."""

    domain: str
    url: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """A domain's directory has stopped broadcasting."""

    domain: str


class Neighbours:
    """The wanted domains whose broadcasts are received."""

    def __init__(self, own_domain: str, wanted: Collection[str]) -> None:
        """`wanted`: names of domains, or "*" for all."""
        self._own_domain = own_domain
        self._wanted = wanted
        self._heard: dict[str, _Neighbour] = {}

    @property
    def domains(self) -> list[str]:
        """The domains that have appeared, sorted by name."""
        return sorted(name for name, neighbour in self._heard.items() if neighbour.there)

    def hear(self, broadcast: Broadcast, now: float) -> Appeared | None:
        """Process a broadcast; return Appeared if it makes its domain appear. `now`: seconds of a monotonic clock."""
        name = broadcast.domain
        if name == self._own_domain or not (name in self._wanted or EVERY_DOMAIN in self._wanted):
            return None
        due = now + 1.5 * _interval(broadcast)  # half of it is grace, since broadcasts are not exactly periodic
        known = self._heard.get(name)
        if known is None:
            if len(self._heard) >= MOST_DOMAINS or fault_of_name(name):
                return None
            known = self._heard[name] = _Neighbour(broadcast, 0, due)
        restarted = known.broadcast.started != broadcast.started
        known.broadcast, known.due = broadcast, due
        known.confidence = min(CONFIDENCE, known.confidence + 1)
        if known.confidence < CONFIDENCE or (known.there and not restarted):
            return None
        known.there = True
        return Appeared(name, broadcast.url)

    def miss(self, now: float) -> Iterator[Vanished]:
        """Yield the domains that have vanished by `now`."""
        for name, neighbour in list(self._heard.items()):
            while neighbour.due <= now and neighbour.confidence:
                neighbour.confidence -= 1
                neighbour.due += _interval(neighbour.broadcast)
            if not neighbour.confidence:
                del self._heard[name]
                if neighbour.there:
                    yield Vanished(name)


def _interval(broadcast: Broadcast) -> int:
    return min(max(1, broadcast.rate), _LONGEST_INTERVAL)
