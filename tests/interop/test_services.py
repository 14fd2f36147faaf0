"""Services answer synchronous and asynchronous requests; what is not answered in time is given up."""

from __future__ import annotations

import time

import zmq

from tests.interop.cluster import Cluster
from tests.support import eventually

from gravity import gravity
from gravity.protocol.envelope import decode_data_product, encode
from gravity.ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB


def test_a_synchronous_request(cluster: Cluster):
    provider, requestor = cluster.publisher(), cluster.subscriber()
    served = provider.serve("Service")
    for text in ("x", "", "".join(map(chr, range(256))), "y" * 1_000_000):
        answer = requestor.ask("Service", text)
        assert answer and answer.data == f"Publisher: {text}"
        assert (answer.id, answer.component, answer.domain) == ("ServiceResponse", "Publisher", "")
    assert served.calls("request")[0][0] == "Service"
    assert served.calls("request")[0][1]["component"] == "Subscriber"


def test_asynchronous_requests(cluster: Cluster):
    provider, requestor = cluster.publisher(), cluster.subscriber()
    provider.serve("Service")
    for n in range(20):
        assert requestor.ask_later("Service", f"text {n}", f"id {n}") == gravity.SUCCESS
    told = requestor.told("requestor")
    eventually(lambda: len(told.answers) == 20)
    assert {(a.service, a.request, a.product.data) for a in told.answers} == {
        ("Service", f"id {n}", f"Publisher: text {n}") for n in range(20)
    }
    assert told.timeouts == []


def test_an_answer_that_does_not_come_in_time(cluster: Cluster):
    """The requestor gives up, and asks again when the provider is free again."""
    provider, requestor = cluster.publisher(), cluster.subscriber()
    served = provider.serve("Service")
    begin = time.monotonic()
    assert requestor.ask("Service", "wait", 300) is None
    assert 0.3 <= time.monotonic() - begin < 3
    assert served.requests == ["wait"]
    provider.do("release")
    answer = requestor.ask("Service", "now")
    assert answer and answer.data == "Publisher: now"

    told = requestor.told("requestor")
    begin = time.monotonic()
    assert requestor.ask_later("Service", "wait", "slow", 300) == gravity.SUCCESS
    eventually(lambda: told.timeouts == [("Service", "slow")], 5)
    assert time.monotonic() - begin >= 0.3
    provider.do("release")
    assert requestor.ask_later("Service", "now", "fast", 10_000) == gravity.SUCCESS
    eventually(lambda: told.answers)
    assert [(a.request, a.product.data) for a in told.answers] == [("fast", "Publisher: now")]
    assert served.requests == ["wait", "now"] * 2


def test_a_service_that_does_not_exist(cluster: Cluster):
    requestor = cluster.subscriber()
    begin = time.monotonic()
    assert requestor.ask("Nothing", "x", 2) is None
    assert requestor.ask_later("Nothing", "x", "id", 2) == gravity.NO_SUCH_SERVICE
    assert time.monotonic() - begin < 10
    assert not requestor.told("requestor").timeouts


def test_nodes_that_are_both(cluster: Cluster):
    """Each asks the other, and itself."""
    one, other = cluster.publisher("One"), cluster.subscriber("Other")
    one.serve("Service of One")
    other.serve("Service of Other")
    for asking, asked in ((one, other), (other, one)):
        assert asking.ask_later(f"Service of {asked.id}", "x", "id") == gravity.SUCCESS
        assert asking.ask_later(f"Service of {asking.id}", "y", "own") == gravity.SUCCESS
    for asking, asked in ((one, other), (other, one)):
        told = asking.told("requestor")
        eventually(lambda told=told: len(told.answers) == 2)
        answers = {a.request: a.product.data for a in told.answers}
        assert answers == {"id": f"{asked.id}: x", "own": f"{asking.id}: y"}


def test_the_last_provider_is_asked(cluster: Cluster):
    requestor = cluster.subscriber()
    for id in ("One", "Two"):
        cluster.publisher(id).serve("Service")
        answer = requestor.ask("Service", "x")
        assert answer and answer.data == f"{id}: x"


def test_a_provider_that_restarts_on_its_port(cluster: Cluster):
    cluster.share_a_port("Publisher", "Again")
    first, requestor = cluster.publisher(), cluster.subscriber()
    first.serve("Service")
    assert requestor.ask("Service", "x")
    before = cluster.service("Service")
    first.kill()
    assert requestor.ask("Service", "x", 300) is None
    eventually(lambda: int(time.time()) > before.registration_time)

    cluster.publisher("Again").serve("Service")
    after = cluster.service("Service")
    assert after.url == before.url and after.registration_time > before.registration_time
    answer = requestor.ask("Service", "x")
    assert answer and answer.data == "Again: x"
    requestor.ask_later("Service", "y", "id")
    eventually(lambda: [a.product.data for a in requestor.told("requestor").answers] == ["Again: y"])


def test_an_impostor_is_reported(cluster: Cluster):
    """What has taken a provider's port and answers as of another registration is not believed, and is reported."""
    provider, requestor = cluster.publisher(), cluster.subscriber()
    provider.serve("Service")
    listed = cluster.service("Service")
    provider.kill()
    impostor = cluster.impostor(zmq.REP, listed.url)
    assert requestor.ask_later("Service", "x", "id") == gravity.SUCCESS
    assert impostor.poll(10_000)
    asked = decode_data_product(impostor.recv())
    assert (asked.componentID, asked.registration_time) == ("Subscriber", listed.registration_time)
    asked.registration_time -= 1
    impostor.send(encode(asked))
    eventually(lambda: not cluster.service("Service").url)
    assert not requestor.told("requestor").answers


def test_the_directory_tells_what_there_is(cluster: Cluster):
    provider, requestor = cluster.publisher().offer("P"), cluster.subscriber()
    provider.serve("Service")
    answer = requestor.do("request", "DirectoryService", {"product": "GetProviders", "data": ""}, 10_000)
    assert (answer["id"], answer["component"]) == ("DirectoryServiceResponse", "ServiceDirectory")
    directory = ServiceDirectoryMapPB.FromString(answer["data"].encode("latin-1"))
    [product] = [p for p in directory.data_provider if p.product_id == "P"]
    [service] = [s for s in directory.service_provider if s.product_id == "Service"]
    for entry, url in ((product, cluster.publishers("P")[0].url), (service, cluster.service("Service").url)):
        assert (list(entry.url), list(entry.component_id)) == ([url], ["Publisher"])
    own = {p.product_id for p in directory.data_provider} - {"P"}
    assert own >= {"RegisteredPublishers", "ServiceDirectory_DomainDetails", "ServiceDirectory_DomainUpdate"}
