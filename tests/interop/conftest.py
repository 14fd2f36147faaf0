from __future__ import annotations

import contextlib
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
    with contextlib.closing(Cluster(tmp_path, mix)) as cluster:
        cluster.start_directory()
        yield cluster


@pytest.fixture
def isle(tmp_path: Path, mix: Mix) -> Iterator[Cluster]:
    """A cluster whose nodes find the directory by its broadcasts."""
    with contextlib.closing(Cluster(tmp_path, mix, "Isle")) as isle:
        isle.start_directory()
        yield isle
