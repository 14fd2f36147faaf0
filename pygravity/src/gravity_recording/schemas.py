"""Message types: found among those that this process knows, and carried in a recording."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import Any, Protocol

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import DecodeError


class Types(Protocol):
    """Where message types are looked up, such as a descriptor pool."""

    def FindMessageTypeByName(self, full_name: str) -> Any:
        """Return the Descriptor of a message type; raise KeyError if it is unknown."""


def find(name: str, *places: Types | None) -> Descriptor | None:
    """Return the description of a message type from the first place that knows it."""
    for place in places:
        if place is not None:
            try:
                descriptor: Descriptor = place.FindMessageTypeByName(name)
            except KeyError:
                continue
            return descriptor
    return None


def known_here() -> Types:
    """Return the types of the generated modules that this process has imported."""
    pool: Types = descriptor_pool.Default()
    return pool


def schema_of(descriptor: Descriptor) -> bytes:
    """Return a serialized FileDescriptorSet: a type's file after the files that it imports."""
    found: dict[str, FileDescriptor] = {}

    def visit(file: FileDescriptor) -> None:
        if file.name not in found:
            for imported in file.dependencies:
                visit(imported)
            found[file.name] = file

    visit(descriptor.file)
    files = descriptor_pb2.FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files.SerializeToString()


def type_in(schema: bytes, name: str) -> Descriptor | None:
    """Return a type from a serialized FileDescriptorSet, or None if that does not describe it."""
    try:
        files = {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file}
        imports = {name: [each for each in file.dependency if each in files] for name, file in files.items()}
        pool = descriptor_pool.DescriptorPool()
        for each in TopologicalSorter(imports).static_order():  # a pool of its own accord does not survive a cycle
            pool.Add(files[each])
        descriptor = find(name, pool)
        if descriptor:
            message_factory.GetMessageClass(descriptor)
        return descriptor
    except (DecodeError, TypeError, ValueError, RecursionError):  # the last: types nested a thousand times
        return None
