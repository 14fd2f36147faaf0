"""Reads numbers and times out of protobuf messages of any type, by the names of their fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

UNITS = {"s": (1_000_000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}  # in microseconds, as a fraction
TIMESTAMP = "google.protobuf.Timestamp"


class Misfit(ValueError):
    """A type of message does not have a field, or not of a kind that can be used."""


def message_types(modules: Iterable[ModuleType]) -> dict[str, Descriptor]:
    """Return the types of message in generated modules, nested ones included, by full name."""
    types: dict[str, Descriptor] = {}
    for module in modules:
        waiting = list(module.DESCRIPTOR.message_types_by_name.values())
        while waiting:
            found = waiting.pop()
            types[found.full_name] = found
            waiting += [nested for nested in found.nested_types if not nested.GetOptions().map_entry]
    return types


def number(type: Descriptor, path: str) -> Callable[[Message], float | None]:
    """Return a function from a message to the number in a field, which may lie in a nested message (`motor.rpm`).

    The number may be of any numeric type, a bool or an enum; it is None if the field, or a message on the way to it,
    is missing. Raises Misfit.
    """
    fields = _fields(type, path)
    _check_number(type, path, fields[-1])
    return _getter(fields)


def time(type: Descriptor, path: str, unit: str) -> Callable[[Message], int | None]:
    """Return a function from a message to the time in a field, in microseconds, None if it is missing.

    The field is a number of `unit`, one of UNITS, or a google.protobuf.Timestamp (`unit` is "" then). A time that is
    not finite is negative. Raises Misfit.
    """
    fields = _fields(type, path)
    get: Callable[[Message], Any] = _getter(fields)
    if fields[-1].message_type and fields[-1].message_type.full_name == TIMESTAMP:
        if unit:
            raise Misfit(f"{path} of {type.full_name} is a {TIMESTAMP}, which has no unit")
        return lambda message: None if (at := get(message)) is None else at.seconds * 1_000_000 + at.nanos // 1000
    _check_number(type, path, fields[-1])
    if not unit:
        raise Misfit(f"{path} of {type.full_name} needs its unit behind it: {', '.join(UNITS)}")
    times, over = UNITS[unit]

    def microseconds(message: Message) -> int | None:
        value = get(message)
        if isinstance(value, float):
            at = value * times / over
            return round(at) if math.isfinite(at) else -1
        return None if value is None else value * times // over

    return microseconds


def _check_number(type: Descriptor, path: str, field: FieldDescriptor) -> None:
    if field.message_type or field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        raise Misfit(f"{path} of {type.full_name} is not a number")


def _fields(type: Descriptor, path: str) -> list[FieldDescriptor]:
    """Return the fields on the way to the one that a path names."""
    fields: list[FieldDescriptor] = []
    inside: Descriptor | None = type
    for name in path.split("."):
        there = inside.fields_by_name if inside else {}
        if name not in there:
            raise Misfit(
                f"{type.full_name} has no field {path}; where it should be are: {', '.join(there) or 'none'}"
            )
        field = there[name]
        if field.is_repeated:
            raise Misfit(f"{path} of {type.full_name} is repeated, and would be many values")
        fields.append(field)
        inside = field.message_type
    return fields


def _getter(fields: Sequence[FieldDescriptor]) -> Callable[[Message], Any]:
    steps = [(field.name, field.has_presence) for field in fields]

    def get(message: Any) -> Any:
        for name, has_presence in steps:
            if has_presence and not message.HasField(name):
                return None
            message = getattr(message, name)
        return message

    return get
