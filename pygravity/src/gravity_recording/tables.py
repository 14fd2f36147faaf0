"""Recorded messages as rows of a table: times, component, type, and the payload's fields, nested ones flattened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from .envelope import PROTOBUF_PROTOCOL, parse
from .model import Recorded

TIME, TEXT, BYTES, BOOL, FLOAT, DOUBLE = "time", "text", "bytes", "bool", "float", "double"
_MOST_COLUMNS, _DEEPEST = 1000, 20
_KINDS = {
    FieldDescriptor.CPPTYPE_INT32: "int32",
    FieldDescriptor.CPPTYPE_INT64: "int64",
    FieldDescriptor.CPPTYPE_UINT32: "uint32",
    FieldDescriptor.CPPTYPE_UINT64: "uint64",
    FieldDescriptor.CPPTYPE_DOUBLE: DOUBLE,
    FieldDescriptor.CPPTYPE_FLOAT: FLOAT,
    FieldDescriptor.CPPTYPE_BOOL: BOOL,
    FieldDescriptor.CPPTYPE_ENUM: TEXT,
}


class Column(NamedTuple):
    """A column; `value` returns what a message has in it, None if nothing."""

    name: str
    kind: str
    value: Callable[[Message], Any]


def columns_of(descriptor: Descriptor) -> list[Column]:
    """Return the columns of a message type.

    A field of a nested message is `outer.inner`. Repeated fields are JSON, and so are nested messages if they
    contain their own type, or would give more than a thousand columns.
    """
    columns = list(islice(_columns(descriptor, "", (), _DEEPEST), _MOST_COLUMNS + 1))
    return columns if len(columns) <= _MOST_COLUMNS else list(_columns(descriptor, "", (), 0))


def _columns(descriptor: Descriptor, prefix: str, way: tuple[FieldDescriptor, ...], deeper: int) -> Iterator[Column]:
    """`deeper`: levels of nested messages that get columns."""
    for field in descriptor.fields:
        name = prefix + field.name
        if field.is_repeated or (field.message_type and not deeper) or field.message_type in _types(way, descriptor):
            yield Column(name, TEXT, _reader(way, field, _as_json(field)))
        elif field.message_type:
            yield from _columns(field.message_type, f"{name}.", (*way, field), deeper - 1)
        elif field.enum_type:
            yield Column(name, TEXT, _reader(way, field, _as_name(field.enum_type)))
        elif field.type == FieldDescriptor.TYPE_BYTES:
            yield Column(name, BYTES, _reader(way, field, lambda value: value))
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield Column(name, TEXT, _reader(way, field, _as_text))
        else:
            yield Column(name, _KINDS[field.cpp_type], _reader(way, field, lambda value: value))


def _types(way: tuple[FieldDescriptor, ...], descriptor: Descriptor) -> list[Descriptor | None]:
    """Return the message types that contain the fields of `descriptor`, including itself."""
    return [descriptor, *(step.containing_type for step in way)]


def _reader(
    way: tuple[FieldDescriptor, ...], field: FieldDescriptor, convert: Callable[[Any], Any]
) -> Callable[[Message], Any]:
    def value(message: Any) -> Any:
        for step in way:
            if not message.HasField(step.name):
                return None
            message = getattr(message, step.name)
        if field.is_repeated:
            return convert(message) if getattr(message, field.name) else None
        if field.has_presence and not message.HasField(field.name):
            return None
        return convert(message if field.message_type else getattr(message, field.name))

    return value


def _as_json(field: FieldDescriptor) -> Callable[[Any], str]:
    """Return a function of the message that has the field."""

    def convert(message: Any) -> str:
        only = type(message)()
        if field.is_repeated:
            getattr(only, field.name).MergeFrom(getattr(message, field.name))
        else:
            getattr(only, field.name).CopyFrom(getattr(message, field.name))
        fields = json_format.MessageToDict(only, preserving_proto_field_name=True)
        return json.dumps(fields[field.name], ensure_ascii=False)

    return convert


def _as_name(enum: EnumDescriptor) -> Callable[[int], str]:
    names = {value.number: value.name for value in enum.values}
    return lambda number: names.get(number, str(number))


def _as_text(value: str | bytes) -> str:
    """Return a text field, which protobuf gives as bytes if it is not UTF-8."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


class Table:
    """The rows of a data product.

    The last column, `payload`, has the payload in hexadecimal where it cannot be decoded.
    """

    def __init__(self, types: list[Descriptor]) -> None:
        """`types`: of the messages, those that are known."""
        first = [("received", TIME), ("published", TIME), ("component", TEXT), ("type", TEXT)]
        taken = {name for name, _ in first} | {"payload"}
        self._types: dict[str, tuple[type[Message], list[tuple[int, Column]]]] = {}
        self.names, self.kinds = [name for name, _ in first], [kind for _, kind in first]
        for descriptor in types:
            columns = []
            for column in columns_of(descriptor):
                name = column.name
                while name in taken:  # of another type, or one of ours
                    name += "_"
                taken.add(name)
                columns.append((len(self.names), column))
                self.names.append(name)
                self.kinds.append(column.kind)
            self._types[descriptor.full_name] = message_factory.GetMessageClass(descriptor), columns
        self.names.append("payload")
        self.kinds.append(TEXT)

    def row(self, message: Recorded) -> list[Any]:
        """Return a message's values by column; times are microseconds since the epoch."""
        product = parse(message.product)
        row: list[Any] = [None] * len(self.names)
        row[:4] = message.received, product.timestamp, message.component, message.type_name
        if product.protocol != PROTOBUF_PROTOCOL or message.type_name not in self._types:
            row[-1] = product.data.hex()
            return row
        message_class, columns = self._types[message.type_name]
        try:
            decoded = message_class.FromString(product.data)
        except DecodeError:
            row[-1] = product.data.hex()
            return row
        for place, column in columns:
            row[place] = column.value(decoded)
        return row
