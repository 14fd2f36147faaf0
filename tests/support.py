"""A folder with a cluster of its own, and programs run in it as a user would."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parents[1]
MARK = "CLUSTER_TEST_MARK"
NODES = {  # what is in their command lines
    "ServiceDirectory": "gravity.directory",
    "DataPublisher": "DataPublisher.py",
    "AnomalyDetector": "AnomalyDetector.py",
}
FILES = (
    "DataPublisher.py", "AnomalyDetector.py", "Dashboard.py", "anomaly", "dashboard", "launch", "node", "pictures",
    "recording", "streams",
)  # fmt: skip


def free_port() -> int:
    """Return a port that the system has just had to spare."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until `condition` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def take_signals() -> None:
    """Undo what the shell of a test run in the background has done (`nohup ./tests/run &`): signals are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def node_program(name: str) -> ModuleType:
    """Import a node's program, which changes what Ctrl-C does, and undo that."""
    before = signal.getsignal(signal.SIGINT)
    try:
        return importlib.import_module(name)
    finally:
        signal.signal(signal.SIGINT, before)


class Program:
    """A running program whose output is read while it runs."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=take_signals,
        )  # fmt: skip
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=lambda: self.lines.extend(map(str.rstrip, self.process.stdout or []))),
            threading.Thread(target=lambda: self.errors.extend(map(str.rstrip, self.process.stderr or []))),
        ]
        for reader in self._readers:
            reader.start()

    def wait(self, seconds: float = 30) -> int:
        """Return the exit code, once all output is read."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return code

    def prints(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """Wait until a line of standard output matches, and return the first match."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(m for line in list(self.lines) if (m := re.search(pattern, line)))
            return bool(found) or self.process.poll() is not None

        eventually(look, seconds)
        assert found, f"ended without {pattern!r}: {self.lines} {self.errors}"
        return found[0]

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal to this program alone and return the exit code."""
        self.process.send_signal(number)
        return self.wait()


class Folder:
    """A copy of the project's top level with a Gravity.ini of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self.mark = uuid.uuid4().hex
        self._programs: list[Program] = []
        for name in FILES:
            (path / name).symlink_to(PROJECT / name)
        for name in ("model.json", "model.json.h5"):
            (path / name).write_bytes((PROJECT / name).read_bytes())
        (path / "Gravity.ini").write_text((PROJECT / "Gravity.ini").read_text())
        self.configure(ServiceDirectoryURL=f'"tcp://localhost:{self.port}"', sample_rate=1000, port=0)

    def configure(self, **values: object) -> None:
        """Change values in Gravity.ini."""
        text = (self.path / "Gravity.ini").read_text()
        for key, value in values.items():
            text, count = re.subn(rf"(?m)^{key} *=.*$", f"{key} = {value}", text)
            assert count == 1, f"{key} stands {count} times in Gravity.ini"
        (self.path / "Gravity.ini").write_text(text)

    def run(self, *command: str, **environment: str) -> Program:
        """Start a program in this folder."""
        not_inherited = ("TMUX", "DISPLAY", "WAYLAND_DISPLAY", "GRAVITY_INI")
        inherited = {k: v for k, v in os.environ.items() if k not in not_inherited}
        program = Program(list(command), self.path, inherited | {MARK: self.mark} | environment)
        self._programs.append(program)
        return program

    def node(self, script: str, *arguments: str) -> Program:
        """Start a node by itself."""
        return self.run(sys.executable, script, *arguments)

    def directory(self) -> Program:
        """Start a Service Directory and wait until it listens."""
        program = self.run(sys.executable, "-m", "gravity.directory")
        program.prints("listening")
        return program

    def cluster(self, mode: str, *arguments: str, dashboard: bool = False) -> Program:
        """Start what train.sh and detect.sh run once the environment is ready."""
        without = [] if dashboard else ["--no-dashboard"]
        return self.run(sys.executable, "-E", "-m", "launch", mode, *without, *arguments)

    def processes(self) -> list[int]:
        """Return the ids of all living processes that this folder's programs are or have started."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes()
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if f"{MARK}={self.mark}".encode() in environment and state != "Z":
                    found.append(int(entry.name))
        return found

    def pid_of(self, node: str) -> int:
        """Return the process id of a node."""
        for pid in self.processes():
            command = Path(f"/proc/{pid}/cmdline").read_text()
            if NODES[node] in command and "launch\0" not in command:
                return pid
        raise AssertionError(f"{node} does not run")

    def close(self) -> None:
        """Kill what is left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):  # it ended with the launcher, killed just before
                os.kill(pid, signal.SIGKILL)
        for program in self._programs:
            program.wait()


def with_plant(folder: Folder) -> Folder:
    """Return a cluster's folder after adding examples/plant; the project's packages are there as on PYTHONPATH."""
    for file in (PROJECT / "examples" / "plant").glob("*.*"):
        shutil.copy(file, folder.path)
    url = f'"tcp://localhost:{folder.port}"'
    folder.configure(ServiceDirectoryURL=url, training_size="400\ntraining_epochs = 2")
    return folder
