"""Keeps a Service Directory informed of the registrations of other domains.

It listens to the broadcasts of their directories, subscribes to each one's details, and passes every received map on.
Everything happens in its own thread, without waiting for replies.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..io import BroadcastListener, Loop, Receiver, Requester, Transport, TransportError
from ..log import library_log
from ..protocol.directory_messages import (
    Kind,
    Lookup,
    Publisher,
    decode_broadcast,
    decode_publishers_reply,
    encode_request,
)
from ..protocol.envelope import MalformedFrame, checked_text, decode_data_product, parse
from ..protocol.names import DOMAIN_DETAILS
from ..roles.directory_client import DirectoryClient
from ..ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB
from .state.neighbours import Appeared, Neighbours

TICK = 0.5  # seconds between checks for missed broadcasts and between attempts to subscribe
PATIENCE = 3.0  # seconds until asking an unresponsive directory again


@dataclass(slots=True, eq=False)
class _Followed:
    """A domain: first its directory is asked for the address of its details, then they are received."""

    domain: str
    url: str
    asked: float = -math.inf
    question: Requester | None = None
    details: tuple[Publisher, Receiver] | None = None


class Synchroniser:
    """Follows other domains; calls `update(domain, map)` and `remove(domain)` in its thread."""

    def __init__(
        self,
        transport: Transport,
        own_domain: str,
        wanted: Collection[str],
        port: int,
        update: Callable[[str, ServiceDirectoryMapPB], None],
        remove: Callable[[str], None],
    ) -> None:
        """Raises TransportError if UDP `port` cannot be bound."""
        self._transport = transport
        self._neighbours = Neighbours(own_domain, wanted)
        self._update = update
        self._remove = remove
        self._followed: dict[str, _Followed] = {}
        listener = BroadcastListener(port)
        self._loop = Loop("gravity-synchroniser")
        self._loop.call(lambda: self._loop.watch(listener, lambda: self._hear(listener)))
        self._loop.call(self._tick)

    def close(self) -> None:
        """Stop the thread."""
        self._loop.stop()

    def _hear(self, listener: BroadcastListener) -> None:
        for datagram in listener.receive():
            try:
                event = self._neighbours.hear(decode_broadcast(datagram), time.monotonic())
            except MalformedFrame as error:
                library_log.debug("ignored a broadcast that is not from a Service Directory: %s", error)
                continue
            if isinstance(event, Appeared):
                self._unfollow(event.domain)
                followed = self._followed[event.domain] = _Followed(event.domain, event.url)
                self._ask(followed)

    def _tick(self) -> None:
        now = time.monotonic()
        for event in self._neighbours.miss(now):
            self._unfollow(event.domain)
            self._remove(event.domain)
        for followed in self._followed.values():
            if followed.details is None and (followed.question is None or now - followed.asked > PATIENCE):
                self._ask(followed)
        self._loop.call_at(now + TICK, self._tick)

    def _ask(self, followed: _Followed) -> None:
        """Ask a domain's directory for the address of its details."""
        if followed.question:
            answer = "answer with our key" if self._transport.encrypted else "answer"
            library_log.warning("the directory of domain %s at %s does not %s", followed.domain, followed.url, answer)
            self._loop.unwatch(followed.question)
        followed.question, followed.asked = None, time.monotonic()
        try:
            url = DirectoryClient(self._transport, followed.url).url
            lookup = encode_request(Lookup(DOMAIN_DETAILS, Kind.DATA, followed.domain))
            followed.question = self._transport.requester(url, lookup)
        except (TransportError, ValueError) as error:
            library_log.warning("cannot follow domain %s: %s", followed.domain, error)
            return
        self._loop.watch(followed.question, functools.partial(self._follow, followed, followed.question))

    def _follow(self, followed: _Followed, question: Requester) -> None:
        """Subscribe to a domain's details once their address is known."""
        reply = question.receive()
        self._loop.unwatch(question)
        followed.question = None
        try:
            publishers = decode_publishers_reply(reply)
            if not publishers:
                return  # it has just started; the next tick retries
            receiver = self._transport.receiver(publishers[0].url)
        except (MalformedFrame, TransportError) as error:
            library_log.warning("cannot follow domain %s: %s", followed.domain, error)
            return
        followed.details = publishers[0], receiver
        receiver.add_topic(b"")
        self._loop.watch(receiver, functools.partial(self._receive, followed.domain, *followed.details))

    def _unfollow(self, domain: str) -> None:
        followed = self._followed.pop(domain, None)
        if followed and followed.question:
            self._loop.unwatch(followed.question)
        if followed and followed.details:
            self._loop.unwatch(followed.details[1])

    def _receive(self, domain: str, publisher: Publisher, receiver: Receiver) -> None:
        for frame in receiver.receive():
            try:
                product = decode_data_product(frame)
                if product.registration_time == publisher.registration_time:
                    details = parse(ServiceDirectoryMapPB, product.data)
                    for offer in (*details.data_provider, *details.service_provider):
                        checked_text(offer)
                    self._update(domain, details)
            except MalformedFrame as error:
                library_log.warning("dropped details of domain %s: %s", domain, error)
