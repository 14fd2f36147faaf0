"""Messages between nodes and Service Directories ⇄ plain values.

Field numbers and message types are those of the .proto files. Every decoder raises MalformedFrame if its argument is
not a valid message of the expected type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from google.protobuf.message import Message

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from .envelope import MalformedFrame, checked_text, decode_data_product, encode, fill, parse
from .limits import MOST_PUBLISHERS
from .ServiceDirectoryPB_pb2 import (
    ComponentDataLookupResponsePB,
    ComponentLookupRequestPB,
    ComponentServiceLookupResponsePB,
    PublisherInfoPB,
    ServiceDirectoryBroadcastPB,
    ServiceDirectoryRegistrationPB,
    ServiceDirectoryResponsePB,
    ServiceDirectoryUnregistrationPB,
)

_GET_DOMAIN = "GetDomain"
_LOOKUP = "ComponentLookupRequest"
_REGISTRATION = "RegistrationRequest"
_UNREGISTRATION = "UnregistrationRequest"
_REPLY = "DataProductRegistrationResponse"  # of every reply, whatever the request


class Kind(IntEnum):
    """The kind of thing that is registered."""

    DATA = 0
    SERVICE = 1


class DirectoryCode(IntEnum):
    """A Service Directory's answer to a registration."""

    SUCCESS = 0
    DUPLICATE_REGISTRATION = -1
    REGISTRATION_CONFLICT = -2
    NOT_REGISTERED = -3


@dataclass(frozen=True, slots=True)
class Publisher:
    """A publisher of a data product; `registration_time` in seconds since the epoch."""

    url: str
    component_id: str = ""
    registration_time: int = 0
    is_relay: bool | None = False  # None if not given in its registration
    ip_address: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """The address of a service, or an empty `url` if it has no provider."""

    url: str
    registration_time: int = 0


@dataclass(frozen=True, slots=True)
class GetDomain:
    """Asks for the Service Directory's domain."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Asks for the publishers of a data product or the provider of a service; no domain means the directory's."""

    id: str
    kind: Kind
    domain: str | None = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """Registers a data product or service; `timestamp`: its identity, in microseconds since the epoch."""

    id: str
    url: str
    kind: Kind
    component_id: str | None
    timestamp: int | None
    domain: str | None = None
    is_relay: bool | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True)
class Unregistration:
    """Removes a registration, or reports it as stale; `registration_time` in seconds since the epoch."""

    id: str
    url: str
    kind: Kind
    registration_time: int | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class UnknownRequest:
    """A well-formed request of unknown type."""

    id: str


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Announces a Service Directory; `rate`: seconds between broadcasts, `started`: seconds since the epoch."""

    domain: str
    url: str
    started: int
    rate: int = 0


Request = GetDomain | Lookup | Registration | Unregistration | UnknownRequest


# ---- node → Service Directory -------------------------------------------------------------------------


def encode_request(request: Request) -> bytes:
    """Return the frame of a request to the Service Directory."""
    match request:
        case GetDomain():
            return encode(GravityDataProductPB(dataProductID=_GET_DOMAIN))
        case UnknownRequest(id):
            return encode(GravityDataProductPB(dataProductID=id))
        case Lookup():
            name, message = _LOOKUP, _lookup_pb(request)
        case Registration():
            name, message = _REGISTRATION, _registration_pb(request)
        case Unregistration():
            name, message = _UNREGISTRATION, _unregistration_pb(request)
    return encode(fill(GravityDataProductPB(dataProductID=name), message))


def decode_request(frame: bytes) -> Request:
    """Return the request in `frame`."""
    product = decode_data_product(frame)
    name, data = product.dataProductID, product.data
    if name == _GET_DOMAIN:
        return GetDomain()
    if name == _LOOKUP:
        lookup = checked_text(parse(ComponentLookupRequestPB, data))
        return Lookup(lookup.lookupID, Kind(lookup.type), _given(lookup, "domain_id"))
    if name == _REGISTRATION:
        r = checked_text(parse(ServiceDirectoryRegistrationPB, data))
        optional = ("component_id", "timestamp", "domain", "is_relay", "ip_address")
        return Registration(r.id, r.url, Kind(r.type), **{field: _given(r, field) for field in optional})
    if name == _UNREGISTRATION:
        u = checked_text(parse(ServiceDirectoryUnregistrationPB, data))
        return Unregistration(u.id, u.url, Kind(u.type), _given(u, "registration_time"), _given(u, "domain"))
    return UnknownRequest(name)


def _lookup_pb(lookup: Lookup) -> Message:
    return ComponentLookupRequestPB(lookupID=lookup.id, type=lookup.kind.name, domain_id=lookup.domain)


def _registration_pb(r: Registration) -> Message:
    message = ServiceDirectoryRegistrationPB(
        id=r.id,
        url=r.url,
        type=r.kind.name,
        component_id=r.component_id,
        domain=r.domain,
        timestamp=r.timestamp,
        ip_address=r.ip_address,
    )
    if r.is_relay is not None:
        message.is_relay = r.is_relay
    return message


def _unregistration_pb(u: Unregistration) -> Message:
    return ServiceDirectoryUnregistrationPB(
        id=u.id, url=u.url, type=u.kind.name, domain=u.domain, registration_time=u.registration_time
    )


# ---- Service Directory → node -------------------------------------------------------------------------


def encode_domain_reply(domain: str) -> bytes:
    """Return the reply to GetDomain: the bare text, present even if empty."""
    return encode(GravityDataProductPB(dataProductID=_REPLY, data=domain.encode()))


def encode_publishers_reply(id: str, domain: str, publishers: list[Publisher]) -> bytes:
    """Return the reply to a Lookup of a data product; `publishers` may be empty."""
    return encode(fill(GravityDataProductPB(dataProductID=_REPLY), publishers_pb(id, domain, publishers)))


def encode_service_reply(id: str, domain: str, service: Service | None) -> bytes:
    """Return the reply to a Lookup of a service; `service` is None if it has no provider."""
    message = ComponentServiceLookupResponsePB(
        lookupID=id,
        url=service.url if service else "",
        domain_id=domain,
        registration_time=service.registration_time if service else None,
    )
    return encode(fill(GravityDataProductPB(dataProductID=_REPLY), message))


def encode_code_reply(id: str, code: DirectoryCode) -> bytes:
    """Return the reply to a Registration or Unregistration."""
    message = ServiceDirectoryResponsePB(id=id, returnCode=code.name)
    return encode(fill(GravityDataProductPB(dataProductID=_REPLY), message))


def encode_empty_reply() -> bytes:
    """Return the reply to an unknown or malformed request."""
    return encode(GravityDataProductPB(dataProductID=_REPLY))


def decode_domain_reply(frame: bytes) -> str:
    """Return the domain in a reply to GetDomain."""
    try:
        return decode_data_product(frame).data.decode()
    except UnicodeDecodeError as error:
        raise MalformedFrame(f"the domain is not UTF-8 text: {error}") from None


def decode_publishers_reply(frame: bytes) -> list[Publisher]:
    """Return the publishers in a reply to a Lookup of a data product."""
    return decode_publishers(decode_data_product(frame).data)[2]


def decode_service_reply(frame: bytes) -> Service:
    """Return the address in a reply to a Lookup of a service."""
    reply = checked_text(parse(ComponentServiceLookupResponsePB, decode_data_product(frame).data))
    return Service(reply.url, reply.registration_time)


def decode_code_reply(frame: bytes) -> DirectoryCode:
    """Return the code in a reply to a Registration or Unregistration."""
    return DirectoryCode(parse(ServiceDirectoryResponsePB, decode_data_product(frame).data).returnCode)


# ---- the list of publishers: in lookup replies and RegisteredPublishers updates ------------------------


def publishers_pb(id: str, domain: str, publishers: list[Publisher]) -> ComponentDataLookupResponsePB:
    """Return the message that lists the publishers of a data product."""
    return ComponentDataLookupResponsePB(
        lookupID=id, domain_id=domain, publishers=[_publisher_pb(p) for p in publishers]
    )


def _publisher_pb(p: Publisher) -> PublisherInfoPB:
    message = PublisherInfoPB(
        url=p.url,
        componentID=p.component_id,
        ipAddress=p.ip_address or None,
        registration_time=p.registration_time,
    )
    if p.is_relay is not None:
        message.isRelay = p.is_relay
    return message


def decode_publishers(data: bytes) -> tuple[str, str, list[Publisher]]:
    """Return the data product, domain and publishers in the payload of an update or lookup reply."""
    message = checked_text(parse(ComponentDataLookupResponsePB, data))
    if len(message.publishers) > MOST_PUBLISHERS:
        raise MalformedFrame(f"{len(message.publishers)} publishers, more than {MOST_PUBLISHERS}")
    publishers = []
    for p in message.publishers:
        checked_text(p)
        publishers.append(Publisher(p.url, p.componentID, p.registration_time, _given(p, "isRelay"), p.ipAddress))
    return message.lookupID, message.domain_id, publishers


# ---- datagrams ----------------------------------------------------------------------------------------


def encode_broadcast(broadcast: Broadcast) -> bytes:
    """Return the datagram of a broadcast."""
    return encode(
        ServiceDirectoryBroadcastPB(
            id="", domain=broadcast.domain, url=broadcast.url, rate=broadcast.rate, starttime=broadcast.started
        )
    )


def decode_broadcast(datagram: bytes) -> Broadcast:
    """Return the broadcast in a datagram."""
    b = checked_text(parse(ServiceDirectoryBroadcastPB, datagram))
    return Broadcast(b.domain, b.url, b.starttime, b.rate)


def _given(message: Message, field: str):  # type: ignore[no-untyped-def]  # any scalar
    return getattr(message, field) if message.HasField(field) else None
