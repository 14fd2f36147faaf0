"""`gravity repair`: make a whole recording of one that a crash has cut off."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import CommandError, Parsers, say
from .copying import RECORDINGS, copy
from .outputs import add_overwrite, output
from .recordings import opened

_HELP = """\
Write what can be read of a recording, up to its last whole message, to a new
one, which has an index if it is an MCAP file. The original stays as it is.
"""
_EXAMPLES = """\
examples:
  gravity repair run.mcap repaired.mcap
  gravity repair archive.bin repaired.bin

exit codes: 0 also if nothing was damaged, 1 after an error, 2 for wrong
arguments
"""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    command = commands.add_parser(
        "repair",
        help="complete a recording that was cut off",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("input", metavar="IN", type=Path, help="an MCAP file or an archive")
    command.add_argument("output", metavar="OUT", type=Path, help="the new file: .mcap or .bin")
    add_overwrite(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Copy what can be read."""
    if arguments.output.suffix not in RECORDINGS:
        raise CommandError(f"{arguments.output}: the name must end in {' or '.join(RECORDINGS)}")
    if arguments.input.is_dir():
        raise CommandError(f"{arguments.input} is a folder; name a file")
    with opened([arguments.input]) as recordings:
        [recording] = recordings
        compression = recording.compression[0] if recording.compression else "zstd"
        with output(arguments.output, overwrite=arguments.overwrite) as beside:
            count = copy(recordings, None, beside, arguments.output.suffix, compression)
            if recording.damage and not count:
                raise CommandError(f"no message of {arguments.input} can be read; {arguments.output} was not written")
    say(f"wrote {count} messages to {arguments.output}")
