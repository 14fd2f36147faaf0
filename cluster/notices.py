"""Things to tell the user that may happen thousands of times a second: each is said at once, then now and then."""

from __future__ import annotations

from collections.abc import Callable

INTERVAL = 10.0  # seconds between two lines about the same thing


class Notices:
    """Says each kind of notice when it first happens, and then its count at most once per interval."""

    def __init__(self, say: Callable[[str], None], interval: float = INTERVAL) -> None:
        self._say = say
        self._interval = interval
        self._said: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, now: float, kind: str, text: str, count: int = 1) -> None:
        """Note that `kind` has happened `count` times; `now` in seconds of any clock that does not go back."""
        self._counts[kind] = self._counts.get(kind, 0) + count
        if now - self._said.get(kind, float("-inf")) >= self._interval:
            self._said[kind] = now
            total = self._counts[kind]
            self._say(text if total == count else f"{text} ({total} so far)")
