"""A Service Directory, a publisher and one or more detectors, as processes: what benchmarks.scaling measures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.detector_cluster import PAGE, environment

START = 120.0  # seconds until the detectors score
QUIET = 1.0  # seconds without a new score after which nothing is on its way any more
_WINDOW = re.compile(rb"-(\d+) +MSE[^\n\[]*(?:\[(\w+)\])?")
_LOSS = re.compile(rb"^.*(?:after a gap|dropped|interpolated).*$", re.MULTILINE)


class Detectors:
    """A process with one or more detectors; their output is read as it comes."""

    def __init__(self, process: subprocess.Popen[bytes], names: Sequence[str]) -> None:
        self.process = process
        self.last = dict.fromkeys(names, 0)  # number of the last sample scored
        self.loss = ""  # the first line about one
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        fd, rest = self.process.stdout.fileno(), b""
        first = next(iter(self.last))
        while chunk := os.read(fd, 1 << 16):
            whole, _, rest = (rest + chunk).rpartition(b"\n")
            if not self.loss and (loss := _LOSS.search(whole)):
                self.loss = loss[0].decode()
            for number, name in _WINDOW.findall(whole):
                self.last[name.decode() or first] = int(number)

    @property
    def resident(self) -> float:
        """Resident memory in MB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE / 1e6

    @property
    def processor_time(self) -> float:
        """Processor time of all threads, in seconds."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Cluster:
    """Running detectors, and a publisher that they are connected to."""

    def __init__(
        self, folder: Path, products: int, streams: int, stride: int, detectors: Mapping[str, Sequence[str]]
    ) -> None:
        """`folder` has a Gravity.ini. `detectors`: for each process, by its command, the components in it."""
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stride = stride
        try:
            self._start("-m", "gravity.directory", stdout=subprocess.DEVNULL)
            self.detectors = [Detectors(self._start(*command.split()), names) for command, names in detectors.items()]
            self._publisher = self._start(
                "-m", "benchmarks.scaling_publisher", str(products), str(streams), stdin=subprocess.PIPE
            )
            self._hear()
            end = time.monotonic() + START
            while not all(self._scored()):
                self.publish(rate=200, count=100)
                if time.monotonic() > end:
                    raise RuntimeError(f"the detectors score nothing: {[d.loss for d in self.detectors]}")
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
        assert self._publisher.stdin
        self._publisher.stdin.write(f"{rate} {count}\n".encode())
        self._publisher.stdin.flush()
        return float(self._hear()["seconds"])

    def settle(self) -> None:
        """Leave behind what was lost: publish a few samples slowly until all is scored, and count from there."""
        self.publish(200, 60)
        before: list[int] = []
        while (scored := self._scored()) != before:
            before = scored
            time.sleep(QUIET)
        for detectors in self.detectors:
            detectors.loss = ""
        self._before = self._scored()

    def carries(self, count: int, seconds: float) -> str:
        """Return why the `count` samples since `settle` are not all scored within `seconds`, "" if they are."""
        end = time.monotonic() + seconds
        wanted = [before + count - self._stride + 1 for before in self._before]
        while True:
            if loss := next((detectors.loss for detectors in self.detectors if detectors.loss), ""):
                return loss
            if all(last >= least for last, least in zip(self._scored(), wanted, strict=True)):
                return ""
            if time.monotonic() > end:
                return "lags behind"
            time.sleep(0.005)

    @property
    def processor_time(self) -> float:
        """Processor time of all detectors, in seconds."""
        return sum(detectors.processor_time for detectors in self.detectors)

    @property
    def resident(self) -> float:
        """Resident memory of all detectors, in MB."""
        return sum(detectors.resident for detectors in self.detectors)

    def close(self) -> None:
        """Kill what was started."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()

    def _scored(self) -> list[int]:
        return [number for detectors in self.detectors for number in detectors.last.values()]

    def _start(self, *arguments: str, **streams: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder,
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
