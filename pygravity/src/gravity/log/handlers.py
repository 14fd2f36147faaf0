"""What Gravity's two logs stand on: where lines go, and how their times are written."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path


def time_of(record: logging.LogRecord, layout: str, digits: int) -> str:
    """Return when a record was made, with so many digits of the second's fraction."""
    fraction = f"{record.created % 1:.6f}"[2 : 2 + digits]
    return f"{time.strftime(layout, time.localtime(record.created))}.{fraction}"


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stdout` is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self.stream = sys.stdout
        super().emit(record)


def set_up(handler: logging.Handler, line: logging.Formatter, level: int) -> logging.Handler:
    """Return `handler`, which now writes such lines from `level` on."""
    handler.setFormatter(line)
    handler.setLevel(level)
    return handler


def file_handler(path: Path) -> logging.Handler:
    """Return a handler that appends to `path`, or one that drops all, said once, if that cannot be."""
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        print(f"Gravity: no log file {path}: {error.strerror}", file=sys.stderr)
        return logging.NullHandler()


def checked(message: str) -> str:
    """Return `message`; raise TypeError, as the reference does, if it is no text."""
    if not isinstance(message, str):
        raise TypeError(f"a log message is a str, not {type(message).__name__}")
    return message
