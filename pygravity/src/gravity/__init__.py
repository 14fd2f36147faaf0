"""Gravity for Python, in pure Python: publish/subscribe between nodes that find each other by name.

The API and the wire format are those of Gravity's own Python bindings: programs written for those bindings run
unchanged, and nodes of both kinds work together.
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
