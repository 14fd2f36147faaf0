"""Lines and a status, on a pseudo-terminal and elsewhere."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PROGRAM = """
import time
from node import terminal
from node.terminal import Terminal
terminal.IDLE = 0.1
with Terminal() as terminal:
    terminal.wait_for("waiting")
    time.sleep(0.3)
    terminal.show([("plain [bold]", False), ("wrong", True)], "now " + "long " * 50)
    print("printed elsewhere")
    terminal.close(["the end"])
"""
NARROW = 60


def on_terminal(**environment: str) -> str:
    """Return all that the program writes to a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, NARROW, 0, 0))
    base = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, stdout=theirs,
        env=base | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            written += os.read(ours, 65536)
        except OSError:  # the program has ended
            break
    os.close(ours)
    assert program.wait(10) == 0
    return written.decode()


def test_only_alarms_are_coloured_and_the_status_stays_in_place():
    written = on_terminal()
    assert "\x1b[38;2;213;94;0mwrong" in written and "plain [bold]" in written
    assert written.count("\x1b[38;") == 1
    assert "waiting  nothing new for 0 s" in written and "\x1b[2K" in written
    status = next(part for part in written.split("\x1b[1m") if part.startswith("now "))
    assert len(status.split("\x1b")[0]) == NARROW and status.split("\x1b")[0].endswith("…")
    assert written.index("printed elsewhere") < written.index("the end")
    assert not written.split("the end")[1].strip()


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_colour(environment: dict[str, str]):
    written = on_terminal(**environment)
    assert "\x1b[38;" not in written and "wrong" in written


def test_elsewhere_there_are_only_lines():
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True,
        env=os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"},
    )  # fmt: skip
    assert program.stdout == "plain [bold]\nwrong\nprinted elsewhere\nthe end\n"
