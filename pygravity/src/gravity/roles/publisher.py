"""A node's publications at work: stamped, sent, and replayed to new subscribers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Sender, now_us
from ..protocol.publication import Publication
from .metrics import PUBLICATION, Metrics

_LOOK_PERIOD = 500  # microseconds between a publisher's looks at who is new: a look costs as much as a message
_LATE_LOOK = 0.05  # seconds until the loop looks in its stead


@dataclass(slots=True, eq=False)
class _Open:
    publication: Publication
    sender: Sender
    loop: Loop
    looked: int = 0  # when a publisher last looked at who is new, in microseconds since the epoch
    look_due: bool = False  # whether the loop is about to


class PublisherRole:
    """The data products that a node publishes; any thread may publish."""

    def __init__(self, loop: Callable[[], Loop], metrics: Metrics | None = None) -> None:
        """`loop` returns the loop that serves new subscribers while nothing is published."""
        self._loop = loop
        self._metrics = metrics
        self._open: dict[str, _Open] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._open

    def publications(self) -> list[Publication]:
        """Return what the node publishes."""
        return [o.publication for o in self._open.values()]

    def add(self, publication: Publication, sender: Sender) -> None:
        """Begin to serve subscribers of a registered data product."""
        loop = self._loop()
        opened = self._open[publication.id] = _Open(publication, sender, loop)
        loop.call(lambda: loop.watch(sender.fd, lambda: self._serve(opened)))

    def remove(self, id: str) -> Publication:
        """Stop serving a data product; its address is free at once."""
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
        """Stamp and send `product`, which is now ours; return False if its data product is not registered."""
        opened = self._open.get(product.dataProductID)
        if opened is None:
            return False
        with opened.sender.lock:
            if opened.sender.closed:
                return False  # unregistered by another thread just now
            now = now_us()
            frames = opened.publication.frames(product, filter_text, timestamp, now)
            opened.sender.send(frames)
            if not opened.look_due:
                self._look_for_new(opened, now)  # sending may have swallowed the signal that the loop waits for
        if self._metrics:
            self._metrics.count(PUBLICATION, product.dataProductID, len(frames[1]))
        return True

    def has_subscribers(self, id: str) -> bool | None:
        """Return whether anybody subscribes to a data product, None if it is not registered."""
        opened = self._open.get(id)
        return opened.sender.has_subscribers if opened else None

    def close(self) -> None:
        """Close all sockets, after the loop has ended."""
        for opened in self._open.values():
            opened.sender.close()

    def _serve(self, opened: _Open) -> None:
        with opened.sender.lock:
            opened.look_due = False
            if not opened.sender.closed:
                self._replay_to_new(opened)

    def _serve_late(self, opened: _Open) -> None:
        opened.loop.call_at(time.monotonic() + _LATE_LOOK, lambda: self._serve(opened))

    def _look_for_new(self, opened: _Open, now: int) -> None:
        """See to new subscribers now, or let the loop do it soon if that was just done."""
        if abs(now - opened.looked) >= _LOOK_PERIOD:
            opened.looked = now
            self._replay_to_new(opened)
        else:
            opened.look_due = True
            opened.loop.call(lambda: self._serve_late(opened))

    def _replay_to_new(self, opened: _Open) -> None:
        """Send what is cached if anybody is new: to all, as ZeroMQ goes; the others drop what they know."""
        while opened.sender.take_subscriptions():  # again, since more may come while this is sent
            for frames in opened.publication.replay():
                opened.sender.send(frames)
