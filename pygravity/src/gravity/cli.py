"""The command `gravity`: look into a cluster, record and play what its nodes publish, make a key."""

from __future__ import annotations

import argparse
import os
import sys

from .commands import convert, echo, hz, info, keys, play, providers, record, repair
from .commands.common import CommandError, warn
from .protocol.config import ConfigError

_COMMANDS = (providers, echo, hz, record, play, info, convert, repair, keys)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gravity",
        description="Look into a running Gravity cluster, record and play what its nodes publish, or make a key.",
    )
    parser.add_argument("--directory", metavar="URL", help="the Service Directory (default: from Gravity.ini)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser


def main() -> int:
    """Run the command line; return the exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
        if sys.stdout:  # else it was closed (>&-)
            sys.stdout.flush()
    except (CommandError, ConfigError, ImportError) as error:
        warn(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has gone; avoids an error when Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
