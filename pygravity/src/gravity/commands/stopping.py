"""An orderly end after Ctrl-C, SIGTERM, or when the terminal is closed."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Self


class Stop:
    """Notes the first signal that asks for an end, and whether it came `again`.

    Leaving it ends the program with that signal's exit code.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.again = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started by nohup, to go on
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.again = self.number is not None
        self.number = self.number or number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if kind is None and self.number is not None:
            sys.exit(0 if self.number == signal.SIGTERM else 128 + self.number)
