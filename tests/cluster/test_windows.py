"""`--windows`, in a real tmux."""

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import signal
import struct
import sys
import termios
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.lifeline import Lifeline
from cluster.windows import Windows
from tests.support import Folder, eventually

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")

CLUSTER = (sys.executable, "-E", "-m", "cluster", "train", "--windows")
IN_TERMINAL = 'exec "$@" <>"$0" >&0 2>&1'
IN_TMUX = '"$@" >said 2>&1; echo $? >code'


class Tmux:
    """A tmux server of its own, whose first window runs a cluster."""

    def __init__(self, folder: Folder) -> None:
        self._name = f"test-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self.ask("new-session", "-d", "-x", "200", "-y", "50", "-n", "cluster", "sh", "-c", IN_TMUX, "sh", *CLUSTER)

    def ask(self, *command: str) -> list[str]:
        """Give a command to the server; return the lines of its answer, none if it does not run."""
        program = self._folder.run("tmux", "-L", self._name, "-f", os.devnull, *command)
        program.wait()
        return program.lines

    def windows(self) -> list[str]:
        return sorted(self.ask("list-windows", "-a", "-F", "#{window_name}"))

    def shown(self, window: str) -> str:
        return "\n".join(self.ask("capture-pane", "-p", "-J", "-t", f":={window}"))

    def noted(self, name: str) -> str:
        """Return what the cluster has written to a file."""
        file = self._folder.path / name
        return file.read_text() if file.exists() else ""


@pytest.fixture
def tmux(folder: Folder) -> Iterator[Tmux]:
    """A cluster that trains for ever, in windows."""
    folder.configure(training_size=1_000_000)
    tmux = Tmux(folder)
    eventually(lambda: "COLLECTING" in tmux.noted("said"))
    yield tmux
    tmux.ask("kill-server")


def test_each_node_has_a_window_and_closing_one_ends_all(folder: Folder, tmux: Tmux):
    assert tmux.windows() == ["DataPublisher", "ServiceDirectory", "cluster"]
    assert "listening at" in tmux.shown("ServiceDirectory")
    eventually(lambda: "publishing sin and cos" in tmux.shown("DataPublisher"))
    tmux.ask("kill-window", "-t", ":=DataPublisher")
    eventually(lambda: tmux.noted("code"), 2)
    last_line, ending = tmux.noted("said").splitlines()[-2:]
    assert last_line.startswith("[DataPublisher] publishing sin and cos")
    assert ending == "DataPublisher was ended by SIGHUP; the other nodes are stopped"
    assert tmux.noted("code") == "1\n"
    eventually(lambda: not tmux.windows() and not folder.processes(), 2)


def test_the_windows_close_with_a_script_that_is_killed(folder: Folder, tmux: Tmux):
    [launcher] = tmux.ask("display-message", "-p", "-t", ":=cluster", "#{pane_pid}")
    [launcher] = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    os.kill(int(launcher), signal.SIGKILL)
    eventually(lambda: not tmux.windows() and not folder.processes(), 3)


class Terminal:
    """A terminal outside of any tmux, in which a cluster runs."""

    def __init__(self, folder: Folder, kind: str) -> None:
        self._screen, self._terminal = pty.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
        os.set_blocking(self._screen, False)
        self._shown = ""
        self.program = folder.run("sh", "-c", IN_TERMINAL, os.ttyname(self._terminal), *CLUSTER, TERM=kind)

    def shown(self) -> str:
        """Return all that has been written to the terminal so far."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._screen, 65536):
                self._shown += data.decode(errors="replace")
        return self._shown

    def type(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def close(self) -> None:
        os.close(self._screen)
        os.close(self._terminal)


def test_what_was_said_stays_in_the_terminal(folder: Folder):
    folder.configure(training_size=1_000_000)
    terminal = Terminal(folder, "xterm")
    eventually(lambda: "COLLECTING" in terminal.shown())
    terminal.type(b"\x03")
    assert terminal.program.wait(2) == 130
    left_the_other_screen = terminal.shown().rpartition("\x1b[?1049l")[2]
    assert "TrainingState.COLLECTING: 1000000 samples" in left_the_other_screen
    assert not folder.processes()
    terminal.close()


def test_the_session_ends_with_the_script_that_has_made_it(folder: Folder):
    folder.configure(training_size=1_000_000)
    terminal = Terminal(folder, "xterm")
    eventually(lambda: "COLLECTING" in terminal.shown())
    assert terminal.program.stop(signal.SIGTERM) == 143
    eventually(lambda: not folder.processes(), 2)
    terminal.close()


def test_a_terminal_that_tmux_does_not_know(folder: Folder):
    terminal = Terminal(folder, "an-unknown-one")
    assert terminal.program.wait() == 1
    [line] = terminal.shown().splitlines()
    assert line.startswith("train.sh: tmux does not start (") and "without --windows" in line
    terminal.close()


def test_a_window_that_opens_while_the_cluster_is_stopped_is_ended(tmp_path: Path):
    opening = tmp_path / "opening"
    opener = ["sh", "-c", f': >{opening}; sleep 0.4; setsid "$@" >/dev/null 2>&1 &', "sh"]

    async def stopped_while_it_opens() -> int:
        with Lifeline() as lifeline:
            windows = Windows(opener, lifeline)
            window = asyncio.create_task(windows.run("node", ["sleep", "60"]))
            async with asyncio.timeout(10):
                while not opening.exists():
                    await asyncio.sleep(0.01)
            window.cancel()
            with pytest.raises(asyncio.CancelledError):
                await window
            leader = int(Path(windows._folder.name, "node.pid").read_text())
            windows._folder.cleanup()
            return leader

    leader = asyncio.run(stopped_while_it_opens())
    eventually(lambda: not runs(leader), 5)


def runs(process: int) -> bool:
    """Return whether a process runs; one that has ended may still wait to be taken note of."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
