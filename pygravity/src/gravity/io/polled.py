"""A ZeroMQ socket as a loop watches it."""

from __future__ import annotations

import zmq


class PolledSocket:
    """A socket whose descriptor signals that something may have changed, and then keeps silent until it is looked at.

    So whoever waits for the descriptor has to take what there is until `readable` says no. Belongs to one thread.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        self._poller = zmq.Poller()  # cheaper to ask than the socket option that says the same
        self._poller.register(socket, zmq.POLLIN)

    def fileno(self) -> int:
        """Return the descriptor that signals."""
        return int(self.socket.fd)

    def readable(self) -> bool:
        """Return whether there is a message."""
        return bool(self._poller.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()
