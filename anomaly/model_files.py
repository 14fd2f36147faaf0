"""A trained model as a pair of ordinary Keras files: `model.json` and `model.json.h5`.

    model = keras.models.model_from_json(open("model.json").read())
    model.load_weights("model.json.h5")

The JSON is the architecture alone. The HDF5 file holds the weights and three things more that Keras ignores: the
metadata (a dataset, and one for each array in them), the SHA-256 of the JSON that it belongs to (an attribute), and,
after the end of the HDF5 data, the SHA-256 of its own bytes, because the HDF5 library can crash on a damaged file.

The JSON's checksum makes two renames one change. A save renames first the new HDF5 file, from which moment the new
pair counts, and then the JSON. After a kill in between, loading reads the JSON under its temporary name, and the next
save renames it. One process may save at a time, while any number load.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from node.errors import UserError

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from anomaly import hdf5_guard, keras_weights, model_guard

METADATA = "metadata"
WEIGHTS = "model_weights"
ARRAYS, ARRAY = "arrays", "array"  # NumPy arrays in the metadata, and a reference to one
JSON_SHA256 = "json_sha256"
SEAL = b"\nSHA-256 of the bytes before this line: "
LARGEST_JSON, LARGEST_H5 = 1 << 20, 1 << 28  # bytes
NO_HDF5 = "is not an HDF5 file, or is damaged"
RETRAIN = "train again with ./train.sh"


class ModelFileError(UserError):
    """The pair cannot be loaded or saved."""


def save_model(model: keras.Model, path: str | os.PathLike[str], metadata: dict[str, Any]) -> None:
    """Write `model` to `path` (JSON) and `path`.h5 (weights and `metadata`, anything that JSON can hold, and
    NumPy arrays).

    A kill or a power failure at any moment leaves the old pair or the new one. Raises ModelFileError if the pair
    cannot be written: the old one is left then, and no temporary file.
    """
    path = Path(path)
    architecture = model.to_json().encode()
    try:
        weights = _weights_file(model, metadata, architecture)
        _replace_pair(path, architecture, weights)
    except OSError as error:
        file, reason = error.filename or path, error.strerror or error
        raise ModelFileError(f"{file}: cannot save the model ({reason}); fix that, then train again") from error


def load_model(path: str | os.PathLike[str]) -> tuple[keras.Model, dict[str, Any]]:
    """Return the model in `path` and `path`.h5, and its metadata: {} if other tools wrote the pair.

    The model takes and returns windows of one shape, (n, n_steps, n_streams). Neither file can make Keras or the HDF5
    library do anything but build plain layers of bounded size and read their weights: see `model_guard` and
    `hdf5_guard`. Raises ModelFileError whatever is wrong with the files.
    """
    path = Path(path)
    architecture, weights = _read_pair(path)
    try:
        model = keras.Model.from_config(model_guard.checked(architecture.decode()))
        shapes = (model.input_shape, model.output_shape)
    except Exception as error:  # layers that do not fit together can make Keras raise anything
        raise _bad(path, f"is not a Keras model of plain layers ({_one_line(error)})") from error
    match shapes:
        case ((None, int(), int()) as taken, returned) if taken == returned:
            pass
        case _:
            raise _bad(path, f"is not an autoencoder of (steps, streams) windows: {shapes[0]} -> {shapes[1]}")
    try:
        h5 = h5py.File(io.BytesIO(hdf5_guard.copied(weights)), "r")
        metadata = _metadata(h5)
    except Exception as error:  # metadata can be anything
        raise _bad(_h5(path), f"{NO_HDF5} ({_one_line(error)})") from error
    try:
        keras_weights.read(model, h5.get(WEIGHTS, h5))
    except Exception as error:  # likewise
        raise _bad(_h5(path), f"does not hold the weights of {path} ({_one_line(error)})") from error
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
    return ModelFileError(f"{file} {what}; {RETRAIN}")


def _one_line(error: Exception) -> str:
    innermost = str(error).rpartition("Exception encountered: ")[2]  # Keras gives the whole chain
    text = " ".join(innermost.split()) or type(error).__name__
    return text if len(text) <= 160 else text[:160] + "..."


# Saving


def _weights_file(model: keras.Model, metadata: dict[str, Any], architecture: bytes) -> bytes:
    """Return the HDF5 file's bytes, made in memory: a full disk meets only plain writes."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as h5:
        h5.attrs[JSON_SHA256] = _sha256(architecture)
        arrays: list[NDArray[Any]] = []

        def reference(value: object) -> dict[str, int]:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{type(value).__name__} cannot be saved")
            arrays.append(value)
            return {ARRAY: len(arrays) - 1}

        # A dataset, because attributes are limited to 64 KiB; json.dumps escapes all but ASCII.
        h5[METADATA] = np.bytes_(json.dumps(metadata, default=reference).encode())
        for index, array in enumerate(arrays):
            h5[f"{ARRAYS}/{index}"] = array
        keras_weights.write(model, h5.create_group(WEIGHTS))
    content = memory.getvalue()
    return content + SEAL + _sha256(content).encode()


def _replace_pair(path: Path, architecture: bytes, weights: bytes) -> None:
    _tidy(path)
    try:
        _write(_temporary(_h5(path)), weights)
        if not path.exists() or path.read_bytes() != architecture:
            _write(_temporary(path), architecture)
        _sync_directory(path)
        os.replace(_temporary(_h5(path)), _h5(path))
        _sync_directory(path)
    finally:  # also after Ctrl-C, at any moment
        _tidy(path)
    _sync_directory(path)


def _tidy(path: Path) -> None:
    """Finish a save whose HDF5 file is in place, and remove the temporary files of any other."""
    with contextlib.suppress(FileNotFoundError):
        _finish_save(path, _h5(path).read_bytes())
    for temporary in (_temporary(path), _temporary(_h5(path))):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _finish_save(path: Path, weights: bytes) -> None:
    """Rename the JSON that the HDF5 file names into place, if it still has its temporary name."""
    if _waiting(path, weights) is not None:
        os.replace(_temporary(path), path)


def _waiting(path: Path, weights: bytes) -> bytes | None:
    """Return the JSON that the HDF5 file names if it still has its temporary name."""
    with contextlib.suppress(FileNotFoundError):
        content = _temporary(path).read_bytes()
        if _names(weights, content):
            return content
    return None


def _names(weights: bytes, architecture: bytes) -> bool:
    """Return whether the HDF5 file holds the checksum of this JSON."""
    return _sha256(architecture).encode() in weights


def _write(file: Path, content: bytes) -> None:
    with open(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_directory(path: Path) -> None:
    """Write the renames so far to the disk, before any that follow."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


# Loading


def _read_pair(path: Path) -> tuple[bytes, bytes]:
    """Return the JSON and the HDF5 file, both of the same save."""
    for _ in range(3):  # a save may come between reading the one and the other
        weights = _read(_h5(path), path)
        content, seal, sha256 = weights.rpartition(SEAL)
        ours = seal or JSON_SHA256.encode() in weights
        if ours and sha256 != _sha256(content).encode():
            raise _bad(_h5(path), f"{NO_HDF5} (wrong checksum)")
        architecture = _waiting(path, weights) or _read(path, _h5(path))
        if not ours or _names(weights, architecture):
            return architecture, weights
    raise _bad(path, f"does not belong to {_h5(path)}")


def _read(file: Path, other: Path) -> bytes:
    largest = LARGEST_H5 if file.suffix == ".h5" else LARGEST_JSON
    try:
        with open(file, "rb") as stream:
            content = stream.read(largest + 1)
    except FileNotFoundError:
        if other.exists():
            raise ModelFileError(f"{file} is missing, but {other} is there; restore it or {RETRAIN}") from None
        raise ModelFileError(f"{min(file, other)} is missing; train a model first with ./train.sh") from None
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read ({error.strerror}); fix that or {RETRAIN}") from error
    if len(content) > largest:
        raise _bad(file, f"has more than {largest >> 20} MiB")
    return content


def _metadata(h5: h5py.File) -> dict[str, Any]:
    """Return the metadata in an HDF5 file, {} if other tools wrote it."""
    if JSON_SHA256 not in h5.attrs:
        return {}
    arrays = h5.get(ARRAYS, {})
    read = cache(lambda index: arrays[index][()])  # once, however many references there are
    metadata = json.loads(
        bytes(h5[METADATA][()]),
        object_hook=lambda o: read(str(o[ARRAY])) if o.keys() == {ARRAY} and arrays else o,
    )
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata is {type(metadata).__name__}")
    return metadata
