"""Standard `logging` into Gravity's older log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from .log import Log


class GravityLogHandler(logging.Handler):
    """Hands records to `Log`; with `splitlines`, one message for each line of a record.

    Records of other levels than the five standard ones count as the next lower of them.
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
        """Log the formatted `record`."""
        levels = sorted(self._functions, reverse=True)
        level = next((level for level in levels if record.levelno >= level), levels[-1])
        text = self.format(record)
        for line in text.splitlines() if self.splitlines else [text]:
            self._functions[level](line)
