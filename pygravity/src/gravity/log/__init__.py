"""Gravity's two logs: `SpdLog`, which the library also writes to, and the older `Log`."""

from __future__ import annotations

from .classic import Log, Logger
from .spdlog import SpdLog, configure, library_log

__all__ = ["Log", "Logger", "SpdLog", "configure", "library_log"]
