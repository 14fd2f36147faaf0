"""Replays to new subscribers: nobody is forgotten, whenever he comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import zmq

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.io import Loop, Sender, Transport
from gravity.protocol.codes import TCP
from gravity.protocol.publication import Frames, Publication
from gravity.roles.publisher import PublisherRole

if TYPE_CHECKING:
    from .conftest import Eventually

Raw = Callable[[int], zmq.Socket[bytes]]


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture
def publisher_role(transport: Transport) -> Iterator[PublisherRole]:
    loop = Loop("test")
    publisher_role = PublisherRole(lambda: loop)
    yield publisher_role
    loop.stop()
    publisher_role.close()


@pytest.fixture
def sender(transport: Transport, publisher_role: PublisherRole) -> Sender:
    """Of the data product P, with a message for each of 100 filters in its cache."""
    sender = transport.sender(TCP, "P", "127.0.0.1")
    assert sender is not None
    publisher_role.add(Publication("P", sender.url, 1, origin=("C", ""), cache=True), sender)
    for n in range(100):
        publisher_role.publish(GravityDataProductPB(dataProductID="P"), f"filter {n}", 0)
    return sender


def subscribe(raw: Raw, sender: Sender) -> zmq.Socket[bytes]:
    subscriber = raw(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(sender.url)
    return subscriber


def test_a_subscriber_that_comes_during_a_replay_gets_a_replay(
    sender: Sender, raw: Raw, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    sent, send = 0, Sender.send

    def send_slowly(self: Sender, frames: Frames) -> None:
        nonlocal sent
        send(self, frames)
        sent += 1
        time.sleep(0.005)

    monkeypatch.setattr(Sender, "send", send_slowly)
    subscribers = [subscribe(raw, sender)]
    eventually(lambda: sent > 20)
    subscribers.append(subscribe(raw, sender))
    for subscriber in subscribers:
        topics = set()
        while len(topics) < 100:
            assert subscriber.poll(5000), f"{len(topics)} messages only"
            topics.add(subscriber.recv_multipart()[0])


def test_a_subscriber_that_comes_amid_a_burst_gets_a_replay_after_it(
    transport: Transport, publisher_role: PublisherRole, sender: Sender, raw: Raw, eventually: Eventually
) -> None:
    """Sending swallows the signal of its coming, and not every publish() looks for it."""
    late = transport.sender(TCP, "Q", "127.0.0.1")
    assert late is not None
    publisher_role.add(Publication("Q", late.url, 1, origin=("C", ""), cache=True), late)
    for _ in range(20):
        subscriber = subscribe(raw, late)
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            publisher_role.publish(GravityDataProductPB(dataProductID="Q"), "elsewhere", 0)
        assert subscriber.poll(5000), "no replay"
        subscriber.close()


def test_a_removed_product_is_no_longer_published(publisher_role: PublisherRole, sender: Sender) -> None:
    assert "P" in publisher_role
    assert [p.id for p in publisher_role.publications()] == ["P"]
    assert publisher_role.remove("P").url == sender.url
    assert "P" not in publisher_role
    assert not publisher_role.publish(GravityDataProductPB(dataProductID="P"), "", 0)
    assert publisher_role.has_subscribers("P") is None


def test_a_product_removed_by_another_thread_is_not_published(publisher_role: PublisherRole, sender: Sender) -> None:
    """As a publishing thread sees it that has waited for the lock while the socket was closed."""
    sender.close()
    assert not publisher_role.publish(GravityDataProductPB(dataProductID="P"), "", 0)
