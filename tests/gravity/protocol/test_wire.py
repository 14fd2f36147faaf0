"""Frames recorded from the reference are read, and written again byte for byte; no bytes do harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.directory_messages import (
    Broadcast,
    DirectoryCode,
    GetDomain,
    Kind,
    Lookup,
    Publisher,
    Registration,
    Request,
    Service,
    UnknownRequest,
    Unregistration,
    decode_broadcast,
    decode_code_reply,
    decode_domain_reply,
    decode_publishers,
    decode_publishers_reply,
    decode_request,
    decode_service_reply,
    encode_broadcast,
    encode_code_reply,
    encode_domain_reply,
    encode_empty_reply,
    encode_publishers_reply,
    encode_request,
    encode_service_reply,
    publishers_pb,
)
from gravity.protocol.envelope import MalformedFrame, decode_data_product, encode, fill, parse
from gravity.protocol.publication import Publication
from gravity.protocol.ServiceDirectoryPB_pb2 import ComponentServiceLookupResponsePB, ServiceDirectoryResponsePB
from gravity.ServiceDirectoryDomainUpdatePB_pb2 import ServiceDirectoryDomainUpdatePB
from gravity.ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB

if TYPE_CHECKING:
    from .conftest import Recorded

T = TypeVar("T")

DECODERS: list[Callable[[bytes], object]] = [
    decode_data_product,
    decode_request,
    decode_domain_reply,
    decode_publishers_reply,
    decode_service_reply,
    decode_code_reply,
    decode_publishers,
    decode_broadcast,
]

FRAMES = [
    encode_request(Registration("id", "tcp://h:1", Kind.DATA, "Component", 1, "domain", True, "10.0.0.1")),
    encode_request(Unregistration("id", "tcp://h:1", Kind.SERVICE, 1700000000, "domain")),
    encode_request(Lookup("id", Kind.DATA, "domain")),
    encode_publishers_reply("id", "domain", [Publisher("tcp://h:1", "Component", 1, True, "10.0.0.1")] * 2),
    encode_service_reply("id", "domain", Service("tcp://h:1", 1)),
    encode_code_reply("id", DirectoryCode.NOT_REGISTERED),
    encode_domain_reply("domain"),
    encode_broadcast(Broadcast("domain", "tcp://h:1", 1700000000, 10)),
]

PAYLOADS: dict[str, Callable[[bytes], Message]] = {
    "gravity.ComponentDataLookupResponsePB": lambda data: publishers_pb(*decode_publishers(data)),
    "gravity.ServiceDirectoryMapPB": ServiceDirectoryMapPB.FromString,
    "gravity.ServiceDirectoryDomainUpdatePB": ServiceDirectoryDomainUpdatePB.FromString,
}

fuzzed = settings(max_examples=200, derandomize=True, deadline=None, database=None)


def envelope(id: str, data: bytes) -> bytes:
    return GravityDataProductPB(dataProductID=id, data=data).SerializeToString()


# ---- the recording -------------------------------------------------------------------------------------


def test_recorded_requests_are_written_as_they_were(recorded_request: Recorded) -> None:
    [frame] = recorded_request.frames
    assert encode_request(decode_request(frame)) == frame


def test_recorded_replies_are_written_as_they_were(recorded_reply: Recorded) -> None:
    [frame] = recorded_reply.frames
    product = decode_data_product(frame)
    if product.type_name == "gravity.ComponentDataLookupResponsePB":
        id, domain, publishers = decode_publishers(product.data)
        assert decode_publishers_reply(frame) == publishers
        assert encode_publishers_reply(id, domain, publishers) == frame
    elif product.type_name == "gravity.ComponentServiceLookupResponsePB":
        service = decode_service_reply(frame)
        id = parse(ComponentServiceLookupResponsePB, product.data).lookupID
        assert encode_service_reply(id, "", service if service.url else None) == frame
    elif product.type_name == "gravity.ServiceDirectoryResponsePB":
        id = product.data[2 : 2 + product.data[1]].decode()
        assert encode_code_reply(id, decode_code_reply(frame)) == frame
    else:
        assert encode_domain_reply(decode_domain_reply(frame)) == frame


def test_recorded_messages_are_published_as_they_were(recorded_published: Recorded) -> None:
    """Whatever the recorded message was made of goes through a Publication of ours, and out come the same bytes."""
    topic, frame = recorded_published.frames
    seen = decode_data_product(frame)
    publication = Publication(
        seen.dataProductID,
        "tcp://127.0.0.1:1",
        seen.registration_time * 1_000_000 + 999_999,
        origin=(seen.componentID, seen.domain) if seen.HasField("componentID") else None,
        cache=True,
    )
    product = GravityDataProductPB(dataProductID=seen.dataProductID)
    if seen.type_name:
        fill(product, PAYLOADS[seen.type_name](seen.data))
    else:
        product.data = seen.data
    product.softwareVersion = seen.softwareVersion
    if not seen.softwareVersion:
        product.ClearField("softwareVersion")
    frames = publication.frames(product, topic.decode(), seen.timestamp, now=0, largest=1000)
    if seen.is_cached_dataproduct:
        [frames] = publication.replay()
    assert frames == (topic, frame)


def test_recorded_broadcasts_are_written_as_they_were(recorded_broadcast: Recorded) -> None:
    [datagram] = recorded_broadcast.frames
    assert encode_broadcast(decode_broadcast(datagram)) == datagram


def test_what_the_recorded_requests_say(recorded: dict[str, list[Recorded]]) -> None:
    lines = recorded["pubsub-service-heartbeat"]
    said = {line.number: decode_request(line.frames[0]) for line in lines if line.kind == "request"}
    url = "tcp://127.0.0.1:24004"
    assert said[1] == GetDomain()
    assert said[5] == Registration("Prod", url, Kind.DATA, "NodeA", 1795379408113990, is_relay=False)
    assert said[7] == Lookup("Prod", Kind.DATA, "")
    assert said[52] == Lookup("Echo", Kind.SERVICE, "")
    assert said[90] == Unregistration("Prod", url, Kind.DATA, 1795379408)
    assert said[93] == Unregistration("Echo", "tcp://127.0.0.1:24005", Kind.SERVICE)


# ---- the layouts, byte by byte ---------------------------------------------------------------------------

URL = "tcp://127.0.0.1:24000"
_PROTOBUF2 = "6209" + b"protobuf2".hex()


def _typed(name: str, inner: str, type_name: str) -> str:
    def text(tag: str, value: bytes) -> str:
        return f"{tag}{len(value):02x}{value.hex()}"

    return text("12", name.encode()) + text("22", bytes.fromhex(inner)) + _PROTOBUF2 + text("6a", type_name.encode())


@pytest.mark.parametrize(
    ("request_", "layout"),
    [
        (GetDomain(), "1209476574446f6d61696e"),
        (
            Lookup("Chan", Kind.DATA, ""),
            "1216436f6d706f6e656e744c6f6f6b757052657175657374220a0a044368616e10001a006209"
            "70726f746f627566326a20677261766974792e436f6d706f6e656e744c6f6f6b7570526571756573745042",
        ),
        (
            Registration("Chan", URL, Kind.DATA, "Pub", 1, is_relay=False),
            _typed(
                "RegistrationRequest",
                "0a044368616e1215" + URL.encode().hex() + "180022035075623001" + "3800",
                "gravity.ServiceDirectoryRegistrationPB",
            ),
        ),
        (
            Registration("Svc", URL, Kind.SERVICE, "Pub", 1),
            _typed(
                "RegistrationRequest",
                "0a035376631215" + URL.encode().hex() + "180122035075623001",
                "gravity.ServiceDirectoryRegistrationPB",
            ),
        ),
        (
            Unregistration("Chan", URL, Kind.DATA, 5),
            _typed(
                "UnregistrationRequest",
                "0a044368616e1215" + URL.encode().hex() + "18002805",
                "gravity.ServiceDirectoryUnregistrationPB",
            ),
        ),
        (
            Unregistration("Svc", URL, Kind.SERVICE),
            _typed(
                "UnregistrationRequest",
                "0a035376631215" + URL.encode().hex() + "1801",
                "gravity.ServiceDirectoryUnregistrationPB",
            ),
        ),
        (UnknownRequest("What"), "120457686174"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_layout_of_requests(request_: Request, layout: str) -> None:
    assert encode_request(request_).hex() == layout
    assert decode_request(bytes.fromhex(layout)) == request_


@pytest.mark.parametrize("code", DirectoryCode)
def test_codes_there_and_back(code: DirectoryCode) -> None:
    assert decode_code_reply(encode_code_reply("id", code)) is code


def test_negative_codes_take_ten_bytes() -> None:
    assert b"\x10\xfd" + b"\xff" * 8 + b"\x01" in encode_code_reply("", DirectoryCode.NOT_REGISTERED)


def test_every_reply_has_the_same_id() -> None:
    replies = [
        encode_domain_reply(""),
        encode_publishers_reply("id", "", []),
        encode_service_reply("id", "", None),
        encode_code_reply("id", DirectoryCode.SUCCESS),
        encode_empty_reply(),
    ]
    assert {decode_data_product(r).dataProductID for r in replies} == {"DataProductRegistrationResponse"}


def test_domain_reply_has_data_even_when_empty() -> None:
    assert decode_data_product(encode_domain_reply("")).HasField("data")
    assert not decode_data_product(encode_empty_reply()).HasField("data")
    assert decode_domain_reply(encode_domain_reply("Größe")) == "Größe"


def test_unknown_service_has_an_empty_url_and_no_time() -> None:
    assert decode_service_reply(encode_service_reply("id", "d", None)) == Service("", 0)
    data = decode_data_product(encode_service_reply("id", "d", None)).data
    assert data == b"\x0a\x02id\x12\x00\x1a\x01d"


def test_publishers_there_and_back() -> None:
    publishers = [
        Publisher("tcp://10.0.0.1:24000", "A", 5),
        Publisher("tcp://10.0.0.2:24000", "Relay", 6, True, "10.0.0.2"),
        Publisher("", "", 0),
    ]
    frame = encode_publishers_reply("id", "domain", publishers)
    assert decode_publishers_reply(frame) == publishers
    assert decode_publishers(decode_data_product(frame).data) == ("id", "domain", publishers)


def test_what_was_not_given_stays_away() -> None:
    """Fields that were absent are None, not a default: their absence has a meaning."""
    request = decode_request(encode_request(Registration("id", "url", Kind.DATA, None, None, is_relay=None)))
    assert request == Registration("id", "url", Kind.DATA, None, None, None, None, None)
    assert decode_request(encode_request(Lookup("id", Kind.DATA, None))) == Lookup("id", Kind.DATA, None)


def test_a_given_false_or_empty_value_is_kept() -> None:
    given = Registration("id", "url", Kind.DATA, "", 0, "", False, "")
    assert decode_request(encode_request(given)) == given


def test_fill_says_what_the_payload_is() -> None:
    product = fill(GravityDataProductPB(dataProductID="id"), GravityDataProductPB(timestamp=7))
    assert (product.protocol, product.type_name) == ("protobuf2", "gravity.GravityDataProductPB")
    assert decode_data_product(product.data).timestamp == 7


def test_an_incomplete_message_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="ServiceDirectoryResponsePB"):
        encode(ServiceDirectoryResponsePB())


def test_broadcast() -> None:
    broadcast = Broadcast("TestD", "tcp://127.0.0.1:5555", 5, 1)
    layout = "0a00" + "1205" + b"TestD".hex() + "1a14" + b"tcp://127.0.0.1:5555".hex() + "2001" + "2805"
    assert encode_broadcast(broadcast).hex() == layout
    assert decode_broadcast(bytes.fromhex(layout)) == broadcast


# ---- malformed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decode", "frame"),
    [
        (decode_data_product, b"\xff"),
        (decode_data_product, b"\x12\x02\xff\xfe"),  # an id that is no UTF-8
        (decode_data_product, b"\x12\x09short"),
        (decode_request, envelope("ComponentLookupRequest", b"")),  # without its lookupID
        (decode_request, envelope("UnregistrationRequest", b"\x0a\x02id")),  # without its url
        (decode_request, envelope("RegistrationRequest", b"\x0a\x01\xff")),
        (decode_domain_reply, envelope("", b"\xff")),
        (decode_service_reply, envelope("", b"\x0a\x02id")),
        (decode_code_reply, envelope("", b"")),
        (decode_broadcast, b"\x12\x01d\x1a\x01u"),  # without its start
        (decode_broadcast, b"\x12\x01\xff\x1a\x01u\x28\x01"),
        (decode_publishers_reply, envelope("", b"\x12\x03\x0a\x01\xff")),  # a publisher's url
    ],
)
def test_malformed_frames(decode: Callable[[bytes], object], frame: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode(frame)


def test_an_unknown_kind_counts_as_data() -> None:
    """As proto2 goes: an enum's unknown number is set aside, and the default stands."""
    assert decode_request(envelope("ComponentLookupRequest", b"\x0a\x02id\x10\x07")) == Lookup("id", Kind.DATA, None)


def value_or_malformed(decode: Callable[[bytes], T], frame: bytes) -> T | None:
    try:
        return decode(frame)
    except MalformedFrame as error:
        assert str(error)
        return None


def feed_all_decoders(frame: bytes) -> None:
    for decode in DECODERS:
        value_or_malformed(decode, frame)


@fuzzed
@given(frame=st.binary(max_size=200))
def test_random_bytes(frame: bytes) -> None:
    feed_all_decoders(frame)


@fuzzed
@given(frame=st.sampled_from(FRAMES), data=st.data())
def test_mutated_frames(frame: bytes, data: st.DataObject) -> None:
    mutated = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(mutated) - 1)))
        mutated[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    feed_all_decoders(bytes(mutated))


@fuzzed
@given(
    name=st.sampled_from(["ComponentLookupRequest", "RegistrationRequest", "UnregistrationRequest", ""]),
    payload=st.binary(max_size=60),
)
def test_random_payloads(name: str, payload: bytes) -> None:
    feed_all_decoders(envelope(name, payload))


@fuzzed
@given(frame=st.sampled_from([*FRAMES[:3], envelope("RegistrationRequest", b"")]), data=st.data())
def test_whatever_was_read_can_be_written_and_read_again(frame: bytes, data: st.DataObject) -> None:
    mutated = bytearray(frame)
    at = data.draw(st.integers(0, len(mutated) - 1))
    mutated[at] = data.draw(st.integers(0, 255))
    request = value_or_malformed(decode_request, bytes(mutated))
    if request is not None:
        assert decode_request(encode_request(request)) == request
