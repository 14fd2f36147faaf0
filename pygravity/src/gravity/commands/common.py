"""What the subcommands share: a node in the cluster, message types, and how they report."""

from __future__ import annotations

import argparse
import importlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType

from .. import gravity
from ..log.text import harmless
from ..node import GravityNode

Parsers = argparse._SubParsersAction  # what `add_subparsers` returns
LONGEST = 10_000  # characters of a line; --json prints messages of any length


class CommandError(Exception):
    """An error to be reported in one line."""


def say(line: str) -> None:
    """Print a line that may hold texts from the network."""
    print(harmless(line, LONGEST), flush=True)


def warn(line: str) -> None:
    """Print a line about what the command cannot do."""
    print(harmless(f"gravity: {line}", LONGEST), file=sys.stderr, flush=True)


def time_text(microseconds: object, form: str = "%H:%M:%S.%f") -> str:
    """Return microseconds since the epoch as a local time with milliseconds, or as they are if that is impossible."""
    try:
        return datetime.fromtimestamp(int(str(microseconds)) / 1e6).strftime(form)[:-3]
    except (ValueError, OverflowError, OSError):  # not a time of the years 1 to 9999
        return str(microseconds)


def size_text(size: int) -> str:
    """Return a number of bytes as text."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def number(low: float, high: float) -> Callable[[str], float]:
    """Return an argument's type: a number from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def add_types(parser: argparse.ArgumentParser) -> None:
    """Add --types, which `import_types` evaluates."""
    parser.add_argument(
        "--types",
        metavar="MODULE",
        action="append",
        default=[],
        help="a generated module that defines message types, such as anomaly.DataPoint_pb2; can be repeated",
    )


def import_types(arguments: argparse.Namespace) -> None:
    """Import the modules that define message types; raise ImportError."""
    sys.path.insert(0, "")
    for module in arguments.types:
        importlib.import_module(module)


@contextmanager
def joined(
    arguments: argparse.Namespace,
    component_id: str = "GravityCommand",
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[GravityNode]:
    """Return a node in the cluster that --directory or Gravity.ini names; raise CommandError."""
    if arguments.directory:
        settings = {**settings, "ServiceDirectoryURL": arguments.directory, "NoConfigServer": "true"}
    with GravityNode(settings=settings) as node:
        code = node.init(component_id)
        if code == gravity.INVALID_PARAMETER:
            raise CommandError("the configuration cannot be used (see the previous message)")
        if code != gravity.SUCCESS:
            url = node.getStringParam("ServiceDirectoryURL", "tcp://localhost:5555")
            raise CommandError(f"no Service Directory answers at {url} ({node.getCodeString(code)})")
        yield node


def check(node: GravityNode, code: int, what: str) -> None:
    """Raise CommandError if `what` a node was asked to do has failed with `code`."""
    if code != gravity.SUCCESS:
        raise CommandError(f"cannot {what}: {node.getCodeString(code)}")
