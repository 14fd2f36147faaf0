"""`gravity echo`: the messages of a data product, decoded if their type is known, otherwise in hexadecimal."""

from __future__ import annotations

import argparse
import json

from google.protobuf import descriptor_pool, json_format, message_factory, text_format
from google.protobuf.message import DecodeError, Message

from ..GravityDataProduct import GravityDataProduct
from ..protocol.envelope import PROTOBUF_PROTOCOL
from .common import Parsers, add_types, import_types, joined, say, time_text
from .listening import add_product, messages


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser("echo", help="the messages of a data product")
    add_product(command)
    command.add_argument("--json", action="store_true", help="one JSON object per line instead of text")
    add_types(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print each message."""
    import_types(arguments)
    printed = 0
    with joined(arguments) as node:
        for product in messages(node, arguments):
            if product is None:
                continue
            _print(product, as_json=arguments.json)
            printed += 1
            if printed == arguments.count:
                return


def _print(product: GravityDataProduct, *, as_json: bool) -> None:
    message = _decoded(product)
    if as_json:
        fields = json.loads(json_format.MessageToJson(message)) if message else None
        row = {
            "timestamp": product.timestamp,
            "node": product.componentID,
            "cached": product.isCachedDataproduct,
            "type": product.typeName,
            "message": fields,
            "hex": None if message else product.data.hex(),
        }
        print(json.dumps(row), flush=True)
    else:
        text = text_format.MessageToString(message, as_one_line=True) if message else product.data.hex()
        cached = " (cached)" if product.isCachedDataproduct else ""
        say(f"{time_text(product.timestamp)} {product.componentID} {product.typeName}{cached}: {text}")


def _decoded(product: GravityDataProduct) -> Message | None:
    """Return the payload as a message of its stated type, or None if that type is unknown or does not match."""
    if product.protocol != PROTOBUF_PROTOCOL:
        return None
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(product.typeName)
        message: Message = message_factory.GetMessageClass(descriptor)()
        message.ParseFromString(product.data)
    except (KeyError, DecodeError):
        return None
    return message
