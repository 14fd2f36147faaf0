"""Publish the data products in an Archiver's file again, at the intervals at which they were received.

Settings, in section [FileReplay] of Gravity.ini:
  ArchiveFilename  the file (archive.bin), or an MCAP file of `gravity record`
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
from collections.abc import Collection, Iterator

from .. import gravity
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from . import program
from gravity_recording import Recorded, Recording, RecordingError, open_recording
from gravity_recording.timing import timed

NAME, COMPONENT_ID = "Playback", "FileReplay"
_SUBSCRIBERS_WAIT = 1.0  # seconds


def play(node: GravityNode) -> None:
    """Play the archive, then wait to be stopped."""
    path = node.getStringParam("ArchiveFilename") or "archive.bin"
    try:
        with open_recording(path) as recording:
            counts = _count(recording, program.product_list(node))
            _offer(node, counts)
            program.say(NAME, f"playing {path}: {', '.join(f'{n} x {id}' for id, n in counts.items()) or 'nothing'}")
            wait_for_subscribers(node, counts)
            _publish(node, recording.messages(counts))
    except OSError as error:
        raise program.ProgramError(f"cannot read {path}: {error.strerror}") from None
    except RecordingError as error:
        raise program.ProgramError(str(error)) from None
    program.say(NAME, f"reached the end of {path}")
    node.waitForExit()


def _count(recording: Recording, ids: list[str]) -> dict[str, int]:
    """Return how many messages there are of each wanted data product; warn of damage."""
    if recording.damage:
        program.warn(NAME, f"{recording.damage}; it is played up to there")
    for id in ids:
        if id not in recording.products:
            program.warn(NAME, f"{recording.path} has no messages of {id}")
    return {id: product.count for id, product in recording.products.items() if not ids or id in ids}


def _offer(node: GravityNode, counts: dict[str, int]) -> None:
    """Register the data products; remove from `counts` those that a node cannot register."""
    for id in list(counts):
        code = node.registerDataProduct(id, gravity.TCP)
        if code == gravity.RESERVED_DATA_PRODUCT_ID:
            program.warn(NAME, f"{id} is reserved for Gravity itself; it is not played")
            del counts[id]
        else:
            program.check(node, code, f"register {id}")


def wait_for_subscribers(node: GravityNode, ids: Collection[str]) -> None:
    """Wait until all data products have a subscriber, for a second at most."""
    deadline = time.monotonic() + _SUBSCRIBERS_WAIT
    while time.monotonic() < deadline and not all(node.subscribersExist(id)[1] for id in ids):
        time.sleep(0.01)


def _publish(node: GravityNode, messages: Iterator[Recorded]) -> None:
    begin = time.monotonic()
    for seconds, message in timed(messages):
        early = begin + seconds - time.monotonic()
        if early > 0:
            time.sleep(early)
        node.publish(GravityDataProduct(data=message.product))


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, play)


if __name__ == "__main__":
    sys.exit(main())
