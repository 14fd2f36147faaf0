"""What a node has registered: offered to the Service Directory, offered again where it starts anew, taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..io import Transport, now_us
from ..log import library_log
from ..protocol import codes
from ..protocol.directory_messages import DirectoryCode, Kind, Registration, Unregistration
from ..protocol.publication import Publication
from .directory_client import DirectoryClient, NoDirectory
from .provider import Offer, Provider, ProviderRole
from .publisher import PublisherRole

REREGISTRATION_TRIES = 4

_REPLY_CODES = {
    DirectoryCode.SUCCESS: codes.SUCCESS,
    DirectoryCode.DUPLICATE_REGISTRATION: codes.DUPLICATE,
    DirectoryCode.REGISTRATION_CONFLICT: codes.REGISTRATION_CONFLICT,
    DirectoryCode.NOT_REGISTERED: codes.LINK_ERROR,  # sic: the reference's mapping
}


class Registrar:
    """A node's registrations. Its methods may be called from any thread and return `codes`."""

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

    def register(self, id: str, transport: int, *, cache: bool, anonymous: bool = False) -> int:
        """Bind an address for a data product and offer it; `anonymous` messages carry no component and domain."""
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self._publisher_role:
                library_log.warning("%s is registered already", id)
                return codes.SUCCESS
            sender = self._transport.sender(transport, id, self._directory.ip)
            if sender is None:
                return codes.NO_PORTS_AVAILABLE
            now = now_us()
            code = self._offer(Registration(id, sender.url, Kind.DATA, self._component_id, now, is_relay=False))
            if code != codes.SUCCESS:
                sender.close()
                return code
            origin = None if anonymous else (self._component_id, self._domain())
            self._publisher_role.add(Publication(id, sender.url, now, origin=origin, cache=cache), sender)
            return codes.SUCCESS

    def unregister(self, id: str, *, patiently: bool = True) -> int:
        """Close a data product's address and withdraw it."""
        with self._lock:
            if id not in self._publisher_role:
                return codes.REGISTRATION_CONFLICT
            p = self._publisher_role.remove(id)
            return self._withdraw(Unregistration(id, p.url, Kind.DATA, p.registration_time), patiently)

    def register_service(self, id: str, transport: int, provider: Provider) -> int:
        """Bind an address for a service and offer it."""
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self._provider_role:
                library_log.warning("the service %s is registered already", id)
                return codes.SUCCESS
            responder = self._transport.responder(transport, id, self._directory.ip)
            if responder is None:
                return codes.NO_PORTS_AVAILABLE
            now = now_us()
            code = self._offer(Registration(id, responder.url, Kind.SERVICE, self._component_id, now))
            if code != codes.SUCCESS:
                responder.socket.close()
                return code
            offer = Offer(id, responder.url, now, provider, self._component_id, self._domain())
            self._provider_role.add(offer, responder)
            return codes.SUCCESS

    def unregister_service(self, id: str, *, patiently: bool = True) -> int:
        """Close a service's address and withdraw it."""
        with self._lock:
            if id not in self._provider_role:
                return codes.NOT_REGISTERED
            o = self._provider_role.remove(id)
            return self._withdraw(Unregistration(id, o.url, Kind.SERVICE, o.registration_time), patiently)

    def offer_again(self) -> None:
        """Tell a Service Directory that has started anew of everything, as it was."""
        with self._lock:
            products, services = self._publisher_role.publications(), self._provider_role.offers()
        again = [
            *(Registration(p.id, p.url, Kind.DATA, self._component_id, p.registered) for p in products),
            *(Registration(o.id, o.url, Kind.SERVICE, self._component_id, o.registered) for o in services),
        ]
        for registration in again:
            for _ in range(REREGISTRATION_TRIES):
                if self._offer(registration) == codes.SUCCESS:
                    break

    def close(self) -> bool:
        """Take no registration any more; return False if that was so already."""
        with self._lock:
            was_closed, self._closed = self._closed, True
            return not was_closed

    def withdraw_all(self) -> None:
        """Withdraw everything, until the directory once fails to answer at once."""
        withdrawals: list[Callable[[], int]] = [
            *(lambda id=p.id: self.unregister(id, patiently=False) for p in self._publisher_role.publications()),
            *(lambda id=o.id: self.unregister_service(id, patiently=False) for o in self._provider_role.offers()),
        ]
        for withdrawal in withdrawals:
            if withdrawal() == codes.REQUEST_TIMEOUT:
                return

    def _offer(self, registration: Registration) -> int:
        try:
            return _REPLY_CODES[self._directory.register(registration)]
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT

    def _withdraw(self, unregistration: Unregistration, patiently: bool) -> int:
        try:
            self._directory.unregister(unregistration, patiently=patiently)
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT
        return codes.SUCCESS
