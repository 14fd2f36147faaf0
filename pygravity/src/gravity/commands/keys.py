"""`gravity keys`: make a cluster's key."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..io.curve import SETTING, make_key
from .common import Parsers

FILE = Path("Gravity.key")


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser("keys", help="make the key of an encrypted cluster")
    command.add_argument("file", metavar="FILE", nargs="?", type=Path, default=FILE, help=f"default: {FILE}")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Make a key; raise ConfigError."""
    make_key(arguments.file)
    print(
        f"{arguments.file} holds a new key. Copy it to each host of the cluster, where nobody else can read it, and "
        f'name it in [general] of Gravity.ini: {SETTING} = "{arguments.file}"'
    )
