"""Keeps a Service Directory informed of what other domains offer.

It listens to the broadcasts of their directories, subscribes to each one's details, and hands every map that
arrives to its own directory. In a thread of its own, since it waits for the others' answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from .directory_client import DirectoryClient, NoDirectory
from .io import BroadcastListener, Loop, Receiver, Transport, TransportError
from .log import library_log
from .neighbours import Appeared, Neighbours
from .ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB
from .wire import (
    DOMAIN_DETAILS,
    MalformedFrame,
    Publisher,
    checked_text,
    decode_broadcast,
    decode_data_product,
    parse,
)

TICK = 0.5  # seconds between two looks at which broadcasts are missed, and between two tries to subscribe


class Synchroniser:
    """Follows other domains; `learn(domain, map)` and `forget(domain)` are called in its thread."""

    def __init__(
        self,
        transport: Transport,
        own_domain: str,
        wanted: Collection[str],
        port: int,
        learn: Callable[[str, ServiceDirectoryMapPB], None],
        forget: Callable[[str], None],
    ) -> None:
        """Raises TransportError if broadcasts on `port` cannot be listened to."""
        self._transport = transport
        self._neighbours = Neighbours(own_domain, wanted)
        self._learn = learn
        self._forget = forget
        self._followed: dict[str, tuple[Publisher, Receiver]] = {}
        self._wanted_urls: dict[str, str] = {}  # of directories that have not told yet where their details are
        listener = BroadcastListener(port)
        self._loop = Loop("gravity-synchroniser")
        self._loop.call(lambda: self._loop.watch(listener, lambda: self._hear(listener)))
        self._loop.call(self._tick)

    def close(self) -> None:
        """End the thread."""
        self._loop.stop()

    def _hear(self, listener: BroadcastListener) -> None:
        for datagram in listener.receive():
            try:
                event = self._neighbours.hear(decode_broadcast(datagram), time.monotonic())
            except MalformedFrame as error:
                library_log.debug("a broadcast is no Service Directory's: %s", error)
                continue
            if isinstance(event, Appeared):
                self._unfollow(event.domain)
                self._wanted_urls[event.domain] = event.url
                self._follow(event.domain, event.url)

    def _tick(self) -> None:
        for event in self._neighbours.miss(time.monotonic()):
            self._unfollow(event.domain)
            self._wanted_urls.pop(event.domain, None)
            self._forget(event.domain)
        for domain, url in list(self._wanted_urls.items()):
            self._follow(domain, url)
        self._loop.call_at(time.monotonic() + TICK, self._tick)

    def _follow(self, domain: str, url: str) -> None:
        """Subscribe to a domain's details, if its directory says where they are."""
        try:
            publishers = DirectoryClient(self._transport, url).publishers(DOMAIN_DETAILS, domain)
            if not publishers:
                return  # it has just started; the next tick tries again
            receiver = self._transport.receiver(publishers[0].url)
        except (NoDirectory, TransportError, ValueError) as error:
            library_log.warning("domain %s cannot be followed: %s", domain, error)
            return
        del self._wanted_urls[domain]
        self._followed[domain] = publishers[0], receiver
        receiver.add_topic(b"")
        self._loop.watch(receiver, lambda: self._receive(domain))

    def _unfollow(self, domain: str) -> None:
        if domain in self._followed:
            self._loop.unwatch(self._followed.pop(domain)[1])

    def _receive(self, domain: str) -> None:
        publisher, receiver = self._followed[domain]
        for message in receiver.receive():
            try:
                product = decode_data_product(message[-1])
                if product.registration_time == publisher.registration_time:
                    details = parse(ServiceDirectoryMapPB, product.data)
                    for offer in (*details.data_provider, *details.service_provider):
                        checked_text(offer)
                    self._learn(domain, details)
            except MalformedFrame as error:
                library_log.warning("details of domain %s are dropped: %s", domain, error)
