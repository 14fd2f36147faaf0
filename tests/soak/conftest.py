"""The two forms of a soak test: short in the default run, long with --soak."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.soak.cluster import Cluster

SEED = int(os.environ.get("SOAK_SEED", "12"))
LONGEST = 75 * 60  # seconds that a test may take in its long form


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        for item in items:
            item.add_marker(pytest.mark.timeout(LONGEST), append=False)


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
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that detects, shared because TensorFlow takes seconds to start; each test leaves it running."""
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("detecting"), sample_rate=200)) as cluster:
        cluster.start("ServiceDirectory", "DataPublisher", "AnomalyDetector")
        cluster.streams(180)
        yield cluster
