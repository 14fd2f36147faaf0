"""SpdLog, the library's own log, and the set-up of all logs from a node's configuration.

The line formats are Gravity's. The logs use handlers of the standard library but are not in its tree of loggers, so
that an application that routes `logging` into Gravity (SpdLogHandler, GravityLogHandler) causes no loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from .classic import Log
from .handlers import ConsoleHandler, Harmless, checked, file_handler, set_up, time_of
from .notices import Notices

_SPD_LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "err": logging.ERROR,
    "critical": logging.CRITICAL,
}
_SPD_NAMES = {number: name for name, number in reversed(_SPD_LEVELS.items())}

Getter = Callable[[str, str], str]


class _NodeLine(logging.Formatter):
    """`[2026-01-31 12:00:00.000000 Component-level] text`."""

    def __init__(self, component_id: str) -> None:
        super().__init__()
        self._component_id = component_id

    def format(self, record: logging.LogRecord) -> str:
        level = _SPD_NAMES.get(record.levelno, record.levelname)
        text = super().format(record)
        return f"[{time_of(record, '%Y-%m-%d %H:%M:%S', 6)} {self._component_id}-{level}] {text}"


class _DefaultLine(logging.Formatter):
    """`[2026-01-31 12:00:00.000] [level] text`, until a node configures the log."""

    def format(self, record: logging.LogRecord) -> str:
        level = _SPD_NAMES.get(record.levelno, record.levelname)
        return f"[{time_of(record, '%Y-%m-%d %H:%M:%S', 3)}] [{level}] {super().format(record)}"


library_log = logging.Logger("GravityLogger")
application_log = logging.Logger("GravityApplicationLogger", level=_SPD_LEVELS["trace"])

notices = Notices()
library_log.addFilter(notices)
library_log.addFilter(Harmless())
library_log.addHandler(logging.NullHandler())
application_log.addHandler(set_up(ConsoleHandler(), _DefaultLine(), logging.INFO))
_configured = False


def configure(component_id: str, get: Getter, network: Callable[[str, str], None] | None = None) -> None:
    """Set up the logs from a node's configuration, unless another node of the process already has.

    `get(key, default)` returns a parameter; `network(level, line)` publishes a line of the application's log.
    """
    global _configured
    if _configured:
        return
    _configured = True
    line = _NodeLine(component_id)
    path = Path(get("LogDirectory", ".")) / f"{component_id}.log"

    def level(key: str) -> int | None:
        return _SPD_LEVELS.get(get(key, "off").lower())

    for log, prefix in ((library_log, "Gravity"), (application_log, "App")):
        handlers: list[logging.Handler] = []
        if console := level(f"{prefix}ConsoleLogLevel"):
            handlers.append(set_up(ConsoleHandler(), line, console))
        if file := level(f"{prefix}FileLogLevel"):
            handlers.append(set_up(file_handler(path), line, file))
        if network and prefix == "App" and (published := level("AppNetworkLogLevel")):
            handlers.append(set_up(_Network(network), line, published))
        if handlers:
            log.handlers[:] = handlers
    if local := Log.LogStringToLevel(get("LocalLogLevel", "none")):
        Log.initAndAddFileLogger(get("LogDirectory", ""), component_id, local)
    if console := Log.LogStringToLevel(get("ConsoleLogLevel", "none")):
        Log.initAndAddConsoleLogger(component_id, console)


class _Network(logging.Handler):
    """Publishes lines on the network, each ending in a newline as in Gravity."""

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        super().__init__()
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        self._publish(_SPD_NAMES.get(record.levelno, record.levelname), self.format(record) + "\n")


class SpdLog:
    """The application's log; by default, messages at level info or above go to standard output."""

    TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL, OFF = range(7)

    @staticmethod
    def critical(message: str) -> None:
        """Log `message` at level critical."""
        _spd("critical", message)

    @staticmethod
    def error(message: str) -> None:
        """Log `message` at level error."""
        _spd("error", message)

    @staticmethod
    def warn(message: str) -> None:
        """Log `message` at level warning."""
        _spd("warning", message)

    @staticmethod
    def info(message: str) -> None:
        """Log `message` at level info."""
        _spd("info", message)

    @staticmethod
    def debug(message: str) -> None:
        """Log `message` at level debug."""
        _spd("debug", message)

    @staticmethod
    def trace(message: str) -> None:
        """Log `message` at level trace."""
        _spd("trace", message)


def _spd(level: str, message: str) -> None:
    application_log.log(_SPD_LEVELS[level], "%s", checked(message))
