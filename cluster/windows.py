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

from cluster.errors import UserError

POLL = 0.1  # seconds between two looks at whether a window's program still runs
OPENING = 10.0  # seconds that a window may take to open
PASSED_ON = ("PYTHONPATH", "LD_LIBRARY_PATH", "PATH")  # terminals with a server of their own do not inherit these

# Notes its process group, runs the node, notes how it ended.
_IN_WINDOW = 'echo $$ >"$0.pid"; "$@"; echo $? >"$0.code"'


class Windows:
    """Opens windows with `opener`, a command to which the program is appended; {name} in it is the title."""

    def __init__(self, opener: list[str]) -> None:
        self._opener = opener
        self._folder = tempfile.TemporaryDirectory(prefix="cluster-")

    async def run(self, name: str, command: list[str]) -> int:
        """Run `command` in a window and return its exit code, -SIGHUP if the window was closed; end it if cancelled.

        Raises UserError if no window can be opened.
        """
        note = Path(self._folder.name, name)
        environment = [f"{key}={os.environ[key]}" for key in PASSED_ON if key in os.environ]
        opener = [part.format(name=name) for part in self._opener]
        program = ["env", "-C", os.getcwd(), *environment, "sh", "-c", _IN_WINDOW, str(note), *command]
        opening = await asyncio.create_subprocess_exec(*opener, *program, stdin=subprocess.DEVNULL)
        group = await _group(note.with_suffix(".pid"), opening, shlex.join(opener))
        try:
            while _runs(group):
                await asyncio.sleep(POLL)
        finally:
            await _end(group)
        code = note.with_suffix(".code")
        return int(code.read_text()) if code.exists() else -signal.SIGHUP


def find_windows() -> Windows:
    """Return how windows are opened here; raise UserError if nothing can.

    In a terminal without tmux and without a display, but with tmux installed, this program is run once more
    inside of a tmux session.
    """
    if "TMUX" in os.environ:
        return Windows(["tmux", "new-window", "-d", "-n", "{name}"])
    if "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
        if shutil.which("gnome-terminal"):
            return Windows(["gnome-terminal", "--title", "{name}", "--"])
        if shutil.which("xterm"):
            return Windows(["xterm", "-T", "{name}", "-e"])
    if shutil.which("tmux") and sys.stdin.isatty():
        sys.exit(_run_in_tmux())
    raise UserError("--windows needs tmux, gnome-terminal or xterm; install one of them, or run without --windows")


def _run_in_tmux() -> int:
    """Run this program in a tmux session that ends with it or with its terminal; return its exit code."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        code = Path(folder, "code")
        program = shlex.join([sys.executable, "-E", "-m", "cluster", *sys.argv[1:]])
        session = ["tmux", "-L", Path(folder).name, "new-session", f"{program}; echo $? >{code}"]
        subprocess.run([*session, ";", "set-option", "destroy-unattached", "on"], check=False)
        return int(code.read_text()) if code.exists() else 128 + signal.SIGHUP


async def _group(note: Path, opening: asyncio.subprocess.Process, opener: str) -> int:
    """Return the process group that a window notes once it is open."""
    deadline = time.monotonic() + OPENING
    while time.monotonic() < deadline and not opening.returncode:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(note.read_text())
        await asyncio.sleep(POLL)
    raise UserError(f"no window opens with `{opener}`; run without --windows")


async def _end(group: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        for _ in range(10):
            if not _runs(group):
                return
            await asyncio.sleep(POLL)


def _runs(group: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False
