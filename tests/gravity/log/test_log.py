"""Lines, levels and files of both logs, and the handlers that lead `logging` into them."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gravity import GravityLogHandler, Log, SpdLog, SpdLogHandler
from gravity.log import spdlog as log

SPD_LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} Comp-(\w+)\] (.*)")
DEFAULT_LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\] \[(\w+)\] (.*)")
OLD_LINE = re.compile(r"\[\d\d/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} Comp-(\w+)\] (.*)")

Configure = Callable[..., None]
SPD_LEVELS = ["trace", "debug", "info", "warning", "error", "critical"]
SPD_FUNCTIONS = [SpdLog.trace, SpdLog.debug, SpdLog.info, SpdLog.warn, SpdLog.error, SpdLog.critical]
OLD_LEVELS = ["TRACE", "DEBUG", "MESSAGE", "WARNING", "CRITICAL", "FATAL"]
OLD_FUNCTIONS = [Log.trace, Log.debug, Log.message, Log.warning, Log.critical, Log.fatal]


def parsed(text: str, line: re.Pattern[str]) -> list[tuple[str, ...]]:
    """Level and text of each line; all lines must have the layout."""
    matches = [line.fullmatch(one) for one in text.splitlines()]
    assert all(matches), text
    return [match.groups() for match in matches if match]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Configure]:
    """`configure(Key="value", …)`: the logs as those of a process's first node, Comp; restored afterwards."""
    monkeypatch.chdir(tmp_path)
    loggers = (log.library_log, log.application_log)
    before = [list(logger.handlers) for logger in loggers]

    def configure(network: Callable[[str, str], None] | None = None, **parameters: str) -> None:
        monkeypatch.setattr(log, "_configured", False)
        log.configure("Comp", parameters.get, network)  # type: ignore[arg-type]

    yield configure
    for logger, handlers in zip(loggers, before, strict=True):
        for handler in logger.handlers:
            if handler not in handlers:
                handler.close()
        logger.handlers[:] = handlers
    Log.CloseLoggers()


# ---- SpdLog ------------------------------------------------------------------------------------------------


def test_without_configuration_to_standard_output_from_info_on(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure()
    for level, function in zip(SPD_LEVELS, SPD_FUNCTIONS, strict=True):
        function(f"a {level}")
    out, err = capsys.readouterr()
    assert parsed(out, DEFAULT_LINE) == [(level, f"a {level}") for level in SPD_LEVELS[2:]]
    assert err == ""


def test_the_library_is_silent_without_configuration(
    configure: Configure, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    configure()
    log.library_log.critical("unheard")
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sink", ["Console", "File"])
@pytest.mark.parametrize("first", range(6))
def test_application_levels(
    configure: Configure, capsys: pytest.CaptureFixture[str], tmp_path: Path, sink: str, first: int
) -> None:
    configure(**{f"App{sink}LogLevel": SPD_LEVELS[first].upper()})
    for level, function in zip(SPD_LEVELS, SPD_FUNCTIONS, strict=True):
        function(f"a {level}")
    out = capsys.readouterr().out
    text = out if sink == "Console" else (tmp_path / "Comp.log").read_text()
    assert parsed(text, SPD_LINE) == [(level, f"a {level}") for level in SPD_LEVELS[first:]]
    assert sink == "Console" or out == ""


@pytest.mark.parametrize(("spelling", "level"), [("Warn", "warning"), ("err", "error"), ("ERROR", "error")])
def test_spellings_of_levels(configure: Configure, tmp_path: Path, spelling: str, level: str) -> None:
    configure(AppFileLogLevel=spelling)
    for name, function in zip(SPD_LEVELS, SPD_FUNCTIONS, strict=True):
        function(name)
    assert parsed((tmp_path / "Comp.log").read_text(), SPD_LINE)[0] == (level, level)


@pytest.mark.parametrize("level", ["off", "OFF", "nonsense", ""])
def test_no_file_without_a_level(configure: Configure, tmp_path: Path, level: str) -> None:
    configure(GravityFileLogLevel=level, AppFileLogLevel=level)
    SpdLog.critical("text")
    assert list(tmp_path.iterdir()) == []


def test_both_logs_share_a_file_and_append_to_it(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "Comp.log").write_text("before\n")
    configure(GravityFileLogLevel="debug", AppFileLogLevel="debug")
    SpdLog.info("from the application")
    log.library_log.info("from the library")
    first, *lines = (tmp_path / "Comp.log").read_text().splitlines()
    assert first == "before"
    assert parsed("\n".join(lines), SPD_LINE) == [("info", "from the application"), ("info", "from the library")]


def test_library_levels(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure(GravityConsoleLogLevel="warning")
    log.library_log.info("unheard")
    log.library_log.warning("heard")
    assert parsed(capsys.readouterr().out, SPD_LINE) == [("warning", "heard")]


def test_a_file_level_of_the_library_leaves_the_applications_log(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(GravityFileLogLevel="debug")
    SpdLog.warn("text")
    assert parsed(capsys.readouterr().out, DEFAULT_LINE) == [("warning", "text")]


def test_log_directory(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    configure(AppFileLogLevel="info", LogDirectory="logs")
    SpdLog.info("text")
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.log")] == ["logs/Comp.log"]


def test_a_log_directory_that_is_missing_is_said(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure(AppFileLogLevel="info", LogDirectory="missing")
    SpdLog.info("text")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Gravity: cannot open the log file missing/Comp.log: No such file or directory\n"


def test_only_the_first_node_of_a_process_counts(configure: Configure, tmp_path: Path) -> None:
    configure(AppFileLogLevel="info")
    log.configure("Second", {"AppFileLogLevel": "info"}.get)  # type: ignore[arg-type]
    SpdLog.info("text")
    assert [p.name for p in tmp_path.iterdir()] == ["Comp.log"]


def test_network_log(configure: Configure) -> None:
    published: list[tuple[str, str]] = []
    configure(lambda level, line: published.append((level, line)), AppNetworkLogLevel="warning")
    SpdLog.info("unheard")
    SpdLog.warn("heard")
    [(level, line)] = published
    assert level == "warning"
    assert line.endswith("\n")
    assert parsed(line, SPD_LINE) == [("warning", "heard")]


@pytest.mark.parametrize("text", ["100 %s", "{} {0}", "%(x)d", "ünïcode"])
def test_text_is_taken_as_it_is(configure: Configure, capsys: pytest.CaptureFixture[str], text: str) -> None:
    configure()
    Log.initAndAddConsoleLogger("Comp", Log.TRACE)
    SpdLog.error(text)
    assert parsed(capsys.readouterr().out, DEFAULT_LINE) == [("error", text)]
    Log.critical(text)
    assert parsed(capsys.readouterr().out, OLD_LINE) == [("CRITICAL", text)]


@pytest.mark.parametrize("function", [SpdLog.info, SpdLog.trace])
def test_text_must_be_text(function: Callable[[object], None]) -> None:
    with pytest.raises(TypeError):
        function(7)


def test_default_log_of_a_fresh_process() -> None:
    """Nothing but the import: warnings are seen, where print writes too."""
    program = "from gravity import SpdLog; SpdLog.debug('no'); SpdLog.warn('yes')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert parsed(run.stdout, DEFAULT_LINE) == [("warning", "yes")]
    assert run.stderr == ""


FORGED = "x\x1b[2J\n[2026-01-31 12:00:00.000000 Comp-info] all is well"
ESCAPED = r"x\x1b[2J\n[2026-01-31 12:00:00.000000 Comp-info] all is well"


def test_a_name_forges_no_line_of_the_library(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure(GravityConsoleLogLevel="info")
    log.library_log.warning("unknown %s", FORGED)
    assert parsed(capsys.readouterr().out, SPD_LINE) == [("warning", f"unknown {ESCAPED}")]


def test_a_traceback_of_the_library_stays_readable(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure(GravityConsoleLogLevel="info")
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.library_log.exception("unexpected %s", FORGED)
    first, *trace = capsys.readouterr().out.splitlines()
    assert parsed(first, SPD_LINE) == [("error", f"unexpected {ESCAPED}")]
    assert trace[0] == "    Traceback (most recent call last):" and "    ValueError: x\\x1b[2J" in trace
    assert all(line.startswith("    ") for line in trace)


@pytest.mark.parametrize(("write", "line"), [(SpdLog.warn, SPD_LINE), (Log.warning, OLD_LINE)])
def test_an_applications_further_lines_are_indented(
    configure: Configure, capsys: pytest.CaptureFixture[str], write: Callable[[str], None], line: re.Pattern[str]
) -> None:
    configure(AppConsoleLogLevel="info", ConsoleLogLevel="warning")
    write(FORGED)
    first, further = capsys.readouterr().out.splitlines()
    assert parsed(first, line)[0][1] == r"x\x1b[2J"
    assert further == "    [2026-01-31 12:00:00.000000 Comp-info] all is well"


# ---- Log ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(6))
def test_old_levels(configure: Configure, capsys: pytest.CaptureFixture[str], first: int) -> None:
    configure()
    Log.initAndAddConsoleLogger("Comp", Log.LogStringToLevel(OLD_LEVELS[first]))
    for level, function in zip(OLD_LEVELS, OLD_FUNCTIONS, strict=True):
        function(f"a {level}")
    assert parsed(capsys.readouterr().out, OLD_LINE) == [(level, f"a {level}") for level in OLD_LEVELS[first:]]


def test_old_log_is_silent_at_first(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    Log.fatal("unheard")
    assert capsys.readouterr() == ("", "")


def test_old_log_by_configuration(configure: Configure, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    configure(LocalLogLevel="Message", ConsoleLogLevel="FATAL")
    Log.message("a message")
    Log.fatal("the end")
    assert parsed(capsys.readouterr().out, OLD_LINE) == [("FATAL", "the end")]
    assert parsed((tmp_path / "Comp.log").read_text(), OLD_LINE) == [("MESSAGE", "a message"), ("FATAL", "the end")]


def test_old_file_logger(configure: Configure, tmp_path: Path) -> None:
    configure()
    Log.initAndAddFileLogger(str(tmp_path), "Comp", Log.WARNING)
    Log.warning("text")
    assert parsed((tmp_path / "Comp.log").read_text(), OLD_LINE) == [("WARNING", "text")]


def test_old_messages_are_cut(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    Log.initAndAddConsoleLogger("Comp", Log.TRACE)
    Log.trace("x" * 5000)
    Log.trace("é" * 5000)
    assert [len(text) for _, text in parsed(capsys.readouterr().out, OLD_LINE)] == [4095, 2047]


def test_closed_loggers(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    Log.initAndAddConsoleLogger("Comp", Log.TRACE)
    Log.CloseLoggers()
    Log.fatal("unheard")
    assert capsys.readouterr().out == ""


def test_names_of_old_levels() -> None:
    assert (Log.NONE, Log.FATAL, Log.CRITICAL, Log.WARNING) == (0, 1, 2, 4)
    assert (Log.MESSAGE, Log.DEBUG, Log.TRACE) == (8, 16, 32)
    for name in OLD_LEVELS:
        assert Log.LogLevelToString(Log.LogStringToLevel(name.lower())) == name
        assert Log.LogStringToLevel(name.title()) == getattr(Log, name)
    assert [Log.LogStringToLevel(text) for text in ("", "none", "nonsense")] == [Log.NONE] * 3
    assert [Log.LogLevelToString(number) for number in (0, 3, 64)] == [""] * 3


def test_numbers_of_levels() -> None:
    assert [getattr(SpdLog, n.upper()) for n in (*SPD_LEVELS, "off")] == list(range(7))


# ---- handlers for `logging` ------------------------------------------------------------------------------------


@pytest.fixture
def record_with() -> Iterator[Callable[[logging.Handler], logging.Logger]]:
    logger = logging.getLogger("tests.gravity.handlers")
    logger.setLevel(1)
    logger.propagate = False

    def record_with(handler: logging.Handler) -> logging.Logger:
        logger.addHandler(handler)
        return logger

    yield record_with
    logger.handlers.clear()


RecordWith = Callable[[logging.Handler], logging.Logger]

HANDLED = [
    (logging.DEBUG, "debug", "DEBUG"),
    (logging.INFO, "info", "MESSAGE"),
    (logging.WARNING, "warning", "WARNING"),
    (logging.ERROR, "error", "CRITICAL"),
    (logging.CRITICAL, "critical", "FATAL"),
    (logging.WARNING + 5, "warning", "WARNING"),
    (3, "debug", "DEBUG"),
]


def test_spd_handler(configure: Configure, capsys: pytest.CaptureFixture[str], record_with: RecordWith) -> None:
    configure(AppConsoleLogLevel="trace")
    logger = record_with(SpdLogHandler())
    for level, _, _ in HANDLED:
        logger.log(level, "%d %s", level, "{}")
    expected = [(name, f"{level} {{}}") for level, name, _ in HANDLED]
    assert parsed(capsys.readouterr().out, SPD_LINE) == expected


def test_old_handler(configure: Configure, capsys: pytest.CaptureFixture[str], record_with: RecordWith) -> None:
    configure(ConsoleLogLevel="trace")
    logger = record_with(GravityLogHandler())
    for level, _, _ in HANDLED:
        logger.log(level, "%d", level)
    assert parsed(capsys.readouterr().out, OLD_LINE) == [(name, str(level)) for level, _, name in HANDLED]


@pytest.mark.parametrize(("splitlines", "lines"), [(True, 2), (False, 1)])
def test_lines_of_a_record(configure: Configure, record_with: RecordWith, splitlines: bool, lines: int) -> None:
    published: list[str] = []
    configure(lambda level, line: published.append(line), AppNetworkLogLevel="trace")
    record_with(SpdLogHandler(splitlines)).info("one\ntwo")
    assert len(published) == lines
    assert published[-1].endswith("    two\n")


def test_an_empty_record(configure: Configure, record_with: RecordWith, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    record_with(SpdLogHandler(True)).info("")
    assert parsed(capsys.readouterr().out, DEFAULT_LINE) == [("info", "")]


def test_a_handlers_format_is_used(
    configure: Configure, capsys: pytest.CaptureFixture[str], record_with: RecordWith
) -> None:
    configure()
    handler = SpdLogHandler(True)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    record_with(handler).warning("text")
    assert parsed(capsys.readouterr().out, DEFAULT_LINE) == [("warning", "<text>")]


def test_the_librarys_lines_do_not_come_back(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """With Gravity's handler at the root of `logging`, nothing goes round in a circle."""
    configure(AppConsoleLogLevel="trace", GravityConsoleLogLevel="trace")
    handler = SpdLogHandler()
    logging.getLogger().addHandler(handler)
    try:
        log.library_log.error("once")
        SpdLog.error("once too")
    finally:
        logging.getLogger().removeHandler(handler)
    assert len(capsys.readouterr().out.splitlines()) == 2
