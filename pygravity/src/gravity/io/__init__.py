"""Sockets, threads and clocks: the only part of the package that knows ZeroMQ.

A node has up to one `Loop` per role. Each loop is a thread that owns its sockets: it watches them, runs functions
that other threads hand over, and keeps timers. Publishing is the exception: it happens in the caller's thread, under
the publication's lock, because a hand-over per message would cost more than the message.
"""

from __future__ import annotations

from .datagrams import BroadcastListener, broadcast
from .host import TransportError, local_address, now_us, resolve
from .loop import Loop
from .receiver import Receiver
from .requests import Requester, Responder
from .sender import Sender
from .transport import Options, Transport

__all__ = [
    "BroadcastListener",
    "Loop",
    "Options",
    "Receiver",
    "Requester",
    "Responder",
    "Sender",
    "Transport",
    "TransportError",
    "broadcast",
    "local_address",
    "now_us",
    "resolve",
]
