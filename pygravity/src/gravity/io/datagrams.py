"""UDP broadcasts, with which Service Directories announce themselves."""

from __future__ import annotations

import contextlib
import socket

from .host import TransportError

_BATCH = 1000  # datagrams received at a time
_DATAGRAM = 65536  # bytes, the maximum


class BroadcastListener:
    """A UDP socket that receives broadcasts. Used only in its loop's thread."""

    def __init__(self, port: int) -> None:
        """Raises TransportError if `port` cannot be bound."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setblocking(False)
        try:
            self.socket.bind(("", port))
        except OSError as error:
            self.socket.close()
            raise TransportError(f"cannot listen for broadcasts on port {port}: {error}") from None

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def receive(self) -> list[bytes]:
        """Return the datagrams that have arrived, at most one batch."""
        datagrams: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while len(datagrams) < _BATCH:
                datagrams.append(self.socket.recv(_DATAGRAM))
        return datagrams


def broadcast(datagram: bytes, address: str, port: int) -> None:
    """Send a datagram to the broadcast address `address`; raise TransportError if that fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sender.sendto(datagram, (address, port))
        except OSError as error:
            raise TransportError(f"cannot broadcast to {address}:{port}: {error}") from None
