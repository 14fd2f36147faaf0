"""Gravity's older log, `Log`: silent until a logger is added."""

from __future__ import annotations

import logging
from pathlib import Path

from .handlers import ConsoleHandler, checked, file_handler, set_up, time_of

_MAX_TEXT = 4095  # bytes per message

_log = logging.Logger("GravityLog", level=1)


class _Line(logging.Formatter):
    """`[01/31/26 12:00:00.000000 Component-LEVEL] text`."""

    def __init__(self, component_id: str) -> None:
        super().__init__()
        self._component_id = component_id

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().encode()[:_MAX_TEXT].decode(errors="ignore")
        stamp = time_of(record, "%m/%d/%y %H:%M:%S", 6)
        return f"[{stamp} {self._component_id}-{Log.LogLevelToString(record.levelno)}] {text}"


class Logger:
    """A sink of `Log`. As in Gravity, programs cannot create one."""

    def __init__(self, *arguments: object) -> None:
        """Raises AttributeError."""
        raise AttributeError("a Logger cannot be created; Log.initAndAddLogger accepts any logging.Handler")

    def Log(self, level: int, messagestr: str) -> None:
        """Write a line."""


class Log:
    """The older log, silent until a logger is added; a logger also writes all messages above its level."""

    NONE, FATAL, CRITICAL, WARNING, MESSAGE, DEBUG, TRACE = 0, 1, 2, 4, 8, 16, 32

    @staticmethod
    def LogLevelToString(level: int) -> str:
        """Return the name of a level, or "" if it is NONE or unknown."""
        return {1: "FATAL", 2: "CRITICAL", 4: "WARNING", 8: "MESSAGE", 16: "DEBUG", 32: "TRACE"}.get(level, "")

    @staticmethod
    def LogStringToLevel(string: str) -> int:
        """Return the level with this name, in any case, or NONE if it is unknown."""
        names = ("FATAL", "CRITICAL", "WARNING", "MESSAGE", "DEBUG", "TRACE")
        return 1 << names.index(string.upper()) if string.upper() in names else Log.NONE

    @staticmethod
    def initAndAddFileLogger(
        log_dir: str, comp_id: str, local_log_level: int, close_after_write: bool = False
    ) -> None:
        """Append messages at this level or above to `<log_dir>/<comp_id>.log`."""
        Log.initAndAddLogger(
            set_up(file_handler(Path(log_dir) / f"{comp_id}.log"), _Line(comp_id), 0), local_log_level
        )

    @staticmethod
    def initAndAddConsoleLogger(comp_id: str, local_log_level: int) -> None:
        """Write messages at this level or above to standard output."""
        Log.initAndAddLogger(set_up(ConsoleHandler(), _Line(comp_id), 0), local_log_level)

    @staticmethod
    def initAndAddLogger(logger: logging.Handler, log_level: int) -> None:
        """Write messages at `log_level` or above to `logger`, which here is a `logging.Handler`."""
        logger.addFilter(lambda record: record.levelno <= log_level)
        _log.addHandler(logger)

    @staticmethod
    def CloseLoggers() -> None:
        """Close and remove all loggers."""
        for handler in list(_log.handlers):
            _log.removeHandler(handler)
            handler.close()

    @staticmethod
    def fatal(format: str) -> None:
        """Log `format` literally at level FATAL."""
        _write(Log.FATAL, format)

    @staticmethod
    def critical(format: str) -> None:
        """Log `format` literally at level CRITICAL."""
        _write(Log.CRITICAL, format)

    @staticmethod
    def warning(format: str) -> None:
        """Log `format` literally at level WARNING."""
        _write(Log.WARNING, format)

    @staticmethod
    def message(format: str) -> None:
        """Log `format` literally at level MESSAGE."""
        _write(Log.MESSAGE, format)

    @staticmethod
    def debug(format: str) -> None:
        """Log `format` literally at level DEBUG."""
        _write(Log.DEBUG, format)

    @staticmethod
    def trace(format: str) -> None:
        """Log `format` literally at level TRACE."""
        _write(Log.TRACE, format)


def _write(level: int, message: str) -> None:
    if _log.handlers:  # otherwise logging's last resort would write to standard error
        _log.log(level, "%s", checked(message))
