"""Bounds what the library logs, whatever names and errors come from the network."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict

from .throttle import ThrottledCount

MOST_KINDS = 100  # of a template
_LONGEST_KEY = 200  # characters of an argument that make a kind

_Kind = tuple[str, ...]
_OTHERS: _Kind = ("other kinds",)


class Notices(logging.Filter):
    """Passes each kind of message at once, and then every ten seconds at most, with a count.

    Messages of one kind have the same template and arguments, except for numbers. After MOST_KINDS kinds, all others
    of a template count as one. A record whose sender limits its rate (`extra={"throttled": True}`) passes at any
    rate.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, dict[_Kind, ThrottledCount]] = defaultdict(dict)
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to pass `record`, whose text then says how often it has occurred."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        kind = tuple(str(a)[:_LONGEST_KEY] for a in arguments if not isinstance(a, int | float))
        if record.exc_info and record.exc_info[0]:
            kind += (record.exc_info[0].__name__,)
        with self._lock:
            kinds = self._kinds[str(record.msg)]
            if kind not in kinds and len(kinds) >= MOST_KINDS:
                kind = _OTHERS
            times = kinds.setdefault(kind, ThrottledCount()).add(time.monotonic())
        if kind is not _OTHERS and hasattr(record, "throttled"):
            return True
        text = record.getMessage() if times else ""
        if kind is _OTHERS:
            text = f"more than {MOST_KINDS} different messages like this, the others are only counted: {text}"
        record.msg, record.args = text + f" ({times} times)" * (times > 1), ()
        return times > 0
