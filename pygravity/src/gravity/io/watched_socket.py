"""A ZeroMQ socket that a loop can watch."""

from __future__ import annotations

import zmq


class WatchedSocket:
    """A socket whose file descriptor is edge-triggered: it signals a change only once.

    After a signal, read until the socket is `exhausted`, or later messages go unnoticed. Used in one thread only.
    """

    looks_first = True  # whether to check for a message after a signal, because receiving might block
    may_be_lost = False  # whether to `restore` the connection regularly

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._poller = zmq.Poller()  # cheaper than reading the EVENTS socket option
        self._poller.register(socket, zmq.POLLIN)
        self.exhausted = False  # whether the last check found nothing, so that the next message signals

    @property
    def largest(self) -> int:
        """The most bytes of a frame; ZeroMQ drops the connection to a peer that sends more."""
        return int(self.socket.maxmsgsize)

    def fileno(self) -> int:
        """Return the file descriptor to watch."""
        return int(self.socket.fd)

    def readable(self) -> bool:
        """Return whether a message is waiting."""
        self.exhausted = not self._poller.poll(0)
        return not self.exhausted

    def restore(self) -> None:
        """Connect again if the connection has been lost since the last call."""

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
