"""`gravity convert`: recordings from format to format, and to tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from google.protobuf.descriptor import Descriptor

from .common import CommandError, Parsers, add_types, import_types, say
from .copying import RECORDINGS, copy
from .outputs import add_overwrite, output
from .recordings import ids_of, messages_of, opened
from gravity_recording import Compression, Recording
from gravity_recording.schemas import find, known_here
from gravity_recording.table_files import FILES, TableFile
from gravity_recording.tables import Table

_HELP = """\
Convert recordings. The ending of OUT says to what:

  .mcap     MCAP, with an index; from an archive and back it is the same to the
            last byte
  .bin      Gravity's archive, which Playback plays
  .csv      a table of each data product: times of receipt and publication,
            component, fields of the messages
  .parquet  the same; requires pyarrow: pip install 'pygravity[parquet]'

Several recordings become one. Of several data products, the tables are OUT with
_PRODUCT before the ending. Message types are those described in an MCAP file,
and those in modules that --types names; other payloads are hexadecimal. A field
of a nested message has the column outer.inner; repeated fields are JSON.
"""
_EXAMPLES = """\
examples:
  gravity convert archive.bin run.mcap --types plant_pb2
  gravity convert run_0.mcap run_1.mcap run.bin
  gravity convert run.mcap pump.csv --products Pump

exit codes: 0, 1 after an error, 2 for wrong arguments; a file is written whole
or not at all
"""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "convert",
        help="recordings to another format, or to tables",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("inputs", metavar="IN", nargs="+", type=Path, help="recordings, or folders of them")
    command.add_argument("output", metavar="OUT", type=Path, help=f"ends in {', '.join((*RECORDINGS, *FILES))}")
    command.add_argument("--products", metavar="PRODUCT", nargs="+", default=[], help="only these data products")
    command.add_argument(
        "--compression", choices=get_args(Compression), default="zstd", help="of MCAP; default: zstd"
    )
    add_overwrite(command)
    add_types(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Convert."""
    import_types(arguments)
    path: Path = arguments.output
    if path.suffix not in (*RECORDINGS, *FILES):
        raise CommandError(f"{path}: the name must end in {', '.join((*RECORDINGS, *FILES))}")
    with opened(arguments.inputs) as recordings:
        ids = ids_of(recordings, arguments.products)
        if path.suffix in FILES:
            _tabulate(recordings, ids, path, overwrite=arguments.overwrite)
            return
        with output(path, overwrite=arguments.overwrite) as beside:
            count = copy(recordings, ids, beside, path.suffix, arguments.compression)
        say(f"wrote {count} messages to {path}")


def _tabulate(recordings: Sequence[Recording], ids: list[str], path: Path, *, overwrite: bool) -> None:
    if not ids:
        raise CommandError("there are no messages to make a table of")
    paths = {id: path if len(ids) == 1 else _path_for(path, id) for id in ids}
    tables = {id: Table(_types_of(recordings, id)) for id in ids}
    files: dict[str, TableFile] = {}
    counts = dict.fromkeys(ids, 0)
    with ExitStack() as stack:
        try:
            for id in ids:
                beside = stack.enter_context(output(paths[id], overwrite=overwrite))
                files[id] = FILES[path.suffix](beside, tables[id])
                stack.callback(files[id].close)
        except ImportError:
            raise CommandError("Parquet files require pyarrow: pip install 'pygravity[parquet]'") from None
        for message in messages_of(recordings, ids):
            files[message.id].add(tables[message.id].row(message))
            counts[message.id] += 1
    for id in ids:
        say(f"wrote {counts[id]} messages of {id} to {paths[id]}")


def _path_for(path: Path, id: str) -> Path:
    return path.with_name(f"{path.stem}_{quote(id, safe=' ')}{path.suffix}")


def _types_of(recordings: Sequence[Recording], id: str) -> list[Descriptor]:
    places = [recording.types for recording in recordings]
    names = {name for recording in recordings if id in recording.products for name in recording.products[id].types}
    found = [find(name, *places, known_here()) for name in sorted(names)]
    return [descriptor for descriptor in found if descriptor]
