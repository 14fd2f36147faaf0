"""The registrations of a Service Directory. Each change returns the announcements for the server to publish."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeGuard

from ...protocol.directory_messages import DirectoryCode, Kind, Publisher, Registration, Service, Unregistration
from ...protocol.limits import LONGEST_URL, DirectoryLimits, fault_of_name
from ...protocol.names import REGISTERED_PUBLISHERS
from ...ServiceDirectoryMapPB_pb2 import ProductChange, ProductLocations, ServiceDirectoryMapPB

MICROSECONDS = 1_000_000
LARGEST_DISORDER = 10 * MICROSECONDS  # of registrations on their way


@dataclass(frozen=True, slots=True)
class PublishersChanged:
    """A data product's publishers changed; subscribers must be informed."""

    domain: str
    id: str


@dataclass(frozen=True, slots=True)
class MapChanged:
    """A registration in the directory's own domain was added or removed; tools and other directories are informed."""

    change: ProductChange


@dataclass(frozen=True, slots=True)
class Refused:
    """A registration was not accepted; `reason` for the log."""

    registration: Registration
    reason: str


Announcement = PublishersChanged | MapChanged | Refused


@dataclass(frozen=True, slots=True)
class _Offer:
    """A registered publisher or provider; `timestamp` in microseconds since the epoch."""

    url: str
    component_id: str
    timestamp: int
    is_relay: bool | None = None
    ip_address: str = ""

    @property
    def registration_time(self) -> int:
        return self.timestamp // MICROSECONDS


class Registry:
    """The publishers of data products and providers of services, by domain."""

    def __init__(self, domain: str = "", limits: DirectoryLimits | None = None) -> None:
        self.domain = domain
        self._limits = limits or DirectoryLimits()
        self._products: dict[str, dict[str, dict[str, _Offer]]] = defaultdict(lambda: defaultdict(dict))
        self._services: dict[str, dict[str, _Offer]] = defaultdict(dict)
        self._newest: dict[str, int] = {}  # url → timestamp of its newest offer

    def publishers(self, id: str, domain: str | None = None) -> list[Publisher]:
        """Return a data product's publishers in the order of registration; `domain` defaults to the directory's."""
        offers = self._products.get(domain or self.domain, {}).get(id, {})
        return [
            Publisher(o.url, o.component_id, o.registration_time, o.is_relay, o.ip_address) for o in offers.values()
        ]

    def service(self, id: str, domain: str | None = None) -> Service | None:
        """Return a service's address, or None if it has no provider; `domain` defaults to the directory's."""
        offer = self._services.get(domain or self.domain, {}).get(id)
        return Service(offer.url, offer.registration_time) if offer else None

    def register(self, r: Registration) -> list[Announcement]:
        """Add a registration; ignore it if it has no timestamp or is a little older than another one at its url.

        One that is much older comes from a process that has taken the port after the clock was set back. If a limit
        forbids it, the only announcement is Refused.
        """
        domain = r.domain if r.domain is not None else self.domain
        if reason := self._objection(domain, r):
            return [Refused(r, reason)]
        disorder = LARGEST_DISORDER if r.domain is None else math.inf  # lists of other directories may be old
        if r.timestamp is None or 0 < self._newest.get(r.url, 0) - r.timestamp <= disorder:
            return []
        offer = _Offer(r.url, r.component_id or "", r.timestamp, r.is_relay, r.ip_address or "")
        self._newest[r.url] = r.timestamp
        announcements: list[Announcement] = []
        if r.kind is Kind.SERVICE:
            replaced = self._services[domain].get(r.id)
            if replaced and replaced.url != r.url:
                self._forget(replaced)
            self._services[domain][r.id] = offer  # the last provider wins
            announcements += self._purge(r)
        else:
            offers = self._products[domain][r.id]
            known = offers.get(r.url)
            offers[r.url] = offer  # in place, to keep the order of first registration
            if known is None or known.registration_time != offer.registration_time:
                announcements.append(PublishersChanged(domain, r.id))
                announcements += self._purge(r)
        if domain == self.domain and r.id != REGISTERED_PUBLISHERS:
            announcements.append(self._change(r.kind, ProductChange.ADD, r.id, offer))
        return announcements

    def unregister(self, u: Unregistration) -> tuple[DirectoryCode, list[Announcement]]:
        """Remove a registration; return NOT_REGISTERED if url or registration time do not match."""
        domain = u.domain if u.domain is not None else self.domain
        if u.kind is Kind.SERVICE:
            offers, key = self._services.get(domain, {}), u.id
        else:
            offers, key = self._products.get(domain, {}).get(u.id, {}), u.url
        offer = offers.get(key)
        if not self._matches(offer, u):
            return DirectoryCode.NOT_REGISTERED, []
        del offers[key]
        self._forget(offer)
        self._tidy(domain, u.id)
        announcements: list[Announcement] = []
        if u.kind is Kind.DATA:
            announcements.append(PublishersChanged(domain, u.id))
        if domain == self.domain:
            announcements.append(self._change(u.kind, ProductChange.REMOVE, u.id, offer))
        return DirectoryCode.SUCCESS, announcements

    def map(self, change: ProductChange | None = None, domain: str | None = None) -> ServiceDirectoryMapPB:
        """Return the registrations of one domain, or of all of them, as one message that reports `change`."""
        domains = sorted({*self._products, *self._services}) if domain is None else [domain]
        message = ServiceDirectoryMapPB(domain=self.domain, change=change)
        for name in domains:
            for id, offer in sorted(self._services.get(name, {}).items()):
                message.service_provider.append(_locations(id, name, [offer]))
            for id, offers in sorted(self._products.get(name, {}).items()):
                if offers:
                    message.data_provider.append(_locations(id, name, list(offers.values())))
        return message

    def replace_domain(self, domain: str, message: ServiceDirectoryMapPB) -> list[Announcement]:
        """Replace the registrations of another domain by those in its directory's `message`.

        Gravity's directory loses some timestamps and sends 0; those registrations are left unchanged.
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

    def remove_domain(self, domain: str) -> list[Announcement]:
        """Remove all registrations of another domain."""
        return self.replace_domain(domain, ServiceDirectoryMapPB())

    def _offers(self, domain: str) -> Iterator[tuple[tuple[Kind, str, str], _Offer]]:
        for id, offers in self._products.get(domain, {}).items():
            for url, offer in offers.items():
                yield (Kind.DATA, id, url), offer
        for id, offer in self._services.get(domain, {}).items():
            yield (Kind.SERVICE, id, offer.url), offer

    def _purge(self, r: Registration) -> list[Announcement]:
        """Remove other data products of the own domain at the same url, since its port has a new owner."""
        announcements: list[Announcement] = []
        for id, offers in list(self._products[self.domain].items()):
            if (r.kind, r.id) != (Kind.DATA, id) and r.url in offers:
                gone = offers.pop(r.url)
                announcements.append(PublishersChanged(self.domain, id))
                announcements.append(self._change(Kind.DATA, ProductChange.REMOVE, id, gone))
                self._tidy(self.domain, id)
        return announcements

    def _objection(self, domain: str, r: Registration) -> str:
        """Return why a registration exceeds a limit; "" if it does not."""
        names = {"its name": r.id, "its component": r.component_id, "its domain": domain, "its host": r.ip_address}
        for what, name in names.items():
            if fault := fault_of_name(name or ""):
                return f"{what} {fault}"
        if fault := fault_of_name(r.url, LONGEST_URL):
            return f"its url {fault}"
        limits, domains = self._limits, {self.domain, *self._products, *self._services}
        if domain not in domains and len(domains) >= limits.domains:
            return f"there are {limits.domains} domains already"
        if r.kind is Kind.SERVICE:
            known = r.id in self._services.get(domain, {})
            if not known and sum(map(len, self._services.values())) >= limits.services:
                return f"there are {limits.services} services already"
            return ""
        offers = self._products.get(domain, {}).get(r.id, {})
        if r.url in offers:
            return ""
        if len(offers) >= limits.publishers:
            return f"it has {limits.publishers} publishers already"
        if sum(len(offers) for products in self._products.values() for offers in products.values()) >= (
            limits.data_products
        ):
            return f"there are {limits.data_products} publishers already"
        return ""

    def _tidy(self, domain: str, id: str) -> None:
        """Remove what is empty after a removal, so that names that come and go take no memory."""
        products = self._products.get(domain, {})
        if id in products and not products[id]:
            del products[id]
        for kind in (self._products, self._services):
            if domain != self.domain and domain in kind and not kind[domain]:
                del kind[domain]

    def _matches(self, offer: _Offer | None, u: Unregistration) -> TypeGuard[_Offer]:
        if offer is None or offer.url != u.url:
            return False
        if u.kind is Kind.SERVICE and u.registration_time is None:
            return True  # Gravity's nodes never send a service's time
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
