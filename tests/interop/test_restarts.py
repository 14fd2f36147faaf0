"""Publishers and directories end and begin anew, and those who listen to them go on (see also test_domains)."""

from __future__ import annotations

import time

import zmq

from tests.interop.cluster import Cluster
from tests.support import eventually

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.envelope import encode


def test_a_publisher_that_restarts_on_its_port(cluster: Cluster):
    cluster.share_a_port("Publisher", "Again")
    first, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    first.reach("P", told)
    [before] = cluster.publishers("P")
    first.kill()
    assert cluster.publishers("P") == [before]  # nobody has withdrawn it
    eventually(lambda: int(time.time()) > before.registration_time)

    second = cluster.publisher("Again").offer("P")
    [after] = cluster.publishers("P")
    assert after.url == before.url and after.registration_time > before.registration_time
    second.reach("P", told)
    second.publish("P", "from the second")
    eventually(lambda: told.texts == ["from the second"])


def test_a_publisher_whose_port_another_data_product_takes(cluster: Cluster):
    """The directory knows that the first is gone, and so does its subscriber."""
    cluster.share_a_port("Publisher", "Another")
    first, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    first.reach("P", told)
    [before] = cluster.publishers("P")
    first.kill()
    second = cluster.publisher("Another").offer("Q")
    assert [p.url for p in cluster.publishers("Q")] == [before.url]
    assert cluster.publishers("P") == []
    other = subscriber.subscribe("Q")
    second.reach("Q", other)
    third = cluster.publisher("Third").offer("P")
    third.reach("P", told)
    assert {p.id for p in told.products} == {"P"} and {p.id for p in other.products} == {"Q"}


def test_an_impostor_is_reported(cluster: Cluster):
    """What has taken a publisher's port and publishes as of another registration is not believed, and reported."""
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    [listed] = cluster.publishers("P")
    publisher.kill()
    impostor = cluster.impostor(zmq.XPUB, listed.url)
    assert impostor.poll(20_000) and impostor.recv() == b"\x01"  # the subscriber is connected again
    assert cluster.publishers("P") == [listed]
    product = GravityDataProductPB(
        dataProductID="P", data=b"believe me", timestamp=time.time_ns() // 1000, componentID="Publisher",
        domain="", registration_time=listed.registration_time - 1,
    )  # fmt: skip
    impostor.send_multipart([b"", encode(product)])
    eventually(lambda: cluster.publishers("P") == [])
    assert told.texts == []
    impostor.close()

    honest = cluster.publisher("Honest").offer("P")
    honest.reach("P", told)


def test_messages_flow_while_there_is_no_directory(cluster: Cluster):
    publisher, subscriber = cluster.publisher().offer("P"), cluster.subscriber()
    told = subscriber.subscribe("P")
    publisher.reach("P", told)
    listed = cluster.publishers("P")
    cluster.stop_directory()
    publisher.publish("P", "without a directory")
    eventually(lambda: "without a directory" in told.texts)
    cluster.start_directory()
    if cluster.mix.of("publisher").name == "ours":
        eventually(lambda: cluster.publishers("P") == listed, 5)
    else:
        assert cluster.publishers("P") == []  # a real node tells again only a directory that it finds by broadcasts
    publisher.publish("P", "with a new directory")
    eventually(lambda: "with a new directory" in told.texts)
    late = cluster.publisher("Late").offer("P")
    late.reach("P", told)
    late.publish("P", "from a latecomer")
    eventually(lambda: "from a latecomer" in told.texts)
