"""Tells why a peer refuses a connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import zmq
from zmq.utils.monitor import recv_monitor_message

from .host import Refused

_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_REMEDY = "CurveKeyFile must name the same key in both"
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
                if event["value"] == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                    raise Refused(f"the program at {url} requires a key, but this node has none; {_REMEDY}")
            elif event["event"] != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or self._broken_off >= _PATIENCE:
                raise Refused(f"the program at {url} does not have this node's key; {_REMEDY}")


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
