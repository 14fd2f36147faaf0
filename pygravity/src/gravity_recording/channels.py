"""How a data product becomes an MCAP message: what of it is in the message, and what in its channel's metadata.

A message's data are the payload, its times those of receipt and publication in nanoseconds; its topic is the data
product's id. The other fields of the envelope are in the metadata of the channel, by their names, with "gravity" =
"payload". A data product that cannot be put together again from these to the last byte is itself the message's data,
in a channel with "gravity" = "envelope".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .envelope import FIELDS, PROTOBUF_PROTOCOL, TEXTS, Envelope, checked, parse
from .model import Recorded, recorded

MARK, PAYLOAD, ENVELOPE = "gravity", "payload", "envelope"
_PER_MESSAGE = ("timestamp", "dataProductID", "data", "received_timestamp")
LAST_TIME = 2**64 // 1000 - 1  # microseconds that MCAP's nanoseconds can tell


class Kind(NamedTuple):
    """What the messages of a channel have in common: the envelope without payload and times, and what these are."""

    envelope: bytes
    was_received: bool


class Split(NamedTuple):
    """A data product taken apart; times in microseconds. `exact`: whether `join` gives the same bytes again."""

    kind: Kind
    id: str
    received: int
    published: int
    payload: bytes
    exact: bool


def split(frame: bytes) -> Split:
    """Take a serialized data product apart; raise ValueError if it is not one. Texts are not checked."""
    product = parse(frame)
    published, received, payload = product.timestamp, product.received_timestamp, product.data
    was_received = product.HasField("received_timestamp")
    exact = (
        published <= LAST_TIME
        and received <= LAST_TIME
        and product.HasField("timestamp")
        and product.HasField("data")
        and product.SerializeToString() == frame  # its fields are in order, in their shortest form
    )
    product.ClearField("timestamp")
    product.ClearField("data")
    product.ClearField("received_timestamp")
    kind = Kind(product.SerializeToString(), was_received)
    return Split(kind, product.dataProductID, received if was_received else published, published, payload, exact)


def join(kind: Kind, received: int, published: int, payload: bytes) -> bytes:
    """Put a data product together again."""
    product = Envelope.FromString(kind.envelope)
    product.timestamp = published
    product.data = payload
    if kind.was_received:
        product.received_timestamp = received
    frame: bytes = product.SerializeToString()
    return frame


def metadata_of(kind: Kind) -> dict[str, str] | None:
    """Return a channel's metadata, or None if the envelope holds what these cannot tell, such as unknown fields.

    Raises ValueError if a text is not UTF-8.
    """
    product = checked(parse(kind.envelope))
    metadata = {MARK: PAYLOAD}
    for name, _ in FIELDS:
        if name not in _PER_MESSAGE and product.HasField(name):
            metadata[name] = str(getattr(product, name))
    if kind.was_received:
        metadata["received_timestamp"] = "log_time"
    return metadata if kind_of(product.dataProductID, metadata) == kind else None


def kind_of(id: str, metadata: Mapping[str, str]) -> Kind:
    """Return what a channel of ours says of its messages; raise ValueError if it is malformed."""
    product = Envelope(dataProductID=id)
    for name, _ in FIELDS:
        if name not in _PER_MESSAGE and name in metadata:
            setattr(product, name, _value(name, metadata[name]))
    return Kind(product.SerializeToString(), "received_timestamp" in metadata)


def _value(name: str, text: str) -> Any:
    if name in TEXTS:
        return text
    if name == "registration_time":
        return int(text)
    if text not in ("True", "False"):
        raise ValueError(f"{name} is {text!r}, not True or False")
    return text == "True"


def kind_of_other(id: str, encoding: str, type_name: str) -> Kind:
    """Return what a channel says that another program has written."""
    product = Envelope(dataProductID=id)
    if encoding == "protobuf":
        product.protocol, product.type_name = PROTOBUF_PROTOCOL, type_name
    return Kind(product.SerializeToString(), True)


class Messages(NamedTuple):
    """Turns the messages of a channel into data products; `kind` is None if they are whole ones."""

    kind: Kind | None
    id: str
    type_name: str
    component: str

    @classmethod
    def of(cls, topic: str, encoding: str, type_name: str, metadata: Mapping[str, str]) -> Messages:
        """Raises ValueError if the metadata are malformed."""
        if metadata.get(MARK) == ENVELOPE:
            return cls(None, topic, "", "")
        ours = metadata.get(MARK) == PAYLOAD
        kind = kind_of(topic, metadata) if ours else kind_of_other(topic, encoding, type_name)
        product = Envelope.FromString(kind.envelope)
        return cls(kind, topic, product.type_name, product.componentID)

    def recorded(self, log_time: int, publish_time: int, data: bytes) -> Recorded:
        """Return a message, whose times are in nanoseconds; raise ValueError if it is malformed."""
        if self.kind is None:
            return recorded(data)
        received = log_time // 1000
        frame = join(self.kind, received, publish_time // 1000, data)
        return Recorded(received, frame, self.id, self.type_name, self.component)
