import contextlib
import errno
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from anomaly import model_files
from anomaly.autoencoder import Scorer, build, fit
from anomaly.model_files import ModelFileError, load_model, save_model

X = np.random.default_rng(0).normal([5, 300], [1, 20], (40, 8, 2)).astype(np.float32)
METADATA = {"streams": ["sin", "Größe \N{SNOWMAN} \0 \U0001f600"], "n_steps": 8, "period": 0.01}


@pytest.fixture(scope="module")
def model():
    model = build(8, 2, seed=4)
    fit(model, X, epochs=1, verbose=0)
    return model


@pytest.fixture
def pair(tmp_path, model):
    save_model(model, tmp_path / "model.json", METADATA)
    return tmp_path / "model.json"


def h5_of(path):
    return Path(f"{path}.h5")


@contextlib.contextmanager
def edited(pair):
    """The HDF5 file, to be changed: its checksum follows."""
    h5_of(pair).write_bytes(h5_of(pair).read_bytes().rpartition(model_files.SEAL)[0])
    with h5py.File(h5_of(pair), "a") as h5:
        yield h5
    content = h5_of(pair).read_bytes()
    h5_of(pair).write_bytes(content + model_files.SEAL + model_files._sha256(content).encode())


def forge(pair, text=None):
    """Replace the JSON: the HDF5 file names the new one, or the one that is there."""
    if text is not None:
        pair.write_text(text)
    with edited(pair) as h5:
        h5.attrs[model_files.JSON_SHA256] = model_files._sha256(pair.read_bytes())


def fail(*_arguments):
    raise OSError(errno.ENOSPC, "full")


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def error_of(path):
    """The message of the error that loading gives: one line that names a file and says what to do."""
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message and "train" in message and len(message) < 500
    return message.removeprefix(str(path.parent) + os.sep)


def in_child(function):
    """Start `function` in a process of its own, which need not import TensorFlow again, and return its id."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # other threads: all idle
        child = os.fork()
    if not child:
        try:
            function()
        finally:
            os._exit(1)
    return child


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_the_pair_comes_back_as_it_was(pair, model):
    again, metadata = load_model(str(pair))
    assert metadata == METADATA
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    for ours, theirs in zip(Scorer(again).score(X), Scorer(model).score(X), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert names(pair) == ["model.json", "model.json.h5"]


def test_three_lines_of_plain_keras_load_it(pair, model):
    np.save(pair.with_name("x.npy"), X)
    result = subprocess.run(
        [sys.executable, "-c", """
import keras, numpy, sys
m = keras.models.model_from_json(open("model.json").read())
m.load_weights("model.json.h5")
numpy.save("y.npy", m.predict(numpy.load("x.npy")))
assert "anomaly" not in sys.modules
"""], cwd=pair.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.load(pair.with_name("y.npy")), model.predict(X, verbose=0))


def test_saving_says_nothing(pair, model, capfd, caplog):
    save_model(model, pair, {})
    assert capfd.readouterr() == ("", "") and not caplog.records
    model.save(pair.with_name("other.h5"))  # the advice is silenced for ours alone
    assert "legacy" in caplog.text


def test_metadata_of_any_size_and_text(pair, model):
    metadata = {"streams": ["\ud800 lone surrogate", "ß" * 100_000], "threshold": 1e-300, "none": None}
    save_model(model, pair, metadata)
    assert load_model(pair)[1] == metadata


def test_arrays_in_metadata_are_saved_as_they_are(pair, model):
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 3)), np.array([np.inf])]
    save_model(model, pair, {"nested": {"arrays": arrays}, "n": 1})
    loaded = load_model(pair)[1]
    assert loaded["n"] == 1
    for before, after in zip(arrays, loaded["nested"]["arrays"], strict=True):
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype and after.shape == before.shape
    save_model(model, pair, {"array": 3})  # the name of a reference, but there are no arrays
    assert load_model(pair)[1] == {"array": 3}


def test_an_array_is_read_once_however_often_metadata_refer_to_it(pair, model):
    save_model(model, pair, {"arrays": [np.zeros(1 << 20)]})
    with edited(pair) as h5:
        del h5[model_files.METADATA]
        h5[model_files.METADATA] = np.bytes_(json.dumps([{"array": 0}] * 10_000).join(['{"x": ', "}"]))
    arrays = load_model(pair)[1]["x"]
    assert len({id(array) for array in arrays}) == 1


def test_metadata_that_json_cannot_hold_leaves_the_old_pair(pair, model):
    with pytest.raises(TypeError):
        save_model(model, pair, {"x": object()})
    assert load_model(pair)[1] == METADATA and names(pair) == ["model.json", "model.json.h5"]


def test_an_unchanged_architecture_replaces_one_file(pair, model, monkeypatch):
    renamed = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (renamed.append(Path(b).name), replace(a, b)))
    save_model(model, pair, {"new": 1})
    assert renamed == ["model.json.h5"] and load_model(pair)[1] == {"new": 1}


def test_a_relative_path(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model(model, "model.json", METADATA)
    assert load_model("model.json")[1] == METADATA


# Pairs that other tools made


@pytest.mark.parametrize("layout", ["whole model", "weights alone"])
def test_a_foreign_pair(tmp_path, layout):
    foreign = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4), keras.layers.RepeatVector(5),
                                keras.layers.Dense(3, name="metadata")])  # fmt: skip
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(foreign.to_json()), indent=2))
    foreign.save(tmp_path / "all.h5", include_optimizer=False)
    if layout == "weights alone":  # as tf.keras wrote them
        with h5py.File(tmp_path / "all.h5") as whole, h5py.File(tmp_path / "part.h5", "w") as part:
            for name, value in whole["model_weights"].attrs.items():
                part.attrs[name] = value
            for name in whole["model_weights"]:
                whole.copy(f"model_weights/{name}", part)
        os.replace(tmp_path / "part.h5", tmp_path / "all.h5")
    os.replace(tmp_path / "all.h5", h5_of(path))
    model, metadata = load_model(path)
    assert metadata == {}
    x = np.ones((2, 5, 3), np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), foreign.predict(x, verbose=0))
    assert np.isfinite(Scorer(model).score(x)[0]).all()
    save_model(model, path, METADATA)
    assert load_model(path)[1] == METADATA


# Files that are bad


def test_missing_files(pair):
    both = pair.with_name("other.json")
    assert error_of(both) == "other.json is missing; train a model first with ./train.sh"
    shutil.copy(pair, both)
    assert error_of(both).startswith("other.json.h5 is missing, but ")
    both.unlink()
    shutil.copy(h5_of(pair), h5_of(both))
    assert error_of(both).startswith("other.json is missing, but ")


def test_damaged_files(pair):
    text, weights = pair.read_bytes(), h5_of(pair).read_bytes()
    h5_of(pair).write_bytes(weights[: len(weights) // 2])
    assert error_of(pair).startswith("model.json.h5 is not an HDF5 file, or is damaged (")
    h5_of(pair).write_bytes(b"")
    assert error_of(pair).startswith("model.json.h5 is not an HDF5 file, or is damaged (")
    h5_of(pair).write_text("these are no weights" * 1000)
    assert error_of(pair).startswith("model.json.h5 is not an HDF5 file, or is damaged (")
    h5_of(pair).write_bytes(weights)
    pair.write_bytes(text[: len(text) // 2])
    assert error_of(pair).startswith("model.json does not belong to ")


def test_weights_that_are_not_finite(pair, model):
    broken = build(8, 2)
    broken.set_weights([weight * np.nan if weight.ndim else weight for weight in model.get_weights()])
    save_model(broken, pair, {})
    assert error_of(pair).startswith("model.json.h5 holds weights that are not finite numbers;")


def test_a_mixed_pair(pair, tmp_path):
    other = tmp_path / "other.json"
    save_model(build(9, 3), other, {})
    shutil.copy(other, pair)
    assert error_of(pair).startswith("model.json does not belong to ")
    forge(pair, other.read_text())
    assert error_of(pair).startswith("model.json.h5 does not hold the weights of ")


NOT_PLAIN = "is not a Keras model of plain layers"
NOT_WINDOWS = "is not an autoencoder of (steps, streams) windows"


def functional(layer, inputs=(8, 2)):
    x = keras.Input(inputs)
    return keras.Model(x, layer(x)).to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"{NOT_PLAIN} (Expecting value"),
        ("[" * 100_000, f"{NOT_PLAIN} (maximum recursion depth"),
        (lambda: functional(keras.layers.Lambda(lambda x: x)), f"{NOT_PLAIN} (layer lambda is of class "),
        (lambda: functional(keras.layers.Conv1D(2, 8)).replace("[8]", "[9]"), f"{NOT_PLAIN} (Computed output size"),
        (lambda: functional(keras.layers.Dense(3)), f"{NOT_WINDOWS}: (None, 8, 2) -> (None, 8, 3);"),
        (lambda: functional(keras.layers.Dense(8), (8,)), f"{NOT_WINDOWS}: (None, 8) -> (None, 8);"),
        (lambda: functional(keras.layers.Dense(8), (None, 8)), NOT_PLAIN),
    ],
)  # fmt: skip
def test_json_of_something_else(pair, text, message):
    """What else an architecture may not hold is in test_model_guard.py."""
    forge(pair, text() if callable(text) else text)
    assert error_of(pair).startswith("model.json " + message)


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_files_that_are_too_large(pair, suffix):
    file = Path(f"{pair}{suffix}")
    os.truncate(file, 1 << 40)  # sparse
    assert error_of(pair).startswith(f"{file.name} has more than ")


@pytest.mark.parametrize("metadata", [b"[]", b"{", b"\xff"])
def test_damaged_metadata(pair, metadata):
    with edited(pair) as h5:
        del h5[model_files.METADATA]
        h5[model_files.METADATA] = np.bytes_(metadata)
    assert error_of(pair).startswith("model.json.h5 is not an HDF5 file, or is damaged (")


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_a_directory_in_place_of_a_file(pair, model, suffix):
    file = Path(f"{pair}{suffix}")
    file.unlink()
    file.mkdir()
    assert error_of(pair).startswith(f"{file.name} cannot be read (Is a directory);")
    with pytest.raises(ModelFileError, match=rf"{file.name}: cannot save the model \(Is a directory\); fix that"):
        save_model(model, pair, {})
    assert names(pair) == ["model.json", "model.json.h5"]


@pytest.fixture
def nobody(pair):
    """Without root's right to everything; `pair` lies in a directory that is root's alone."""
    if os.geteuid():
        pair.parent.chmod(0)
        yield
        pair.parent.chmod(0o700)
    else:
        pair.parent.chmod(0o700)
        os.seteuid(65534)
        yield
        os.seteuid(0)


def test_no_permission(pair, model, nobody):
    assert "cannot be read (Permission denied)" in error_of(pair)
    with pytest.raises(ModelFileError, match=r"cannot save the model \(Permission denied\)"):
        save_model(model, pair, {})


def test_a_damaged_weight_does_not_go_unnoticed(pair):
    weights = bytearray(h5_of(pair).read_bytes())
    weights[len(weights) // 2] ^= 1
    h5_of(pair).write_bytes(weights)
    assert "(wrong checksum)" in error_of(pair)


def test_whatever_the_bytes_only_one_error(pair):
    """Damaged files load or raise ModelFileError; what loads can be scored."""
    dice = random.Random(7)
    text, sealed = pair.read_bytes(), h5_of(pair).read_bytes()
    loaded = 0
    end = time.monotonic() + 12
    for case in range(300):
        in_json = case % 2 == 0
        damaged = bytearray(text if in_json else sealed)
        if case % 8 < 2:
            del damaged[dice.randrange(len(damaged)) :]
        else:
            for _ in range(dice.choice([1, 1, 2, 50])):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        pair.write_bytes(damaged if in_json else text)
        h5_of(pair).write_bytes(sealed if in_json else damaged)
        if in_json:
            forge(pair)
        try:
            model, _metadata = load_model(pair)
        except ModelFileError as error:
            assert "\n" not in str(error)
        else:
            loaded += 1
            if loaded % 10 == 1:
                Scorer(model).score(X[:2])
        if time.monotonic() > end:
            break
    assert loaded


# Saves that fail or are killed


@pytest.mark.parametrize("call", range(4))
def test_a_full_disk_leaves_the_old_pair(pair, monkeypatch, call):
    """Each fsync before the first rename fails in turn: new HDF5 file, new JSON, directory."""
    calls = []

    def fsync(file):
        calls.append(file)
        if len(calls) == call + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ModelFileError, match=r"model\.json: cannot save the model \(No space left on device\)"):
        save_model(build(9, 2), pair, {"new": 1})
    monkeypatch.undo()
    assert load_model(pair)[1] == (METADATA if call < 3 else {"new": 1})  # which counts once it is renamed
    assert names(pair) == ["model.json", "model.json.h5"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("function", "count"), [*(("fsync", count) for count in range(4)), ("replace", 0)])
def test_ctrl_c_between_the_steps_leaves_no_temporary_file(pair, monkeypatch, function, count, after):
    original = getattr(os, function)
    calls = iter(range(9))

    def interrupted(*arguments):
        now = next(calls) == count
        if now and not after:
            raise KeyboardInterrupt
        original(*arguments)
        if now:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, function, interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_model(build(9, 2), pair, {"new": 1})
    monkeypatch.undo()
    new = (function, count) == ("fsync", 3) or (function == "replace" and after)
    assert load_model(pair)[1] == ({"new": 1} if new else METADATA)
    assert names(pair) == ["model.json", "model.json.h5"]


def test_a_limit_that_every_file_meets(pair, capfd):
    """Also temporary ones, if there were any: HDF5 complains a lot about a file that it cannot finish."""
    model = build(9, 2)

    def save():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        with pytest.raises(ModelFileError, match=r"model\.json: cannot save the model \(File too large\)"):
            save_model(model, pair, {})
        os._exit(0)

    assert status_of(in_child(save)) == 0
    assert capfd.readouterr() == ("", "")
    assert load_model(pair)[1] == METADATA and names(pair) == ["model.json", "model.json.h5"]


@pytest.mark.parametrize("directory", ["not/there", "model.json"])
def test_a_directory_that_cannot_be_written(pair, model, directory):
    with pytest.raises(ModelFileError, match=r"new\.json"):
        save_model(model, pair.parent / directory / "new.json", {})
    assert load_model(pair)[1] == METADATA and names(pair) == ["model.json", "model.json.h5"]


@pytest.fixture(scope="module")
def files(model):
    """The contents of two pairs of different shapes, by their number of streams."""

    def contents(model, streams):
        architecture = model.to_json().encode()
        return architecture, model_files._weights_file(model, {"streams": streams}, architecture)

    return {2: contents(model, 2), 3: contents(build(9, 3), 3)}


def killed(path, files, function, count):
    """Replace the pair in a child that SIGKILL ends at call number `count` of `function`."""
    module = os if function == "replace" else model_files
    original = getattr(module, function)
    calls = iter(range(9))

    def patched(*arguments):
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    def save():
        setattr(module, function, patched)
        model_files._replace_pair(path, *files)

    assert status_of(in_child(save)) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("function", "count", "new"),
    [
        ("_write", 1, False),  # the new HDF5 file is written, the new JSON is not
        ("replace", 0, False),  # both are written
        ("replace", 1, True),  # the HDF5 file is renamed, the JSON is not
    ],
)
@pytest.mark.parametrize("first", [False, True], ids=["over a pair", "the first save"])
def test_a_kill_between_the_steps(pair, model, files, function, count, new, first):
    if first:
        pair.unlink()
        h5_of(pair).unlink()
    killed(pair, files[3], function, count)
    assert len(names(pair)) > (0 if first else 2)
    if first and not new:
        assert error_of(pair) == "model.json is missing; train a model first with ./train.sh"
    else:
        for _ in range(2):
            assert load_model(pair)[1] == ({"streams": 3} if new else METADATA)
    save_model(model, pair, METADATA)
    assert load_model(pair)[1] == METADATA
    assert names(pair) == ["model.json", "model.json.h5"]


def test_a_save_first_finishes_the_one_that_was_killed(pair, model, files, monkeypatch):
    killed(pair, files[3], "replace", 1)
    monkeypatch.setattr(model_files, "_write", fail)
    with pytest.raises(ModelFileError, match="full"):
        save_model(model, pair, METADATA)
    assert load_model(pair)[1] == {"streams": 3} and names(pair) == ["model.json", "model.json.h5"]


def save_for_ever(path, files, pause):
    for streams in itertools.cycle([3, 2]):
        model_files._replace_pair(path, *files[streams])
        time.sleep(pause)


def load_consistent(path):
    model, metadata = load_model(path)
    assert model.input_shape[2] == metadata["streams"]
    return metadata["streams"]


def test_kills_at_any_time(pair, files):
    dice = random.Random(3)
    model_files._replace_pair(pair, *files[2])
    end = time.monotonic() + 6
    while time.monotonic() < end:
        child = in_child(lambda: save_for_ever(pair, files, 0))
        time.sleep(dice.random() / 50)
        os.kill(child, signal.SIGKILL)
        assert status_of(child) == -signal.SIGKILL
        load_consistent(pair)


def test_a_reader_meets_saves_in_progress(pair, files):
    model_files._replace_pair(pair, *files[2])
    child = in_child(lambda: save_for_ever(pair, files, 0.1))
    try:
        end = time.monotonic() + 40
        seen = set()
        while len(seen) < 2 and time.monotonic() < end:
            seen.add(load_consistent(pair))
        assert seen == {2, 3}
        for _ in range(5):
            load_consistent(pair)
    finally:
        os.kill(child, signal.SIGKILL)
        status_of(child)
