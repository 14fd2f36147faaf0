"""The cost of the live view: `python -m benchmarks.dashboard [--quick] [--json FILE]`.

Parts, each a table; one run at each rate:

    server      the dashboard's processor time at 10 to 2000 samples a second, without and with a viewer, who gets
                what a browser gets: the plots' changes over a websocket, and the text several times a second
    detector    the detector's latency at 100 samples a second, and its processor time for a sample, with and without
                a dashboard and its viewer
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.client import pull_session

from benchmarks.detector_cluster import PROJECT, Cluster, environment
from benchmarks.report import Row, describe, ratio, table, write_json

RATES = (10, 100, 1000, 2000)
STATUS = 0.25  # seconds between two looks of the page at the text


class View:
    """A dashboard in a cluster, with as many viewers as asked for."""

    def __init__(self, cluster: Cluster, viewers: int) -> None:
        ini = cluster.ini
        ini.write_text(ini.read_text() + "[Dashboard]\nport = 0\n")
        self._process = subprocess.Popen(
            [sys.executable, "-u", PROJECT / "Dashboard.py"], cwd=ini.parent, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdout
        found = next(filter(None, (re.search(r"at (http://\S+)", line) for line in self._process.stdout)))
        self._url = found[1]
        self._sessions: list[Any] = []
        self._stopped = threading.Event()
        self._viewers = viewers

    def open(self) -> None:
        """Let the viewers come, once there is something to see."""
        for _ in range(self._viewers):
            self._sessions.append(pull_session(url=self._url))
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while not self._stopped.wait(STATUS):
            with urllib.request.urlopen(f"{self._url}status.json", timeout=10) as answer:
                json.load(answer)

    @property
    def processor_time(self) -> float:
        """The processor time in seconds of the dashboard's threads."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def close(self) -> None:
        """End it."""
        self._stopped.set()
        self._process.kill()
        self._process.wait()


def server(quick: bool) -> Iterator[Row]:
    """Measure the dashboard's processor time at growing rates."""
    length = 10 if quick else 60
    for viewers in (0, 1):
        with Cluster(stride=20) as cluster:
            view = View(cluster, viewers)
            try:
                cluster.publish(10, 60)  # until the page has its plots
                view.open()
                for offered in RATES[::2] if quick else RATES:
                    before, start = view.processor_time, time.monotonic()
                    cluster.publish(offered, offered * length)
                    share = (view.processor_time - before) / (time.monotonic() - start)
                    goal = "< 0.1" if offered == 10 else None
                    yield {"viewers": viewers, "samples/s": offered, "share of a core": share, "goal": goal}
            finally:
                view.close()


def detector(quick: bool) -> Iterator[Row]:
    """Measure the detector without and with a dashboard that is looked at."""
    base: dict[str, float] = {}
    count = 1000 if quick else 6000
    for viewers in (0, 1):
        with Cluster(stride=1) as cluster:
            view = View(cluster, viewers) if viewers else None
            try:
                if view:
                    cluster.publish(10, 60)
                    view.open()
                before, sent = cluster.processor_time, cluster.sent
                cluster.output.keeps_times = True
                cluster.publish(100, count)
                if not cluster.wait(5):
                    raise RuntimeError(cluster.output.loss or "the detector lags behind")
                used = 1e6 * (cluster.processor_time - before) / count
                read = cluster.output.times
                late = [(read[n] - at) / 1e6 for n, at in enumerate(cluster.published(), start=sent + 1)]
                p50, p99 = np.percentile(late, [50, 99]).tolist()
                cluster.publish(5000, 5 * 5000)
                carried = cluster.wait(1)
            finally:
                if view:
                    view.close()
        base = base or {"p50": p50, "used": used}
        yield {
            "viewers": viewers, "p50, ms": p50, "p99, ms": p99, "p50 ÷ without": ratio(p50, base["p50"]),
            "processor, µs/sample": used, "÷ without": ratio(used, base["used"]),
            "carries 5000/s": "yes" if carried else "no",
        }  # fmt: skip


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description="The cost of the live view.")
    parser.add_argument("--quick", action="store_true", help="a look, in a minute or two")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    given = parser.parse_args()
    result: dict[str, object] = {"about": describe("bokeh", "tornado")}
    for part in (server, detector):
        rows = list(part(given.quick))
        print(table(part.__name__, rows), flush=True)
        result[part.__name__] = rows
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
