import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import points
from streams.DataPoint_pb2 import DataPointPB
from streams.points import BadPoint, Point


def test_a_point_survives_the_message():
    assert points.decode(points.message("sin", 1_700_000_000_000_000, 0.5).SerializeToString()) == Point(
        "sin", 1_700_000_000_000_000, 0.5
    )


def test_the_message_has_the_fields_that_other_programs_expect():
    fields = {f.name: (f.number, f.type, f.is_required) for f in DataPointPB.DESCRIPTOR.fields}
    float_, uint64, string = 2, 4, 9  # FieldDescriptor types
    assert fields == {"value": (1, float_, True), "timestamp": (2, uint64, True), "name": (3, string, True)}
    assert DataPointPB.DESCRIPTOR.full_name == "DataPointPB"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_no_point(value: float):
    with pytest.raises(BadPoint, match="ignored a value of stream sin: "):
        points.decode(DataPointPB(name="sin", timestamp=1, value=value).SerializeToString())


@pytest.mark.parametrize("name", ["a\x1b[31mred", "a\nANOMALY since", "a\u202eb", "\x9b2J", "x" * 201])
def test_a_name_that_would_do_more_than_name_a_stream_is_refused(name: str):
    with pytest.raises(BadPoint, match="ignored a stream whose name is too long or holds control characters"):
        points.decode(points.message(name, 1, 1.0).SerializeToString())


def test_a_name_that_is_not_text_is_refused():
    data = points.message("sin", 1, 1.0).SerializeToString().replace(b"sin", b"s\xffn")
    with pytest.raises(BadPoint, match="ignored a stream whose name is not text"):
        points.decode(data)


@pytest.mark.parametrize("name", ["Temp\xa0°C", "流量", "pressure [bar]", "x" * 200])
def test_names_in_any_language_are_fine(name: str):
    assert points.decode(points.message(name, 1, 1.0).SerializeToString()).name == name


def test_a_time_in_nanoseconds_is_no_point():
    with pytest.raises(BadPoint, match="not in microseconds"):
        points.decode(DataPointPB(name="sin", timestamp=1_700_000_000_000_000_000, value=1.0).SerializeToString())


@pytest.mark.parametrize("missing", ["name", "timestamp", "value"])
def test_an_incomplete_message_is_no_point(missing: str):
    message = DataPointPB(name="sin", timestamp=1, value=1.0)
    message.ClearField(missing)
    with pytest.raises(BadPoint, match="complete"):
        points.decode(message.SerializePartialToString())


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_point_or_a_bad_point(data: bytes):
    with contextlib.suppress(BadPoint):
        assert math.isfinite(points.decode(data).value)


def test_a_message_of_another_type_is_not_a_point():
    data = points.message("sin", 1, 1.0).SerializeToString()
    assert points.decode(data, "DataPointPB") == points.decode(data)
    with pytest.raises(BadPoint, match="of type GravityLogMessagePB, not DataPointPB"):
        points.decode(data, "GravityLogMessagePB")


def test_the_end_of_streams_survives_the_message():
    assert points.ended_streams(points.end_message(("b", "a")).SerializeToString()) == {"a", "b"}


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_end_streams_or_are_a_bad_point(data: bytes):
    with contextlib.suppress(BadPoint):
        points.ended_streams(data)
