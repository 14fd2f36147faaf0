"""The publisher's role: stamps and sends messages, and replays cached ones to new subscribers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Sender, now_us
from ..protocol.publication import Publication
from .metrics import PUBLICATION, Metrics

_CHECK_PERIOD = (
    500  # microseconds between a publisher's checks for new subscribers; a check costs as much as a message
)
_LATE_CHECK = 0.05  # seconds until the loop checks instead


@dataclass(slots=True, eq=False)
class _Registered:
    publication: Publication
    sender: Sender
    loop: Loop
    checked: int = 0  # time of the last check for new subscribers, in microseconds since the epoch
    check_due: bool = False  # whether the loop is going to check


class PublisherRole:
    """The data products of a node; any thread may publish."""

    def __init__(self, loop: Callable[[], Loop], metrics: Metrics | None = None) -> None:
        """`loop()` returns the loop that serves new subscribers between publications."""
        self._loop = loop
        self._metrics = metrics
        self._open: dict[str, _Registered] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._open

    def publications(self) -> list[Publication]:
        """Return the registered data products."""
        return [o.publication for o in self._open.values()]

    def add(self, publication: Publication, sender: Sender) -> None:
        """Start serving subscribers of a data product."""
        loop = self._loop()
        opened = self._open[publication.id] = _Registered(publication, sender, loop)
        loop.call(lambda: loop.watch(sender.fd, lambda: self._serve(opened)))

    def remove(self, id: str) -> Publication:
        """Stop serving a data product, release its address immediately, and return its publication."""
        opened = self._open.pop(id)
        sender, loop = opened.sender, opened.loop
        with sender.lock:
            sender.unbind()

        def close() -> None:
            loop.unwatch(sender.fd)
            sender.close()

        loop.call(close)
        return opened.publication

    def publish(self, product: GravityDataProductPB, filter_text: str, timestamp: int) -> bool:
        """Stamp and send `product`, taking ownership of it; return False if it is not registered.

        Raises TooLarge if it exceeds MaxMessageSize.
        """
        opened = self._open.get(product.dataProductID)
        if opened is None:
            return False
        with opened.sender.lock:
            if opened.sender.closed:
                return False  # another thread has just unregistered it
            now = now_us()
            frames = opened.publication.frames(product, filter_text, timestamp, now, opened.sender.largest)
            opened.sender.send(frames)
            if not opened.check_due:
                self._check_for_new(opened, now)  # sending may have consumed the signal that the loop waits for
        if self._metrics:
            self._metrics.count(PUBLICATION, product.dataProductID, len(frames[1]))
        return True

    def has_subscribers(self, id: str) -> bool | None:
        """Return whether a data product has subscribers, or None if it is not registered."""
        opened = self._open.get(id)
        return opened.sender.has_subscribers if opened else None

    def close(self) -> None:
        """Close all sockets; call this after the loop has stopped."""
        for opened in self._open.values():
            opened.sender.close()

    def _serve(self, opened: _Registered) -> None:
        with opened.sender.lock:
            opened.check_due = False
            if not opened.sender.closed:
                self._replay_to_new(opened)

    def _serve_late(self, opened: _Registered) -> None:
        opened.loop.call_at(time.monotonic() + _LATE_CHECK, lambda: self._serve(opened))

    def _check_for_new(self, opened: _Registered, now: int) -> None:
        """Serve new subscribers now, or let the loop do so soon if the last check was just now."""
        if abs(now - opened.checked) >= _CHECK_PERIOD:
            opened.checked = now
            self._replay_to_new(opened)
        else:
            opened.check_due = True
            opened.loop.call(lambda: self._serve_late(opened))

    def _replay_to_new(self, opened: _Registered) -> None:
        """Send cached messages if there is a new subscriber. ZeroMQ sends them to all; the others drop them."""
        while opened.sender.take_subscriptions():  # repeat, since more may arrive meanwhile
            for frames in opened.publication.replay():
                opened.sender.send(frames)
