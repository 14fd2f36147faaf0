"""The envelope of every message, a GravityDataProductPB.

It is described in a pool of its own: the default one may hold the real Gravity's own description, or will.
"""

from __future__ import annotations

import operator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

PROTOBUF_PROTOCOL = "protobuf2"  # Gravity's name for "data is a protobuf message"

_Field = descriptor_pb2.FieldDescriptorProto
FIELDS = (
    ("timestamp", _Field.TYPE_UINT64),  # of publication, in microseconds since the epoch
    ("dataProductID", _Field.TYPE_STRING),
    ("softwareVersion", _Field.TYPE_STRING),
    ("data", _Field.TYPE_BYTES),  # the payload
    ("componentID", _Field.TYPE_STRING),
    ("domain", _Field.TYPE_STRING),
    ("future_response", _Field.TYPE_BOOL),
    ("future_socket_url", _Field.TYPE_STRING),
    ("received_timestamp", _Field.TYPE_UINT64),
    ("is_cached_dataproduct", _Field.TYPE_BOOL),
    ("is_relayed_dataproduct", _Field.TYPE_BOOL),
    ("protocol", _Field.TYPE_STRING),
    ("type_name", _Field.TYPE_STRING),
    ("registration_time", _Field.TYPE_UINT32),
)  # in order of their numbers, from 1
TEXTS = tuple(name for name, type in FIELDS if type == _Field.TYPE_STRING)

_file = descriptor_pb2.FileDescriptorProto(name="GravityDataProductPB.proto", package="gravity")
_file.message_type.add(
    name="GravityDataProductPB",
    field=[
        _Field(name=name, number=number, type=type, label=_Field.LABEL_OPTIONAL)
        for number, (name, type) in enumerate(FIELDS, 1)
    ],
)
POOL = descriptor_pool.DescriptorPool()
POOL.Add(_file)
DESCRIPTOR = POOL.FindMessageTypeByName("gravity.GravityDataProductPB")
_texts = operator.attrgetter(*TEXTS)
Envelope: Any = message_factory.GetMessageClass(DESCRIPTOR)


def parse(frame: bytes) -> Any:
    """Return the envelope in a serialized data product, whose texts may not be UTF-8; raise ValueError."""
    try:
        return Envelope.FromString(frame)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a gravity.GravityDataProductPB: {error}") from None


def checked(product: Any) -> Any:
    """Return an envelope; raise ValueError if a text is not UTF-8."""
    try:
        "".join(_texts(product))
    except TypeError:  # protobuf returns such texts as bytes
        [name, *_] = [name for name in TEXTS if isinstance(getattr(product, name), bytes)]
        raise ValueError(f"gravity.GravityDataProductPB: {name} is not UTF-8 text") from None
    return product


def stamped(frame: bytes, received: int) -> bytes:
    """Return a serialized data product with this time of receipt; raise ValueError if it is not one."""
    product = parse(frame)
    if product.received_timestamp == received:
        return frame
    product.received_timestamp = received
    changed: bytes = product.SerializeToString()
    return changed


def published(frame: bytes) -> int:
    """Return when a serialized data product was published, in microseconds since the epoch."""
    time: int = parse(frame).timestamp
    return time
