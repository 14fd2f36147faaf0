"""The two forms of a soak test: short in the default run, long with --soak."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.cluster import Cluster
from tests.support import NODES

SEED = int(os.environ.get("SOAK_SEED", "12"))
LONGEST = 75 * 60  # seconds that a test may take in its long form


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(LONGEST if config.getoption("--soak") else 180), append=False)


class Soak:
    """What a test is to do, and where it says what it has measured."""

    def __init__(self, name: str, *, long: bool, capsys: pytest.CaptureFixture[str]) -> None:
        self.long = long
        self.random = random.Random(f"{SEED} {name}")
        self._name = name
        self._capsys = capsys

    def rounds(self, *, quick: int, long: int, minutes: float) -> Iterator[int]:
        """Count the rounds; the long form ends after so many minutes even if some are left."""
        deadline = time.monotonic() + minutes * 60
        for number in range(long if self.long else quick):
            if time.monotonic() > deadline:
                self.report(f"out of time after {number} of {long} rounds")
                return
            yield number

    def report(self, text: str) -> None:
        """Print a line with what was measured: at once in the long form, otherwise if the test fails."""
        line = f"{self._name} (seed {SEED}): {text}"
        if self.long:
            with self._capsys.disabled():
                print(f"\n{time.strftime('%H:%M:%S')} {line}", flush=True)
        else:
            print(line)


@pytest.fixture
def soak(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Soak:
    return Soak(request.node.name, long=request.config.getoption("--soak"), capsys=capsys)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests that detect, because TensorFlow takes seconds to start."""
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("shared"), sample_rate=200)) as cluster:
        yield cluster


@pytest.fixture
def detecting(shared: Cluster) -> Cluster:
    """A cluster that detects."""
    shared.start(*(name for name in NODES if name not in shared.nodes))
    shared.streams(180)
    return shared
