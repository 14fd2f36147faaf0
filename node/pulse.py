"""Says when it is time again for something that should not happen too often."""

from __future__ import annotations

import time


class Pulse:
    """True the first time, and then once per interval."""

    def __init__(self, interval: float) -> None:
        """`interval` in seconds."""
        self._interval = interval
        self._next = 0.0

    def __call__(self) -> bool:
        """Return whether an interval has passed since this was last true."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True
