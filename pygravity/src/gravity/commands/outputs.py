"""Files that subcommands write: whole, or not at all under their name."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .common import CommandError
from gravity_recording.files import replacing


@contextmanager
def output(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield where to write what becomes `path` when the block is done; raise CommandError."""
    if path.exists() and not overwrite:
        raise CommandError(f"{path} exists; name another file, or add --overwrite")
    try:
        with replacing(path) as beside:
            yield beside
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add --overwrite."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing file, or all of an earlier series"
    )
