"""From messages of any type to points, as Gravity.ini names them."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from node.errors import UserError
from node.settings import DEFAULTS, Settings

import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from streams import decoding, points
from streams.decoding import LARGEST, BadSetting, MessageDecoder, PointDecoder
from streams.inbox import Inbox
from streams.points import BadPoint, Point
from streams.reader import StreamReader

from gravity import GravityDataProduct
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB

SOURCE = """
name: "tests/plant.proto" package: "plant" syntax: "proto2" dependency: "google/protobuf/timestamp.proto"
message_type {
  name: "PumpPB"
  field { name: "pressure" number: 1 label: LABEL_OPTIONAL type: TYPE_DOUBLE }
  field { name: "flow" number: 2 label: LABEL_OPTIONAL type: TYPE_FLOAT }
  field { name: "running" number: 3 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "mode" number: 4 label: LABEL_OPTIONAL type: TYPE_ENUM type_name: ".plant.Mode" }
  field { name: "drive" number: 5 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".plant.PumpPB.Drive" }
  field { name: "at" number: 6 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp" }
  field { name: "clock" number: 7 label: LABEL_OPTIONAL type: TYPE_INT64 }
  field { name: "seconds" number: 8 label: LABEL_OPTIONAL type: TYPE_DOUBLE }
  field { name: "name" number: 9 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "history" number: 10 label: LABEL_REPEATED type: TYPE_FLOAT }
  nested_type {
    name: "Drive"
    field { name: "rpm" number: 1 label: LABEL_OPTIONAL type: TYPE_SINT32 }
  }
}
message_type {
  name: "MotorPB"
  field { name: "rpm" number: 1 label: LABEL_REQUIRED type: TYPE_UINT64 }
  field { name: "current" number: 2 label: LABEL_OPTIONAL type: TYPE_FLOAT }
}
enum_type { name: "Mode" value { name: "OFF" number: 0 } value { name: "ON" number: 2 } }
"""


def build() -> dict[str, Descriptor]:
    from google.protobuf import text_format

    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    file = text_format.Parse(SOURCE, descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    names = ("plant.PumpPB", "plant.PumpPB.Drive", "plant.MotorPB")
    return {name: pool.FindMessageTypeByName(name) for name in names}


TYPES = build()
BOTH = "Pump: pressure, flow; Motor: rpm"


def product(name: str, type_name: str | None = None, published: int = 7_000_000, **fields: Any) -> GravityDataProduct:
    """A data product as it arrives, of type plant.PumpPB on Pump and so on."""
    message = GetMessageClass(TYPES[f"plant.{name}PB"])(**fields)
    return arrived(name, message.SerializePartialToString(), type_name, published)


def arrived(name: str, data: bytes, type_name: str | None = None, published: int = 7_000_000) -> GravityDataProduct:
    pb = GravityDataProductPB(dataProductID=name, data=data, timestamp=published)
    pb.type_name = f"plant.{name}PB" if type_name is None else type_name
    return GravityDataProduct(data=pb.SerializeToString())


def read(decoder: MessageDecoder, *products: GravityDataProduct) -> tuple[list[Point], list[str]]:
    """Return the points, and what was wrong."""
    found: list[Point] = []
    wrong: list[str] = []
    for each in products:
        try:
            for point in decoder.points(each):
                found.append(point)
        except BadPoint as error:
            wrong.append(str(error))
    return found, wrong


def test_each_message_is_a_sample_at_the_time_of_its_publication():
    decoder = MessageDecoder(BOTH, TYPES)
    assert decoder.products == ("Pump", "Motor")
    assert decoder.streams == ("Motor.rpm", "Pump.flow", "Pump.pressure")
    found, wrong = read(decoder, product("Pump", pressure=1.5, flow=2), product("Motor", rpm=3, published=8_000_000))
    assert found == [
        ("Pump.pressure", 7_000_000, 1.5),
        ("Pump.flow", 7_000_000, 2),
        ("Motor.rpm", 8_000_000, 3),
    ]
    assert not wrong


def test_a_field_may_be_nested_a_bool_or_an_enum():
    decoder = MessageDecoder("Pump:running,mode , drive.rpm", TYPES)
    found, wrong = read(decoder, product("Pump", running=True, mode=2, drive={"rpm": -5}))
    assert {(point.name, point.value) for point in found} == {
        ("Pump.running", 1),
        ("Pump.mode", 2),
        ("Pump.drive.rpm", -5),
    }
    assert all(type(point.value) is float for point in found) and not wrong


@pytest.mark.parametrize("fields", [{"pressure": 1}, {"pressure": 1, "drive": {}}])
def test_a_missing_field_is_a_missing_value(fields: dict[str, object]):
    assert read(MessageDecoder("Pump: pressure, flow, drive.rpm", TYPES), product("Pump", **fields)) == (
        [("Pump.pressure", 7_000_000, 1)],
        [],
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, 2 * LARGEST])
def test_what_is_not_finite_in_float32_is_refused_alone(value: float):
    found, wrong = read(MessageDecoder("Pump: pressure, flow", TYPES), product("Pump", pressure=value, flow=2))
    assert found == [("Pump.flow", 7_000_000, 2)]
    assert wrong == ["ignored a value of stream Pump.pressure: not finite, or too large for float32"]


@pytest.mark.parametrize(
    ("time", "fields", "microseconds"),
    [
        ("at", {"at": {"seconds": 5, "nanos": 1999}}, 5_000_001),
        ("clock s", {"clock": 5}, 5_000_000),
        ("clock ms", {"clock": 5}, 5000),
        ("clock us", {"clock": 5}, 5),
        ("clock ns", {"clock": 1_732_612_345_123_456_789}, 1_732_612_345_123_456),
        ("seconds s", {"seconds": 1_732_612_345.123456}, 1_732_612_345_123_456),
    ],
)
def test_the_time_may_be_in_a_field(time: str, fields: dict[str, object], microseconds: int):
    decoder = MessageDecoder(f"Pump: pressure, flow @ {time}; Motor: rpm", TYPES)
    found, _ = read(decoder, product("Pump", pressure=1, **fields), product("Motor", rpm=1))
    assert [point.timestamp for point in found] == [microseconds, 7_000_000]


@pytest.mark.parametrize(
    ("time", "fields", "said"),
    [
        ("clock ms", {}, "without its time clock"),
        ("at", {}, "without its time at"),
        ("clock ms", {"clock": -1}, "whose time is implausible; check its unit"),
        ("clock s", {"clock": 1_732_612_345_000}, "whose time is implausible; check its unit"),
        ("seconds s", {"seconds": math.nan}, "whose time is implausible; check its unit"),
        ("seconds s", {"seconds": math.inf}, "whose time is implausible; check its unit"),
        ("seconds s", {"seconds": 1.8e302}, "whose time is implausible; check its unit"),
        ("at", {"at": {"seconds": -1}}, "whose time is implausible; check its unit"),
    ],
)
def test_a_message_whose_time_cannot_be_used_is_refused(time: str, fields: dict[str, object], said: str):
    decoder = MessageDecoder(f"Pump: pressure, flow @ {time}", TYPES)
    assert read(decoder, product("Pump", pressure=1, **fields)) == ([], [f"ignored a message on Pump {said}"])


def test_a_message_says_its_type_or_the_setting_does():
    said, given = (
        MessageDecoder("Pump: pressure, flow", TYPES),
        MessageDecoder("Pump (plant.PumpPB): pressure, flow", TYPES),
    )
    plain = product("Pump", "", pressure=1)
    assert read(given, plain)[0] == [("Pump.pressure", 7_000_000, 1)]
    [refused] = read(said, plain)[1]
    assert refused.startswith("ignored a message without a type on Pump; streams in Gravity.ini may name it")
    for decoder, reason in ((said, ": not in message_types, or without the fields"), (given, ", not plant.PumpPB")):
        for other in ("plant.MotorPB", "elsewhere.PumpPB"):
            assert read(decoder, product("Pump", other, pressure=1)) == (
                [],
                [f"ignored a message of type {other} on Pump{reason}"],
            )


def test_a_message_that_says_another_data_product_is_refused():
    """As nobody but a broken publisher does."""
    found, wrong = read(MessageDecoder(BOTH, TYPES), arrived("Pmup", b"", "plant.PumpPB"))
    assert (found, wrong) == ([], ["ignored a message of another data product, Pmup"])


def test_messages_of_several_types_on_one_data_product():
    """Where both have the fields."""
    decoder = MessageDecoder("Drive: rpm; Pump: pressure", TYPES)
    motor, drive = (
        (GetMessageClass(TYPES[name])(rpm=n), name) for n, name in enumerate(("plant.MotorPB", "plant.PumpPB.Drive"))
    )
    found, wrong = read(decoder, *(arrived("Drive", m.SerializeToString(), name) for m, name in (motor, drive)))
    assert [point.value for point in found] == [0, 1] and not wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pump", "holds 'Pump', but it must be a list such as Pump: pressure, flow; Motor: rpm"),
        ("Pump: pressure flow", "holds 'Pump: pressure flow', but it must be a list"),
        ("Pump: pressure,", "but it must be a list"),
        (": pressure", "but it must be a list"),
        ("", "names fewer than two streams"),
        ("Motor: rpm", "names fewer than two streams"),
        ("Pump: pressure; Motor: rpm; Pump: flow", "names Pump twice"),
        ("Pump: flow, flow", "names Pump.flow twice"),
        (f"{'P' * 199}: flow, pressure", "makes a name of a stream that is too long, PPP"),
        ("Pump: pressure, flw", "plant.PumpPB has no field flw; where it should be are: pressure, flow, run"),
        ("Pump: pressure, drive.speed", "plant.PumpPB has no field drive.speed; where it should be are: rpm"),
        ("Pump: pressure, flow.x", "plant.PumpPB has no field flow.x; where it should be are: none"),
        ("Pump: pressure, name", "name of plant.PumpPB is not a number"),
        ("Pump: pressure, drive", "drive of plant.PumpPB is not a number"),
        ("Motor: currnt, rpm", "plant.MotorPB has no field currnt; where it should be are: rpm, current"),
        ("Tank: level, depth", "no type has level, depth; message_types holds plant.MotorPB, plant.PumpPB, "),
        ("Pump: pressure, history", "history of plant.PumpPB is repeated"),
        ("Pump (PumpPB): pressure, flow", "names the type PumpPB, but message_types holds only plant.MotorPB"),
        ("Pump (plant.MotorPB): pressure, flow", "plant.MotorPB has no field pressure"),
        ("Pump: pressure, flow @ clock", "clock of plant.PumpPB needs its unit behind it: s, ms, us, ns"),
        ("Pump: pressure, flow @ clock h", "gives the unit h, but there are only s, ms, us, ns"),
        ("Pump: pressure, flow @ at ms", "at of plant.PumpPB is a google.protobuf.Timestamp, which has no unit"),
        ("Pump: pressure, flow @ name ms", "name of plant.PumpPB is not a number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(text: str, said: str):
    with pytest.raises(BadSetting) as told:
        MessageDecoder(text, TYPES)
    assert said in str(told.value)


def settings(folder: Path, text: str) -> Settings:
    """Settings whose file says the same."""
    (folder / "Gravity.ini").write_text(f"[PumpDetector]\n{text}\n")
    values = dict(line.replace('"', "").split(" = ") for line in text.splitlines())
    return Settings(lambda key, default: values.get(key, default), "PumpDetector")


def test_gravity_ini_says_which_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    plain = decoding.configured(settings(tmp_path, "subscription_name = P"))
    assert isinstance(plain, PointDecoder) and plain.products == ("P",) and DEFAULTS["streams"] == "off"
    for fields in ("mse, score", "loss, epoch"):  # the latter of a nested type
        text = f"streams = Score: {fields}\nmessage_types = anomaly.AnomalyScore_pb2"
        assert decoding.configured(settings(tmp_path, text)).products == ("Score",)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ("off", "line 3: message_types: streams needs the generated module of its messages"),
        ("nowhere_pb2", "line 3: message_types: cannot use the module 'nowhere_pb2' (No module named 'nowhere_pb2'); "
                        "it must be one that protoc has made, in {folder}"),
        ("json", "line 3: message_types: cannot use the module 'json'"),
        ("broken_pb2", "line 3: message_types: cannot use the module 'broken_pb2' (made for another protobuf)"),
        ("anomaly.AnomalyScore_pb2", "line 2: streams: 'Pump: flow, x' does not fit the messages: "),
    ],
)  # fmt: skip
def test_what_gravity_ini_says_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: str, said: str):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "broken_pb2.py").write_text("raise RuntimeError('made for another protobuf\\nin detail')\n")
    with pytest.raises(UserError) as told:
        decoding.configured(settings(tmp_path, f"streams = Pump: flow, x\nmessage_types = {modules}"))
    assert said.format(folder=tmp_path) in str(told.value) and "\n" not in str(told.value)


def reader_of(
    decoder: MessageDecoder, products: Iterable[GravityDataProduct], tolerance: float | None
) -> StreamReader:
    arriving = Inbox()
    end = GravityDataProduct("Motor")
    end.data = points.end_message(decoder.streams)
    arriving.subscriptionFilled([*products, end])
    return StreamReader(arriving, lateness=1, max_gap=0, tolerance=tolerance, decoder=decoder)


def test_streams_of_several_data_products_make_samples_together(caplog: pytest.LogCaptureFixture):
    """The motor is measured 3 ms after the pump; the end of the data comes on any of the data products."""
    arriving = [product("Pump", pressure=0, flow=0, published=20_000 * n) for n in range(40)]  # alone at first
    for n in range(50):
        arriving.append(product("Pump", pressure=n, flow=n / 2, published=1_000_000 + 20_000 * n))
        arriving.append(product("Motor", rpm=n * n, published=1_003_000 + 20_000 * n))
    reader = reader_of(MessageDecoder(BOTH, TYPES), arriving, None)
    streams = reader.expect(list(reader.decoder.streams), 3, "model.json")
    assert streams == ("Motor.rpm", "Pump.flow", "Pump.pressure")
    samples = list(chain.from_iterable(reader.samples(streams)))
    assert [sample.values for sample in samples] == [(n * n, n / 2, n) for n in range(50)]
    assert not [message for message in caplog.messages if "ignored" in message or "late" in message]


def test_only_the_bad_value_of_a_message_is_lost(caplog: pytest.LogCaptureFixture):
    arriving = [product("Pump", pressure=n if n != 30 else math.nan, flow=n, published=20_000 * n) for n in range(99)]
    reader = reader_of(MessageDecoder("Pump: pressure, flow", TYPES), arriving, 0)
    samples = list(chain.from_iterable(reader.samples(reader.streams(at_least=2))))
    assert [sample.values[0] for sample in samples] == [n for n in range(99) if n != 30]
    assert caplog.messages == [
        "ignored a value of stream Pump.pressure: not finite, or too large for float32",
        "dropped incomplete sample: missing Pump.pressure",
    ]


def test_a_model_of_other_streams_than_the_setting_names_is_refused_at_once():
    reader = reader_of(MessageDecoder(BOTH, TYPES), [], 0)
    with pytest.raises(
        UserError, match=r"trained on cos, sin, but Gravity\.ini asks for Motor\.rpm, Pump\.flow, Pump"
    ):
        reader.expect(["cos", "sin"], 2, "model.json")


numbers = st.floats() | st.floats(width=32)


@given(
    pressure=st.none() | numbers, flow=st.none() | st.floats(width=32), running=st.none() | st.booleans(),
    rpm=st.none() | st.integers(-(2**31), 2**31 - 1), clock=st.integers(0, 2**40),
)  # fmt: skip
def test_every_value_that_is_there_and_can_be_used_arrives(
    pressure: float | None, flow: float | None, running: bool | None, rpm: int | None, clock: int
):
    fields = {"pressure": pressure, "flow": flow, "running": running}
    present: dict[str, Any] = {k: v for k, v in fields.items() if v is not None}
    nested = {} if rpm is None else {"drive": {"rpm": rpm}}
    decoder = MessageDecoder("Pump: pressure, flow, running, drive.rpm @ clock ms", TYPES)
    found, wrong = read(decoder, product("Pump", clock=clock, **present | nested))
    expected = {f"Pump.{k}": v for k, v in present.items() if abs(v) <= LARGEST} | (
        {} if rpm is None else {"Pump.drive.rpm": rpm}
    )
    assert {point.name: point.value for point in found} == expected
    assert all(struct.unpack("f", struct.pack("f", point.value)) for point in found), "fits a window"
    assert all(point.timestamp == 1000 * clock for point in found)
    assert bool(wrong) == (len(present) + len(nested) > len(expected))


@given(st.binary(max_size=60), st.sampled_from(["", "plant.PumpPB", "plant.MotorPB", "x"]))
def test_any_bytes_are_points_or_a_bad_point(data: bytes, type_name: str):
    decoder = MessageDecoder("Pump: pressure, flow, drive.rpm @ at; Motor: rpm, current", TYPES)
    for name in decoder.products:
        found, _ = read(decoder, arrived(name, data, type_name))
        assert {point.name for point in found} <= set(decoder.streams)
        assert all(math.isfinite(point.value) and 0 <= point.timestamp < points.TIME_END for point in found)


@given(st.text(alphabet="Pump: flow,pressure;@().Motorpm ", max_size=60))
def test_any_setting_makes_a_decoder_or_a_bad_setting(text: str):
    try:
        decoder = MessageDecoder(text, TYPES)
    except BadSetting as error:
        assert str(error)
    else:
        assert len(decoder.streams) >= 2
