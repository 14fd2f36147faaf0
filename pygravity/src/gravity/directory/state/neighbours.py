"""Which other domains' Service Directories are heard: pure, the time is an argument.

A domain counts as there after its third broadcast, and as gone when as many have been missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...protocol.directory_messages import Broadcast

CONFIDENCE = 3  # broadcasts
EVERY_DOMAIN = "*"


@dataclass(slots=True)
class _Neighbour:
    broadcast: Broadcast
    confidence: int
    due: float  # when the next broadcast is missed
    there: bool = False


@dataclass(frozen=True, slots=True)
class Appeared:
    """A domain's directory is there, or has started anew."""

    domain: str
    url: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """A domain's directory is heard no more."""

    domain: str


class Neighbours:
    """The domains that are heard, of those that are wanted."""

    def __init__(self, own_domain: str, wanted: Collection[str]) -> None:
        """`wanted`: names of domains; "*" stands for all."""
        self._own_domain = own_domain
        self._wanted = wanted
        self._heard: dict[str, _Neighbour] = {}

    @property
    def domains(self) -> list[str]:
        """Those that are there, by name."""
        return sorted(name for name, neighbour in self._heard.items() if neighbour.there)

    def hear(self, broadcast: Broadcast, now: float) -> Appeared | None:
        """Take a broadcast; return what it means. `now` in seconds of a clock that does not go back."""
        name = broadcast.domain
        if name == self._own_domain or not (name in self._wanted or EVERY_DOMAIN in self._wanted):
            return None
        due = now + 1.5 * max(1, broadcast.rate)  # half an interval of grace: broadcasts have no exact clock
        known = self._heard.get(name)
        if known is None:
            known = self._heard[name] = _Neighbour(broadcast, 0, due)
        restarted = known.broadcast.started != broadcast.started
        known.broadcast, known.due = broadcast, due
        known.confidence = min(CONFIDENCE, known.confidence + 1)
        if known.confidence < CONFIDENCE or (known.there and not restarted):
            return None
        known.there = True
        return Appeared(name, broadcast.url)

    def miss(self, now: float) -> Iterator[Vanished]:
        """Yield the domains that are gone by `now`."""
        for name, neighbour in list(self._heard.items()):
            while neighbour.due <= now and neighbour.confidence:
                neighbour.confidence -= 1
                neighbour.due += max(1, neighbour.broadcast.rate)
            if not neighbour.confidence:
                del self._heard[name]
                if neighbour.there:
                    yield Vanished(name)
