"""`gravity record`: data products, as they are received, in MCAP files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import get_args

from ..callbacks import GravitySubscriber
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from ..protocol.envelope import MalformedFrame, parse
from ..protocol.names import DOMAIN_DETAILS, DOMAIN_UPDATE, REGISTERED_PUBLISHERS
from ..ServiceDirectoryMapPB_pb2 import ServiceDirectoryMapPB
from .common import CommandError, Parsers, add_types, check, import_types, joined, number, say, size_text, warn
from .inbox import CAPACITY, Inbox
from .outputs import add_overwrite
from .stopping import Stop
from gravity_recording import Compression
from gravity_recording.envelope import published
from gravity_recording.split import SplitWriter

COMPONENT_ID = "GravityRecorder"
_OF_THE_DIRECTORY = {REGISTERED_PUBLISHERS, DOMAIN_DETAILS, DOMAIN_UPDATE}
_WAIT = 0.1  # seconds within which signals are noticed
_PAUSE = 0.02  # seconds in which messages gather: waking up for each batch would cost twice the processor time
_DRAIN = 10.0
_REPORT_INTERVAL = 10.0

_HELP = f"""\
Record data products in MCAP files, which Foxglove and PlotJuggler open, until
Ctrl-C. Whoever opens the file can decode payloads of Gravity's own types, and
of those that --types names.

Each message is on the disk a second after its receipt; `gravity repair`
completes a file that a crash has cut off.

Messages that have arrived wait in a queue of {CAPACITY >> 20} MiB until they are written;
if it overflows, the command says how many are missing. Its connections have no
limit at which they drop messages (SubscribeHWM = 0). It cannot know what a
publisher has dropped because its own queue was full (PublishHWM), nor what was
published before a connection was made, or while one was interrupted.
"""
_EXAMPLES = """\
examples:
  gravity record Temperature Pressure -o run.mcap --types plant_pb2
  gravity record --all                              also what appears later
  gravity record --all -o run --split-size 500      run_0.mcap, run_1.mcap ...
  gravity record --all -o run --split-time 3600     a file an hour

exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error such as a full
disk, 2 for wrong arguments
"""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "record",
        help="data products in MCAP files",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("products", metavar="PRODUCT", nargs="*", default=[], help="the ids of data products")
    what.add_argument("--all", action="store_true", help="all data products of the domain, including later ones")
    command.add_argument("-o", "--output", metavar="FILE", type=Path, help="default: gravity_YYYYmmdd_HHMMSS.mcap")
    add_overwrite(command)
    command.add_argument("--split-size", metavar="MB", type=number(0.001, 1e9), help="megabytes of a file")
    command.add_argument("--split-time", metavar="S", type=number(0.001, 1e9), help="seconds of a file")
    command.add_argument("--compression", choices=get_args(Compression), default="zstd", help="default: zstd")
    command.add_argument("--domain", default="", help="the publishers' domain (default: the directory's)")
    add_types(command)
    command.set_defaults(run=run)


class _Offers(GravitySubscriber):
    """Queues the ids of the data products that a Service Directory lists."""

    def __init__(self) -> None:
        self.ids: SimpleQueue[str] = SimpleQueue()
        self._known = set(_OF_THE_DIRECTORY)

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Queue ids that are new."""
        for product in dataProducts:
            try:
                offers = parse(ServiceDirectoryMapPB, product.data).data_provider
            except MalformedFrame as error:
                warn(f"cannot read the Service Directory's list: {error}")
                continue
            for id in (offer.product_id for offer in offers if offer.url):
                if id not in self._known and isinstance(id, str):  # bytes if it is not text
                    self._known.add(id)
                    self.ids.put(id)

    def take(self) -> list[str]:
        """Return the ids that have become known since the last call."""
        ids = []
        while True:
            try:
                ids.append(self.ids.get_nowait())
            except Empty:
                return ids


def run(arguments: argparse.Namespace) -> None:
    """Record until a signal comes, or the file cannot be written."""
    if not all(arguments.products):
        raise CommandError("an id of a data product is empty; use --all to record all data products")
    import_types(arguments)
    path = arguments.output or Path(time.strftime("gravity_%Y%m%d_%H%M%S"))
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name a file in it")
    path = path.with_name(path.name + ".mcap") if path.suffix != ".mcap" else path
    with joined(arguments, COMPONENT_ID, {"SubscribeHWM": "0"}) as node:
        try:
            writer = SplitWriter(
                path,
                compression=arguments.compression,
                megabytes=arguments.split_size,
                seconds=arguments.split_time,
                overwrite=arguments.overwrite,
            )
        except FileExistsError as error:
            raise CommandError(f"{error.filename} exists; name another file, or add --overwrite") from None
        except OSError as error:
            raise CommandError(f"cannot write {error.filename}: {error.strerror}") from None
        with Stop() as stop:
            _record(node, arguments, writer, stop)


def _record(node: GravityNode, arguments: argparse.Namespace, writer: SplitWriter, stop: Stop) -> None:
    inbox, offers = Inbox(), _Offers()
    begin = time.monotonic()
    try:
        try:
            _subscribe(node, arguments, inbox, offers)
            losses = _Losses(inbox)
            while stop.number is None:
                for frame in inbox.take(_WAIT):
                    writer.add(frame)
                time.sleep(_PAUSE)
                writer.check()
                losses.report()
                for id in offers.take():
                    check(node, node.subscribe(id, inbox, "", arguments.domain), f"subscribe to {id}")
                    say(f"recording {id}")
            _drain(inbox, writer, stop)
            node.close()
            for frame in inbox.take(0):
                writer.add(frame)
        finally:
            writer.close()
    except BrokenPipeError:  # nobody reads what it says
        raise
    except OSError as error:
        _sum_up(writer, inbox, time.monotonic() - begin)
        name = error.filename or writer.paths[-1]
        raise CommandError(f"cannot write {name}: {error.strerror}; what was written before can be read") from None
    _sum_up(writer, inbox, time.monotonic() - begin)


def _subscribe(node: GravityNode, arguments: argparse.Namespace, inbox: Inbox, offers: _Offers) -> None:
    for id in arguments.products:
        check(node, node.subscribe(id, inbox, "", arguments.domain), f"subscribe to {id}")
    if arguments.all:
        code = node.subscribe(DOMAIN_DETAILS, offers, "", arguments.domain, True)
        check(node, code, "get the list of data products")
    say(f"recording {', '.join(arguments.products) or 'all data products'}; Ctrl-C ends it")


def _drain(inbox: Inbox, writer: SplitWriter, stop: Stop) -> None:
    """Write what had arrived when the signal came, most of which may still wait in ZeroMQ's queues."""
    stopped, deadline = time.time_ns() // 1000, time.monotonic() + _DRAIN
    while not stop.again:
        frames = inbox.take(_WAIT)
        for frame in frames:
            writer.add(frame)
        if all(published(frame) > stopped for frame in frames):
            return
        if time.monotonic() > deadline:
            warn(f"after {_DRAIN:.0f} s, messages that were published before the end are still arriving")
            return


class _Losses:
    """Reports losses at once, and then from time to time."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._reported = 0
        self._last = -_REPORT_INTERVAL

    def report(self) -> None:
        dropped, now = self._inbox.dropped, time.monotonic()
        if dropped > self._reported and now - self._last >= _REPORT_INTERVAL:
            warn(f"lost {dropped} messages: they arrive faster than they can be written")
            self._reported, self._last = dropped, now


def _sum_up(writer: SplitWriter, inbox: Inbox, seconds: float) -> None:
    messages, files = writer.counts.total(), [str(path) for path in writer.paths]
    where = f"{files[0]} ... {files[-1]}" if len(files) > 2 else " and ".join(files) or "no file"
    products = f"{len(writer.counts)} data product{'' if len(writer.counts) == 1 else 's'}"
    say(f"recorded {messages} messages of {products} in {seconds:.1f} s to {where} ({size_text(writer.size)})")
    if inbox.dropped:
        warn(f"{inbox.dropped} messages are missing: they arrived faster than they could be written")
