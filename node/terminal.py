"""Standard output: lines for people and scripts; on a terminal also colours, and a status that stays below them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

ALARM = "#D55E00"  # vermillion of Okabe and Ito's palette
IDLE = 3.0  # seconds without lines from which on the status says so
ERASE = "\r\x1b[K"  # erases the line that the cursor is in


def erases() -> bool:
    """Return whether standard output is a terminal on which a status line can be drawn and erased."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Terminal:
    """Shows lines; on a terminal, those of an alarm in colour (unless NO_COLOR is set), and a status below them."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._redraws = erases()
        with self._console.capture() as captured:
            self._console.print(Text("|", ALARM), end="")
        self._alarm_codes = captured.get().split("|")  # that begin and end the colour of an alarm
        self._status = ""
        self._last = time.monotonic()
        self._live = Live(console=self._console, get_renderable=self._status_line, transient=True)

    def __enter__(self) -> Terminal:
        if self._redraws:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, lines: Iterable[tuple[str, bool]], status: str) -> None:
        """Show lines, each with whether it is about an alarm, and the status from now on.

        They are written at once: writing costs more than formatting.
        """
        self._last = time.monotonic()
        self._status = status
        if not self._redraws:
            print("\n".join(text for text, _ in lines))
            return
        # Not with rich, which takes as long as scoring a window. The status is redrawn in its own colour soon.
        before, after = self._alarm_codes
        shown = "\n".join(f"{before}{text}{after}" if alarm else text for text, alarm in lines)
        status_line = self._status_line()
        status_line.truncate(self._console.width, overflow="ellipsis")
        self._console.file.write(f"{ERASE}{shown}\n{status_line.plain}")
        self._console.file.flush()

    def close(self, lines: Iterable[str]) -> None:
        """Take the status away and show the last lines, if there still is a reader."""
        self._live.stop()
        with contextlib.suppress(OSError):
            print("\n".join(lines))

    def wait_for(self, what: str) -> None:
        """Show what the program is waiting for."""
        self._last = time.monotonic()
        self._status = what

    def _status_line(self) -> Text:
        idle = time.monotonic() - self._last
        text = self._status + (f"  nothing new for {idle:.0f} s" if idle >= IDLE else "")
        return Text(text, "bold", no_wrap=True, overflow="ellipsis")
