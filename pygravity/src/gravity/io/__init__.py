"""Sockets, threads and clocks: the only part of the package that uses ZeroMQ.

A node has at most one `Loop` per role: a thread that owns its sockets, runs functions for other threads and keeps
timers. Publishing is the exception: it runs in the caller's thread, under the publication's lock, because passing
each message to another thread would cost more than sending it.
"""

from __future__ import annotations

from .curve import CurveKey, cluster_key
from .datagrams import BroadcastListener, broadcast
from .host import Refused, TransportError, is_loopback, local_address, now_us, resolve
from .loop import Loop
from .receiver import Receiver
from .requests import Requester, Responder
from .sender import Sender
from .transport import Options, Transport

__all__ = [
    "BroadcastListener",
    "CurveKey",
    "Loop",
    "Options",
    "Receiver",
    "Refused",
    "Requester",
    "Responder",
    "Sender",
    "Transport",
    "TransportError",
    "broadcast",
    "cluster_key",
    "is_loopback",
    "local_address",
    "now_us",
    "resolve",
]
