from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder with a cluster of its own."""
    folder = Folder(tmp_path)
    yield folder
    folder.close()
