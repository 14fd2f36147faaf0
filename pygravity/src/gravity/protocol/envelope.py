"""The envelope of every message: a GravityDataProductPB, whose `data` holds the payload.

A decoder given bytes from outside either returns a value or raises MalformedFrame.
"""

from __future__ import annotations

import functools
import operator
from typing import TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, EncodeError, Message

from ..GravityDataProductPB_pb2 import GravityDataProductPB

PROTOBUF_PROTOCOL = "protobuf2"  # Gravity's name for "data is a protobuf message"

M = TypeVar("M", bound=Message)


class MalformedFrame(ValueError):
    """Bytes from outside that are not a valid message of the expected type."""


class TooLarge(ValueError):
    """A frame to be sent that exceeds MaxMessageSize."""


def checked_size(frame: bytes, largest: int) -> bytes:
    """Return `frame`; raise TooLarge if it has more than `largest` bytes, since peers would drop the connection."""
    if len(frame) > largest:
        raise TooLarge(f"{len(frame)} bytes are more than MaxMessageSize = {largest}")
    return frame


def parse(message_type: type[M], data: bytes) -> M:
    """Return `data` parsed as a complete `message_type`; raise MalformedFrame if it is not one."""
    message = message_type()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedFrame(f"not a {message_type.DESCRIPTOR.full_name}: {error}") from None
    if not message.IsInitialized():
        raise MalformedFrame(f"an incomplete {message_type.DESCRIPTOR.full_name}")
    return message


def checked_text(message: M) -> M:
    """Return `message`; raise MalformedFrame if a string field is not UTF-8.

    Proto2 accepts any bytes in a string field and returns invalid ones as bytes.
    """
    for name in _text_fields(message.DESCRIPTOR):
        value = getattr(message, name)
        if isinstance(value, bytes) or (not isinstance(value, str) and any(isinstance(v, bytes) for v in value)):
            raise MalformedFrame(f"{message.DESCRIPTOR.full_name}: {name} is not UTF-8 text")
    return message


@functools.cache
def _text_fields(descriptor: Descriptor) -> tuple[str, ...]:
    return tuple(field.name for field in descriptor.fields if field.type == field.TYPE_STRING)


_texts_of_data_product = operator.attrgetter(*_text_fields(GravityDataProductPB.DESCRIPTOR))


def decode_data_product(frame: bytes) -> GravityDataProductPB:
    """Return the data product in `frame`; raise MalformedFrame if it is not one.

    Equivalent to `checked_text(parse(GravityDataProductPB, frame))` but five times as fast, since it runs once per
    message.
    """
    try:
        product = GravityDataProductPB.FromString(frame)  # has no required fields, so it is always complete
    except (DecodeError, UnicodeDecodeError) as error:
        raise MalformedFrame(f"not a {GravityDataProductPB.DESCRIPTOR.full_name}: {error}") from None
    try:
        "".join(_texts_of_data_product(product))
    except TypeError:  # some of them are bytes
        checked_text(product)
    return product


def copy_of(product: GravityDataProductPB) -> GravityDataProductPB:
    """Return an independent copy of `product`."""
    copy = GravityDataProductPB()
    copy.CopyFrom(product)
    return copy


def encode(message: Message) -> bytes:
    """Return `message` serialized, with its fields in ascending order like the original's."""
    try:
        return message.SerializeToString()
    except EncodeError as error:
        raise ValueError(f"cannot encode {message.DESCRIPTOR.full_name}: {error}") from None


def fill(product: GravityDataProductPB, message: Message) -> GravityDataProductPB:
    """Make `message` the payload of `product`, set its `protocol` and `type_name`, and return it."""
    product.data = encode(message)
    product.protocol = PROTOBUF_PROTOCOL
    product.type_name = message.DESCRIPTOR.full_name
    return product
