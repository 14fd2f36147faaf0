"""`gravity play`: publish the data products in recordings again."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .. import gravity
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from ..programs.playback import wait_for_subscribers
from .common import CommandError, Parsers, check, joined, number, say, warn
from .keyboard import Keyboard
from .recordings import begin_of, end_of, ids_of, messages_of, opened
from gravity_recording import Recorded
from gravity_recording.timing import Pace, timed

COMPONENT_ID = "GravityPlayer"
_SLOWEST, _FASTEST = 0.001, 1e6
_KEYS = "space pauses, s plays one message, + and - change the speed"
_FASTER, _SLOWER, _STEP = ("+", "\x1b[A"), ("-", "\x1b[B"), ("s", "\x1b[C")

_HELP = """\
Publish the data products in recordings (MCAP, or Gravity's archives) again, at
the intervals at which they were received. Several files are played one after
the other, in order of their first messages; of a folder, all.

It begins once all data products have a subscriber, but after a second at the
latest. On a terminal, these keys work:

  space       pause, go on
  s, →        play one message, while paused
  +, -, ↑, ↓  twice or half the speed
"""
_EXAMPLES = """\
examples:
  gravity play run.mcap
  gravity play run_0.mcap run_1.mcap --products Temperature Pressure --start 60
  gravity play archive.bin --speed 20 --loop

exit codes: 0 at the end and after SIGTERM, 130 after Ctrl-C, 1 after an error,
2 for wrong arguments
"""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "play",
        help="publish recordings again",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("files", metavar="FILE", nargs="+", type=Path, help="recordings, or folders of them")
    command.add_argument("--products", metavar="PRODUCT", nargs="+", default=[], help="only these data products")
    command.add_argument("--speed", metavar="F", type=number(_SLOWEST, _FASTEST), default=1.0, help="default: 1")
    command.add_argument("--start", metavar="S", type=number(0, 1e9), default=0.0, help="skip the first S seconds")
    command.add_argument("--loop", action="store_true", help="begin again at the end")
    command.add_argument("--paused", action="store_true", help="begin paused, on a terminal")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Play to the end, or again and again."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with opened(arguments.files) as recordings, joined(arguments, COMPONENT_ID) as node, Keyboard() as keyboard:
        if arguments.paused and not keyboard:
            raise CommandError("--paused requires a terminal, where a key goes on")
        ids = _offer(node, ids_of(recordings, arguments.products))
        if not ids:
            raise CommandError("there is nothing to play")
        begin = min(begin_of(recording) for recording in recordings if recording.products)
        start, end = begin + round(arguments.start * 1e6), max(end_of(recording, ids) for recording in recordings)
        if start > end:
            length = (end - begin) / 1e6
            raise CommandError(f"--start {arguments.start:g}: the last message is at {length:.3f} s")
        if arguments.loop and start == end:
            raise CommandError("--loop: what is to be played has no length")
        names = ", ".join(str(recording.path) for recording in recordings)
        say(f"playing {', '.join(ids)} from {names}{f'; {_KEYS}' if keyboard else ''}")
        wait_for_subscribers(node, ids)
        player = _Player(node, keyboard, Pace(time.monotonic(), arguments.speed, paused=arguments.paused))
        while True:
            player.play(timed(messages_of(recordings, ids, start), start))
            if not arguments.loop:
                break
        say(f"played {player.count} messages")


def _offer(node: GravityNode, ids: list[str]) -> list[str]:
    """Register the data products and return them without those that are reserved."""
    offered = []
    for id in ids:
        code = node.registerDataProduct(id, gravity.TCP)
        if code == gravity.RESERVED_DATA_PRODUCT_ID:
            warn(f"{id} is reserved for Gravity itself; it is not played")
        else:
            check(node, code, f"register {id}")
            offered.append(id)
    return offered


class _Player:
    """Publishes messages when they are due, as the keyboard says."""

    def __init__(self, node: GravityNode, keyboard: Keyboard, pace: Pace) -> None:
        self.count = 0
        self._node = node
        self._keyboard = keyboard
        self._pace = pace

    def play(self, messages: Iterator[tuple[float, Recorded]]) -> None:
        """Publish messages, each at its time from now on."""
        self._pace.move(0, time.monotonic())
        for at, message in messages:
            self._wait(at)
            product = GravityDataProduct(data=message.product)
            product.isCachedDataproduct = product.isRelayedDataproduct = False  # it is published anew
            self._node.publish(product)
            self.count += 1

    def _wait(self, at: float) -> None:
        """Return when a message is due, or is to be played as the next one."""
        pace = self._pace
        while True:
            key = self._keyboard.wait(pace.wait(at, time.monotonic()))
            now = time.monotonic()
            if key in _STEP and pace.paused:
                pace.move(at, now)
                say(f"at {at:.3f} s")
                return
            self._press(key, now)
            if pace.wait(at, now) <= 0:
                return

    def _press(self, key: str, now: float) -> None:
        pace = self._pace
        if key == " ":
            pace.change(now, paused=not pace.paused)
            say(f"{'paused' if pace.paused else 'playing'} at {pace.at(now):.3f} s")
        elif key in _FASTER or key in _SLOWER:
            speed = pace.speed * (2 if key in _FASTER else 0.5)
            pace.change(now, speed=min(max(speed, _SLOWEST), _FASTEST))
            say(f"speed {pace.speed:g}")
