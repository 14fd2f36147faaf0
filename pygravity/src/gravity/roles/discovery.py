"""Finds the Service Directory of a domain by its broadcasts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..io import BroadcastListener, Loop, TransportError
from ..log import library_log
from ..protocol.directory_messages import decode_broadcast
from ..protocol.envelope import MalformedFrame


class Discovery:
    """Listens to broadcasts and reports each new or restarted Service Directory of a domain."""

    def __init__(self, loop: Loop, domain: str, port: int, moved: Callable[[str], None]) -> None:
        """Call `moved(url)` in the loop's thread; raise TransportError if UDP `port` cannot be bound."""
        self._domain = domain
        self._moved = moved
        self._started = -1  # start of the directory, in seconds since the epoch
        self._heard = threading.Event()
        self._listener = BroadcastListener(port)
        loop.call(lambda: loop.watch(self._listener, self._receive))

    def found(self, timeout: float) -> bool:
        """Wait for a directory of the domain for at most `timeout` seconds; return whether there is one."""
        return self._heard.wait(timeout)

    def forget(self) -> None:
        """Accept the next directory of the domain whatever the clock said when it started."""
        self._started = -1

    def _receive(self) -> None:
        for datagram in self._listener.receive():
            try:
                broadcast = decode_broadcast(datagram)
            except MalformedFrame as error:
                library_log.debug("ignored a broadcast that is not from a Service Directory: %s", error)
                continue
            if broadcast.domain == self._domain and broadcast.started > self._started:
                try:
                    self._moved(broadcast.url)
                except (ValueError, TransportError) as error:
                    library_log.warning("cannot use a broadcast of domain %s: %s", self._domain, error)
                else:
                    self._started = broadcast.started
                    self._heard.set()
