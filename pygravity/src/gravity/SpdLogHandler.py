"""A `logging` handler that writes to Gravity's log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from .GravityLogHandler import GravityLogHandler
from .log import SpdLog


class SpdLogHandler(GravityLogHandler):
    """Writes records to `SpdLog`; with `splitlines`, one message per line of a record, all but the first
    indented."""

    _functions: ClassVar[dict[int, Callable[[str], None]]] = {
        logging.CRITICAL: SpdLog.critical,
        logging.ERROR: SpdLog.error,
        logging.WARNING: SpdLog.warn,
        logging.INFO: SpdLog.info,
        logging.DEBUG: SpdLog.debug,
    }
