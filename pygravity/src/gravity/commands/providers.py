"""`gravity list`: the nodes, data products and services registered with the Service Directory."""

from __future__ import annotations

import argparse
import json

from ..GravityDataProduct import GravityDataProduct
from ..protocol.names import DIRECTORY_SERVICE
from ..ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB
from .common import CommandError, Parsers, joined, say, time_text

ANSWER_TIME = 3000  # milliseconds


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser("list", help="nodes, data products and services, by domain")
    command.add_argument("--json", action="store_true", help="one JSON array instead of text")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print what is registered, by domain."""
    with joined(arguments) as node:
        answer = node.request(DIRECTORY_SERVICE, GravityDataProduct("GetProviders"), ANSWER_TIME)
    if answer is None:
        raise CommandError("the Service Directory did not send its list; is it still starting up?")
    providers = ServiceDirectoryMapPB()
    answer.populateMessage(providers)
    rows = [
        {
            "domain": _text(domain),
            "kind": kind,
            "id": _text(entry.product_id),
            "node": _text(component),
            "url": _text(url),
            "since": since,
        }
        for kind, entries in (("data product", providers.data_provider), ("service", providers.service_provider))
        for entry in entries
        for domain in entry.domain_id
        for component, url, since in zip(entry.component_id, entry.url, entry.timestamp, strict=False)
    ]
    if arguments.json:
        print(json.dumps(rows))
        return
    for domain in sorted({str(row["domain"]) for row in rows}):
        own = [row for row in rows if row["domain"] == domain]
        nodes = sorted({str(row["node"]) for row in own})
        say(f"domain {domain or '(unnamed)'}: nodes {', '.join(nodes)}")
        width = max(len(str(row["id"])) for row in own)
        for row in own:
            entry = f"{row['kind']:12}  {row['id']:{width}}  {row['node']}  {row['url']}"
            say(f"  {entry}  since {time_text(row['since'])}")


def _text(field: str | bytes) -> str:
    """Return a text field, which protobuf gives as bytes if it is not UTF-8."""
    return field.decode(errors="backslashreplace") if isinstance(field, bytes) else field
