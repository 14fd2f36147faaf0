import os
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from pictures import output
from pictures.output import CannotWrite, check, picture_file, write
from pictures.page import Page

PAGE = Page("title", ("remark",), ())


@pytest.mark.parametrize("name", ["run.html", "a/b.PNG", "c.svg"])
def test_formats(name: str):
    assert picture_file(name) == Path(name)


@pytest.mark.parametrize("name", ["run", "run.pdf", ".html", ""])
def test_a_file_of_another_format_is_refused(name: str):
    with pytest.raises(ArgumentTypeError, match=r"does not end in one of \.html, \.png, \.svg"):
        picture_file(name)


@pytest.mark.parametrize("suffix", ["html", "png", "svg"])
def test_a_file_is_replaced(tmp_path: Path, suffix: str):
    file = tmp_path / f"run.{suffix}"
    file.write_text("before")
    check(file)
    write(PAGE, file)
    assert b"before" not in file.read_bytes() and os.listdir(tmp_path) == [file.name]


def test_what_cannot_be_written_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CannotWrite, match=r"cannot write into .*missing"):
        check(tmp_path / "missing" / "run.html")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(CannotWrite, match="is a folder"):
        check(tmp_path / "folder.html")
    monkeypatch.setattr(output, "find_spec", lambda name: None)
    with pytest.raises(CannotWrite, match=r"run\.html requires the package bokeh, .*: pip install -r req"):
        check(tmp_path / "run.html")


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "run.svg"
    file.write_text("before")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CannotWrite, match="No space left"):
        write(PAGE, file)
    assert file.read_text() == "before" and os.listdir(tmp_path) == ["run.svg"]
