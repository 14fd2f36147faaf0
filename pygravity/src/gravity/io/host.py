"""The host's clock and IP addresses."""

from __future__ import annotations

import socket
import time


class TransportError(Exception):
    """A socket could not be opened; the message gives the address and the reason."""


class Refused(TransportError):
    """The peer requires another key than this node has, or none."""


def now_us() -> int:
    """Return the wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


def is_loopback(address: str) -> bool:
    """Return whether an IPv4 address, or localhost, is reached from this host only."""
    return address == "localhost" or address.startswith("127.")


def local_address(host: str) -> str:
    """Return this host's IPv4 address on the route to `host`; raise TransportError if there is no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 1))  # datagram: nothing is sent
        except OSError as error:
            raise TransportError(f"no route to {host}: {error}") from None
        return str(probe.getsockname()[0])


def resolve(host: str) -> str:
    """Return the first IPv4 address of `host`; raise TransportError if the name is unknown."""
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise TransportError(f"the host {host!r} is unknown: {error}") from None
