"""A client of the Service Directory."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import TypeVar

from ..io import Refused, Transport, TransportError, local_address, resolve
from ..protocol.directory_messages import (
    DirectoryCode,
    GetDomain,
    Kind,
    Lookup,
    Publisher,
    Registration,
    Request,
    Service,
    Unregistration,
    decode_code_reply,
    decode_domain_reply,
    decode_publishers_reply,
    decode_service_reply,
    encode_request,
)
from ..protocol.envelope import MalformedFrame

DEFAULT_PORT = 5555
_ATTEMPTS, _TIMEOUT = 3, 3.0  # Gravity's: a node gives up after nine seconds
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z]+)://)?(?P<host>[^:/\s]*)(?::(?P<port>\d{1,5}))?/?")

T = TypeVar("T")


class NoDirectory(Exception):
    """No Service Directory answered."""


class DirectoryRefuses(NoDirectory):
    """The Service Directory requires another key than this node has, or none."""


def parse_url(url: str) -> tuple[str, int]:
    """Return the host and port of a ServiceDirectoryURL; raise ValueError if it is malformed.

    They default to localhost and 5555; the host `*`, which a directory may bind to, also means localhost.
    """
    match = _URL.fullmatch(url.strip())
    if match is None or match["scheme"] not in (None, "tcp") or int(match["port"] or 1) not in range(1, 65536):
        raise ValueError(f"ServiceDirectoryURL is {url!r}; write it like tcp://host:{DEFAULT_PORT}")
    host = match["host"]
    return host if host not in ("", "*") else "localhost", int(match["port"] or DEFAULT_PORT)


class DirectoryClient:
    """A client of the Service Directory at one address; its requests are serialised across threads."""

    def __init__(self, transport: Transport, url: str) -> None:
        """Raises ValueError if `url` is malformed, TransportError if its host is unknown."""
        self._transport = transport
        self._lock = threading.Lock()
        self.move(url)

    def move(self, url: str) -> None:
        """Switch to the directory at `url`; raises like the constructor."""
        host, port = parse_url(url)
        address = "127.0.0.1" if host == "localhost" else resolve(host)
        self.url = f"tcp://{address}:{port}"
        self.ip = local_address(address)
        self.is_local = address == self.ip or address.startswith("127.")

    def domain(self, attempts: int = _ATTEMPTS, timeout: float = _TIMEOUT) -> str:
        """Return the directory's domain; raise NoDirectory after `attempts` timeouts of `timeout` seconds each."""
        return self._ask(GetDomain(), decode_domain_reply, attempts, timeout)

    def glance(self, id: str, domain: str, timeout: float) -> list[Publisher] | None:
        """Return the publishers of a data product, or None if the directory does not answer within `timeout` seconds.

        Does not wait for the requests of other threads.
        """
        try:
            return self._ask_once(encode_request(Lookup(id, Kind.DATA, domain)), decode_publishers_reply, timeout)
        except NoDirectory:
            return None

    def publishers(self, id: str, domain: str) -> list[Publisher]:
        """Return the publishers of a data product; raise NoDirectory."""
        return self._ask(Lookup(id, Kind.DATA, domain), decode_publishers_reply)

    def service(self, id: str, domain: str) -> Service:
        """Return a service's address, with an empty url if it has no provider; raise NoDirectory."""
        return self._ask(Lookup(id, Kind.SERVICE, domain), decode_service_reply)

    def register(self, registration: Registration) -> DirectoryCode:
        """Register a data product or service; raise NoDirectory."""
        return self._ask(registration, decode_code_reply)

    def unregister(self, unregistration: Unregistration, *, patiently: bool = True) -> DirectoryCode:
        """Remove a registration; raise NoDirectory, after 0.2 seconds unless `patiently`."""
        attempts, timeout = (_ATTEMPTS, _TIMEOUT) if patiently else (1, 0.2)
        return self._ask(unregistration, decode_code_reply, attempts, timeout)

    def report_stale(self, unregistration: Unregistration) -> None:
        """Report a registration whose process is gone, without waiting for the reply."""
        with contextlib.suppress(TransportError):  # best effort
            self._transport.notify(self.url, encode_request(unregistration))

    def _ask(
        self,
        request: Request,
        decode: Callable[[bytes], T],
        attempts: int = _ATTEMPTS,
        timeout: float = _TIMEOUT,
    ) -> T:
        frame = encode_request(request)
        with self._lock:
            for _ in range(attempts):
                answer = self._ask_once(frame, decode, timeout)
                if answer is not None:
                    return answer
        raise NoDirectory(f"no Service Directory answers at {self.url}")

    def _ask_once(self, frame: bytes, decode: Callable[[bytes], T], timeout: float) -> T | None:
        """Return the answer to a request, or None after `timeout` seconds."""
        try:
            reply = self._transport.request(self.url, frame, timeout)
            return None if reply is None else decode(reply)
        except Refused as error:
            raise DirectoryRefuses(str(error)) from None
        except TransportError as error:
            raise NoDirectory(str(error)) from None
        except MalformedFrame as error:
            raise NoDirectory(f"the program at {self.url} is not a Service Directory: {error}") from None
