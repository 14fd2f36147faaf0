"""When recorded messages are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .model import Recorded


def timed(messages: Iterable[Recorded]) -> Iterator[tuple[float, Recorded]]:
    """Yield each message with the seconds from the first one's receipt to its own, 0 if the clock had gone backwards."""
    first = None
    for message in messages:
        if first is None:
            first = message.received
        yield max(0, message.received - first) / 1e6, message
