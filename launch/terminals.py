"""Windows that show what nodes print: of tmux, GNOME Terminal or xterm, whichever is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from node.errors import UserError

POLL = 0.05  # seconds between two looks at whether a window is open
OPENING_TIME = 10.0  # seconds that a window may take to open
CLOSING_TIME = 0.5  # seconds that the opener may take to end after its window


class Window:
    """A window that shows lines; `fd` is the pipe through which it gets them, broken once the window is closed."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.last_line = ""

    def write(self, line: str) -> None:
        """Show a line, unless the window is closed or somebody has stopped its output."""
        self.last_line = line
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self.fd, f"{line}\n".encode())


class Windows:
    """Opens windows with `opener`, a command that takes the command to run at its end; {name} in it is the title."""

    def __init__(self, opener: list[str]) -> None:
        self._opener = opener

    @contextlib.asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[Window]:
        """Open a window for the duration of the context; its last line is then printed here.

        Raises UserError if no window opens.
        """
        with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
            pipe = Path(folder, name)
            os.mkfifo(pipe)
            opener = [part.format(name=name) for part in self._opener]
            opening = await asyncio.create_subprocess_exec(
                *opener, "cat", str(pipe), stdin=asyncio.subprocess.DEVNULL
            )
            try:
                window = Window(await self._opened_pipe(pipe, opening))
                try:
                    yield window
                finally:
                    asyncio.get_running_loop().remove_reader(window.fd)
                    os.close(window.fd)  # with its input, `cat` ends, and the window closes
                    if window.last_line:
                        print(f"[{name}] {window.last_line}", flush=True)
            finally:
                waker = os.open(pipe, os.O_RDWR)  # `cat` may be waiting in a window that was still opening
                pipe.unlink()  # or may come later
                os.close(waker)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(opening.wait(), CLOSING_TIME)

    async def _opened_pipe(self, pipe: Path, opening: asyncio.subprocess.Process) -> int:
        deadline = time.monotonic() + OPENING_TIME
        while time.monotonic() < deadline and not opening.returncode:
            with contextlib.suppress(OSError):  # nobody reads yet
                return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            await asyncio.sleep(POLL)
        raise UserError(f"`{shlex.join(self._opener)}` opens no window; run without --windows")


def find_windows() -> Windows:
    """Return how to open windows here; raise UserError if nothing can."""
    if "TMUX" in os.environ:
        return Windows(["tmux", "new-window", "-d", "-n", "{name}"])
    if "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
        if shutil.which("gnome-terminal"):
            return Windows(["gnome-terminal", "--title", "{name}", "--"])
        if shutil.which("xterm"):
            return Windows(["xterm", "-T", "{name}", "-e"])
    raise UserError("--windows needs tmux (start it first), gnome-terminal or xterm; or run without --windows")
