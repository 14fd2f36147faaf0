"""Finding the Service Directory of a domain by its broadcasts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..io import BroadcastListener, Loop, TransportError
from ..log import library_log
from ..protocol.directory_messages import decode_broadcast
from ..protocol.envelope import MalformedFrame


class Discovery:
    """Listens to broadcasts as long as its loop runs, and tells of each newer start of the domain's directory."""

    def __init__(self, loop: Loop, domain: str, port: int, moved: Callable[[str], None]) -> None:
        """`moved(url)` is called in the loop's thread; raises TransportError if `port` cannot be listened to."""
        self._domain = domain
        self._moved = moved
        self._started = -1  # epoch seconds of the directory's start
        self._heard = threading.Event()
        self._listener = BroadcastListener(port)
        loop.call(lambda: loop.watch(self._listener, self._receive))

    def found(self, timeout: float) -> bool:
        """Return whether a directory of the domain has been heard, waiting for `timeout` seconds at most."""
        return self._heard.wait(timeout)

    def _receive(self) -> None:
        for datagram in self._listener.receive():
            try:
                broadcast = decode_broadcast(datagram)
            except MalformedFrame as error:
                library_log.debug("a broadcast is no Service Directory's: %s", error)
                continue
            if broadcast.domain == self._domain and broadcast.started > self._started:
                try:
                    self._moved(broadcast.url)
                except (ValueError, TransportError) as error:
                    library_log.warning("a broadcast of domain %s: %s", self._domain, error)
                else:
                    self._started = broadcast.started
                    self._heard.set()
