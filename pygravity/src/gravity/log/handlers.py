"""Handlers and time formats shared by both logs."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from .text import INDENT, harmless, indented

LONGEST = 4000  # characters of a message, and of its traceback


def time_of(record: logging.LogRecord, layout: str, digits: int) -> str:
    """Return a record's time: `layout` as in strftime, then `digits` digits of fractional seconds."""
    fraction = f"{record.created % 1:.6f}"[2 : 2 + digits]
    return f"{time.strftime(layout, time.localtime(record.created))}.{fraction}"


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the current `sys.stdout`."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self.stream = sys.stdout
        super().emit(record)


class Harmless(logging.Filter):
    """Turns a record into one harmless line, followed by its traceback, if any, in indented lines."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change `record`; return True."""
        record.msg, record.args = harmless(record.getMessage(), LONGEST), ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_text = INDENT + indented(trace[-LONGEST:])
        return True


def set_up(handler: logging.Handler, line: logging.Formatter, level: int) -> logging.Handler:
    """Set the format and level of `handler` and return it."""
    handler.setFormatter(line)
    handler.setLevel(level)
    return handler


def file_handler(path: Path) -> logging.Handler:
    """Return a handler that appends to `path`, or one that drops everything if it cannot be opened."""
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        print(f"Gravity: cannot open the log file {path}: {error.strerror}", file=sys.stderr)
        return logging.NullHandler()


def checked(message: str) -> str:
    """Return `message` with harmless lines; raise TypeError, as Gravity does, if it is not a str."""
    if not isinstance(message, str):
        raise TypeError(f"a log message must be a str, not {type(message).__name__}")
    return indented(message)
