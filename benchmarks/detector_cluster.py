"""A Service Directory, a publisher and the detector, as processes: what benchmarks.detector measures from outside."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PAGE = os.sysconf("SC_PAGE_SIZE")
_WINDOW = re.compile(rb"-(\d+) +MSE")
_LOSS = re.compile(rb"^.*(?:after a gap|interpolated missing|dropped incomplete|dropped duplicate).*$", re.MULTILINE)


class Output:
    """A detector's output, read as it comes: the number of the last sample scored, and the first loss."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.last = 0
        self.loss = ""
        self.times: dict[int, int] = {}  # by sample, when the line of its window was read; while this is kept
        self.keeps_times = False
        assert process.stdout
        self._fd = process.stdout.fileno()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while chunk := os.read(self._fd, 1 << 16):
            now = time.monotonic_ns()
            whole, _, rest = (rest + chunk).rpartition(b"\n")
            if not self.loss and (loss := _LOSS.search(whole)):
                self.loss = loss[0].decode()
            if numbers := [int(number) for number in _WINDOW.findall(whole)]:
                if self.keeps_times:
                    self.times.update(dict.fromkeys(numbers, now))
                self.last = numbers[-1]


class Cluster:
    """A running detector and a publisher that it is connected to."""

    def __init__(self, stride: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.stride = stride
        self.sent = 0
        try:
            self.ini = write_settings(Path(self._folder.name), stride)
            self._start("-m", "gravity.directory", stdout=subprocess.DEVNULL)
            self.detector = self._start(str(PROJECT / "AnomalyDetector.py"), "detect")
            self.output = Output(self.detector)
            self._publisher = self._start("-m", "benchmarks.detector_publisher", stdin=subprocess.PIPE)
            self._hear()
            self.publish(rate=200, count=40 * 20)  # until TensorFlow is there and the first windows are scored
            if not self.wait(60):
                raise RuntimeError(f"the detector scores nothing: {self.output.loss or 'it prints no window'}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def publish(self, rate: float, count: int) -> float:
        """Publish `count` samples, `rate` a second; return the seconds that it took."""
        ran = self._ask(f"{rate} {count}")
        self.sent += count
        self._last_ns = int(ran["last"])
        return float(ran["seconds"])

    def published(self) -> list[int]:
        """Return when the last point of each sample of the last `publish` was published, in monotonic ns."""
        return list(self._ask("times")["published"])

    def wait(self, seconds: float) -> bool:
        """Wait until the last whole window is scored; return whether it was, with nothing lost.

        The seconds count from when the last point was published.
        """
        last = self.sent - self.sent % self.stride
        deadline = self._last_ns + seconds * 1e9
        while self.output.last < last and not self.output.loss and time.monotonic_ns() < deadline:
            time.sleep(0.002)
        return self.output.last == last and not self.output.loss

    @property
    def resident(self) -> float:
        """The detector's resident memory in MB."""
        return int(Path(f"/proc/{self.detector.pid}/statm").read_text().split()[1]) * PAGE / 1e6

    @property
    def processor_time(self) -> float:
        """The processor time in seconds of the detector's threads: in ns, where /proc/PID/stat has ticks of 10 ms."""
        tasks = Path(f"/proc/{self.detector.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def close(self) -> None:
        """Kill what was started."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._folder.cleanup()

    def _start(self, *arguments: str, **streams: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder.name,
            env=environment(),
            **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL} | streams),
        )  # type: ignore[call-overload]
        self._processes.append(process)
        return process  # type: ignore[no-any-return]

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._publisher.stdin
        self._publisher.stdin.write(f"{command}\n".encode())
        self._publisher.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._publisher.stdout
        line = self._publisher.stdout.readline()
        if not line:
            raise RuntimeError("the publisher has ended")
        return dict(json.loads(line))


def environment() -> dict[str, str]:
    """Return the environment of all programs: this project's modules, and no settings of the user's."""
    inherited = {name: value for name, value in os.environ.items() if name != "GRAVITY_INI"}
    return inherited | {"PYTHONPATH": str(PROJECT)}


def write_settings(folder: Path, stride: int) -> Path:
    """Write a Gravity.ini for a cluster of its own, and return its path."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ini = folder / "Gravity.ini"
    ini.write_text(
        f'[general]\nServiceDirectoryURL = "tcp://127.0.0.1:{port}"\nNoConfigServer = true\n'
        f'[AnomalyDetector]\nwindow_stride = {stride}\nmodel_file = "{PROJECT / "model.json"}"\nmax_gap = 2\n'
    )
    return ini
