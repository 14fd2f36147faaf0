from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Folder

from gravity.log import spdlog


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="the long forms: an hour or more")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder with a cluster of its own."""
    folder = Folder(tmp_path)
    yield folder
    folder.close()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """The first node of a process configures its logs; a node of a test must not do so for the tests after it."""
    logs = (spdlog.library_log, spdlog.application_log)
    before = [list(log.handlers) for log in logs]
    configured = spdlog._configured
    spdlog.notices._kinds.clear()  # else what a test before has logged would count
    yield
    for log, handlers in zip(logs, before, strict=True):
        log.handlers[:] = handlers
    spdlog._configured = configured
