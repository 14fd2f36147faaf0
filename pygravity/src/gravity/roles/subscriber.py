"""The subscriber's role: connects to the publishers listed by the Service Directory and runs callbacks.

Everything, including callbacks, happens in one thread, so that a message crosses threads only once. A callback may
call any method of the node; meanwhile, further messages wait in ZeroMQ's queue.
"""

from __future__ import annotations

import functools
import logging
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ..GravityDataProduct import GravityDataProduct, wrapped
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Receiver, Transport, TransportError, now_us
from ..log import library_log
from ..protocol.directory_messages import Kind, Publisher, Unregistration, decode_publishers
from ..protocol.envelope import MalformedFrame, copy_of, decode_data_product
from ..protocol.subscription import Subscription, choose_publishers, is_from
from .metrics import SUBSCRIPTION, Metrics

_SETTLING_TIME = 10.0  # seconds in which all nodes notice that the directory has restarted
_BATCH = 100  # messages per callback: more would not fit in the processor's cache


class Subscriber(Protocol):
    """The callback for subscriptions."""

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Process the data products that have arrived since the last call."""


SubscriberRef = weakref.ref[Subscriber]


class Key(NamedTuple):
    """A data product in a domain."""

    domain: str
    id: str


@dataclass(slots=True)
class _Filtered:
    """The subscribers with one filter text, and their connections."""

    subscription: Subscription
    subscribers: list[SubscriberRef] = field(default_factory=list)
    receivers: dict[str, Receiver] = field(default_factory=dict)


@dataclass(slots=True)
class _Feed:
    """A data product: its publishers, and its subscribers by filter text.

    `publishers`: those that the directory lists. `carried`: those that it listed before it restarted.
    """

    publishers: list[Publisher]
    carried: list[Publisher] = field(default_factory=list)
    filtered: dict[bytes, _Filtered] = field(default_factory=dict)

    @property
    def used(self) -> list[Publisher]:
        listed = {publisher.url for publisher in self.publishers}
        return [*self.publishers, *(publisher for publisher in self.carried if publisher.url not in listed)]


class SubscriberRole:
    """The subscriptions of a node. Public methods are thread-safe."""

    def __init__(
        self,
        transport: Transport,
        loop: Callable[[], Loop],
        component_id: str,
        domain: Callable[[], str],
        ip: Callable[[], str],
        report_stale: Callable[[Unregistration], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._component_id = component_id
        self._domain = domain
        self._ip = ip
        self._report_stale = report_stale
        self._metrics = metrics
        self._feeds: dict[Key, _Feed] = {}
        self._updates: tuple[Publisher, Receiver] | None = None  # of the lists of publishers
        self._settled = 0.0  # when all have registered again with a restarted directory

    def subscribe(
        self,
        key: Key,
        filter_text: str,
        subscriber: Subscriber,
        publishers: list[Publisher],
        updates: Publisher,
        *,
        wants_cached: bool,
    ) -> None:
        """Deliver messages of `key` whose filter text starts with `filter_text`.

        `updates`: the publisher of changes of `publishers`. `wants_cached`: whether to deliver cached messages.
        Only a weak reference to `subscriber` is held; the node keeps it alive.
        """
        ref = weakref.ref(subscriber)
        self._loop().call(lambda: self._add(key, filter_text.encode(), ref, publishers, updates, wants_cached))

    def unsubscribe(self, key: Key, filter_text: str, subscriber: Subscriber) -> None:
        """Cancel a subscription; unknown ones are ignored."""
        ref = weakref.ref(subscriber)
        self._loop().call(lambda: self._remove(key, filter_text.encode(), ref))

    def keys(self) -> list[Key]:
        """Return the subscribed data products."""
        return list(self._feeds)

    def renew(self, publishers: Mapping[Key, list[Publisher]], updates: Publisher) -> None:
        """Switch to the updates of a restarted Service Directory, starting with its current `publishers`."""
        self._loop().call(lambda: self._renew(publishers, updates))

    def _renew(self, publishers: Mapping[Key, list[Publisher]], updates: Publisher) -> None:
        self._follow(updates)
        self._settled = time.monotonic() + _SETTLING_TIME
        for key, feed in self._feeds.items():
            feed.carried = feed.used
            self._use(key, feed, publishers.get(key, []))
        self._loop().call_at(self._settled, self._settle)

    def _settle(self) -> None:
        """Leave the publishers that have not registered again, unless nobody has: nodes of the original do not."""
        for key, feed in self._feeds.items():
            if feed.publishers:
                self._use(key, feed, feed.publishers)

    def _follow(self, updates: Publisher) -> Receiver:
        """Receive the updates of this publisher only."""
        receiver = self._transport.receiver(updates.url)
        if self._updates:
            self._loop().unwatch(self._updates[1])
        self._updates = updates, receiver
        for key in self._feeds:
            receiver.add_topic(key.id.encode())
        self._loop().watch(receiver, lambda: self._receive_updates(updates, receiver))
        return receiver

    def _use(self, key: Key, feed: _Feed, publishers: list[Publisher]) -> None:
        feed.publishers = publishers
        if time.monotonic() >= self._settled:
            feed.carried = []
        for topic, filtered in feed.filtered.items():
            self._connect(key, topic, filtered, feed.used)

    def _add(
        self,
        key: Key,
        topic: bytes,
        ref: SubscriberRef,
        publishers: list[Publisher],
        updates: Publisher,
        wants_cached: bool,
    ) -> None:
        # Updates that are already followed are of the same directory, or of a later run of it.
        receiver = self._updates[1] if self._updates else self._follow(updates)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = _Feed(publishers)
            receiver.add_topic(key.id.encode())
        filtered = feed.filtered.get(topic)
        if filtered is None:
            filtered = feed.filtered[topic] = _Filtered(Subscription(key.id, key.domain, wants_cached=wants_cached))
            filtered.subscribers.append(ref)
            self._connect(key, topic, filtered, feed.used)
        elif all(known is not ref for known in filtered.subscribers):  # `==` would compare the referents
            filtered.subscribers.append(ref)
            last = filtered.subscription.last_products()
            if wants_cached and last:
                self._deliver([ref], [copy_of(p) for p in last])

    def _remove(self, key: Key, topic: bytes, ref: SubscriberRef) -> None:
        feed = self._feeds.get(key)
        filtered = feed.filtered.get(topic) if feed else None
        if feed is None or filtered is None:
            return
        filtered.subscribers[:] = [r for r in filtered.subscribers if r is not ref and r() is not None]
        if filtered.subscribers:
            return
        for receiver in filtered.receivers.values():
            self._loop().unwatch(receiver)
        del feed.filtered[topic]
        if not feed.filtered:
            del self._feeds[key]
            if self._updates:
                self._updates[1].remove_topic(key.id.encode())

    def _receive_updates(self, updates: Publisher, receiver: Receiver) -> None:
        for frame in receiver.receive():
            try:
                product = decode_data_product(frame)
                id, domain, publishers = decode_publishers(product.data)
            except MalformedFrame as error:
                library_log.warning("dropped an update of the list of publishers: %s", error)
                continue
            feed = self._feeds.get(Key(domain, id))
            if feed is None:
                continue
            if is_from(updates, product, self._domain()):
                self._use(Key(domain, id), feed, publishers)
            else:
                library_log.warning("dropped an update of %s from another directory at %s", id, updates.url)

    def _connect(self, key: Key, topic: bytes, filtered: _Filtered, publishers: list[Publisher]) -> None:
        """Open and close connections according to the current list of publishers."""
        close, opened = filtered.subscription.update(choose_publishers(publishers, self._component_id, self._ip()))
        for publisher in close:
            self._loop().unwatch(filtered.receivers.pop(publisher.url))
        for publisher in opened:
            url = publisher.url
            try:
                receiver = filtered.receivers[url] = self._transport.receiver(url)
            except TransportError as error:
                library_log.warning("%s is published at no valid address: %s", key.id, error)
                filtered.subscription.drop(url)
                continue
            receiver.add_topic(topic)
            self._loop().watch(receiver, functools.partial(self._receive, key, filtered, url))

    def _receive(self, key: Key, filtered: _Filtered, url: str) -> None:
        receiver = filtered.receivers[url]
        frames = receiver.receive()
        for begin in range(0, len(frames), _BATCH):
            if filtered.receivers.get(url) is receiver:  # otherwise a callback or a stale message has closed it
                self._process(key, filtered, url, frames[begin : begin + _BATCH])

    def _process(self, key: Key, filtered: _Filtered, url: str, frames: list[bytes]) -> None:
        products, malformed, stale = filtered.subscription.accept(url, frames, now_us())
        for error in malformed:
            library_log.warning("dropped a message of %s from %s: %s", key.id, url, error)
        if self._metrics:
            for product in products:
                self._metrics.count(SUBSCRIPTION, key.id, product.ByteSize())
        if stale:
            self._drop_stale(key, filtered, url)
        if products:
            self._deliver(filtered.subscribers, products)

    def _drop_stale(self, key: Key, filtered: _Filtered, url: str) -> None:
        publisher = filtered.subscription.drop(url)
        library_log.critical("%s at %s is no longer published by %s", key.id, url, publisher.component_id)
        self._loop().unwatch(filtered.receivers.pop(url))
        self._report_stale(Unregistration(key.id, url, Kind.DATA, publisher.registration_time, key.domain))

    def _deliver(self, subscribers: list[SubscriberRef], products: list[GravityDataProductPB]) -> None:
        subscribers = list(subscribers)
        for ref in subscribers:
            subscriber = ref()
            if subscriber is None:
                continue
            # Each subscriber gets its own copy; the last one gets the originals.
            own = products if ref is subscribers[-1] else [copy_of(p) for p in products]
            try:
                subscriber.subscriptionFilled(wrapped(own))
            except Exception:
                logging.exception("Exception caught calling client subscriptionFilled")
