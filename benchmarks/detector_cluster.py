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
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
_WINDOW = re.compile(rb"-(\d+)  MSE")
_LOSS = re.compile(rb"^.*(?:after a gap|is missing|is incomplete|twice or too late).*$", re.MULTILINE)


class Output:
    """What a detector prints, read as it comes: the number of the last sample scored, and the first loss."""

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

    def __init__(self, stride: int, model_file: Path = PROJECT / "model.json", n_streams: int = 2) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.stride = stride
        self.sent = 0
        try:
            write_settings(Path(self._folder.name), stride, model_file)
            self._start("-m", "gravity.service_directory", stdout=subprocess.DEVNULL)
            self.detector = self._start(str(PROJECT / "AnomalyDetector.py"), "detect")
            self.output = Output(self.detector)
            self._publisher = self._start(
                "-m", "benchmarks.detector_publisher", str(n_streams), stdin=subprocess.PIPE
            )
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

    def publish(self, rate: float, count: int) -> dict[str, Any]:
        """Publish `count` samples, `rate` a second; return what the publisher says of it."""
        assert self._publisher.stdin
        self._publisher.stdin.write(f"{rate} {count}\n".encode())
        self._publisher.stdin.flush()
        self.sent += count
        return self._hear()

    def wait(self, seconds: float) -> bool:
        """Wait until the last whole window is scored; return whether it was in this time, and nothing was lost."""
        last = self.sent - self.sent % self.stride
        deadline = time.monotonic() + seconds
        while self.output.last < last and not self.output.loss and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.output.last == last and not self.output.loss

    @property
    def resident(self) -> float:
        """The detector's resident memory in MB."""
        return int(Path(f"/proc/{self.detector.pid}/statm").read_text().split()[1]) * PAGE / 1e6

    @property
    def processor_time(self) -> float:
        """The detector's processor time in seconds."""
        fields = Path(f"/proc/{self.detector.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

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


def write_settings(folder: Path, stride: int, model_file: Path = PROJECT / "model.json") -> Path:
    """Write a Gravity.ini for a cluster of its own, and return its path."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ini = folder / "Gravity.ini"
    ini.write_text(
        f'[general]\nServiceDirectoryURL = "tcp://127.0.0.1:{port}"\nNoConfigServer = true\n'
        f'[AnomalyDetector]\nwindow_stride = {stride}\nmodel_file = "{model_file}"\nmax_gap = 2\n'
    )
    return ini
