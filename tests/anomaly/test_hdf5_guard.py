"""An HDF5 file is copied by another process, and only what is plain."""

import io
import subprocess
import sys

import h5py
import numpy as np
import pytest

from anomaly import hdf5_guard
from anomaly.hdf5_guard import Refused, copied, copy
from tests.support import PROJECT

SHIPPED = (PROJECT / "model.json.h5").read_bytes()


def written(fill):
    content = io.BytesIO()
    with h5py.File(content, "w") as h5:
        fill(h5)
    return content.getvalue()


def contents(content):
    found = {}
    with h5py.File(io.BytesIO(content), "r") as h5:

        def note(name, thing):
            value = thing[()].tobytes() if isinstance(thing, h5py.Dataset) else None
            found[name] = value, {key: np.array(value).tolist() for key, value in thing.attrs.items()}

        note("/", h5)
        h5.visititems(note)
    return found


def test_plain_files_are_copied_whole():
    assert contents(copied(SHIPPED)) == contents(SHIPPED) and len(contents(SHIPPED)) > 40


def test_anything_but_hdf5_is_refused():
    with pytest.raises(Refused, match="file signature not found"):
        copied(b"no HDF5")
    with pytest.raises(Refused):
        copied(b"")


def bomb(h5):
    h5.create_dataset("bomb", (1 << 20, 1 << 10), np.float32, chunks=(1 << 20, 1), compression="gzip")


def unallocated(h5):
    h5.create_dataset("hole", (1 << 40,), np.float32)


def overlapping(h5):
    h5["data"] = np.zeros(100_000)
    h5["again"] = h5["data"]


def cycle(h5):
    h5.create_group("group")["up"] = h5["/"]


def external(h5):
    h5.create_dataset("out", (10,), np.uint8, external=[("/etc/passwd", 0, 10)])


def virtual(h5):
    layout = h5py.VirtualLayout((10,), np.uint8)
    layout[:] = h5py.VirtualSource("/elsewhere.h5", "data", (10,))
    h5.create_virtual_dataset("virtual", layout)


def crowd(h5):
    for number in range(hdf5_guard.MOST_OBJECTS + 1):
        h5.create_group(str(number))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda h5: h5.__setitem__("x", h5py.SoftLink("/y")), "/x is a link to elsewhere"),
        (lambda h5: h5.__setitem__("x", h5py.ExternalLink("/etc/y.h5", "/")), "/x is a link to elsewhere"),
        (lambda h5: h5.__setitem__("x", np.dtype(np.float32)), "/x is neither a group nor a dataset"),
        (lambda h5: h5.__setitem__("x", ["text of any length"]), "/x holds neither numbers nor text"),
        (lambda h5: h5.__setitem__("x", h5py.Empty("f")), "/x holds neither numbers nor text"),
        (lambda h5: h5.create_dataset("x", (4,), chunks=(2,)), "/x is compressed, or in chunks"),
        (bomb, "/bomb is compressed, or in chunks"),
        (unallocated, "/hole is larger than the file"),
        (overlapping, "/data is larger than the file"),
        (cycle, " lies too deep"),
        (external, "the values of /out are in other files"),
        (virtual, "the values of /virtual are in other files"),
        (crowd, "it holds more than 5000 groups"),
    ],
)  # fmt: skip
def test_anything_that_is_not_plain_is_refused(fill, message):
    with pytest.raises(Refused) as caught:
        copy(written(fill))
    assert message in str(caught.value)


def test_long_attributes_are_refused(monkeypatch):
    content = written(lambda h5: h5.attrs.__setitem__("a", np.zeros(100)))
    assert copy(content)
    monkeypatch.setattr(hdf5_guard, "LONGEST_ATTRIBUTE", 799)
    with pytest.raises(Refused, match="the attribute a of / is too large"):
        copy(content)


def forged():
    """A file whose forged attribute makes the HDF5 library, up to 1.14 at least, read for ever."""
    content = written(lambda h5: h5.attrs.__setitem__("names", ["name"] * 15))
    before, length, after = content.rpartition((15).to_bytes(8, "little"))
    assert length
    return before + (255).to_bytes(8, "little") + after


def test_reading_takes_a_bounded_time(monkeypatch):
    monkeypatch.setattr(hdf5_guard, "SECONDS", 2)
    with pytest.raises(Refused, match=r"reading takes more than 2 s|names|heap"):
        copied(forged())


def test_the_process_has_little_memory():
    attempt = "from anomaly import hdf5_guard; hdf5_guard.confine(80_000); bytes(int({} * 2**20))"
    for megabytes, code in ((50, 0), (160, 1)):
        tried = subprocess.run([sys.executable, "-c", attempt.format(megabytes)], cwd=PROJECT, capture_output=True)
        assert tried.returncode == code, tried.stderr
    assert tried.stderr.endswith(b"MemoryError\n")


def test_a_crash_is_a_refusal(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Refused, match="the HDF5 library fails on it"):
        copied(SHIPPED)
