import logging

from node import log as node_log
from node.log import LONGEST, MOST_KINDS, OneLine, RateLimit

import pytest


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """A function that logs a warning at a time, in seconds, and returns all messages that have passed so far."""
    limit = RateLimit(interval=10)
    logger = logging.getLogger("test")
    logger.addFilter(limit)

    def at(now: float, template: str, *arguments: object, count: int = 1) -> list[str]:
        monkeypatch.setattr(node_log.time, "monotonic", lambda: now)
        logger.warning(template, *arguments, extra={"count": count})
        return caplog.messages

    yield at
    logger.removeFilter(limit)


def test_a_kind_of_message_passes_at_once_and_then_with_its_count(log):
    for now in range(25):
        log(float(now), "lost a point after %d s", now)
    assert log(25.0, "something else") == [
        "lost a point after 0 s",
        "lost a point after 10 s (11 so far)",
        "lost a point after 20 s (21 so far)",
        "something else",
    ]


def test_texts_make_kinds_of_their_own(log):
    log(0.0, "missing %s", "a", count=3)
    log(1.0, "missing %s", "b")
    log(2.0, "missing %s", "a")
    assert log(12.0, "missing %s", "a", count=4) == ["missing a", "missing b", "missing a (8 so far)"]


def test_the_number_of_kinds_is_bounded(log):
    """Whatever names come from the network."""
    for number in range(20 * MOST_KINDS):
        log(1.0, "unknown stream %s", f"stream {number}")
    passed = log(2.0, "something else")
    assert len(passed) == MOST_KINDS + 2  # the first of the others, too
    assert passed[-2].endswith(f"the others are only counted: unknown stream stream {MOST_KINDS}")
    passed = log(12.0, "unknown stream %s", "yet another", count=3)
    assert passed[-1].endswith(f"unknown stream yet another ({19 * MOST_KINDS + 3} so far)")
    assert log(13.0, "unknown stream %s", "stream 0")[-1] == "unknown stream stream 0 (2 so far)"


def formatted(template: str, *arguments: object, error: Exception | None = None) -> list[str]:
    trace = error and (type(error), error, error.__traceback__)
    record = logging.LogRecord("test", logging.WARNING, "", 0, template, arguments, trace)
    record.exc_text = error and f"Traceback:\n{error}"  # as another handler may have left it
    return OneLine().format(record).split("\n")


def test_a_message_is_one_line_whatever_it_quotes():
    assert formatted("unknown stream %s", "x\nANOMALY since\x1b[2J") == [r"unknown stream x\nANOMALY since\x1b[2J"]
    assert formatted("") == [""]


def test_a_traceback_is_indented_lines():
    lines = formatted("a %s", "b\nc", error=ValueError("x\nANOMALY since\x1b[2J"))
    assert lines == [r"a b\nc", "    Traceback:", "    x", r"    ANOMALY since\x1b[2J"]


def test_a_long_message_is_cut():
    assert formatted("%s", "x" * 1_000_000) == ["x" * LONGEST + "… (1000000 characters)"]
