"""Directories that are known by their domain: nodes find them, restarts included, and they find each other."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from tests.interop.cluster import Cluster
from tests.interop.implementations import Mix, real
from tests.support import eventually

from gravity import gravity


def test_a_directory_is_found_by_its_domain(isle: Cluster):
    publisher, subscriber = isle.publisher().offer("P"), isle.subscriber()
    told = subscriber.subscribe("P")
    publisher.serve("Service")
    publisher.reach("P", told)
    assert {p.domain for p in told.products} == {isle.domain}
    answer = subscriber.ask("Service", "x")
    assert answer and answer.domain == isle.domain
    assert publisher.do("getDomain") == subscriber.do("getDomain") == isle.domain
    assert subscriber.do("subscribe", "P", {"subscriber": "named"}, "", isle.domain) == gravity.SUCCESS
    eventually(lambda: subscriber.told("named").products)


def test_a_directory_that_restarts_is_told_everything_again(isle: Cluster):
    """It hears of all offers as they were; subscribers hear of new ones."""
    publisher, subscriber = isle.publisher().offer("P", "Q"), isle.subscriber()
    told, expecting = subscriber.subscribe("P"), subscriber.subscribe("Later")
    publisher.serve("Service")
    publisher.reach("P", told)
    products, service = [isle.publishers(id) for id in "PQ"], isle.service("Service")
    started = int(time.time())
    isle.stop_directory()
    publisher.publish("P", "meanwhile")
    eventually(lambda: "meanwhile" in told.texts)

    eventually(lambda: int(time.time()) > started)  # starts are told apart by the second
    isle.start_directory()
    eventually(lambda: [isle.publishers(id) for id in "PQ"] == products)
    eventually(lambda: isle.service("Service") == service)
    publisher.publish("P", "still the same")
    eventually(lambda: "still the same" in told.texts)
    late = isle.subscriber("Late")
    late_told = late.subscribe("P")
    publisher.reach("P", late_told)
    answer = late.ask("Service", "x")
    assert answer and answer.data == "Publisher: x"
    publisher.offer("Later")
    publisher.reach("Later", expecting)


@pytest.mark.parametrize("abroad", ["ours", "real"])
@pytest.mark.parametrize("home", ["ours", "real"])
def test_neighbouring_domains(tmp_path: Path, home: str, abroad: str):
    """A directory takes over what its neighbour lists, so that its nodes reach the neighbour's."""
    real()
    with contextlib.ExitStack() as stack:

        def start(domain: str, kind: str, broadcast_port: int | None, settings: str = "") -> Cluster:
            (tmp_path / domain).mkdir()
            isle = Cluster(tmp_path / domain, Mix(kind, kind, kind), domain, broadcast_port)
            stack.enter_context(contextlib.closing(isle))
            isle.configure(ServiceDirectory=settings)
            isle.start_directory()
            return isle

        isle = start("Home", home, None, 'DomainSyncList = "Abroad"\n')
        neighbour = start("Abroad", abroad, isle.broadcast_port)
        publisher = neighbour.publisher().offer("P")
        publisher.serve("Service")
        eventually(lambda: isle.publishers("P", "Abroad") == neighbour.publishers("P"))
        eventually(lambda: isle.service("Service", "Abroad") == neighbour.service("Service"))
        assert isle.publishers("P") == []

        subscriber = isle.subscriber()
        told, later = subscriber.subscribe("P", domain="Abroad"), subscriber.subscribe("Later", domain="Abroad")
        publisher.reach("P", told)
        assert {p.domain for p in told.products} == {"Abroad"}
        answer = subscriber.ask("Service", "x", domain="Abroad")
        assert answer and answer.data == "Publisher: x"

        publisher.offer("Later")  # while they are in touch
        publisher.reach("Later", later)
        assert publisher.do("unregisterDataProduct", "P") == gravity.SUCCESS
        eventually(lambda: isle.publishers("P", "Abroad") == [])
