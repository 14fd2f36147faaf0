"""A user's own CSV file: what is read, what is skipped, and what is refused."""

import inspect
import math
import os
import time
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from node.errors import UserError

import pytest

from streams import csv_cells, points
from streams.csv_file import CsvFile, Row


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes data.csv in the current folder and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> str:
        Path("data.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return "data.csv"

    return write


@pytest.fixture(autouse=True)
def no_complaints(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture):
    """A test that does not take `caplog` reads files with nothing to complain about."""
    yield
    assert caplog.messages == [] or "caplog" in inspect.signature(request.function).parameters


def values(file: CsvFile) -> list[tuple[float, ...]]:
    return [tuple(row.values.values()) for row in file]


PLAIN = "a,b\n1,2\n3,4\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        "\ufeffa,b\n1,2\n3,4\n",
        "a;b\n1;2\n3;4\n",
        "a\tb\n1\t2\n3\t4\n",
        "a|b\n1|2\n3|4\n",
        '"a","b"\n"1","2"\n3,4\n',
        " a , b \n 1 , 2.0\n+3e0,\t4\n",
        "\n\na,b\n\n1,2\n\n3,4\n\n\n",
        "a,b\n1,2,\n3,4,,\n",
        ",a,b\n0,1,2\n1,3,4\n",
    ],
)
def test_the_same_table_in_many_dialects(csv, content: str):
    replay = CsvFile(csv(content))
    assert replay.columns == ("a", "b")
    assert list(replay) == [Row(0, {"a": 1.0, "b": 2.0}), Row(0, {"a": 3.0, "b": 4.0})]


def test_the_delimiter_is_not_looked_for_in_quoted_names(csv):
    replay = CsvFile(csv('"x, y, z";"u, v"\n1;2\n3;4\n'))
    assert replay.columns == ("x, y, z", "u, v") and values(replay) == [(1, 2), (3, 4)]


def test_a_delimiter_may_be_given(csv):
    assert values(CsvFile(csv("a b\n1 2\n3 4\n"), delimiter=" ")) == [(1, 2), (3, 4)]
    with pytest.raises(UserError, match="has no column 'b', only 'a b'; choose from these, or set --delimiter"):
        CsvFile(csv("a b\n1 2\n3 4\n"), ["b"])


def test_one_column_may_have_a_name_with_a_delimiter_in_quotes(csv):
    assert CsvFile(csv('"a;b"\n1\n2\n'), delimiter=",").columns == ("a;b",)


def test_columns_are_chosen_in_the_order_that_is_asked_for(csv):
    replay = CsvFile(csv("a,label,b\n1,on,2\n3,off,4\n"), ["b", "a"])
    assert replay.columns == ("b", "a") and values(replay) == [(2, 1), (4, 3)]


def test_a_column_may_have_any_name(csv, caplog: pytest.LogCaptureFixture):
    rows = list(CsvFile(csv("time,width,order\n1,1,\n2,x,2\n2,2,3\n"), ["width", "order"], "time"))
    assert rows == [Row(1_000_000, {"width": 1.0}), Row(2_000_000, {"order": 2.0})]
    assert len(caplog.messages) == 3


@pytest.mark.parametrize(
    ("rows", "expected"),
    [((1, None), range(1, 31)), ((1, 3), range(1, 4)), ((28, None), range(28, 31)), ((5, 6), (5, 6)),
     ((29, 99), (29, 30))],
)  # fmt: skip
def test_rows_are_counted_from_the_first_below_the_header(csv, rows: tuple[int, int | None], expected):
    file = csv("n\n" + "\n".join(map(str, range(1, 31))))
    assert values(CsvFile(file, rows=rows)) == [(n,) for n in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1.5", 1_500_000),
        ("1700000000.123456", 1_700_000_000_123_456),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000_000),
        ("2024-02-29 14:00:00.000001+02:00", 1_709_208_000_000_001),
        ("20240229", round(datetime(2024, 2, 29).timestamp() * 1e6)),
        ("2024-02-29", round(datetime(2024, 2, 29).timestamp() * 1e6)),
        ("2024-02-29 12:30", round(datetime(2024, 2, 29, 12, 30).timestamp() * 1e6)),
    ],
)
def test_times(text: str, expected: int):
    assert csv_cells.microseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "noon", "-1", "nan", "inf", "2024-02-30", "1969-12-31T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59Z",
     "12:00", "31.12.2024", "202412311200", "20241231120000", "10000000000"],
)  # fmt: skip
def test_what_is_no_time(text: str):
    with pytest.raises(ValueError, match=r"^is not a time between 1970 and 2286; write ISO 8601"):
        csv_cells.microseconds(text)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("1700000000000", "milliseconds"),
        ("1700000000000.5", "milliseconds"),
        ("1.7e12", "milliseconds"),
        ("1700000000000000", "microseconds"),
        ("1700000000000000000", "nanoseconds"),
    ],
)
def test_a_time_in_a_finer_unit(text: str, unit: str):
    with pytest.raises(ValueError, match=f"^seems to be in {unit}; write ISO 8601, .* or seconds since 1970$"):
        csv_cells.microseconds(text)


@pytest.mark.parametrize("parse", [csv_cells.number, csv_cells.microseconds])
@pytest.mark.parametrize("text", ["3,14", "-0,5", "+,5", "1.234,5", "1,5E-3"])
def test_a_decimal_comma(parse: Callable[[str], float], text: str):
    with pytest.raises(ValueError, match=r"^has a decimal comma; write a decimal point$"):
        parse(text)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_without_a_zone_are_local(zone: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as context:
        context.setenv("TZ", zone)
        time.tzset()
        hours = csv_cells.microseconds("2024-01-02T12:00:00") / 3.6e9 % 24
    time.tzset()
    assert hours == {"UTC": 12, "Asia/Tokyo": 3}[zone]


@pytest.mark.parametrize("text", ["", "x", "1,2,3", "1_000", "nan", "-inf", "1e39", "0x10", "1 2"])
def test_what_is_no_number(text: str):
    with pytest.raises(ValueError, match=r"^is not a finite number \(float32\)$"):
        csv_cells.number(text)


def test_the_largest_float32_is_a_number_that_survives_the_message():
    value = csv_cells.number("3.4028234663852886e38")
    assert points.decode(points.message("a", 1, value).SerializeToString()).value == value < math.inf


def test_bad_cells_and_rows_are_named_and_cost_no_more_than_themselves(csv, caplog: pytest.LogCaptureFixture):
    file = csv(
        "t,a,b\n1,1,1\n2,,2\n3,3,oops\n3,4,4\n2.5,5,5\n\nsoon,6,6\n4,7,7,7\n5,8\n6,9,1e39\n,1,1\n"
        '7,"10","10\n"\n8,nan,11\n'
    )
    rows = list(CsvFile(file, time_column="t"))
    assert rows == [
        Row(1_000_000, {"a": 1, "b": 1}),
        Row(2_000_000, {"b": 2}),
        Row(3_000_000, {"a": 3}),
        Row(5_000_000, {"a": 8}),
        Row(6_000_000, {"a": 9}),
        Row(7_000_000, {"a": 10, "b": 10}),
        Row(8_000_000, {"b": 11}),
    ]
    assert caplog.messages == [
        "data.csv, row 2 (line 3), column a: an empty cell; counted as a missing value",
        "data.csv, row 3 (line 4), column b: 'oops' is not a finite number (float32); counted as a missing value",
        "data.csv, row 4 (line 5), column t: '3' is not later than '3' in a row before; skipped the row",
        "data.csv, row 5 (line 6), column t: '2.5' is not later than '3' in a row before; skipped the row",
        "data.csv, row 6 (line 8), column t: 'soon' is not a time between 1970 and 2286; write ISO 8601, "
        "such as 2024-12-31 12:00:00, or seconds since 1970; skipped the row",
        "data.csv, row 7 (line 9) has 4 cells, but the header 't, a, b' has 3; skipped the row",
        "data.csv, row 8 (line 10), column b: an empty cell; counted as a missing value",
        "data.csv, row 9 (line 11), column b: '1e39' is not a finite number (float32); counted as a missing value",
        "data.csv, row 10 (line 12), column t: an empty cell is not a time between 1970 and 2286; write ISO 8601, "
        "such as 2024-12-31 12:00:00, or seconds since 1970; skipped the row",
        "data.csv, row 12 (line 15), column a: 'nan' is not a finite number (float32); counted as a missing value",
    ]


def test_complaints_about_the_first_rows_come_with_the_first(csv, caplog: pytest.LogCaptureFixture):
    """Not before: a file that cannot be replayed gets one line, its error."""
    rows = iter(CsvFile(csv("a,b\n1,\n2,\n3,3\n4,\n")))
    assert caplog.messages == []
    assert next(rows) and [text[:16] for text in caplog.messages] == ["data.csv, row 1 ", "data.csv, row 2 "]
    assert len(list(rows)) == 3 and len(caplog.messages) == 3


def test_only_the_first_of_many_bad_cells_are_logged(csv, caplog: pytest.LogCaptureFixture):
    rows = list(CsvFile(csv("a,b\n1,1\n2,2\n" + "3,\n" * 5000)))
    assert len(rows) == 5002
    *first, last = caplog.messages
    assert [f"row {n} " in line for n, line in zip(range(3, 23), first, strict=True)] == [True] * 20
    assert last == "data.csv: 5000 cells or rows were unusable"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "data.csv is empty; it needs a line with the columns' names"),
        ("\n\n", {}, "data.csv is empty"),
        ("a,b\n", {}, "data.csv has too few rows from row 1 on; a replay needs 2"),
        ("a,b\n1,2\n", {}, "data.csv has too few rows from row 1 on"),
        (PLAIN, {"rows": (2, None)}, "data.csv has too few rows from row 2 on"),
        (PLAIN, {"rows": (3, None)}, "data.csv has too few rows from row 3 on"),
        ("1,2\n3,4\n5,6\n", {}, "data.csv, line 1 holds values instead of column names; add a line with the names"),
        ("\n2024-01-01T00:00,2\n3,4\n", {}, "data.csv, line 2 holds values instead of column names"),
        (PLAIN, {"columns": ["a", "c"]}, "data.csv has no column 'c', only 'a', 'b'; choose from these"),
        (PLAIN, {"time_column": "t"}, "data.csv has no column 't', only 'a', 'b'; choose from these"),
        ("\na;b\n1;2\n3;4\n", {"delimiter": ","}, "data.csv, line 2 has only one column with the delimiter ','; "
                                                  "it seems to use ';': set --delimiter ';'"),
        ("a\tb\n1\t2\n", {"delimiter": " "}, "with the delimiter ' '; it seems to use '\\t': set --delimiter"),
        (PLAIN, {"delimiter": "\t", "columns": ["a"]}, "the delimiter '\\t'; it seems to use ',': set --delimiter"),
        ("a b\n1 2\n3 4\n", {}, "column a b: '1 2' is not a finite number (float32); counted as a missing value; too "
                                "few usable values in rows 1-2: fix them, or choose others with --columns, --time, "
                                "--rows or --delimiter"),
        ("a,a\n1,2\n3,4\n", {}, "data.csv has more than one column 'a'; rename them"),
        ("t\n1\n2\n", {"time_column": "t"}, "data.csv has no column but 't'; add one with values"),
        ("a,b\n1,on\n3,off\n", {}, "row 1 (line 2), column b: 'on' is not a finite number (float32); counted as "
                                   "a missing value; too few usable values in rows 1-2: fix them, or choose others"),
        ("a,b\n" + "1,\n" * 99 + "1,1\n", {}, "column b: an empty cell; counted as a missing value; too few usable "
                                              "values in rows 1-20"),
        ("t,a\n3,1\n2,1\n1,1\n", {"time_column": "t"}, "row 2 (line 3), column t: '2' is not later than '3' in"),
        ("sep=;\na;b;c\n1;2;3\n", {}, "row 1 (line 2) has 3 cells, but the header 'sep=,' has 2; skipped the row"),
        ("t,a\nx,1\ny,1\n", {"time_column": "t"}, "row 1 (line 2), column t: 'x' is not a time"),
        ("t,a\n1700000000000,1\n1700000000100,2\n", {"time_column": "t"},
         "row 1 (line 2), column t: '1700000000000' seems to be in milliseconds; write ISO 8601, such as 2024-12-31 "
         "12:00:00, or seconds since 1970; skipped the row; too few usable values in rows 1-2"),
        ("t;a\n1;3,14\n2;3,15\n", {"time_column": "t"}, "row 1 (line 2), column a: '3,14' has a decimal comma; "
                                                        "write a decimal point; counted as a missing value"),
        ("a\nx\n1\n", {}, "row 1 (line 2), column a: 'x' is not a finite number"),
        ("Größe,b\n1,2\n3,4\n".encode("latin-1"), {}, "data.csv, line 1 is not text in UTF-8"),
        (PLAIN.encode("utf-16"), {}, "data.csv, line 1 is not text in UTF-8"),
        (b"PK\x03\x04\0\0\n1\n2\n", {}, "data.csv, line 1 is not text in UTF-8"),
        ('a,b\n1,2\n3,"4\n' + "5,6\n" * 50_000, {}, "data.csv, line 3: field larger than field limit"),
        ('a,b\n1,2\n3,4\n5,"6\n7,8\n', {}, "data.csv, line 4: unexpected end of data; check the quotation"),
        ('a,"b\n1,2\n3,4\n', {}, "data.csv, line 1: unexpected end of data; check the quotation marks there"),
        ('a,b,c\n1,2,x\n3,4,"y\n5,6,z\n7,8,"z\n9,9,z\n', {"columns": ["a"]}, "data.csv, line 3: ',' expected after"),
        ("a" * 2_000_000, {}, "data.csv, line 1: field larger than field limit"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_replayed(csv, content: str | bytes, options: dict[str, object], message: str):
    with pytest.raises(UserError) as raised:
        list(CsvFile(csv(content), **options))
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert str(raised.value).startswith("data.csv")


def test_a_file_that_cannot_be_read(csv):
    with pytest.raises(UserError, match=r"^cannot read nowhere.csv \(No such file"):
        CsvFile("nowhere.csv")
    with pytest.raises(UserError, match=r"^cannot read \. \(Is a directory"):
        CsvFile(".")


def test_a_pipe_that_is_never_closed_is_read_no_further_than_necessary(csv):
    """Two rows are enough to begin, and each further row comes out as soon as it is in."""
    os.mkfifo("pipe.csv")
    keeper = os.open("pipe.csv", os.O_RDWR)  # so that neither end waits for the other
    try:
        os.write(keeper, b"t,a\n1,10\n2,20\n")
        rows = iter(CsvFile("pipe.csv", time_column="t"))
        assert next(rows) == Row(1_000_000, {"a": 10}) and next(rows) == Row(2_000_000, {"a": 20})
        os.write(keeper, b"3,30\n")
        assert next(rows) == Row(3_000_000, {"a": 30})
    finally:
        os.close(keeper)


def test_a_file_of_megabytes_is_not_held_in_memory(csv):
    file = csv("t,note,a\n" + "".join(f"{n},{'x' * 2000},{n}\n" for n in range(1000)))
    size = Path(file).stat().st_size
    assert size > 2_000_000
    tracemalloc.start()
    try:
        count = sum(1 for _ in CsvFile(file, ["a"], "t"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1000 and peak < size / 10
