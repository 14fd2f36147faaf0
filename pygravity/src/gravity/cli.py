"""The command `gravity`: list a cluster, print the messages of a data product, measure its rate, make a key."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from google.protobuf import descriptor_pool, json_format, message_factory, text_format
from google.protobuf.message import DecodeError, Message

from . import gravity
from .callbacks import GravitySubscriber
from .GravityDataProduct import GravityDataProduct
from .io.curve import SETTING, make_key
from .log.text import harmless
from .node import GravityNode
from .protocol.config import ConfigError, Parameters
from .protocol.envelope import PROTOBUF_PROTOCOL
from .protocol.names import DIRECTORY_SERVICE
from .ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB

COMPONENT_ID = "GravityCommand"
ANSWER_TIME = 3000  # milliseconds
KEY_FILE = Path("Gravity.key")
LONGEST = 10_000  # characters of a line; --json prints messages of any length


class CommandError(Exception):
    """An error to be reported in one line."""


def keys(arguments: argparse.Namespace) -> None:
    """Make a cluster's key."""
    make_key(arguments.file)
    print(
        f"{arguments.file} holds a new key. Copy it to each host of the cluster, where nobody else can read it, and "
        f'name it in [general] of Gravity.ini: {SETTING} = "{arguments.file}"'
    )


class _Queue(GravitySubscriber):
    """Queues arriving data products."""

    def __init__(self) -> None:
        self.arrived: SimpleQueue[GravityDataProduct] = SimpleQueue()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Queue data products."""
        for product in dataProducts:
            self.arrived.put(product)


def list_cluster(node: GravityNode, arguments: argparse.Namespace) -> None:
    """Print the nodes, data products and services registered with the Service Directory, by domain."""
    question = GravityDataProduct("GetProviders")
    answer = node.request(DIRECTORY_SERVICE, question, ANSWER_TIME)
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
        _print(f"domain {domain or '(unnamed)'}: nodes {', '.join(nodes)}")
        width = max(len(str(row["id"])) for row in own)
        for row in own:
            entry = f"{row['kind']:12}  {row['id']:{width}}  {row['node']}  {row['url']}"
            _print(f"  {entry}  since {_time(row['since'])}")


def _print(line: str) -> None:
    """Print a line that holds texts from the network."""
    print(harmless(line, LONGEST), flush=True)


def _text(field: str | bytes) -> str:
    """Return a text field, which protobuf gives as bytes if it is not UTF-8."""
    return field.decode(errors="backslashreplace") if isinstance(field, bytes) else field


def echo(node: GravityNode, arguments: argparse.Namespace) -> None:
    """Print each message of a data product, decoded if its type is known, otherwise in hexadecimal."""
    printed = 0
    for product in _messages(node, arguments):
        if product is None:
            continue
        message = _decoded(product)
        if arguments.json:
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
            _print(f"{_time(product.timestamp)} {product.componentID} {product.typeName}{cached}: {text}")
        printed += 1
        if printed == arguments.count:
            return


def hz(node: GravityNode, arguments: argparse.Namespace) -> None:
    """Print once a second the rates of messages and bytes, and the longest gap between messages."""
    count = size = lines = 0
    longest = 0.0
    begin = last = time.monotonic()
    for product in _messages(node, arguments):
        now = time.monotonic()
        if product is not None and not product.isCachedDataproduct:
            count += 1
            size += product.getSize()
            longest = max(longest, now - last)
            last = now
        if now - begin >= 1:
            seconds = now - begin
            gap = f"{max(longest, now - last):.3f} s longest gap" if count else "nothing"
            print(f"{count / seconds:.1f} messages/s  {size / seconds:.0f} bytes/s  {gap}", flush=True)
            count = size = 0
            longest, begin = 0.0, now
            lines += 1
            if lines == arguments.count:
                return


def _messages(node: GravityNode, arguments: argparse.Namespace) -> Iterator[GravityDataProduct | None]:
    """Yield arriving messages, and None whenever none has arrived for a while."""
    queue = _Queue()
    code = node.subscribe(arguments.product, queue, arguments.filter, arguments.domain)
    if code != gravity.SUCCESS:
        raise CommandError(f"cannot subscribe to {arguments.product}: {node.getCodeString(code)}")
    while True:
        try:
            yield queue.arrived.get(timeout=0.1)
        except Empty:
            yield None


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


def _time(microseconds: object) -> str:
    try:
        return datetime.fromtimestamp(int(str(microseconds)) / 1e6).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):  # not a time of the years 1 to 9999
        return str(microseconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gravity", description="Inspect a running Gravity cluster, or make a key.")
    parser.add_argument("--directory", metavar="URL", help="the Service Directory (default: from Gravity.ini)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="nodes, data products and services, by domain")
    command.add_argument("--json", action="store_true", help="one JSON array instead of text")
    command.set_defaults(run=list_cluster)

    product = argparse.ArgumentParser(add_help=False)
    product.add_argument("product", metavar="PRODUCT", help="the id of a data product")
    product.add_argument("--filter", default="", help="only messages whose filter text starts with this")
    product.add_argument("--domain", default="", help="the publishers' domain (default: the directory's)")
    product.add_argument("--count", type=int, default=0, metavar="N", help="stop after N lines")

    command = commands.add_parser("echo", parents=[product], help="the messages of a data product")
    command.add_argument("--json", action="store_true", help="one JSON object per line instead of text")
    command.add_argument(
        "--types",
        metavar="MODULE",
        action="append",
        default=[],
        help="a generated module that defines the message type, such as anomaly.DataPoint_pb2",
    )
    command.set_defaults(run=echo)
    command = commands.add_parser("hz", parents=[product], help="rate, bytes and gaps of a data product")
    command.set_defaults(run=hz)

    command = commands.add_parser("keys", help="make the key of an encrypted cluster")
    command.add_argument("file", metavar="FILE", nargs="?", type=Path, default=KEY_FILE, help=f"default: {KEY_FILE}")
    command.set_defaults(run=keys)
    return parser


def _inspect(arguments: argparse.Namespace) -> None:
    """Run a command that needs a node."""
    with tempfile.TemporaryDirectory() as folder:
        ini = _ini_for(arguments.directory, Path(folder)) if arguments.directory else None
        sys.path.insert(0, "")
        for module in getattr(arguments, "types", []):
            importlib.import_module(module)
        with GravityNode(ini=ini) as node:
            code = node.init(COMPONENT_ID)
            if code == gravity.INVALID_PARAMETER:
                raise CommandError("the configuration cannot be used (see the previous message)")
            if code != gravity.SUCCESS:
                url = node.getStringParam("ServiceDirectoryURL", "tcp://localhost:5555")
                raise CommandError(f"no Service Directory answers at {url} ({node.getCodeString(code)})")
            arguments.run(node, arguments)


def _ini_for(directory: str, folder: Path) -> Path:
    """Return a configuration file in `folder` for another Service Directory; it has the key of the usual one."""
    ini = folder / "Gravity.ini"
    lines = ["[general]", f'ServiceDirectoryURL = "{directory}"', "NoConfigServer = true"]
    usual = Parameters.read(COMPONENT_ID, Path(os.environ.get("GRAVITY_INI") or "Gravity.ini"))
    if usual.text(SETTING):
        (folder / KEY_FILE).symlink_to(usual.file(SETTING).resolve())  # a path may contain what an ini may not
        lines.append(f'{SETTING} = "{KEY_FILE}"')
    ini.write_text("\n".join(lines) + "\n")
    return ini


def main() -> int:
    """Run the command line; return the exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.run is keys:
            keys(arguments)
        else:
            _inspect(arguments)
        sys.stdout.flush()
    except (CommandError, ConfigError, ImportError) as error:
        print(f"gravity: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has gone; avoids an error when Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
