"""`--windows`, in a real tmux."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Folder, Program, eventually

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")

CLUSTER = (sys.executable, "-E", "-m", "cluster", "train", "--windows")
NODES_WITH_A_WINDOW = {"ServiceDirectory", "DataPublisher"}


class Tmux:
    """A tmux server of its own, whose first window runs a cluster."""

    def __init__(self, folder: Folder) -> None:
        self._name = f"test-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        inside = 'trap : INT HUP; "$@" >said 2>&1; echo $? >code'
        self.ask("new-session", "-d", "-x", "200", "-y", "50", "-n", "cluster", "sh", "-c", inside, "sh", *CLUSTER)

    def ask(self, *command: str) -> list[str]:
        """Give a command to the server; return the lines of its answer, none if it does not run."""
        program = self._folder.run("tmux", "-L", self._name, "-f", os.devnull, *command)
        program.wait()
        return program.lines

    def windows(self) -> set[str]:
        return set(self.ask("list-windows", "-a", "-F", "#{window_name}"))

    def shows(self, window: str) -> str:
        return "\n".join(self.ask("capture-pane", "-p", "-J", "-t", f"={window}"))

    def close(self) -> None:
        self.ask("kill-server")


@pytest.fixture
def tmux(folder: Folder) -> Iterator[Tmux]:
    """A cluster that trains for ever, in windows."""
    folder.configure(training_size=1_000_000)
    tmux = Tmux(folder)
    yield tmux
    tmux.close()


def wait_until_it_runs(folder: Folder, tmux: Tmux) -> None:
    eventually(lambda: "COLLECTING" in said(folder), 15)
    eventually(lambda: tmux.windows() == NODES_WITH_A_WINDOW | {"cluster"}, 5)


def said(folder: Folder) -> str:
    file = folder.path / "said"
    return file.read_text() if file.exists() else ""


def wait_for_code(folder: Folder) -> int:
    code = folder.path / "code"
    eventually(lambda: code.exists() and code.read_text().strip(), 2)
    return int(code.read_text())


def test_each_node_has_a_window_and_closing_one_ends_all(folder: Folder, tmux: Tmux):
    wait_until_it_runs(folder, tmux)
    assert "listening at" in tmux.shows("ServiceDirectory")
    assert "publishing sin and cos" in tmux.shows("DataPublisher")
    assert "TrainingState.COLLECTING" in said(folder)
    tmux.ask("kill-window", "-t", "=DataPublisher")
    assert wait_for_code(folder) == 1
    assert said(folder).endswith("DataPublisher was ended by SIGHUP; the other nodes are stopped\n")
    eventually(lambda: not tmux.windows() and not folder.processes(), 2)
