"""What a Service Directory knows, and how it changes: pure state, no sockets and no clock.

Each change returns the announcements that it calls for; `gravity.directory.server` publishes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from ...protocol.directory_messages import DirectoryCode, Kind, Publisher, Registration, Service, Unregistration
from ...protocol.names import REGISTERED_PUBLISHERS
from ...ServiceDirectoryMapPB_pb2 import ProductChange, ProductLocations, ServiceDirectoryMapPB

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class PublishersChanged:
    """The list of a data product's publishers is another one now: subscribers want to hear of it."""

    domain: str
    id: str


@dataclass(frozen=True, slots=True)
class MapChanged:
    """An offer of the directory's own domain came or went: tools and other directories want to hear of it."""

    change: ProductChange


Announcement = PublishersChanged | MapChanged


@dataclass(frozen=True, slots=True)
class _Offer:
    """One registration; `timestamp` in microseconds since the epoch."""

    url: str
    component_id: str
    timestamp: int
    is_relay: bool | None = None
    ip_address: str = ""

    @property
    def registration_time(self) -> int:
        return self.timestamp // MICROSECONDS


class Registry:
    """Who publishes which data product and who provides which service, by domain."""

    def __init__(self, domain: str = "") -> None:
        self.domain = domain
        self._products: dict[str, dict[str, dict[str, _Offer]]] = defaultdict(lambda: defaultdict(dict))
        self._services: dict[str, dict[str, _Offer]] = defaultdict(dict)
        self._newest: dict[str, int] = {}  # url → timestamp of its newest offer

    def publishers(self, id: str, domain: str | None = None) -> list[Publisher]:
        """Return a data product's publishers in the order of their registration."""
        offers = self._products.get(domain or self.domain, {}).get(id, {})
        return [
            Publisher(o.url, o.component_id, o.registration_time, o.is_relay, o.ip_address) for o in offers.values()
        ]

    def service(self, id: str, domain: str | None = None) -> Service | None:
        """Return where a service is provided, None if nowhere."""
        offer = self._services.get(domain or self.domain, {}).get(id)
        return Service(offer.url, offer.registration_time) if offer else None

    def register(self, r: Registration) -> list[Announcement]:
        """Take in an offer. One without a timestamp, or older than another on its url, changes nothing."""
        domain = r.domain if r.domain is not None else self.domain
        if r.timestamp is None or r.timestamp < self._newest.get(r.url, 0):
            return []
        offer = _Offer(r.url, r.component_id or "", r.timestamp, r.is_relay, r.ip_address or "")
        self._newest[r.url] = r.timestamp
        announcements: list[Announcement] = []
        if r.kind is Kind.SERVICE:
            self._services[domain][r.id] = offer  # the last provider wins
            announcements += self._purge(r)
        else:
            offers = self._products[domain][r.id]
            known = offers.get(r.url)
            offers[r.url] = offer  # in place, so that the order stays that of the first registration
            if known is None or known.registration_time != offer.registration_time:
                announcements.append(PublishersChanged(domain, r.id))
                announcements += self._purge(r)
        if domain == self.domain and r.id != REGISTERED_PUBLISHERS:
            announcements.append(self._change(r.kind, ProductChange.ADD, r.id, offer))
        return announcements

    def unregister(self, u: Unregistration) -> tuple[DirectoryCode, list[Announcement]]:
        """Take back an offer; it must be the registration that the request means, else NOT_REGISTERED."""
        domain = u.domain if u.domain is not None else self.domain
        if u.kind is Kind.SERVICE:
            offers, key = self._services.get(domain, {}), u.id
        else:
            offers, key = self._products.get(domain, {}).get(u.id, {}), u.url
        offer = offers.get(key)
        if not self._is_meant(offer, u):
            return DirectoryCode.NOT_REGISTERED, []
        del offers[key]
        self._forget(offer)
        announcements: list[Announcement] = []
        if u.kind is Kind.DATA:
            announcements.append(PublishersChanged(domain, u.id))
        if domain == self.domain:
            announcements.append(self._change(u.kind, ProductChange.REMOVE, u.id, offer))
        return DirectoryCode.SUCCESS, announcements

    def map(self, change: ProductChange | None = None, domain: str | None = None) -> ServiceDirectoryMapPB:
        """Return all offers as one message: of one domain, or of all of them."""
        domains = sorted({*self._products, *self._services}) if domain is None else [domain]
        message = ServiceDirectoryMapPB(domain=self.domain, change=change)
        for name in domains:
            for id, offer in sorted(self._services.get(name, {}).items()):
                message.service_provider.append(_locations(id, name, [offer]))
            for id, offers in sorted(self._products.get(name, {}).items()):
                if offers:
                    message.data_provider.append(_locations(id, name, list(offers.values())))
        return message

    def learn(self, domain: str, message: ServiceDirectoryMapPB) -> list[Announcement]:
        """Make what is known of another domain what its directory's `message` says.

        The reference forgets some of its timestamps and sends 0; what was known of those stays.
        """
        offered: dict[tuple[Kind, str, str], Registration] = {}
        for kind, locations in ((Kind.DATA, message.data_provider), (Kind.SERVICE, message.service_provider)):
            for entry in locations:
                for url, component_id, timestamp in zip(entry.url, entry.component_id, entry.timestamp, strict=False):
                    id = entry.product_id
                    offered[kind, id, url] = Registration(id, url, kind, component_id, timestamp, domain)
        announcements: list[Announcement] = []
        for (kind, id, url), offer in list(self._offers(domain)):
            if (kind, id, url) not in offered:
                gone = Unregistration(id, url, kind, offer.registration_time, domain)
                announcements += self.unregister(gone)[1]
        for registration in offered.values():
            announcements += self.register(registration)
        return announcements

    def forget(self, domain: str) -> list[Announcement]:
        """Drop all that is known of another domain."""
        return self.learn(domain, ServiceDirectoryMapPB())

    def _offers(self, domain: str) -> Iterator[tuple[tuple[Kind, str, str], _Offer]]:
        for id, offers in self._products.get(domain, {}).items():
            for url, offer in offers.items():
                yield (Kind.DATA, id, url), offer
        for id, offer in self._services.get(domain, {}).items():
            yield (Kind.SERVICE, id, offer.url), offer

    def _purge(self, r: Registration) -> list[Announcement]:
        """Drop other data products of the own domain on the same url: its port has a new owner."""
        announcements: list[Announcement] = []
        for id, offers in self._products[self.domain].items():
            if (r.kind, r.id) != (Kind.DATA, id) and r.url in offers:
                gone = offers.pop(r.url)
                announcements.append(PublishersChanged(self.domain, id))
                announcements.append(self._change(Kind.DATA, ProductChange.REMOVE, id, gone))
        return announcements

    def _is_meant(self, offer: _Offer | None, u: Unregistration) -> TypeGuard[_Offer]:
        if offer is None or offer.url != u.url:
            return False
        if u.kind is Kind.SERVICE and u.registration_time is None:
            return True  # the reference's nodes never send a service's time
        return offer.registration_time == (u.registration_time or 0)

    def _forget(self, offer: _Offer) -> None:
        if self._newest.get(offer.url) == offer.timestamp:
            del self._newest[offer.url]

    def _change(self, kind: Kind, change: int, id: str, offer: _Offer) -> MapChanged:
        return MapChanged(
            ProductChange(
                product_id=id,
                url=offer.url,
                registration_type=kind.name,
                change_type=ProductChange.ChangeType.Name(change),
                component_id=offer.component_id,
                timestamp=offer.timestamp,
            )
        )


def _locations(id: str, domain: str, offers: list[_Offer]) -> ProductLocations:
    return ProductLocations(
        product_id=id,
        url=[o.url for o in offers],
        component_id=[o.component_id for o in offers],
        domain_id=[domain],
        timestamp=[o.timestamp for o in offers],
    )
