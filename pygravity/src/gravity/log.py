"""Gravity's two logs: SpdLog, which the library writes too, and the older Log. Lines look as the reference's.

Both stand on the standard library's handlers, but outside its tree of loggers: an application that routes
`logging` into Gravity (SpdLogHandler, GravityLogHandler) must not get its own lines back.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
_MAX_TEXT = 4095  # bytes of one message of the older Log

Getter = Callable[[str, str], str]


def _stamp(record: logging.LogRecord, layout: str, digits: int) -> str:
    fraction = f"{record.created % 1:.6f}"[2 : 2 + digits]
    return f"{time.strftime(layout, time.localtime(record.created))}.{fraction}"


class _NodeLine(logging.Formatter):
    """`[2026-01-31 12:00:00.000000 Component-level] text`."""

    def __init__(self, component_id: str) -> None:
        super().__init__()
        self._component_id = component_id

    def format(self, record: logging.LogRecord) -> str:
        level = _SPD_NAMES.get(record.levelno, record.levelname)
        text = super().format(record)
        return f"[{_stamp(record, '%Y-%m-%d %H:%M:%S', 6)} {self._component_id}-{level}] {text}"


class _DefaultLine(logging.Formatter):
    """`[2026-01-31 12:00:00.000] [level] text`, as long as no node has configured anything."""

    def format(self, record: logging.LogRecord) -> str:
        level = _SPD_NAMES.get(record.levelno, record.levelname)
        return f"[{_stamp(record, '%Y-%m-%d %H:%M:%S', 3)}] [{level}] {super().format(record)}"


class _OldLine(logging.Formatter):
    """`[01/31/26 12:00:00.000000 Component-LEVEL] text`."""

    def __init__(self, component_id: str) -> None:
        super().__init__()
        self._component_id = component_id

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().encode()[:_MAX_TEXT].decode(errors="ignore")
        stamp = _stamp(record, "%m/%d/%y %H:%M:%S", 6)
        return f"[{stamp} {self._component_id}-{Log.LogLevelToString(record.levelno)}] {text}"


class _Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stdout` is at that moment."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def _handler(handler: logging.Handler, line: logging.Formatter, level: int) -> logging.Handler:
    handler.setFormatter(line)
    handler.setLevel(level)
    return handler


library_log = logging.Logger("GravityLogger")
application_log = logging.Logger("GravityApplicationLogger", level=_SPD_LEVELS["trace"])
_old_log = logging.Logger("GravityLog", level=1)

library_log.addHandler(logging.NullHandler())
application_log.addHandler(_handler(_Console(), _DefaultLine(), logging.INFO))
_configured = False


def configure(component_id: str, get: Getter, network: Callable[[str, str], None] | None = None) -> None:
    """Set up both logs from a node's configuration; only the first node of a process counts.

    `network(level, line)` publishes a line of the application's log.
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
            handlers.append(_handler(_Console(), line, console))
        if file := level(f"{prefix}FileLogLevel"):
            handlers.append(_handler(_file(path), line, file))
        if network and prefix == "App" and (published := level("AppNetworkLogLevel")):
            handlers.append(_handler(_Network(network), line, published))
        if handlers:
            log.handlers[:] = handlers
    if local := Log.LogStringToLevel(get("LocalLogLevel", "none")):
        Log.initAndAddFileLogger(get("LogDirectory", ""), component_id, local)
    if console := Log.LogStringToLevel(get("ConsoleLogLevel", "none")):
        Log.initAndAddConsoleLogger(component_id, console)


class _Network(logging.Handler):
    """Hands lines to the network log, with the newline that they have there."""

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        super().__init__()
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        self._publish(_SPD_NAMES.get(record.levelno, record.levelname), self.format(record) + "\n")


def _file(path: Path) -> logging.Handler:
    """Return a handler that appends to `path`, or one that drops all, said once, if that cannot be."""
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        print(f"Gravity: no log file {path}: {error.strerror}", file=sys.stderr)
        return logging.NullHandler()


class SpdLog:
    """The application's log; without configuration it goes to standard output from level info on."""

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
    application_log.log(_SPD_LEVELS[level], "%s", _text(message))


class Logger:
    """What `Log` writes to. Nothing but a name, as in the reference: programs cannot make one."""

    def __init__(self, *arguments: object) -> None:
        """Raises AttributeError."""
        raise AttributeError("a Logger cannot be made; Log.initAndAddLogger takes any logging.Handler")

    def Log(self, level: int, messagestr: str) -> None:
        """Write a line."""


class Log:
    """The older log, silent until a logger is added; a logger at one level takes all the more severe ones."""

    NONE, FATAL, CRITICAL, WARNING, MESSAGE, DEBUG, TRACE = 0, 1, 2, 4, 8, 16, 32

    @staticmethod
    def LogLevelToString(level: int) -> str:
        """Return the name of a level, "" for an unknown one and for NONE."""
        return {1: "FATAL", 2: "CRITICAL", 4: "WARNING", 8: "MESSAGE", 16: "DEBUG", 32: "TRACE"}.get(level, "")

    @staticmethod
    def LogStringToLevel(string: str) -> int:
        """Return the level of a name in any case, NONE for an unknown one."""
        names = ("FATAL", "CRITICAL", "WARNING", "MESSAGE", "DEBUG", "TRACE")
        return 1 << names.index(string.upper()) if string.upper() in names else Log.NONE

    @staticmethod
    def initAndAddFileLogger(
        log_dir: str, comp_id: str, local_log_level: int, close_after_write: bool = False
    ) -> None:
        """Append to `<log_dir>/<comp_id>.log` from a level on."""
        Log.initAndAddLogger(_handler(_file(Path(log_dir) / f"{comp_id}.log"), _OldLine(comp_id), 0), local_log_level)

    @staticmethod
    def initAndAddConsoleLogger(comp_id: str, local_log_level: int) -> None:
        """Write to standard output from a level on."""
        Log.initAndAddLogger(_handler(_Console(), _OldLine(comp_id), 0), local_log_level)

    @staticmethod
    def initAndAddLogger(logger: logging.Handler, log_level: int) -> None:
        """Send what is at `log_level` or more severe to `logger`, here any handler of the standard library."""
        logger.addFilter(lambda record: record.levelno <= log_level)
        _old_log.addHandler(logger)

    @staticmethod
    def CloseLoggers() -> None:
        """Close and remove all loggers."""
        for handler in list(_old_log.handlers):
            _old_log.removeHandler(handler)
            handler.close()

    @staticmethod
    def fatal(format: str) -> None:
        """Log `format`, as it is, at level FATAL."""
        _old(Log.FATAL, format)

    @staticmethod
    def critical(format: str) -> None:
        """Log `format`, as it is, at level CRITICAL."""
        _old(Log.CRITICAL, format)

    @staticmethod
    def warning(format: str) -> None:
        """Log `format`, as it is, at level WARNING."""
        _old(Log.WARNING, format)

    @staticmethod
    def message(format: str) -> None:
        """Log `format`, as it is, at level MESSAGE."""
        _old(Log.MESSAGE, format)

    @staticmethod
    def debug(format: str) -> None:
        """Log `format`, as it is, at level DEBUG."""
        _old(Log.DEBUG, format)

    @staticmethod
    def trace(format: str) -> None:
        """Log `format`, as it is, at level TRACE."""
        _old(Log.TRACE, format)


def _old(level: int, message: str) -> None:
    if _old_log.handlers:  # logging's own last resort would write to standard error
        _old_log.log(level, "%s", _text(message))


def _text(message: str) -> str:
    if not isinstance(message, str):
        raise TypeError(f"a log message is a str, not {type(message).__name__}")
    return message
