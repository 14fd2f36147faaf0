"""The Service Directory server, with which nodes register and look up data products and services.

It publishes every change of a data product's publishers as RegisteredPublishers. With a domain, it can broadcast its
address and follow the directories of other domains.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from .. import log
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import (
    CurveKey,
    Loop,
    Options,
    Responder,
    Sender,
    Transport,
    TransportError,
    broadcast,
    is_loopback,
    local_address,
    now_us,
    resolve,
)
from ..protocol.codes import TCP
from ..protocol.directory_messages import (
    Broadcast,
    DirectoryCode,
    GetDomain,
    Kind,
    Lookup,
    Registration,
    UnknownRequest,
    Unregistration,
    decode_request,
    encode_broadcast,
    encode_code_reply,
    encode_domain_reply,
    encode_empty_reply,
    encode_publishers_reply,
    encode_service_reply,
    publishers_pb,
)
from ..protocol.envelope import MalformedFrame, decode_data_product, encode, fill
from ..protocol.names import DIRECTORY_SERVICE, DOMAIN_DETAILS, DOMAIN_UPDATE, REGISTERED_PUBLISHERS
from ..protocol.publication import Publication
from ..roles.directory_client import parse_url
from ..roles.publisher import PublisherRole
from ..ServiceDirectoryDomainUpdatePB_pb2 import ServiceDirectoryDomainUpdatePB
from ..ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB
from .state.registry import Announcement, PublishersChanged, Refused, Registry
from .synchroniser import Synchroniser

COMPONENT_ID = "ServiceDirectory"


@dataclass(frozen=True, slots=True)
class BroadcastSettings:
    """Settings of a directory's broadcasts: address, UDP port, and seconds between broadcasts."""

    address: str = ""
    port: int = 8276
    rate: int = 10


class ServiceDirectory:
    """A Service Directory that runs in a thread until `close`."""

    def __init__(
        self, url: str, domain: str = "", options: Options | None = None, key: CurveKey | None = None
    ) -> None:
        """Listen at `url`; raise ValueError if it is malformed, TransportError if it is in use.

        With a `key`, only nodes that have it, too, can register and look up.
        """
        host, port = parse_url(url)
        address = "127.0.0.1" if host == "localhost" else resolve(host)
        self._ip = "127.0.0.1" if host == "localhost" else local_address(address)
        self._registry = Registry(domain)
        self._followed: set[str] = set()  # other domains
        self._synchroniser: Synchroniser | None = None
        # Nodes of the real Gravity expect a restarted directory to publish its lists at the same address, so the
        # ports follow from its own, with ten for each directory of a host.
        self._transport = Transport(replace(options or Options(), first_port=10 * port), key)
        requests = self._listen("*" if "*" in url else address, port)
        self.url = requests.url
        self._loop = Loop("service-directory")
        self._publisher_role = PublisherRole(lambda: self._loop)
        try:
            self._start(requests)
        except TransportError:
            self.close()
            raise

    @property
    def is_private(self) -> bool:
        """Whether only programs on this host can reach the directory."""
        return is_loopback(parse_url(self.url)[0]) and "*" not in self.url

    def broadcast(self, settings: BroadcastSettings) -> None:
        """Broadcast this directory's address now and periodically."""
        _, port = parse_url(self.url)
        host = self._ip if self._ip != "0.0.0.0" else local_address("255.255.255.255")
        own = Broadcast(self._registry.domain, f"tcp://{host}:{port}", int(time.time()), settings.rate)
        datagram = encode_broadcast(own)
        address = settings.address or ("127.255.255.255" if host.startswith("127.") else "255.255.255.255")

        def send() -> None:
            try:
                broadcast(datagram, address, settings.port)
            except TransportError as error:
                log.library_log.warning("%s", error)
            self._loop.call_at(time.monotonic() + settings.rate, send)

        self._loop.call(send)

    def follow(self, domains: Collection[str], port: int) -> None:
        """Include the registrations of other `domains` ("*" for all) that broadcast on UDP `port`."""
        self._synchroniser = Synchroniser(
            self._transport,
            self._registry.domain,
            domains,
            port,
            lambda domain, message: self._loop.call(lambda: self._update_domain(domain, message)),
            lambda domain: self._loop.call(lambda: self._remove_domain(domain)),
        )

    def _update_domain(self, domain: str, message: ServiceDirectoryMapPB) -> None:
        if domain not in self._followed:
            self._followed.add(domain)
            self._publish_domains(ServiceDirectoryDomainUpdatePB.ADD, domain)
        self._announce(self._registry.replace_domain(domain, message))

    def _remove_domain(self, domain: str) -> None:
        self._followed.discard(domain)
        self._announce(self._registry.remove_domain(domain))
        self._publish_domains(ServiceDirectoryDomainUpdatePB.REMOVE, domain)

    def _publish_domains(self, type: int, domain: str) -> None:
        name = ServiceDirectoryDomainUpdatePB.UpdateType.Name(type)
        known = sorted(self._followed)
        message = ServiceDirectoryDomainUpdatePB(known_domains=known, type=name, update_domain=domain)
        self._publish(DOMAIN_UPDATE, message)

    def close(self) -> None:
        """Stop answering and release the address."""
        if self._synchroniser:
            self._synchroniser.close()
        self._loop.stop()
        self._publisher_role.close()
        self._transport.close()

    def _listen(self, address: str, port: int) -> Responder:
        """Bind as configured or, as Gravity does, to all addresses if the configured one is another host's."""
        for candidate in (address,) if is_loopback(address) else (address, "*"):
            try:
                return self._transport.responder_at(f"tcp://{candidate}:{port}")
            except TransportError as error:
                reason = error
        self._transport.close()
        raise TransportError(
            f"{reason}; stop the program that uses port {port}, or set another one in Gravity.ini "
            "(ServiceDirectoryURL)"
        )

    def _start(self, requests: Responder) -> None:
        """Register the directory's own products and service, in Gravity's order, then start answering."""
        self._publish_as_own(REGISTERED_PUBLISHERS)
        self._publish_as_own(DOMAIN_DETAILS)
        service = self._transport.responder(TCP, DIRECTORY_SERVICE, self._ip)
        if service:
            started = now_us()
            self._register_own(DIRECTORY_SERVICE, service.url, Kind.SERVICE, started)
            answer = self._service_answer(started // 1_000_000)
            self._loop.call(lambda: self._loop.watch(service, lambda: service.serve(answer)))
        self._publish_as_own(DOMAIN_UPDATE)
        self._loop.call(lambda: self._loop.watch(requests, lambda: requests.serve(self._answer)))

    def _publish_as_own(self, id: str) -> None:
        sender: Sender | None = self._transport.sender(TCP, id, self._ip)
        if sender is None:
            raise TransportError("no free port between MinPort and MaxPort (Gravity.ini)")
        now = now_us()
        domain = self._registry.domain
        self._publisher_role.add(Publication(id, sender.url, now, origin=(COMPONENT_ID, domain), cache=True), sender)
        self._register_own(id, sender.url, Kind.DATA, now)

    def _register_own(self, id: str, url: str, kind: Kind, now: int) -> None:
        self._announce(self._registry.register(Registration(id, url, kind, COMPONENT_ID, now, is_relay=False)))

    def _answer(self, frame: bytes) -> bytes:
        """Return the reply to a request."""
        try:
            request = decode_request(frame)
        except MalformedFrame as error:
            log.library_log.warning("malformed request: %s", error)
            return encode_empty_reply()
        match request:
            case GetDomain():
                return encode_domain_reply(self._registry.domain)
            case Lookup(id, Kind.SERVICE, domain):
                service = self._registry.service(id, domain)
                return encode_service_reply(id, domain or self._registry.domain, service)
            case Lookup(id, _, domain):
                publishers = self._registry.publishers(id, domain)
                return encode_publishers_reply(id, domain or self._registry.domain, publishers)
            case Registration():
                log.library_log.info("%s registers %s at %s", request.component_id, request.id, request.url)
                announcements = self._registry.register(request)
                self._announce(announcements)
                refused = any(isinstance(a, Refused) for a in announcements)
                code = DirectoryCode.REGISTRATION_CONFLICT if refused else DirectoryCode.SUCCESS
                return encode_code_reply(request.id, code)
            case Unregistration():
                code, announcements = self._registry.unregister(request)
                log.library_log.info("%s at %s unregisters: %s", request.id, request.url, code.name)
                self._announce(announcements)
                return encode_code_reply(request.id, code)
            case UnknownRequest(id):
                log.library_log.warning("unknown request %r", id)
        return encode_empty_reply()

    def _service_answer(self, registration_time: int) -> Callable[[bytes], bytes]:
        """Return the function that answers requests to DirectoryService."""

        def answer(frame: bytes) -> bytes:
            response = GravityDataProductPB(
                dataProductID="DirectoryServiceResponse",
                componentID=COMPONENT_ID,
                domain=self._registry.domain,
                registration_time=registration_time,
            )
            try:
                request = decode_data_product(frame).dataProductID
            except MalformedFrame as error:
                log.library_log.warning("malformed request to %s: %s", DIRECTORY_SERVICE, error)
                request = ""
            if request == "GetProviders":
                fill(response, self._registry.map())
            elif request == "GetDomain":
                response.data = self._registry.domain.encode()
            return encode(response)

        return answer

    def _announce(self, announcements: list[Announcement]) -> None:
        for announcement in announcements:
            if isinstance(announcement, PublishersChanged):
                id, domain = announcement.id, announcement.domain
                publishers = self._registry.publishers(id, domain)
                self._publish(REGISTERED_PUBLISHERS, publishers_pb(id, domain, publishers), id)
            elif isinstance(announcement, Refused):
                r = announcement.registration
                text = "refused %s of %s at %s: %s"
                log.library_log.warning(text, r.id, r.component_id, r.url, announcement.reason)
            else:
                own = self._registry.map(announcement.change, self._registry.domain)
                self._publish(DOMAIN_DETAILS, own)

    def _publish(self, id: str, message: Message, filter_text: str = "") -> None:
        product = fill(GravityDataProductPB(dataProductID=id), message)
        self._publisher_role.publish(product, filter_text, 0)
