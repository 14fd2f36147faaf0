"""`--windows`, in a real tmux and a real xterm."""

import asyncio
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from node.errors import UserError

import pytest

from launch import terminals
from launch.terminals import Windows
from tests.support import Folder, eventually

CLUSTER = (sys.executable, "-E", "-m", "launch", "train", "--windows")
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
    """A cluster that trains forever, in windows."""
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux")
    folder.configure(training_size=1_000_000)
    tmux = Tmux(folder)
    eventually(lambda: "COLLECTING" in tmux.noted("said"))
    yield tmux
    tmux.ask("kill-server")


def test_each_node_has_a_window_and_closing_one_ends_all(folder: Folder, tmux: Tmux):
    assert tmux.windows() == ["DataPublisher", "ServiceDirectory", "cluster"]
    assert "listening at" in tmux.shown("ServiceDirectory")
    eventually(lambda: "sin and cos at 1000 samples" in tmux.shown("DataPublisher"))
    tmux.ask("kill-window", "-t", ":=DataPublisher")
    eventually(lambda: tmux.noted("code"), 2)
    said = tmux.noted("said").splitlines()
    assert "the window of DataPublisher was closed; stopping the nodes" in said
    assert any("[DataPublisher]" in line and "publishing on Auto" in line for line in said), "the last line stays"
    assert tmux.noted("code") == "129\n"
    eventually(lambda: not tmux.windows() and not folder.processes(), 2)


def test_the_windows_close_with_a_script_that_is_killed(folder: Folder, tmux: Tmux):
    [launcher] = tmux.ask("display-message", "-p", "-t", ":=cluster", "#{pane_pid}")
    [launcher] = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    os.kill(int(launcher), signal.SIGKILL)
    eventually(lambda: not tmux.windows() and not folder.processes(), 3)


@pytest.mark.skipif(shutil.which("Xvfb") is None or shutil.which("xterm") is None, reason="there is no Xvfb or xterm")
def test_windows_of_xterm(folder: Folder):
    folder.configure(training_size=1_000_000)
    screen = folder.run("Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24")
    display = screen.prints(r"^\d+$")[0]
    cluster = folder.run(*CLUSTER, DISPLAY=f":{display}")
    cluster.prints("COLLECTING")
    eventually(lambda: len(titled(folder, "xterm")) == 2)
    os.kill(titled(folder, "xterm")[0], signal.SIGTERM)
    assert cluster.wait(3) == 129
    assert "was closed; stopping the nodes" in cluster.errors[-1]
    eventually(lambda: not titled(folder, "xterm"), 2)


def titled(folder: Folder, program: str) -> list[int]:
    return [pid for pid in folder.processes() if Path(f"/proc/{pid}/comm").read_text().strip() == program]


def test_nothing_that_opens_windows(folder: Folder):
    cluster = folder.run(*CLUSTER, PATH="/nowhere")
    assert cluster.wait() == 1
    [line] = cluster.errors
    assert line.startswith("train.sh: --windows needs tmux (start it first), gnome-terminal or xterm;")


@pytest.mark.parametrize("opener", ["false", "true"])
def test_an_opener_that_opens_nothing(opener: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(terminals, "OPENING_TIME", 0.3)

    async def opened() -> None:
        async with Windows([opener, "{name}"]).opened("node"):
            raise AssertionError

    with pytest.raises(UserError, match=f"`{opener} '{{name}}'` opens no window; run without --windows"):
        asyncio.run(opened())


def test_a_window_that_opens_while_the_cluster_is_stopped_closes(tmp_path: Path):
    noted = tmp_path / "noted"
    opener = ["sh", "-c", f': >{noted}; sleep 0.4; "$@"; echo $? >{noted}', "sh"]

    async def stopped_while_it_opens() -> None:
        window = asyncio.create_task(opened(Windows(opener)))
        async with asyncio.timeout(10):
            while not noted.exists():
                await asyncio.sleep(0.01)
        window.cancel()
        with pytest.raises(asyncio.CancelledError):
            await window

    async def opened(windows: Windows) -> None:
        async with windows.opened("node"):
            await asyncio.sleep(60)

    asyncio.run(stopped_while_it_opens())
    eventually(lambda: noted.read_text() == "1\n", 5)  # `cat` found no pipe
