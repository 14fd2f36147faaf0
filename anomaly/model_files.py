"""A trained model as a pair of ordinary Keras files: `model.json` and `model.json.h5`.

    model = keras.models.model_from_json(open("model.json").read())
    model.load_weights("model.json.h5")

The JSON is the architecture alone. The HDF5 file holds the weights and three things more that Keras passes
over: the metadata (a dataset), the SHA-256 of the JSON that it belongs to (an attribute), and after the end
that HDF5 sees the SHA-256 of its own bytes, because the HDF5 library can crash on a damaged file.

The JSON's checksum makes two renames one change. A save writes both files under temporary names, then
renames first the HDF5 file, which is the moment when the new pair counts, and then the JSON. After a kill in
between, the HDF5 file names the JSON that still waits under its temporary name; the next load or save
renames it.
One process may save at a time, while any number load.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

METADATA = "metadata"
JSON_SHA256 = "json_sha256"
SEAL = b"\nSHA-256 of the bytes before this line: "
RETRAIN = "train again with ./train.sh"


class ModelFileError(Exception):
    """The pair cannot be loaded; the message is one line: the file, what is wrong with it and what to do."""


def save_model(model: keras.Model, path: str | os.PathLike[str], metadata: dict[str, Any]) -> None:
    """Write `model` to `path` (JSON) and `path`.h5 (weights and `metadata`, anything that JSON can hold).

    A kill or a power failure at any moment leaves the old pair or the new one. Raises OSError, which names
    the file, if the pair cannot be written: the old one is left then, and no temporary.
    """
    path = Path(path)
    architecture = model.to_json().encode()
    try:
        weights = _weights_file(model, metadata, architecture)
        _replace_pair(path, architecture, weights)
    except OSError as error:
        reason = f"cannot save the model: {error.strerror or error}"
        raise OSError(error.errno or errno.EIO, reason, error.filename or str(path)) from error


def load_model(path: str | os.PathLike[str]) -> tuple[keras.Model, dict[str, Any]]:
    """Return the model in `path` and `path`.h5, and its metadata: {} if other tools wrote the pair.

    The model takes and returns windows of one shape, (n, n_steps, n_streams). Code in the files is never
    run: only stock Keras layers are rebuilt, in Keras's safe mode. Raises ModelFileError for whatever is
    wrong with the files. (Damage in an HDF5 file of other tools, which has no checksum, is left to HDF5.)
    """
    path = Path(path)
    architecture, weights, metadata = _read_pair(path)
    try:
        model = keras.models.model_from_json(architecture.decode())
        if not isinstance(model, keras.Model):
            raise TypeError("it describes something else")
        shapes = (model.input_shape, model.output_shape)
    except Exception as error:  # Keras raises whatever the damage leads to
        raise _bad(path, f"not a Keras model of stock layers ({_one_line(error)})") from error
    match shapes:
        case ((None, int(), int()) as taken, returned) if taken == returned:
            pass
        case _:
            raise _bad(path, f"not an autoencoder of (steps, streams) windows: {shapes[0]} -> {shapes[1]}")
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "model.h5")  # of the very bytes that the metadata comes from
        copy.write_bytes(weights)
        try:
            model.load_weights(copy)
        except Exception as error:  # likewise
            raise _bad(_h5(path), f"not the weights of {path} ({_one_line(error)})") from error
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise _bad(_h5(path), "holds weights that are not finite numbers")
    return model, metadata


def _h5(path: Path) -> Path:
    return path.with_name(path.name + ".h5")


def _temporary(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _bad(file: Path, what: str) -> ModelFileError:
    return ModelFileError(f"{file}: {what}; {RETRAIN}")


def _one_line(error: Exception) -> str:
    innermost = str(error).rpartition("Exception encountered: ")[2]  # Keras tells the whole chain
    text = " ".join(innermost.split()) or type(error).__name__
    return text if len(text) <= 160 else text[:160] + "..."


# Saving


def _weights_file(model: keras.Model, metadata: dict[str, Any], architecture: bytes) -> bytes:
    """Return the HDF5 file. Made aside, so that the files in place see plain writes and plain errors."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "model.h5")
        with _no_legacy_advice():
            model.save(file, include_optimizer=False)
        with h5py.File(file, "a") as h5:
            h5.attrs[JSON_SHA256] = _sha256(architecture)
            # A dataset, for an attribute is limited to 64 KiB; json.dumps escapes all but ASCII.
            h5[METADATA] = np.bytes_(json.dumps(metadata).encode())
        content = file.read_bytes()
    return content + SEAL + _sha256(content).encode()


@contextlib.contextmanager
def _no_legacy_advice() -> Iterator[None]:
    """Silence the advice against HDF5: `save_weights`, its successor, refuses the name model.json.h5."""

    def keep(record: logging.LogRecord) -> bool:
        return "This file format is considered legacy" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _replace_pair(path: Path, architecture: bytes, weights: bytes) -> None:
    new_json, new_h5 = _temporary(path), _temporary(_h5(path))
    if _h5(path).exists():
        with contextlib.suppress(ModelFileError):  # a damaged file names no JSON, and is replaced
            _finish_save(path, _extras(path, _h5(path).read_bytes())[0])
    try:
        _write(new_h5, weights)
        if path.exists() and path.read_bytes() == architecture:
            new_json.unlink(missing_ok=True)
        else:
            _write(new_json, architecture)
        _sync_directory(path)
        os.replace(new_h5, _h5(path))
    except OSError:
        for temporary in (new_json, new_h5):
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise
    _sync_directory(path)
    _finish_save(path, _sha256(architecture))
    _sync_directory(path)


def _finish_save(path: Path, json_sha256: str | None) -> None:
    """Rename the JSON that the HDF5 file names into place, if it still waits."""
    with contextlib.suppress(FileNotFoundError):  # none waits, or another process has just renamed it
        if _sha256(_temporary(path).read_bytes()) == json_sha256:
            os.replace(_temporary(path), path)


def _write(file: Path, content: bytes) -> None:
    with open(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_directory(path: Path) -> None:
    """Bring the renames so far onto the disk, before any that follow."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


# Loading


def _read_pair(path: Path) -> tuple[bytes, bytes, dict[str, Any]]:
    """Return the bytes of the JSON and of the HDF5 file, and the metadata, of one and the same save."""
    for _ in range(3):  # a save may come between reading the one and the other
        weights = _read(_h5(path), path)
        json_sha256, metadata = _extras(path, weights)
        try:
            _finish_save(path, json_sha256)
        except OSError as error:
            raise _bad(path, f"an interrupted save cannot be finished ({error.strerror})") from error
        architecture = _read(path, _h5(path))
        if json_sha256 in (None, _sha256(architecture)):
            return architecture, weights, metadata
    raise _bad(path, f"not the architecture that {_h5(path)} was saved with")


def _read(file: Path, other: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        if other.exists():
            raise ModelFileError(f"{file}: not there, only {other} is; restore it or {RETRAIN}") from None
        raise ModelFileError(f"{min(file, other)}: not there; train a model first with ./train.sh") from None
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read ({error.strerror}); mend that or {RETRAIN}") from error


def _extras(path: Path, weights: bytes) -> tuple[str | None, dict[str, Any]]:
    """Return what an HDF5 file holds besides the weights: the SHA-256 of its JSON, and the metadata."""
    content, seal, sha256 = weights.rpartition(SEAL)
    try:
        ours = seal or JSON_SHA256.encode() in weights
        if ours and sha256 != _sha256(content).encode():
            raise ValueError("its checksum is wrong")
        with h5py.File(io.BytesIO(weights), "r") as h5:
            if JSON_SHA256 not in h5.attrs:
                return None, {}
            metadata = json.loads(bytes(h5[METADATA][()]))
            json_sha256 = str(h5.attrs[JSON_SHA256])
        if not isinstance(metadata, dict):
            raise TypeError(f"metadata is {type(metadata).__name__}")
    except Exception as error:  # h5py raises whatever the damage leads to
        raise _bad(_h5(path), f"not an HDF5 file, or a damaged one ({_one_line(error)})") from error
    return json_sha256, metadata
