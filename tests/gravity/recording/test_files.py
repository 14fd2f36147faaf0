"""A file whose records are whole even if the disk fills up within one."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from gravity_recording.files import WholeRecords

FILL = """
import resource, sys
from pathlib import Path
from gravity_recording.files import WholeRecords

resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.RLIM_INFINITY))
file = WholeRecords(Path(sys.argv[1]))
for record in (b"0123456789", b"abcdefghij", b"ABCDEFGHIJ", b"12345"):
    try:
        file.append(record)
    except OSError as error:
        print(error.errno)
"""


def test_records_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for mode, content in (("wb", b"ab"), ("ab", b"abab"), ("wb", b"ab")):
        file = WholeRecords(path, mode)
        file.append(b"a")
        file.append(b"b")
        assert path.read_bytes() == content  # at once
        file.close()


def test_a_record_that_does_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    """The third of ten bytes does not fit in 25; five bytes do."""
    path = tmp_path / "file"
    run = subprocess.run([sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(errno.EFBIG)]
    assert path.read_bytes() == b"0123456789abcdefghij12345"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_device() -> None:
    file = WholeRecords(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        file.append(b"x")
    file.close()
