"""Takes from an HDF5 file what may be read: groups, plain datasets and short attributes.

The HDF5 library follows what a file says into other files, decompresses a few bytes to gigabytes, and crashes or runs
for ever on forged bytes. So another process reads the file, with little time and memory, and writes a new one. Run as
a program, this module is that process.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys

import h5py

SECONDS = 30
MEMORY, MEMORY_PER_BYTE = 160 << 20, 8  # bytes, of which the libraries take a third, and for each of the file
MOST_OBJECTS = 5000
DEEPEST = 8  # groups within groups
LONGEST_ATTRIBUTE = 1 << 16  # bytes: what HDF5 itself can hold
REFUSED = 3  # exit code


class Refused(ValueError):
    """The file is not an HDF5 file, is damaged, or holds what is not allowed; the text says what."""


def copied(content: bytes) -> bytes:
    """Return the bytes of a new HDF5 file with what the file in `content` holds; raise Refused."""
    command = [sys.executable, "-P", __file__]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # its threads take memory
    try:
        child = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise Refused(f"reading takes more than {SECONDS} s") from None
    if child.returncode == REFUSED:
        raise Refused(child.stderr.decode(errors="replace"))
    if child.returncode:
        raise Refused("the HDF5 library fails on it")
    return child.stdout


def copy(content: bytes) -> bytes:
    """Return what `copied` returns, without protection from the HDF5 library."""
    with h5py.File(io.BytesIO(content), "r") as source:
        new = io.BytesIO()
        with h5py.File(new, "w") as target:
            _Copy(len(content)).group(source, target, "")
    return new.getvalue()


def confine(size: int) -> None:
    """Limit the time and the memory of this process, which is about to read a file of `size` bytes."""
    memory = MEMORY + MEMORY_PER_BYTE * size
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Copy:
    """Copies groups; what they hold together is limited by the `size` of the file in bytes."""

    def __init__(self, size: int) -> None:
        self._bytes = size
        self._objects = MOST_OBJECTS

    def group(self, source: h5py.Group, target: h5py.Group, place: str) -> None:
        if place.count("/") > DEEPEST:
            raise Refused(f"{place[:100]} lies too deep")
        self._attributes(source, target, place)
        for name in source:
            inside = f"{place}/{name}"
            self._objects -= 1
            if self._objects < 0:
                raise Refused(f"it holds more than {MOST_OBJECTS} groups and datasets")
            if not isinstance(source.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"{inside} is a link to elsewhere")
            thing = source[name]
            if isinstance(thing, h5py.Group):
                self.group(thing, target.create_group(name), inside)
            elif isinstance(thing, h5py.Dataset):
                target[name] = self._array(thing, inside)
            else:
                raise Refused(f"{inside} is neither a group nor a dataset")

    def _array(self, dataset: h5py.Dataset, place: str) -> object:
        if dataset.external or dataset.is_virtual:
            raise Refused(f"the values of {place} are in other files")
        if dataset.chunks or dataset.id.get_create_plist().get_nfilters():
            raise Refused(f"{place} is compressed, or in chunks")
        if dataset.dtype.kind not in "fiubS" or dataset.shape is None:
            raise Refused(f"{place} holds neither numbers nor text of a fixed length")
        self._bytes -= dataset.nbytes
        if self._bytes < 0 or dataset.id.get_storage_size() != dataset.nbytes:
            raise Refused(f"{place} is larger than the file")
        return dataset[()]

    def _attributes(self, source: h5py.Group, target: h5py.Group, place: str) -> None:
        for name in source.attrs:
            attribute = source.attrs.get_id(name)
            if attribute.shape is None or attribute.dtype.itemsize * max(1, *attribute.shape, 1) > LONGEST_ATTRIBUTE:
                raise Refused(f"the attribute {name} of {place or '/'} is too large")
            target.attrs[name] = source.attrs[name]


if __name__ == "__main__":
    content = sys.stdin.buffer.read()
    confine(len(content))
    try:
        sys.stdout.buffer.write(copy(content))
    except Exception as error:  # damage can make h5py raise anything
        sys.stderr.write(str(error) or type(error).__name__)
        sys.exit(REFUSED)
