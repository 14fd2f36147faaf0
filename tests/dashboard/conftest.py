"""Browsers, and the dashboard as a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import browser
from tests.support import Folder, Program


@pytest.fixture
def open_browser(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open browsers, each with a new profile; they are closed after the test."""
    opened: list[Any] = []

    def open_one(width: int = 1280, height: int = 1000) -> Any:
        try:
            opened.append(browser.open_browser(tmp_path / f"profile{len(opened)}", width, height))
        except browser.NoBrowser as missing:
            pytest.skip(str(missing))
        return opened[-1]

    yield open_one
    for one in opened:
        one.quit()


@pytest.fixture
def dashboard(folder: Folder) -> Callable[[], tuple[Program, str]]:
    """Start the dashboard, and return it with its page's address."""

    def start() -> tuple[Program, str]:
        program = folder.node("Dashboard.py")
        return program, program.prints(r"the live view is at (http://\S+)")[1]

    return start
