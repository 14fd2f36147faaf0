"""Between the processes of a host, IPC does as TCP does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.cluster import Cluster
from tests.support import eventually

from gravity import gravity


@pytest.fixture
def id(mix: object) -> Iterator[str]:
    """An id of this test's own: with IPC, an id is a file in /tmp, which is left there."""
    id = f"gravity-test-{os.getpid()}-{mix}"
    yield id
    Path("/tmp", id).unlink(missing_ok=True)


def test_ipc(cluster: Cluster, id: str):
    publisher, subscriber = cluster.publisher(), cluster.subscriber()
    publisher.offer(id, transport=gravity.IPC)
    assert [p.url for p in cluster.publishers(id)] == [f"ipc:///tmp/{id}"]
    publisher.publish(id, "cached")
    told = subscriber.subscribe(id)
    eventually(lambda: told.texts == ["cached"])
    publisher.publish(id, "news", "end")
    eventually(lambda: told.texts == ["cached", "news", "end"])
    assert publisher.do("unregisterDataProduct", id) == gravity.SUCCESS

    publisher.serve(id, gravity.IPC)
    answer = subscriber.ask(id, "x")
    assert answer and answer.data == "Publisher: x"
