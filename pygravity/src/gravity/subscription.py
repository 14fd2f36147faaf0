"""A subscription as its node holds it: which publishers to listen to and which of their messages to accept.

Pure: the caller opens and closes the connections that `update` names, and hands the messages to `accept`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .GravityDataProductPB_pb2 import GravityDataProductPB
from .wire import Publisher, copy_of


class Accepted(NamedTuple):
    """Those of a publisher's messages that are to be delivered."""

    products: list[GravityDataProductPB]
    stale: bool  # the next one was not from the registered publisher: its port has a new owner


@dataclass(slots=True)
class _Source:
    """One publisher, and the last message accepted from it."""

    publisher: Publisher
    last: GravityDataProductPB | None = None


class Subscription:
    """One (domain, data product, filter) and the publishers that serve it."""

    def __init__(self, *, wants_cached: bool) -> None:
        self.wants_cached = wants_cached
        self._sources: dict[str, _Source] = {}

    def update(self, publishers: Iterable[Publisher]) -> tuple[list[Publisher], list[Publisher]]:
        """Take the current list of publishers; return the connections to close and to open, in this order."""
        wanted = {p.url: p for p in publishers}
        close = [
            source.publisher
            for url, source in self._sources.items()
            if url not in wanted or wanted[url].registration_time != source.publisher.registration_time
        ]
        for publisher in close:
            del self._sources[publisher.url]
        opened = [p for url, p in wanted.items() if url not in self._sources]
        for publisher in opened:
            self._sources[publisher.url] = _Source(publisher)
        return close, opened

    def accept(self, url: str, products: Iterable[GravityDataProductPB], now: int) -> Accepted:
        """Return which of `products`, received from the publisher at `url` in this order, to deliver.

        Not delivered are duplicates, older ones than the last, and cached ones that nobody asked for. Nothing
        after a message that is not from the registered publisher is looked at. What is delivered is stamped
        with `now`, microseconds since the epoch.
        """
        source = self._sources[url]
        registration_time = source.publisher.registration_time
        last, delivered, stale = source.last, [], False
        newest = last.timestamp if last else -1
        for product in products:
            if product.registration_time != registration_time:
                stale = True
                break
            timestamp = product.timestamp
            if timestamp <= newest and (timestamp < newest or _same_content(product, last)):
                continue
            if last is None and product.is_relayed_dataproduct and self._seen_elsewhere(url, product):
                continue
            last, newest = product, timestamp
            if self.wants_cached or not product.is_cached_dataproduct:
                product.received_timestamp = now
                delivered.append(product)
        if last is not None and last is not source.last:
            source.last = copy_of(last)  # the original is about to be handed to an application
        return Accepted(delivered, stale)

    def drop(self, url: str) -> Publisher:
        """Forget the publisher at `url` and return it; the next update may bring it back."""
        return self._sources.pop(url).publisher

    def last_products(self) -> list[GravityDataProductPB]:
        """Return the last message of each publisher, oldest first: what a further subscriber starts with."""
        return sorted((s.last for s in self._sources.values() if s.last), key=lambda p: p.timestamp)

    def _seen_elsewhere(self, url: str, product: GravityDataProductPB) -> bool:
        return any(
            other.last is not None
            and other.last.timestamp == product.timestamp
            and other.last.componentID == product.componentID
            and _same_content(other.last, product)
            for other_url, other in self._sources.items()
            if other_url != url
        )


def choose_publishers(publishers: list[Publisher], component_id: str, ip: str) -> list[Publisher]:
    """Return those of a data product's publishers that a node with this id and address should listen to.

    The node that relays the product listens to the origins; a node beside a relay listens to that relay alone;
    a relay without an address serves everybody; relays for other addresses are none of our business.
    """
    origins = [p for p in publishers if not p.is_relay]
    relays = [p for p in publishers if p.is_relay]
    if any(p.component_id == component_id for p in relays):
        return origins
    usable = [p for address in (ip, "") for p in relays if p.ip_address == address]
    return usable[:1] or origins


def _same_content(a: GravityDataProductPB, b: GravityDataProductPB | None) -> bool:
    return b is not None and a.dataProductID == b.dataProductID and a.data == b.data
