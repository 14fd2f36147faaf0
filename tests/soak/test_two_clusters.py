"""Two clusters on one host, whose nodes have the same names and ports from the same range: nothing crosses."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

from tests.soak.conftest import Soak
from tests.support import PROJECT, Folder, Program, eventually

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity

TALKER = str(PROJECT / "tests" / "soak" / "talker.py")
ID = "AutoencoderExample"
LIMIT = 5.0  # seconds until streaming
PORTS = 16  # few, so that a port soon goes to the other cluster


class Listener(GravitySubscriber):
    """Keeps what it receives: the cluster of each message, and the last number of each run of its talker."""

    def __init__(self, cluster: str) -> None:
        GravitySubscriber.__init__(self)
        self.cluster = cluster
        self.received = 0
        self.crossed: list[bytes] = []
        self.out_of_order = 0
        self._last: dict[bytes, int] = {}

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        for product in dataProducts:
            cluster, run, number = product.data.split()
            if cluster.decode() != self.cluster:
                self.crossed.append(product.data)
            self.out_of_order += int(number) <= self._last.get(run, -1)
            self._last[run] = int(number)
            self.received += not product.isCachedDataproduct


class Side:
    """One of the clusters: a directory, a talker and two listeners, of which one stays from the beginning."""

    def __init__(self, path: Path, name: str, first_port: int) -> None:
        path.mkdir()
        self.name = name
        self.folder = Folder(path)
        ini = path / "Gravity.ini"
        ports = f"[general]\nMinPort = {first_port}\nMaxPort = {first_port + PORTS - 1}\n"
        ini.write_text(ini.read_text().replace("[general]\n", ports))
        self.running: dict[str, Program] = {}
        self.start("directory")
        self.start("talker")
        self.node = GravityNode(ini=ini)
        eventually(lambda: self.node.init("Listener") == gravity.SUCCESS)
        self.listener = Listener(name)
        self.node.subscribe(ID, self.listener)

    def start(self, what: str) -> None:
        command = ("-m", "gravity.directory") if what == "directory" else (TALKER, ID, self.name)
        self.running[what] = self.folder.node(*command)

    def kill(self, what: str) -> None:
        program = self.running.pop(what)
        program.process.kill()
        program.wait()

    def streams(self, seconds: float) -> None:
        before = self.listener.received
        eventually(lambda: self.listener.received > before + 10, seconds)

    def newcomer_receives(self, seconds: float) -> Listener:
        newcomer = Listener(self.name)
        with GravityNode(ini=self.folder.path / "Gravity.ini") as node:
            eventually(lambda: node.init("Newcomer") == gravity.SUCCESS, seconds)
            eventually(lambda: node.subscribe(ID, newcomer) == gravity.SUCCESS, seconds)
            eventually(lambda: newcomer.received, seconds)
        return newcomer

    def close(self) -> None:
        self.node.close()
        self.folder.close()


def test_nothing_crosses(tmp_path: Path, soak: Soak):
    """In each round some of both clusters' directories and talkers die, and return at random, on ports of others."""
    with contextlib.ExitStack() as stack:
        sides = []
        first_port = random.randrange(10_000, 32_000, 100)  # below those that the system hands out
        for name in ("ours", "theirs"):
            sides.append(Side(tmp_path / name, name, first_port))
            stack.callback(sides[-1].close)
        slowest, deaths, newcomers = 0.0, 0, []
        for _ in soak.rounds(quick=3, long=50, minutes=20):
            dying = [(side, what) for side in sides for what in side.running if soak.random.random() < 0.6]
            for side, what in soak.random.sample(dying, len(dying)):
                side.kill(what)
            time.sleep(soak.random.random())
            for side, what in soak.random.sample(dying, len(dying)):
                side.start(what)
                time.sleep(soak.random.random() * 0.3)
            back = time.monotonic()
            for side in sides:
                side.streams(3 * LIMIT)
                newcomers.append(side.newcomer_receives(3 * LIMIT))
            slowest = max(slowest, time.monotonic() - back)
            deaths += len(dying)
        listeners = [*newcomers, *(side.listener for side in sides)]
        crossed = sum(len(listener.crossed) for listener in listeners)
        received = sum(listener.received for listener in listeners)
        out_of_order = sum(listener.out_of_order for listener in listeners)
        soak.report(
            f"{deaths} deaths; of {received} messages {crossed} crossed, {out_of_order} twice or out of order; "
            f"slowest recovery {slowest:.1f} s"
        )
        assert deaths and crossed == out_of_order == 0
        assert slowest < LIMIT
