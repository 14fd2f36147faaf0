"""Gravity for Python, in pure Python: publish/subscribe between nodes that find each other by name.

It has the API of Gravity's own Python bindings and puts the same bytes on the wire: programs written for these run
on this package unchanged, and nodes of both kinds work together.
"""

from __future__ import annotations

from . import gravity
from .callbacks import GravityHeartbeatListener, GravityRequestor, GravityServiceProvider, GravitySubscriber
from .GravityDataProduct import GravityDataProduct
from .GravityLogHandler import GravityLogHandler
from .log import Log, Logger, SpdLog
from .node import GravityNode
from .SpdLogHandler import SpdLogHandler

__version__ = "0.1.0"

__all__ = [
    "GravityDataProduct",
    "GravityHeartbeatListener",
    "GravityLogHandler",
    "GravityNode",
    "GravityRequestor",
    "GravityServiceProvider",
    "GravitySubscriber",
    "Log",
    "Logger",
    "SpdLog",
    "SpdLogHandler",
    "gravity",
]
