"""A cluster of real processes, each of which can be killed and started again, and what can be seen of it."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support import NODES, Folder, Program, eventually

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity

DETECTOR = ("AnomalyDetector.py", "detect")
PROGRESS = re.compile("MSE = |samples collected")  # what the detector prints while data arrive


class Footprint(NamedTuple):
    """What a process takes: MB of memory, threads, descriptors."""

    memory: float
    threads: int
    descriptors: int


def growth(footprints: Sequence[Footprint]) -> Footprint:
    """Return by how much the last third is above the third before it; the first third is for settling."""
    third = len(footprints) // 3
    before, after = (
        [statistics.median(c) for c in zip(*part, strict=True)]
        for part in (footprints[third:-third], footprints[-third:])
    )
    return Footprint(*(b - a for a, b in zip(before, after, strict=True)))


class Cluster:
    """The three nodes of detect.sh, or others with another detector's command."""

    def __init__(self, path: Path, detector: tuple[str, ...] = DETECTOR, **settings: object) -> None:
        path.mkdir(exist_ok=True)
        self.folder = Folder(path)
        self.folder.configure(**settings)
        self._commands = dict(zip(NODES, (("-m", "gravity.directory"), ("DataPublisher.py",), detector), strict=True))
        self.nodes: dict[str, Program] = {}
        self._ended: list[Program] = []

    def start(self, *names: str) -> float:
        """Start nodes; return the time."""
        for name in names:
            self.nodes[name] = self.folder.node(*self._commands[name])
        return time.monotonic()

    def kill(self, *names: str) -> None:
        """Kill nodes at the same time."""
        killed = [self.nodes.pop(name) for name in names]
        for program in killed:
            program.process.kill()
        for program in killed:
            program.wait()
        self._ended += killed

    @property
    def progress(self) -> int:
        """How many windows the running detector has scored, or how often it has told how much it has collected."""
        return sum(bool(PROGRESS.search(line)) for line in list(self.nodes["AnomalyDetector"].lines))

    def set_rate(self, rate: int) -> None:
        """Let another publisher go on at `rate` samples a second."""
        self.folder.configure(sample_rate=rate)
        self.kill("DataPublisher")
        self.start("DataPublisher")

    def footprint(self, name: str) -> Footprint:
        """Return what a running node takes."""
        process = Path(f"/proc/{self.nodes[name].process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        memory = int(status["VmRSS"].split()[0]) / 1024
        return Footprint(memory, int(status["Threads"]), len(list((process / "fd").iterdir())))

    @property
    def alarms(self) -> list[str]:
        """All alarms of all detectors so far."""
        programs = [*self._ended, *self.nodes.values()]
        return [line for program in programs for line in list(program.lines) if line.startswith("ANOMALY")]

    def streams(self, seconds: float = 5) -> None:
        """Wait until the detector gets on with data that have just been sent; the first may have waited for it."""
        before = self.progress
        eventually(lambda: self.progress > before + 1, seconds)

    def newcomer_receives(self, *ids: str, seconds: float = 5) -> None:
        """Wait until a node that starts now receives these data products."""
        deadline = time.monotonic() + seconds
        with GravityNode(ini=self.folder.path / "Gravity.ini") as node:
            eventually(lambda: node.init("Newcomer") == gravity.SUCCESS, seconds)
            for id in ids:
                heard = Heard()
                assert node.subscribe(id, heard) == gravity.SUCCESS
                eventually(lambda heard=heard: heard.products, deadline - time.monotonic())

    def close(self) -> None:
        """Kill what runs."""
        self.folder.close()


class Heard(GravitySubscriber):
    """Counts what is not from a cache."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.products = 0

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        self.products += sum(not product.isCachedDataproduct for product in dataProducts)
