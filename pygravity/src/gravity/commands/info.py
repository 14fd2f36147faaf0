"""`gravity info`: what recordings hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .common import CommandError, Parsers, say, size_text, time_text, warn
from .recordings import begin_of, end_of, opened
from gravity_recording import Recording
from gravity_recording.split import files

_HELP = """\
Say what recordings (MCAP, or Gravity's archives) hold: length, size, data
products with their counts, rates, types and components, and where damage
begins.

Of a file with an index, only that is read; damage before it shows with --check,
which reads all.
"""
_EXAMPLES = """\
examples:
  gravity info run.mcap
  gravity info recordings/ --check           all in a folder
  gravity info archive.bin --json

exit codes: 0 also for a damaged file, 1 if one cannot be read at all (the others
are shown), 2 for wrong arguments
"""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "info",
        help="what recordings hold",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("files", metavar="FILE", nargs="+", type=Path, help="recordings, or folders of them")
    command.add_argument("--check", action="store_true", help="read the whole files to find damage")
    command.add_argument("--json", action="store_true", help="one JSON array instead of text")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print what the recordings hold."""
    names = [file for path in arguments.files for file in files(path) or [path]]
    facts, errors = [], []
    for name in names:
        try:
            with opened([name], warns=False) as [recording]:
                if arguments.check:
                    for _ in recording.messages():
                        pass
                facts.append(_facts(recording))
        except CommandError as error:
            errors.append(error)
    facts.sort(key=lambda fact: fact["begin"])
    if arguments.json:
        print(json.dumps(facts))
    else:
        for number, fact in enumerate(facts):
            if number:
                print()
            _print(fact)
    if errors:
        *others, last = errors
        for other in others:
            warn(str(other))
        raise last


def _facts(recording: Recording) -> dict[str, Any]:
    begin, end, damage = begin_of(recording), end_of(recording), recording.damage
    return {
        "file": str(recording.path),
        "format": recording.format,
        "compression": recording.compression,
        "bytes": recording.size,
        "begin": begin,
        "end": end,
        "seconds": (end - begin) / 1e6,
        "messages": sum(product.count for product in recording.products.values()),
        "products": [
            {
                "id": id,
                "messages": product.count,
                "rate": (product.count - 1) / (product.last - product.first) * 1e6
                if product.last > product.first
                else None,
                "first": product.first,
                "last": product.last,
                "types": sorted(filter(None, product.types)),
                "components": sorted(filter(None, product.components)),
            }
            for id, product in recording.products.items()
        ],
        "damage": {"offset": damage.offset, "reason": damage.reason} if damage else None,
    }


def _print(fact: dict[str, Any]) -> None:
    day = "%Y-%m-%d %H:%M:%S.%f"
    say(f"{fact['file']}: {fact['format']}, compression: {', '.join(fact['compression']) or 'none'}")
    say(f"  size      {size_text(fact['bytes'])}")
    if fact["messages"]:
        say(f"  length    {fact['seconds']:.3f} s, {time_text(fact['begin'], day)} to {time_text(fact['end'], day)}")
    say(f"  messages  {fact['messages']}")
    width = max((len(product["id"]) for product in fact["products"]), default=0)
    for product in fact["products"]:
        rate = f"{product['rate']:.1f}/s" if product["rate"] else ""
        types = ", ".join(product["types"]) or "unknown type"
        components = f" from {', '.join(product['components'])}" if product["components"] else ""
        say(f"    {product['id']:{width}}  {product['messages']:>9}  {rate:>10}  {types}{components}")
    if fact["damage"]:
        say(f"  damage    at offset {fact['damage']['offset']}: {fact['damage']['reason']}")
