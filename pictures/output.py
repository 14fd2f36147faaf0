"""Where a picture goes: checked before there is anything to write, and never leaving half a file."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentTypeError
from importlib.util import find_spec
from pathlib import Path

from node.errors import UserError

from pictures.page import Page

PACKAGES = {".html": "bokeh", ".png": "matplotlib", ".svg": "matplotlib"}
FORMATS = ", ".join(PACKAGES)


class CannotWrite(UserError):
    """The picture cannot be written."""


def picture_file(text: str) -> Path:
    """Return the file that `text` names; raise ArgumentTypeError if its suffix is not that of a known format."""
    if Path(text).suffix.lower() not in PACKAGES:
        raise ArgumentTypeError(f"{text!r} does not end in one of {FORMATS}")
    return Path(text)


def check(file: Path) -> None:
    """Raise CannotWrite if `file` could not be written."""
    package = PACKAGES[file.suffix.lower()]
    if find_spec(package) is None:
        raise CannotWrite(
            f"{file.name} requires the package {package}, which is not installed: pip install -r requirements.txt"
        )
    if file.is_dir():
        raise CannotWrite(f"{file} is a folder; choose the name of a file")
    try:
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise CannotWrite(
            f"cannot write into {file.parent.resolve()} ({error.strerror}); choose another folder"
        ) from None


def write(page: Page, file: Path) -> None:
    """Draw `page` and write it to `file`, at once and completely or not at all. Raises CannotWrite."""
    if file.suffix.lower() == ".html":
        from pictures.html import html

        content = html(page).encode()
    else:
        from pictures.image import image

        content = image(page, file.suffix.lower()[1:])
    temporary = file.with_name(f".{file.name[:100]}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(f"cannot write {file} ({error.strerror}); what was there before is left") from None
