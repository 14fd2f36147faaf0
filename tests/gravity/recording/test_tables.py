"""Messages as rows of a table, in CSV and Parquet."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool, message_factory, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.gravity.recording.conftest import BEGIN, frame

from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity_recording.model import recorded
from gravity_recording.table_files import CsvFile, ParquetFile
from gravity_recording.tables import Table

FILE = """
name: "tables.proto" package: "t" syntax: "proto2"
enum_type { name: "State" value { name: "OFF" number: 0 } value { name: "ON" number: 1 } }
message_type { name: "Inner" field { name: "x" number: 1 type: TYPE_FLOAT label: LABEL_OPTIONAL } }
message_type {
  name: "All"
  field { name: "number" number: 1 type: TYPE_DOUBLE label: LABEL_REQUIRED }
  field { name: "state" number: 2 type: TYPE_ENUM type_name: ".t.State" label: LABEL_OPTIONAL }
  field { name: "raw" number: 3 type: TYPE_BYTES label: LABEL_OPTIONAL }
  field { name: "inner" number: 4 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_OPTIONAL }
  field { name: "many" number: 5 type: TYPE_MESSAGE type_name: ".t.Inner" label: LABEL_REPEATED }
  field { name: "list" number: 6 type: TYPE_INT32 label: LABEL_REPEATED }
  field { name: "self" number: 7 type: TYPE_MESSAGE type_name: ".t.All" label: LABEL_OPTIONAL }
  field { name: "yes" number: 8 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "big" number: 9 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "received" number: 10 type: TYPE_STRING label: LABEL_OPTIONAL }
}
"""
_pool = descriptor_pool.DescriptorPool()
_pool.Add(text_format.Parse(FILE, FileDescriptorProto()))
All = message_factory.GetMessageClass(_pool.FindMessageTypeByName("t.All"))

FULL = text_format.Parse(
    r"""number: 0.1 state: ON raw: "\001\377" inner { x: 0.1 } many { x: 1 } many {} list: 1 list: -2
    self { number: 3 } yes: true big: 18446744073709551615 received: "a,\"b\"\n" """,
    All(),
)
EMPTY = All(number=float("nan"))
HEADER = (
    "received,published,component,type,number,state,raw,inner.x,many,list,self,yes,big,received_,payload"
)  # fmt: skip


def rows() -> tuple[Table, list[list[object]]]:
    table = Table([All.DESCRIPTOR])
    found = []
    for n, message in enumerate((FULL, EMPTY, None)):
        data = message.SerializeToString() if message else b"\xff\x00"
        one = recorded(frame(n, "P", data=data, type_name="t.All", timestamp=2**64 - 1 if n else BEGIN))
        found.append(table.row(one))
    return table, found


def test_csv(tmp_path: Path) -> None:
    table, found = rows()
    file = CsvFile(tmp_path / "t.csv", table)
    for row in found:
        file.add(row)
    file.close()
    with (tmp_path / "t.csv").open(newline="") as text:
        header, full, empty, unknown = csv.reader(text)
    assert header == HEADER.split(",")
    assert full == [
        "2023-11-14T22:13:20.000050Z", "2023-11-14T22:13:20.000000Z", "Pump", "t.All", "0.1", "ON", "01ff", "0.1",
        '[{"x": 1.0}, {}]', "[1, -2]", '{"number": 3.0}', "true", "18446744073709551615", 'a,"b"\n', "",
    ]  # fmt: skip
    assert empty == ["2023-11-14T22:13:20.001050Z", str(2**64 - 1), "Pump", "t.All", "nan", *[""] * 10]
    assert unknown[4:] == [""] * 10 + ["ff00"]


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table, found = rows()
    file = ParquetFile(tmp_path / "t.parquet", table)
    for row in found:
        file.add(row)
    file.close()
    read = parquet.read_table(tmp_path / "t.parquet")
    assert read.column_names == HEADER.split(",")
    full, empty, unknown = read.to_pylist()
    assert full["received"].timestamp() * 1e6 == BEGIN + 50
    assert (full["number"], full["state"], full["raw"], full["yes"]) == (0.1, "ON", b"\x01\xff", True)
    assert full["inner.x"] == struct.unpack("f", struct.pack("f", 0.1))[0] and full["big"] == 2**64 - 1
    assert empty["published"] is None and empty["state"] is None and empty["inner.x"] is None
    assert unknown["payload"] == "ff00" and unknown["number"] is None


@pytest.mark.parametrize("value", [0.1, 1 / 3, 16777217.0, 1e-45, 3.4028235e38, float("inf"), -0.0])
def test_floats_are_exact_and_short(value: float, tmp_path: Path) -> None:
    [as_float] = struct.unpack("f", struct.pack("f", value))
    table = Table([All.DESCRIPTOR.fields_by_name["inner"].message_type])
    file = CsvFile(tmp_path / "t.csv", table)
    row = [0, 0, "", "", as_float, None]
    file.add(row)
    file.close()
    text = (tmp_path / "t.csv").read_text().splitlines()[1].split(",")[4]
    assert struct.pack("f", float(text)) == struct.pack("f", value) and len(text) <= 14


def test_two_types_of_a_data_product() -> None:
    """Each message fills the columns of its own type."""
    table = Table([GravityLogMessagePB.DESCRIPTOR, All.DESCRIPTOR])
    row = dict(zip(table.names, table.row(recorded(frame(0))), strict=True))
    assert (row["level"], row["message"], row["number"], row["payload"]) == ("info", "message 0", None, None)
    one = recorded(frame(0, data=All(number=1).SerializeToString(), type_name="t.All"))
    row = dict(zip(table.names, table.row(one), strict=True))
    assert (row["level"], row["number"]) == (None, 1)


def test_types_that_are_nested_without_end_have_few_columns() -> None:
    file = FileDescriptorProto(name="deep.proto", package="d")
    for n in range(100):
        inner = file.message_type.add(name=f"T{n}")
        for number, name in enumerate("ab", 1):
            inner.field.add(name=name, number=number, type=11 if n < 99 else 5, label=1, type_name=f".d.T{n + 1}")
    for field in file.message_type[-1].field:
        field.ClearField("type_name")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    assert len(Table([pool.FindMessageTypeByName("d.T0")]).names) == 5 + 2
    assert len(Table([pool.FindMessageTypeByName("d.T95")]).names) == 5 + 2**5


def test_without_a_type() -> None:
    table = Table([])
    assert table.names == ["received", "published", "component", "type", "payload"]
    assert table.row(recorded(frame(0, data=b"\x01")))[-1] == "01"
