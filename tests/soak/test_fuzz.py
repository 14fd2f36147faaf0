"""Whatever arrives, a decoder raises only its documented error, ends soon, and does not fill the memory.

The quick form takes seconds; with --soak, each decoder gets 100,000 cases.
"""

from __future__ import annotations

import ast
import json
import logging
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from node.errors import UserError

import numpy as np
import pytest

from anomaly import AnomalyScore_pb2, model_guard
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from streams.csv_file import CsvFile
from streams.decoding import MessageDecoder
from streams.message_fields import message_types
from streams.points import TIME_END, BadPoint, Point, decode, end_message, ended_streams, message
from streams.samples import SampleAssembler
from streams.tolerance import learn_tolerance
from tests.soak import mutation
from tests.support import PROJECT

from gravity import GravityDataProduct
from gravity.protocol import config, directory_messages
from gravity.protocol.envelope import MalformedFrame, decode_data_product

QUICK, LONG = 300, 100_000  # cases for each decoder
SECONDS = 5  # of the processor for one case: many times what the slowest takes
MEGABYTES = 200
WIRE = PROJECT / "tests" / "gravity" / "protocol" / "wire"

pytestmark = pytest.mark.timeout(6 * 3600)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Pytest would keep all that is logged."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def cases(request: pytest.FixtureRequest) -> int:
    return LONG if request.config.getoption("--soak") else QUICK


@pytest.fixture
def slow_cases(cases: int) -> int:
    return cases if cases == LONG else cases // 6


def fuzz(cases: int, one: Callable[[Random], object], errors: type[Exception]) -> None:
    """Run a decoder on so many cases, which it makes itself; see what it needs, and that not all are refused."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted = 0
    for seed in range(cases):
        start = time.thread_time()
        try:
            one(Random(seed))
            accepted += 1
        except errors as error:
            assert str(error)
        except BaseException as error:
            error.add_note(f"case {seed}")
            raise
        assert time.thread_time() - start < SECONDS, f"case {seed}"
    assert accepted > 0
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES


FRAMES = [
    bytes.fromhex(frame)
    for file in sorted(WIRE.glob("*.jsonl"))
    for line in file.read_text().splitlines()
    for frame in json.loads(line)["frames"]
]
FRAMES += [
    directory_messages.encode_broadcast(
        directory_messages.Broadcast("domain", "tcp://127.0.0.1:5555", 1_700_000_000, 5)
    )
]
FRAMES += [decode_data_product(frame).data for frame in FRAMES if frame.startswith(b"\x12")]  # their payloads
DECODERS = [decode for name, decode in vars(directory_messages).items() if name.startswith("decode_")]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.__name__)
def test_wire(cases: int, decoder: Callable[[bytes], object]) -> None:
    def accepted(frame: bytes) -> bool:
        try:
            decoder(frame)
        except MalformedFrame:
            return False
        return True

    corpus = [frame for frame in FRAMES if accepted(frame)]
    fuzz(cases, lambda dice: decoder(mutation.of_bytes(dice, corpus)), MalformedFrame)


def test_gravity_ini(cases: int, tmp_path: Path) -> None:
    ini = tmp_path / "Gravity.ini"
    corpus = [
        (PROJECT / "Gravity.ini").read_bytes(),
        b"[general]\na = 1 + (2 - 3) * 4 / 5\nb = $a\n[Other]\n\"a key\" = \"tcp://*:5555\" c=-1e9\n# end",
    ]  # fmt: skip

    def one(dice: Random) -> None:
        ini.write_bytes(mutation.of_bytes(dice, corpus))
        parameters = config.Parameters.read(dice.choice(["DataPublisher", "Other"]), ini)
        for key in ("a", "sample_rate", "lateness"):
            parameters.integer(key), parameters.number(key), parameters.yes(key)

    fuzz(cases, one, config.ConfigError)


def test_points(cases: int) -> None:
    corpus = [
        message("sin", 1_700_000_000_000_000, 0.5).SerializeToString(),
        message("Größe", 1, -3e38).SerializeToString(),
        end_message(("sin", "cos")).SerializeToString(),
    ]

    def one(dice: Random) -> None:
        data = mutation.of_bytes(dice, corpus)
        point = decode(data)
        assert math.isfinite(point.value) and point.name.isprintable()
        ended_streams(data)

    fuzz(cases, one, BadPoint)


def test_own_messages(cases: int) -> None:
    decoder = MessageDecoder("P: mse, score, state, training.epoch @ timestamp us", message_types([AnomalyScore_pb2]))
    whole = AnomalyScorePB(timestamp=1_700_000_000_000_000, sample=3, mse=0.5, state=AnomalyScorePB.ANOMALY, score=2)
    whole.streams.add(name="cos", error=1, rebuilt=[1.0, 2.0])
    whole.training.samples, whole.training.epoch = 5, 7
    corpus = [whole.SerializeToString(), b""]

    def one(dice: Random) -> None:
        product = GravityDataProduct("P")
        product.data, product.typeName = mutation.of_bytes(dice, corpus), "AnomalyScorePB"
        for point in decoder.points(product):
            assert math.isfinite(np.float32(point.value)) and 0 <= point.timestamp < TIME_END

    fuzz(cases, one, BadPoint)


def test_samples(cases: int) -> None:
    """Points of disturbed streams become samples in order, and what waits does not grow."""

    def one(dice: Random) -> None:
        names = "abcd"[: dice.randrange(2, 5)]
        period = dice.choice((1000, 100_000, 3_000_000))
        lateness = dice.choice((0.1, 1.0, 5.0))
        points = [
            Point(name, 1_700_000_000_000_000 + number * period, float(number))
            for number in range(40)
            for name in names
            if number % dice.choice((1, 1, 1, 2)) == 0
        ]
        for _ in range(dice.randrange(10)):
            at = dice.randrange(len(points))
            name, stamp, value = points[at]
            match dice.randrange(6):
                case 0:
                    del points[at : at + dice.randrange(1, 9)]
                case 1:
                    points.insert(dice.randrange(len(points)), points[at])
                case 2:
                    step = dice.choice((1, 7, period // 2, 3_600_000_000, 10**15)) * dice.choice((-1, 1))
                    points[at:] = [Point(n, max(0, t + step), v) for n, t, v in points[at:]]
                case 3:
                    points[at] = Point(name, max(0, stamp + dice.choice((-(10**12), 10**12, period))), value)
                case 4:
                    points[at] = Point(name, stamp, dice.choice((3e38, -3e38, 0.0)))
                case 5:
                    dice.shuffle(points[at : at + 8])
            if not points:
                return
        assembler = SampleAssembler(
            names, lateness, max_gap=dice.choice((0, 2)), tolerance=(learn_tolerance(points) or 0) / 1e6
        )
        samples = [sample for point in points for sample in assembler.add(point)] + assembler.rest()
        assert all(late.timestamp > early.timestamp or late.after_gap for early, late in pairwise(samples))
        assert all(math.isfinite(value) for sample in samples for value in sample.values)
        assert len(samples) + assembler.dropped <= 3 * len(points) and not assembler._pending

    fuzz(cases, one, BadPoint)


def test_csv(cases: int, tmp_path: Path) -> None:
    file = tmp_path / "plant.csv"
    corpus = [
        b"time,sin,cos\n" + b"".join(b"%d.5,%d,0.5\n" % (1_700_000_000 + n, n) for n in range(30)),
        b"time;sin;cos\n" + b"".join(b"2024-01-01T00:00:%02d;%d;1e3\r\n" % (n, n) for n in range(30)),
        b'\xef\xbb\xbf"time"\t"sin"\t"cos"\n' + b"".join(b"%d\t\t1\n" % n for n in range(30)),
    ]

    def one(dice: Random) -> None:
        file.write_bytes(mutation.of_bytes(dice, corpus))
        rows = list(
            CsvFile(str(file), time_column=dice.choice((None, "time")), rows=dice.choice(((1, None), (3, 9))))
        )
        assert all(math.isfinite(value) for row in rows for value in row.values.values())

    fuzz(cases, one, UserError)


def test_architectures(slow_cases: int) -> None:
    text = (PROJECT / "model.json").read_text()
    architecture = json.loads(text)

    def one(dice: Random) -> None:
        if dice.randrange(4):
            model_guard.checked(json.dumps(mutation.of_json(dice, architecture)))
        else:
            model_guard.checked(mutation.of_bytes(dice, [text.encode()]).decode(errors="replace"))

    fuzz(slow_cases, one, model_guard.Refused)


def test_architectures_that_keras_gets(cases: int) -> None:
    """What is allowed ends soon in Keras, and needs little memory, also where Keras refuses it."""
    import keras

    architecture = json.loads((PROJECT / "model.json").read_text())

    def one(dice: Random) -> None:
        try:
            clean = model_guard.checked(json.dumps(mutation.of_json(dice, architecture)))
        except model_guard.Refused:
            return
        try:
            keras.Model.from_config(clean)
        except Exception:  # as `load_model` does
            return

    fuzz(cases // 50, one, model_guard.Refused)


def test_metadata(cases: int) -> None:
    """Numbers and arrays that a detector takes from a file."""
    import h5py

    from anomaly.alarm import Normal
    from anomaly.model_files import _metadata
    from anomaly.relations import Relations

    with h5py.File(PROJECT / "model.json.h5") as h5:
        metadata = _metadata(h5)

    def one(dice: Random) -> None:
        case = mutation.of_json(dice, metadata)
        Normal.from_metadata(case.get("normal"), 2)
        Relations.from_metadata(case.get("relations"), 20, 2)

    fuzz(cases, one, ValueError)


def test_hdf5(slow_cases: int) -> None:
    """Whatever the library does to the process that reads: it ends, and is not large."""
    command = [sys.executable, "-m", "tests.soak.hdf5_cases", "0", str(slow_cases)]
    output = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    ends, _, megabytes = output.rpartition(" ")
    counts: dict[int, int] = ast.literal_eval(ends)
    print(counts, megabytes)
    assert sum(counts.values()) == slow_cases and counts.get(1) and not counts.get(2)
    assert int(megabytes) < MEGABYTES
