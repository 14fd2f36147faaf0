"""The handlers of Gravity's two logs, and the format of their times."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path


def time_of(record: logging.LogRecord, layout: str, digits: int) -> str:
    """Return the time of a record, with `digits` digits of the second's fraction."""
    fraction = f"{record.created % 1:.6f}"[2 : 2 + digits]
    return f"{time.strftime(layout, time.localtime(record.created))}.{fraction}"


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the current `sys.stdout`, even if that has been replaced."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self.stream = sys.stdout
        super().emit(record)


def set_up(handler: logging.Handler, line: logging.Formatter, level: int) -> logging.Handler:
    """Return `handler`, set to format records with `line` from `level` on."""
    handler.setFormatter(line)
    handler.setLevel(level)
    return handler


def file_handler(path: Path) -> logging.Handler:
    """Return a handler that appends to `path`, or, after a message, one that drops everything if that fails."""
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        print(f"Gravity: cannot write the log file {path}: {error.strerror}", file=sys.stderr)
        return logging.NullHandler()


def checked(message: str) -> str:
    """Return `message`; raise TypeError, as the reference does, if it is not a str."""
    if not isinstance(message, str):
        raise TypeError(f"a log message is a str, not {type(message).__name__}")
    return message
