"""A node's registrations with the Service Directory: adds, repeats and removes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from ..io import Transport, now_us
from ..log import library_log
from ..protocol import codes
from ..protocol.directory_messages import DirectoryCode, Kind, Registration, Unregistration
from ..protocol.publication import Publication
from .directory_client import DirectoryClient, NoDirectory
from .provider import Provider, ProviderRole, RegisteredService
from .publisher import PublisherRole

_REPLY_CODES = {
    DirectoryCode.SUCCESS: codes.SUCCESS,
    DirectoryCode.DUPLICATE_REGISTRATION: codes.DUPLICATE,
    DirectoryCode.REGISTRATION_CONFLICT: codes.REGISTRATION_CONFLICT,
    DirectoryCode.NOT_REGISTERED: codes.LINK_ERROR,  # sic: Gravity's mapping
}


class Registrar:
    """A node's registrations. Methods are thread-safe; those that return an int return `codes`."""

    def __init__(
        self,
        component_id: str,
        domain: Callable[[], str],
        transport: Transport,
        directory: DirectoryClient,
        publisher_role: PublisherRole,
        provider_role: ProviderRole,
    ) -> None:
        self._component_id = component_id
        self._domain = domain
        self._transport = transport
        self._directory = directory
        self._publisher_role = publisher_role
        self._provider_role = provider_role
        self._lock = threading.RLock()
        self._closed = False
        self._turn = 0  # whose listing to check

    def register(
        self, id: str, transport: int, *, cache: bool, anonymous: bool = False, relay_ip: str | None = None
    ) -> int:
        """Bind a data product to an address and register it; `anonymous`: do not stamp component and domain.

        `relay_ip`: of a relay, the host that it serves, "" for all; None if this is not a relay.
        """
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self._publisher_role:
                library_log.warning("%s is already registered", id)
                return codes.SUCCESS
            sender = self._transport.sender(transport, id, self._directory.ip)
            if sender is None:
                return codes.NO_PORTS_AVAILABLE
            origin = None if anonymous else (self._component_id, self._domain())
            publication = Publication(id, sender.url, now_us(), origin=origin, cache=cache, relay_ip=relay_ip)
            code = self._register(self._registration(publication))
            if code != codes.SUCCESS:
                sender.close()
                return code
            self._publisher_role.add(publication, sender)
            return codes.SUCCESS

    def unregister(self, id: str, *, patiently: bool = True) -> int:
        """Close a data product's address and unregister it."""
        with self._lock:
            if id not in self._publisher_role:
                return codes.REGISTRATION_CONFLICT
            p = self._publisher_role.remove(id)
            return self._unregister(Unregistration(id, p.url, Kind.DATA, p.registration_time), patiently)

    def register_service(self, id: str, transport: int, provider: Provider) -> int:
        """Bind a service to an address and register it."""
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self._provider_role:
                library_log.warning("service %s is already registered", id)
                return codes.SUCCESS
            responder = self._transport.responder(transport, id, self._directory.ip)
            if responder is None:
                return codes.NO_PORTS_AVAILABLE
            now = now_us()
            code = self._register(Registration(id, responder.url, Kind.SERVICE, self._component_id, now))
            if code != codes.SUCCESS:
                responder.socket.close()
                return code
            service = RegisteredService(id, responder.url, now, provider, self._component_id, self._domain())
            self._provider_role.add(service, responder)
            return codes.SUCCESS

    def unregister_service(self, id: str, *, patiently: bool = True) -> int:
        """Close a service's address and unregister it."""
        with self._lock:
            if id not in self._provider_role:
                return codes.NOT_REGISTERED
            s = self._provider_role.remove(id)
            return self._unregister(Unregistration(id, s.url, Kind.SERVICE, s.registration_time), patiently)

    def is_listed(self, timeout: float) -> bool:
        """Return whether the directory lists one of the node's data products, another one at each call.

        It is taken to do so if it does not answer within `timeout` seconds.
        """
        with self._lock:
            products = self._publisher_role.publications()
        if not products:
            return True
        self._turn += 1
        product = products[self._turn % len(products)]
        listed = self._directory.glance(product.id, self._domain(), timeout)
        return listed is None or any(p.url == product.url for p in listed) or product.id not in self._publisher_role

    def register_again(self) -> bool:
        """Repeat all registrations unchanged, for a restarted Service Directory; return whether it answers."""
        with self._lock:
            again = [
                *(
                    # As the original, say nothing of relays again unless this is one.
                    replace(r, is_relay=r.is_relay or None)
                    for r in map(self._registration, self._publisher_role.publications())
                ),
                *(
                    Registration(s.id, s.url, Kind.SERVICE, self._component_id, s.registered)
                    for s in self._provider_role.services()
                ),
            ]
            return all(self._register(registration) != codes.REQUEST_TIMEOUT for registration in again)

    def close(self) -> bool:
        """Refuse further registrations; return False if already closed."""
        with self._lock:
            was_closed, self._closed = self._closed, True
            return not was_closed

    def unregister_all(self) -> None:
        """Unregister everything, but stop as soon as the directory fails to answer promptly."""
        unregistrations: list[Callable[[], int]] = [
            *(lambda id=p.id: self.unregister(id, patiently=False) for p in self._publisher_role.publications()),
            *(lambda id=s.id: self.unregister_service(id, patiently=False) for s in self._provider_role.services()),
        ]
        for unregister in unregistrations:
            if unregister() == codes.REQUEST_TIMEOUT:
                return

    def _registration(self, own: Publication) -> Registration:
        return Registration(
            own.id,
            own.url,
            Kind.DATA,
            self._component_id,
            own.registered,
            is_relay=own.relay_ip is not None,
            ip_address=own.relay_ip or None,
        )

    def _register(self, registration: Registration) -> int:
        try:
            return _REPLY_CODES[self._directory.register(registration)]
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT

    def _unregister(self, unregistration: Unregistration, patiently: bool) -> int:
        try:
            self._directory.unregister(unregistration, patiently=patiently)
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT
        return codes.SUCCESS
