"""A subscription as its node holds it: which publishers to listen to and which of their messages to accept.

Pure: the caller opens and closes the connections that `update` names, and hands each message to `judge`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from .GravityDataProductPB_pb2 import GravityDataProductPB
from .wire import Publisher


class Verdict(Enum):
    """What to do with a received data product."""

    DELIVER = auto()
    IGNORE = auto()  # a duplicate, an older one, or a cached one that nobody asked for
    STALE = auto()  # not from the registered publisher: its port has a new owner


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

    def judge(self, url: str, product: GravityDataProductPB) -> Verdict:
        """Return what to do with `product`, received from the publisher at `url`, and remember it if accepted."""
        source = self._sources[url]
        if product.registration_time != source.publisher.registration_time:
            return Verdict.STALE
        last = source.last
        if last is None:
            if product.is_relayed_dataproduct and self._seen_elsewhere(url, product):
                return Verdict.IGNORE
        elif product.timestamp < last.timestamp or (
            product.timestamp == last.timestamp and _same_content(product, last)
        ):
            return Verdict.IGNORE
        source.last = product
        if product.is_cached_dataproduct and not self.wants_cached:
            return Verdict.IGNORE
        return Verdict.DELIVER

    def drop(self, url: str) -> Publisher:
        """Forget the publisher at `url` and return it; the next update may bring it back."""
        return self._sources.pop(url).publisher

    def detach(self, url: str) -> None:
        """Keep a copy of the last message from `url`: the original is about to be handed to an application."""
        source = self._sources[url]
        if source.last is not None:
            copy = GravityDataProductPB()
            copy.CopyFrom(source.last)
            source.last = copy

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


def _same_content(a: GravityDataProductPB, b: GravityDataProductPB) -> bool:
    return a.dataProductID == b.dataProductID and a.data == b.data
