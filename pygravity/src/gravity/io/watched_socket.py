"""A ZeroMQ socket as a loop watches it."""

from __future__ import annotations

import zmq


class WatchedSocket:
    """A socket whose descriptor signals that something may have changed, and then keeps silent until it is looked at.

    So whoever waits for the descriptor has to take what there is until the socket is `exhausted`. Belongs to one
    thread.
    """

    looks_first = True  # whether to see after a signal if there really is a message, since taking it might wait

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._poller = zmq.Poller()  # cheaper to ask than the socket option that says the same
        self._poller.register(socket, zmq.POLLIN)
        self.exhausted = False  # whether the last look found nothing: the descriptor signals what comes now

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
