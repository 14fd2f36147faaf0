"""The program `ServiceDirectory`: nodes register here what they offer and look up what they want.

It answers requests at ServiceDirectoryURL, and publishes every change of a data product's publishers on its
own data product RegisteredPublishers.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from google.protobuf.message import Message

from . import config, log, wire
from .directory import Announcement, Directory, PublishersChanged
from .directory_client import parse_url
from .GravityDataProductPB_pb2 import GravityDataProductPB
from .io import TCP, Loop, Options, Responder, Sender, Transport, TransportError, local_address, now_us, resolve
from .publication import Publication
from .publishing import Publishing
from .wire import (
    DIRECTORY_SERVICE,
    DOMAIN_DETAILS,
    DOMAIN_UPDATE,
    REGISTERED_PUBLISHERS,
    GetDomain,
    Kind,
    Lookup,
    MalformedFrame,
    Registration,
    UnknownRequest,
    Unregistration,
)

COMPONENT_ID = "ServiceDirectory"


class ServiceDirectory:
    """A running Service Directory: a thread that answers nodes until `close`."""

    def __init__(self, url: str, domain: str = "", options: Options | None = None) -> None:
        """Listen at `url`; raise ValueError if it is no address, TransportError if it is taken."""
        host, port = parse_url(url)
        address = "127.0.0.1" if host == "localhost" else resolve(host)
        self._ip = "127.0.0.1" if host == "localhost" else local_address(address)
        self._directory = Directory(domain)
        self._transport = Transport(options)
        requests = self._listen("*" if "*" in url else address, port)
        self.url = requests.url
        self._loop = Loop("service-directory")
        self._publishing = Publishing(lambda: self._loop)
        try:
            self._start(requests)
        except TransportError:
            self.close()
            raise

    def close(self) -> None:
        """Stop answering and free the address."""
        self._loop.stop()
        self._publishing.close()
        self._transport.close()

    def _listen(self, address: str, port: int) -> Responder:
        """Bind as configured; as in the reference, an address that is not this host's becomes all addresses."""
        try:
            return self._transport.responder_at(f"tcp://{address}:{port}")
        except TransportError:
            try:
                return self._transport.responder_at(f"tcp://*:{port}")
            except TransportError as error:
                self._transport.close()
                raise TransportError(
                    f"{error}; stop the program that uses port {port}, or choose another one in Gravity.ini "
                    "(ServiceDirectoryURL)"
                ) from None

    def _start(self, requests: Responder) -> None:
        """Offer the directory's own products and service, in the reference's order, then answer."""
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
        domain = self._directory.domain
        self._publishing.add(Publication(id, sender.url, now, origin=(COMPONENT_ID, domain), cache=True), sender)
        self._register_own(id, sender.url, Kind.DATA, now)

    def _register_own(self, id: str, url: str, kind: Kind, now: int) -> None:
        self._announce(self._directory.register(Registration(id, url, kind, COMPONENT_ID, now, is_relay=False)))

    def _answer(self, frame: bytes) -> bytes:
        """Return the reply to a node's request."""
        try:
            request = wire.decode_request(frame)
        except MalformedFrame as error:
            log.library_log.warning("a malformed request: %s", error)
            return wire.encode_empty_reply()
        match request:
            case GetDomain():
                return wire.encode_domain_reply(self._directory.domain)
            case Lookup(id, Kind.SERVICE, domain):
                service = self._directory.service(id, domain)
                return wire.encode_service_reply(id, domain or self._directory.domain, service)
            case Lookup(id, _, domain):
                publishers = self._directory.publishers(id, domain)
                return wire.encode_publishers_reply(id, domain or self._directory.domain, publishers)
            case Registration():
                log.library_log.info("%s registers %s at %s", request.component_id, request.id, request.url)
                self._announce(self._directory.register(request))
                return wire.encode_code_reply(request.id, wire.DirectoryCode.SUCCESS)
            case Unregistration():
                code, announcements = self._directory.unregister(request)
                log.library_log.info("%s at %s unregisters: %s", request.id, request.url, code.name)
                self._announce(announcements)
                return wire.encode_code_reply(request.id, code)
            case UnknownRequest(id):
                log.library_log.warning("an unknown request %r", id)
        return wire.encode_empty_reply()

    def _service_answer(self, registration_time: int) -> Callable[[bytes], bytes]:
        """Return the function that answers requests to DirectoryService."""

        def answer(frame: bytes) -> bytes:
            response = GravityDataProductPB(
                dataProductID="DirectoryServiceResponse",
                componentID=COMPONENT_ID,
                domain=self._directory.domain,
                registration_time=registration_time,
            )
            try:
                request = wire.decode_data_product(frame).dataProductID
            except MalformedFrame as error:
                log.library_log.warning("a malformed request to %s: %s", DIRECTORY_SERVICE, error)
                request = ""
            if request == "GetProviders":
                wire.fill(response, self._directory.map())
            elif request == "GetDomain":
                response.data = self._directory.domain.encode()
            return wire.encode(response)

        return answer

    def _announce(self, announcements: list[Announcement]) -> None:
        for announcement in announcements:
            if isinstance(announcement, PublishersChanged):
                id, domain = announcement.id, announcement.domain
                publishers = self._directory.publishers(id, domain)
                self._publish(REGISTERED_PUBLISHERS, wire.publishers_pb(id, domain, publishers), id)
            else:
                own = self._directory.map(announcement.change, self._directory.domain)
                self._publish(DOMAIN_DETAILS, own)

    def _publish(self, id: str, message: Message, filter_text: str = "") -> None:
        product = wire.fill(GravityDataProductPB(dataProductID=id), message)
        self._publishing.publish(product, filter_text, 0)


def main() -> int:
    """Run a Service Directory as Gravity.ini says until Ctrl-C or SIGTERM; return the exit code."""
    stopped = threading.Event()
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if len(sys.argv) > 1:
        print("usage: ServiceDirectory   (it takes no arguments; Gravity.ini configures it)", file=sys.stderr)
        return 2
    try:
        parameters = config.read(Path("Gravity.ini"), COMPONENT_ID)
        parameters |= config.read(Path(f"{COMPONENT_ID}.ini"), COMPONENT_ID)

        def get(key: str, default: str) -> str:
            return parameters.get(key.lower(), default)

        log.configure(COMPONENT_ID, get)
        options = Options(
            min_port=config.to_int(get("MinPort", ""), 24000), max_port=config.to_int(get("MaxPort", ""), 24999)
        )
        directory = ServiceDirectory(get("ServiceDirectoryURL", "tcp://*:5555"), get("Domain", ""), options)
    except (ValueError, TransportError) as error:
        print(f"ServiceDirectory: {error}", file=sys.stderr)
        return 1
    print(f"ServiceDirectory: listening at {directory.url}", flush=True)
    stopped.wait()
    directory.close()
    return 130 if received[0] == signal.SIGINT else 0


if __name__ == "__main__":
    sys.exit(main())
