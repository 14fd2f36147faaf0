"""Messages to the operator: standard logging at a bounded rate, with nothing that could harm a terminal."""

from __future__ import annotations

import logging
import time
from collections import Counter

from node.text import harmless

INTERVAL = 10.0  # seconds between two messages of the same kind
LONGEST = 4000  # characters of a message
INDENT = "    "
MOST_KINDS = 100  # of a template: bounds the messages, whatever names come from the network
LONGEST_KEY = 200  # characters of an argument that make a kind
OTHERS = f"more than {MOST_KINDS} different messages like this, the others are only counted"


class RateLimit(logging.Filter):
    """Passes each kind of message at once, then at most once per interval, with the number of occurrences so far.

    Messages of one kind have the same template and arguments, except for numbers. After MOST_KINDS kinds, all others
    of a template count as one. A record counts for `count` occurrences if it has such an attribute
    (`extra={"count": 3}`).
    """

    def __init__(self, interval: float = INTERVAL) -> None:
        """`interval` in seconds."""
        super().__init__()
        self._interval = interval
        self._passed: dict[tuple[object, ...], float] = {}
        self._counts: Counter[tuple[object, ...]] = Counter()
        self._kinds: Counter[object] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to pass `record`, whose text then ends with the count if there were others before it."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        kind = (record.msg, *(str(a)[:LONGEST_KEY] for a in arguments if not isinstance(a, int | float)))
        others = kind not in self._counts and self._kinds[record.msg] >= MOST_KINDS
        if others:
            kind = (OTHERS, record.msg)
        elif kind not in self._counts:
            self._kinds[record.msg] += 1
        count = getattr(record, "count", 1)
        self._counts[kind] += count
        now = time.monotonic()
        if now - self._passed.get(kind, float("-inf")) < self._interval:
            return False
        self._passed[kind] = now
        text = record.getMessage()
        if others:
            text = f"{OTHERS}: {text}"
        if self._counts[kind] > count:
            text += f" ({self._counts[kind]} so far)"
        record.msg, record.args = text, ()
        return True


class OneLine(logging.Formatter):
    """A message is one line, whatever names it quotes; a traceback follows in indented lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the message, harmless and not too long."""
        return harmless(record.message, LONGEST)

    def format(self, record: logging.LogRecord) -> str:
        """Return the message and its traceback, if any."""
        message, *trace = super().format(record).splitlines() or [""]
        return "\n".join([message, *(INDENT + harmless(line, LONGEST) for line in trace)])


def log_to(handler: logging.Handler) -> None:
    """Send what this program logs, from level info on, to `handler`, at a bounded rate."""
    handler.addFilter(RateLimit())
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
