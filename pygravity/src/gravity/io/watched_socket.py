"""A ZeroMQ socket that a loop can watch."""

from __future__ import annotations

import zmq


class WatchedSocket:
    """A socket whose descriptor signals a change once, and not again until the socket has been read.

    So after each signal, messages must be taken until the socket is `exhausted`. Belongs to one thread.
    """

    looks_first = True  # whether to check after a signal that there is a message, because taking it might block

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._poller = zmq.Poller()  # cheaper than the socket option for the same
        self._poller.register(socket, zmq.POLLIN)
        self.exhausted = False  # whether the last look found nothing, so that the descriptor signals again

    def fileno(self) -> int:
        """Return the descriptor that signals."""
        return int(self.socket.fd)

    def readable(self) -> bool:
        """Return whether there is a message."""
        self.exhausted = not self._poller.poll(0)
        return not self.exhausted

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
