"""A `logging` handler that writes to Gravity's older log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from .log import Log
from .log.text import INDENT


class GravityLogHandler(logging.Handler):
    """Writes records to `Log`; with `splitlines`, one message per line of a record, all but the first
    indented.

    A non-standard level is rounded down to the next standard one.
    """

    _functions: ClassVar[dict[int, Callable[[str], None]]] = {
        logging.CRITICAL: Log.fatal,
        logging.ERROR: Log.critical,
        logging.WARNING: Log.warning,
        logging.INFO: Log.message,
        logging.DEBUG: Log.debug,
    }

    def __init__(self, splitlines: bool = False) -> None:
        super().__init__()
        self.splitlines = splitlines

    def emit(self, record: logging.LogRecord) -> None:
        """Format and log `record`."""
        levels = sorted(self._functions, reverse=True)
        level = next((level for level in levels if record.levelno >= level), levels[-1])
        text = self.format(record)
        first, *further = (text.splitlines() if self.splitlines else []) or [text]
        for line in (first, *(INDENT + line for line in further)):
            self._functions[level](line)
