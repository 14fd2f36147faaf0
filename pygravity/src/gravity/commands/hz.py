"""`gravity hz`: the rate of a data product."""

from __future__ import annotations

import argparse
import time

from .common import Parsers, joined
from .listening import add_product, messages


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser("hz", help="rate, bytes and gaps of a data product")
    add_product(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print once a second the rates of messages and bytes, and the longest gap between messages."""
    count = size = lines = 0
    longest = 0.0
    with joined(arguments) as node:
        begin = last = time.monotonic()
        for product in messages(node, arguments):
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
