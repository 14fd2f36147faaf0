"""Windows for nodes: of tmux, GNOME Terminal or xterm, whichever is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from cluster.errors import UserError
from cluster.lifeline import Lifeline

POLL = 0.05  # seconds between two looks at whether a window's program still runs
STOP_TIME = 1.2  # seconds that nodes have to end by themselves
OPENING = 10.0  # seconds that a window may take to open
# Terminals with a server of their own do not inherit these.
PASSED_ON = ("PYTHONPATH", "LD_LIBRARY_PATH", "PATH", "GRAVITY_INI")

# These shells, each the leader of its terminal's session, outlive Ctrl-C and SIGTERM to note how the program in
# them ends. They die of SIGHUP, for only then the kernel passes it on to the program.
_IN_WINDOW = """
trap : INT TERM
echo $$ >"$0.pid"
{ trap : INT TERM; "$@" 2>&1; echo $? >"$0.code"; } | tee -i "$0.said"
"""
_IN_SESSION = """
trap : INT TERM
"$@"
code=$?
tmux capture-pane -p -J -S - -t "$TMUX_PANE" >"$0/shown"
echo $code >"$0/code"
"""


class Windows:
    """Opens windows with `opener`, a command to which the program is appended; {name} in it is the title."""

    def __init__(self, opener: list[str], lifeline: Lifeline) -> None:
        self._opener = opener
        self._lifeline = lifeline
        self._folder = tempfile.TemporaryDirectory(prefix="cluster-")

    async def run(self, name: str, command: list[str]) -> int:
        """Run `command` in a window and return its exit code, -SIGHUP if the window was closed; end it if cancelled.

        Its last line is printed here, for the window closes with it. Raises UserError if no window can be opened.
        """
        note = Path(self._folder.name, name)
        environment = [f"{key}={os.environ[key]}" for key in PASSED_ON if key in os.environ]
        opener = [part.format(name=name) for part in self._opener]
        program = ["env", "-C", os.getcwd(), *environment, "sh", "-c", _IN_WINDOW, str(note), *command]
        opening = await asyncio.create_subprocess_exec(*opener, *program, stdin=subprocess.DEVNULL)
        starting = asyncio.ensure_future(_leader(note.with_suffix(".pid"), opening, shlex.join(opener)))
        try:
            leader = await asyncio.shield(starting)
        except asyncio.CancelledError:  # the window opens all the same
            with contextlib.suppress(TimeoutError, UserError):
                await _end(await asyncio.wait_for(starting, STOP_TIME))
            raise
        try:
            self._lifeline.add(-leader)
            while _runs(leader):
                await asyncio.sleep(POLL)
        finally:
            await _end(leader)
        code = int(_read(note.with_suffix(".code")) or 128 + signal.SIGHUP)
        for line in _read(note.with_suffix(".said")).splitlines()[-1:]:
            print(f"[{name}] {line}", flush=True)
        return 128 - code if 128 < code < 160 else code  # the shell's way to tell a signal


def find_windows(lifeline: Lifeline) -> Windows:
    """Return how windows are opened here; raise UserError if nothing can.

    In a terminal without tmux and without a display, but with tmux installed, this program is run once more
    inside of a tmux session.
    """
    if "TMUX" in os.environ:
        return Windows(["tmux", "new-window", "-d", "-n", "{name}"], lifeline)
    if "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
        if shutil.which("gnome-terminal"):
            return Windows(["gnome-terminal", "--title", "{name}", "--"], lifeline)
        if shutil.which("xterm"):
            return Windows(["xterm", "-T", "{name}", "-e"], lifeline)
    if shutil.which("tmux") and sys.stdin.isatty():
        sys.exit(_run_in_tmux(lifeline))
    raise UserError("--windows needs tmux, gnome-terminal or xterm; install one of them, or run without --windows")


def _run_in_tmux(lifeline: Lifeline) -> int:
    """Run this program in a tmux session that ends with it or with its terminal; return its exit code.

    What it has shown is printed again, since tmux leaves the terminal as it was before. Raises UserError if tmux
    does not start.
    """
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        program = ["sh", "-c", _IN_SESSION, folder, sys.executable, "-E", "-m", "cluster", *sys.argv[1:]]
        session = ["tmux", "-L", Path(folder).name, "new-session", *program]
        tmux = subprocess.Popen(
            [*session, ";", "set-option", "destroy-unattached", "on"], stderr=subprocess.PIPE, text=True
        )
        lifeline.add(tmux.pid)
        received: list[int] = []

        def end(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            tmux.terminate()  # and with it ends the session

        for number in (signal.SIGTERM, signal.SIGHUP):  # Ctrl-C comes to tmux as a key
            signal.signal(number, end)
        _, error = tmux.communicate()
        if received:
            return 128 + received[0]
        if code := _read(Path(folder, "code")):
            print(_read(Path(folder, "shown")).rstrip())
            return int(code)
        if tmux.returncode:
            raise UserError(f"tmux does not start ({' '.join(error.split())}); mend that, or run without --windows")
        return 128 + signal.SIGHUP


def _read(note: Path) -> str:
    """Return what a note says, "" if there is none."""
    return note.read_text() if note.exists() else ""


async def _leader(note: Path, opening: asyncio.subprocess.Process, opener: str) -> int:
    """Return the leader of the process group that a window has for itself, which it notes once it is open."""
    deadline = time.monotonic() + OPENING
    while time.monotonic() < deadline and not opening.returncode:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(note.read_text())
        await asyncio.sleep(POLL)
    raise UserError(f"no window opens with `{opener}`; run without --windows")


async def _end(leader: int) -> None:
    """End a process group: kindly, then not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIME
        while _runs(leader) and time.monotonic() < deadline:
            await asyncio.sleep(POLL)
        os.killpg(leader, signal.SIGKILL)


def _runs(process: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False
