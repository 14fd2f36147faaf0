from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.cluster import Cluster
from tests.interop.implementations import Mix, mixes, real


@pytest.fixture(params=mixes(), ids=str)
def mix(request: pytest.FixtureRequest) -> Mix:
    """Each mix of the two Gravities, as directory-publisher-subscriber; skipped where there is only ours."""
    real()
    chosen: Mix = request.param
    return chosen


@pytest.fixture
def cluster(tmp_path: Path, mix: Mix) -> Iterator[Cluster]:
    """A cluster whose directory runs."""
    cluster = Cluster(tmp_path, mix)
    try:
        cluster.start_directory()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def domain(tmp_path: Path, mix: Mix) -> Iterator[Cluster]:
    """A cluster whose nodes find the directory by its broadcasts."""
    cluster = Cluster(tmp_path, mix, by_broadcast=True)
    try:
        cluster.start_directory()
        yield cluster
    finally:
        cluster.close()
