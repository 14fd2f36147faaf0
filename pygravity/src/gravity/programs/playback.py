"""Publish the data products in an Archiver's file again, at the intervals at which they were received.

Settings, in section [FileReplay] of Gravity.ini:
  ArchiveFilename  the file (archive.bin)
  DataProductList  the data products to publish, separated by commas (all)

Playback begins once all data products have a subscriber, but after a second at the latest. At the end of the archive
the program keeps serving each data product's last message until it is stopped. A file that is cut off or damaged is
played up to its last whole message, with a warning.

Examples:
  Playback                            with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://localhost:5555"
      [FileReplay]
      ArchiveFilename = "archive_20260131_120000.bin"
      DataProductList = "Temperature, Pressure"
  GRAVITY_INI=/etc/plant.ini Playback

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import BinaryIO

from .. import gravity
from ..GravityDataProduct import GravityDataProduct
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..node import GravityNode
from . import program
from .archive import ArchiveError, read, timed

NAME, COMPONENT_ID = "Playback", "FileReplay"
_SUBSCRIBERS_WAIT = 1.0  # seconds


def play(node: GravityNode) -> None:
    """Play the archive, then wait to be stopped."""
    path = node.getStringParam("ArchiveFilename") or "archive.bin"
    try:
        with open(path, "rb") as file:
            counts = _count(file, path, program.product_list(node))
            _offer(node, counts)
            program.say(NAME, f"playing {path}: {', '.join(f'{n} x {id}' for id, n in counts.items()) or 'nothing'}")
            _wait_for_subscribers(node, counts)
            _publish(node, _wanted(file, path, counts))
    except OSError as error:
        raise program.ProgramError(f"cannot read {path}: {error.strerror}") from None
    except ArchiveError as error:
        raise program.ProgramError(str(error)) from None
    program.say(NAME, f"reached the end of {path}")
    node.waitForExit()


def _count(file: BinaryIO, name: str, ids: list[str]) -> Counter[str]:
    """Return how many messages there are of each wanted data product; warn of damage."""
    counts: Counter[str] = Counter()
    try:
        for product in read(file, name):
            counts[product.dataProductID] += 1
    except ArchiveError as error:
        if not error.offset:
            raise
        program.warn(NAME, f"{error}; it is played up to there")
    for id in ids:
        if id not in counts:
            program.warn(NAME, f"{name} has no messages of {id}")
    return Counter({id: n for id, n in counts.items() if not ids or id in ids})


def _offer(node: GravityNode, counts: Counter[str]) -> None:
    """Register the data products; remove from `counts` those that a node cannot register."""
    for id in list(counts):
        code = node.registerDataProduct(id, gravity.TCP)
        if code == gravity.RESERVED_DATA_PRODUCT_ID:
            program.warn(NAME, f"{id} is reserved for Gravity itself; it is not played")
            del counts[id]
        else:
            program.check(node, code, f"register {id}")


def _wait_for_subscribers(node: GravityNode, ids: Collection[str]) -> None:
    deadline = time.monotonic() + _SUBSCRIBERS_WAIT
    while time.monotonic() < deadline and not all(node.subscribersExist(id)[1] for id in ids):
        time.sleep(0.01)


def _wanted(file: BinaryIO, name: str, ids: Collection[str]) -> Iterator[GravityDataProductPB]:
    with suppress(ArchiveError):  # `_count` has warned of it
        for product in read(file, name):
            if product.dataProductID in ids:
                yield product


def _publish(node: GravityNode, products: Iterator[GravityDataProductPB]) -> None:
    begin = time.monotonic()
    for microseconds, product in timed(products):
        early = begin + microseconds / 1e6 - time.monotonic()
        if early > 0:
            time.sleep(early)
        node.publish(GravityDataProduct._wrap(product))


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, play)


if __name__ == "__main__":
    sys.exit(main())
