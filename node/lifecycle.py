"""A program from start to end: signals, errors, exit codes. To be imported first (see `signal` below)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from node.errors import UserError
from node.text import harmless

# Until `run` takes over, while packages are imported, Ctrl-C just ends the program.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(name: str, main: Callable[[], int | None]) -> NoReturn:
    """Run a program and exit with the code that `main` returns (None: 0).

    Exits with 1 after a user's mistake, or if nobody reads the output any more, with 130 after Ctrl-C, with 143 after
    SIGTERM, and with 129 after SIGHUP (the terminal is closed), unless it is ignored (nohup).
    """

    def terminate(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # also where it is not a terminal
    try:
        sys.exit(main())
    except UserError as error:
        print(f"{name}: {harmless(str(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        discard_output()
        sys.exit(1)


def discard_output() -> None:
    """Drop all further output, whose reader is gone; otherwise Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
