"""Keys pressed on the terminal, without waiting for Enter."""

from __future__ import annotations

import math
import os
import select
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Self

_LONGEST_WAIT = 0.1  # seconds
_ARROW, _ARROW_LENGTH = "\x1b[", 3


class Keyboard:
    """The terminal on standard input while the program is in its foreground; otherwise no key is ever pressed."""

    def __init__(self) -> None:
        self._terminal: int | None = None
        self._pressed = ""  # keys that were read together

    def __enter__(self) -> Self:
        try:
            descriptor = sys.stdin.fileno()
            if os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp():
                self._before = termios.tcgetattr(descriptor)
                tty.setcbreak(descriptor)
                self._terminal = descriptor
        except (OSError, ValueError, AttributeError, termios.error):  # there is no standard input
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal is not None:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def __bool__(self) -> bool:
        return self._terminal is not None

    def wait(self, seconds: float) -> str:
        """Return the key that is pressed within `seconds` (at most 0.1), "" if none is; arrows begin with ESC [."""
        seconds = min(max(seconds, 0), _LONGEST_WAIT) if math.isfinite(seconds) else _LONGEST_WAIT
        if self._terminal is None:
            if seconds:
                time.sleep(seconds)
            return ""
        if not self._pressed and select.select([self._terminal], [], [], seconds)[0]:
            self._pressed = os.read(self._terminal, 1000).decode(errors="replace")
            if not self._pressed:  # the terminal is gone
                self._terminal = None
        length = _ARROW_LENGTH if self._pressed.startswith(_ARROW) else 1
        key, self._pressed = self._pressed[:length], self._pressed[length:]
        return key
