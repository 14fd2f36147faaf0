"""Tells why a peer refuses a connection."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import zmq
from zmq.utils.monitor import recv_monitor_message

from .host import Refused

_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_REMEDY = "CurveKeyFile must name the same key in both"
# Of ZMTP 3.1 (https://rfc.zeromq.org/spec/37/): signature, version, mechanism, not as a server, filler.
_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
_GREETING_TIME = 1.0  # seconds
_PATIENCE = 2  # handshakes broken off: one may be by a peer that is just ending


class Handshake:
    """The handshakes of a socket that connects. Used only in the socket's thread."""

    def __init__(self, monitor: zmq.Socket[bytes], *, has_key: bool) -> None:
        self._monitor = monitor
        self._has_key = has_key
        self._broken_off = 0

    def check(self, url: str) -> None:
        """Raise Refused if the peer at `url` requires another key than this node has, or none."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            self._broken_off += event["event"] == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            if not self._has_key:
                # The peer may have broken off before ZeroMQ has read what it requires.
                if event["value"] == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH or _requires_key(url):
                    raise Refused(f"the program at {url} requires a key, but this node has none; {_REMEDY}")
            elif event["event"] != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or self._broken_off >= _PATIENCE:
                raise Refused(f"the program at {url} does not have this node's key; {_REMEDY}")


def _requires_key(url: str) -> bool:
    """Return whether the program at `url` greets as one with a key does."""
    scheme, _, address = url.partition("://")
    host, _, port = address.rpartition(":")
    local = scheme == "ipc"
    try:
        with socket.socket(socket.AF_UNIX if local else socket.AF_INET) as connection:
            connection.settimeout(_GREETING_TIME)
            connection.connect(address if local else (host, int(port)))
            connection.sendall(_GREETING)
            greeting = connection.makefile("rb").read(len(_GREETING))
    except (OSError, ValueError):  # it is gone, or is not a TCP address
        return False
    return greeting[12:32] == _GREETING[12:32]


@contextlib.contextmanager
def watched_handshake(connecting: zmq.Socket[bytes], *, has_key: bool) -> Iterator[Handshake]:
    """Watch a socket that is going to connect."""
    monitor = connecting.get_monitor_socket(_FAILED)
    try:
        yield Handshake(monitor, has_key=has_key)
    finally:
        if not connecting.closed:
            connecting.disable_monitor()
        monitor.close()
