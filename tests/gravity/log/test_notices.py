"""What the library logs is bounded in rate and in number."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gravity.log import library_log, notices
from gravity.log.notices import MOST_KINDS

Log = Callable[..., list[str]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, library_lines: list[str]) -> Log:
    """A function that logs a warning at a time, in seconds, and returns all lines so far."""

    def at(now: float, template: str, *arguments: object, **options: object) -> list[str]:
        monkeypatch.setattr(notices.time, "monotonic", lambda: now)
        library_log.warning(template, *arguments, **options)  # type: ignore[arg-type]
        return library_lines

    return at


def test_repetitions_are_counted(log: Log) -> None:
    for now in range(25):
        log(float(now), "dropped %d bytes of %s: %s", now, "P", ValueError("odd"))
    assert log(25.0, "something else") == [
        "dropped 0 bytes of P: odd",
        "dropped 10 bytes of P: odd (10 times)",
        "dropped 20 bytes of P: odd (10 times)",
        "something else",
    ]


def test_the_number_of_kinds_is_bounded(log: Log) -> None:
    for number in range(20_000):
        log(1.0, "unknown request %s", f"name {number}")
    assert len(log(1.0, "unknown request %s", "name 0")) == MOST_KINDS + 1
    others = f"more than {MOST_KINDS} different messages like this, the others are only counted: unknown request "
    assert log(11.0, "unknown request %s", "x")[MOST_KINDS:] == [
        f"{others}name {MOST_KINDS}",
        f"{others}x ({20_000 - MOST_KINDS} times)",
    ]
    assert log(11.0, "unknown request %s", "name 0")[-1] == "unknown request name 0 (2 times)"


def test_exceptions_of_another_type_are_of_another_kind(log: Log) -> None:
    for error in (ValueError(), ValueError(), KeyError()):
        lines = log(1.0, "unexpected error", exc_info=error)
    assert [line.splitlines()[-1] for line in lines] == ["    ValueError", "    KeyError"]


def test_what_its_sender_throttles_passes_up_to_the_same_number(log: Log) -> None:
    for number in range(2 * MOST_KINDS):
        for _ in range(2):
            lines = log(1.0, "%s was full %d times", f"queue {number}", 3, extra={"throttled": True})
    assert lines[:2] == ["queue 0 was full 3 times"] * 2 and len(lines) == 2 * MOST_KINDS + 1
