"""A user's own CSV file as streams: what is read, what is refused, and what subscribers get."""

import argparse
import itertools
import math
import os
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from anomaly import points
from anomaly.points import Point
from cluster import pacing, replay_options, table
from cluster.errors import UserError
from cluster.replay import Replay, Row
from tests.support import Folder, eventually


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes data.csv in the current folder and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> str:
        Path("data.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return "data.csv"

    return write


def values(replay: Replay) -> list[tuple[float, ...]]:
    return [tuple(row.values.values()) for row in replay]


def quiet(text: str) -> None:
    raise AssertionError(f"nothing was wrong, but: {text}")


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
    replay = Replay(csv(content), say=quiet)
    assert replay.columns == ("a", "b")
    assert list(replay) == [Row(0, {"a": 1.0, "b": 2.0}), Row(0, {"a": 3.0, "b": 4.0})]


def test_the_delimiter_is_not_looked_for_in_quoted_names(csv):
    replay = Replay(csv('"x, y, z";"u, v"\n1;2\n3;4\n'), say=quiet)
    assert replay.columns == ("x, y, z", "u, v") and values(replay) == [(1, 2), (3, 4)]


def test_a_delimiter_may_be_given(csv):
    assert values(Replay(csv("a b\n1 2\n3 4\n"), delimiter=" ")) == [(1, 2), (3, 4)]
    with pytest.raises(UserError, match="has no column 'b', but 'a b'; choose of these, or a --delimiter"):
        Replay(csv("a b\n1 2\n3 4\n"), ["b"])


def test_one_column_may_have_a_name_with_a_delimiter_in_quotes(csv):
    assert Replay(csv('"a;b"\n1\n2\n'), delimiter=",", say=quiet).columns == ("a;b",)


def test_columns_are_chosen_in_the_order_that_is_asked_for(csv):
    replay = Replay(csv("a,label,b\n1,on,2\n3,off,4\n"), ["b", "a"], say=quiet)
    assert replay.columns == ("b", "a") and values(replay) == [(2, 1), (4, 3)]


def test_a_name_may_be_a_word_of_ours(csv):
    said: list[str] = []
    rows = list(Replay(csv("time,width,order\n1,1,\n2,x,2\n2,2,3\n"), ["width", "order"], "time", say=said.append))
    assert rows == [Row(1_000_000, {"width": 1.0}), Row(2_000_000, {"order": 2.0})]
    assert len(said) == 3


@pytest.mark.parametrize(
    ("rows", "expected"),
    [((1, None), range(1, 31)), ((1, 3), range(1, 4)), ((28, None), range(28, 31)), ((5, 6), (5, 6)),
     ((29, 99), (29, 30))],
)  # fmt: skip
def test_rows_are_counted_from_the_first_below_the_header(csv, rows: tuple[int, int | None], expected):
    file = csv("n\n" + "\n".join(map(str, range(1, 31))))
    assert values(Replay(file, rows=rows, say=quiet)) == [(n,) for n in expected]


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
    assert table.microseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "noon", "-1", "nan", "inf", "2024-02-30", "1969-12-31T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59Z",
     "12:00", "31.12.2024", "202412311200", "20241231120000", "10000000000"],
)  # fmt: skip
def test_what_is_no_time(text: str):
    with pytest.raises(ValueError, match=r"^is no time between 1970 and 2286; write ISO 8601"):
        table.microseconds(text)


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
        table.microseconds(text)


@pytest.mark.parametrize("parse", [table.number, table.microseconds])
@pytest.mark.parametrize("text", ["3,14", "-0,5", "+,5", "1.234,5", "1,5E-3"])
def test_a_decimal_comma(parse: Callable[[str], float], text: str):
    with pytest.raises(ValueError, match=r"^has a comma; a decimal comma is not understood, write a point$"):
        parse(text)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_without_a_zone_are_local(zone: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as context:
        context.setenv("TZ", zone)
        time.tzset()
        hours = table.microseconds("2024-01-02T12:00:00") / 3.6e9 % 24
    time.tzset()
    assert hours == {"UTC": 12, "Asia/Tokyo": 3}[zone]


@pytest.mark.parametrize("text", ["", "x", "1,2,3", "1_000", "nan", "-inf", "1e39", "0x10", "1 2"])
def test_what_is_no_number(text: str):
    with pytest.raises(ValueError, match=r"^is no finite number \(float32\)$"):
        table.number(text)


def test_the_largest_float32_is_a_number_that_survives_the_message():
    value = table.number("3.4028234663852886e38")
    assert points.decode(points.message("a", 1, value).SerializeToString()).value == value < math.inf


def test_bad_cells_and_rows_are_named_and_cost_no_more_than_themselves(csv):
    said: list[str] = []
    file = csv(
        "t,a,b\n1,1,1\n2,,2\n3,3,oops\n3,4,4\n2.5,5,5\n\nsoon,6,6\n4,7,7,7\n5,8\n6,9,1e39\n,1,1\n"
        '7,"10","10\n"\n8,nan,11\n'
    )
    rows = list(Replay(file, time_column="t", say=said.append))
    assert rows == [
        Row(1_000_000, {"a": 1, "b": 1}),
        Row(2_000_000, {"b": 2}),
        Row(3_000_000, {"a": 3}),
        Row(5_000_000, {"a": 8}),
        Row(6_000_000, {"a": 9}),
        Row(7_000_000, {"a": 10, "b": 10}),
        Row(8_000_000, {"b": 11}),
    ]
    assert said == [
        "data.csv, row 2 (line 3), column a: an empty cell; no point of a there",
        "data.csv, row 3 (line 4), column b: 'oops' is no finite number (float32); no point of b there",
        "data.csv, row 4 (line 5), column t: '3' is not later than '3' in a row before; the row is left out",
        "data.csv, row 5 (line 6), column t: '2.5' is not later than '3' in a row before; the row is left out "
        "(2 so far)",
        "data.csv, row 6 (line 8), column t: 'soon' is no time between 1970 and 2286; write ISO 8601, "
        "such as 2024-12-31 12:00:00, or seconds since 1970; the row is left out",
        "data.csv, row 7 (line 9) has 4 cells, but the header 't, a, b' has 3; the row is left out",
        "data.csv, row 8 (line 10), column b: an empty cell; no point of b there (2 so far)",
        "data.csv, row 9 (line 11), column b: '1e39' is no finite number (float32); no point of b there (3 so far)",
        "data.csv, row 10 (line 12), column t: an empty cell is no time between 1970 and 2286; write ISO 8601, "
        "such as 2024-12-31 12:00:00, or seconds since 1970; the row is left out (2 so far)",
        "data.csv, row 12 (line 15), column a: 'nan' is no finite number (float32); no point of a there (2 so far)",
    ]


def test_what_is_wrong_with_the_first_rows_is_said_before_the_first_is_asked_for(csv):
    said: list[str] = []
    replay = Replay(csv("a,b\n1,\n2,\n3,3\n4,\n"), say=said.append)
    assert [text[:16] for text in said] == ["data.csv, row 1 ", "data.csv, row 2 "]
    assert len(list(replay)) == 4 and len(said) == 3 and said[-1].endswith("(3 so far)")


def test_many_bad_cells_are_not_all_told_but_counted(csv):
    said: list[str] = []
    rows = list(Replay(csv("a,b\n1,1\n2,2\n" + "3,\n" * 5000), say=said.append))
    assert len(rows) == 5002
    assert [f"row {n} " in line for n, line in zip(range(3, 23), said, strict=False)] == [True] * 20
    assert len(said) < 30 and said[-1] == "data.csv: 5000 cells or rows could not be used"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "data.csv is empty; it needs a line with the columns' names"),
        ("\n\n", {}, "data.csv is empty"),
        ("a,b\n", {}, "data.csv has no row 1 below its header; there is nothing to replay"),
        ("a,b\n1,2\n", {}, "data.csv has only one row to replay, row 1; 2 are the least"),
        (PLAIN, {"rows": (2, None)}, "data.csv has only one row to replay, row 2"),
        (PLAIN, {"rows": (3, None)}, "data.csv has no row 3 below its header"),
        ("1,2\n3,4\n5,6\n", {}, "data.csv, line 1 has no column names but values; put a line with the names"),
        ("\n2024-01-01T00:00,2\n3,4\n", {}, "data.csv, line 2 has no column names but values"),
        (PLAIN, {"columns": ["a", "c"]}, "data.csv has no column 'c', but 'a', 'b'; choose of these"),
        (PLAIN, {"time_column": "t"}, "data.csv has no column 't', but 'a', 'b'; choose of these"),
        ("\na;b\n1;2\n3;4\n", {"delimiter": ","}, "data.csv, line 2 has only one column with the delimiter ','; "
                                                  "choose --delimiter ';', which it seems to have"),
        ("a\tb\n1\t2\n", {"delimiter": " "}, "with the delimiter ' '; choose --delimiter '\\t', which"),
        (PLAIN, {"delimiter": "\t", "columns": ["a"]}, "with the delimiter '\\t'; choose --delimiter ',', which"),
        ("a b\n1 2\n3 4\n", {}, "column a b: '1 2' is no finite number (float32); no point of a b there; rows 1-2 "
                                "hold too little to begin with: mend them, or choose with --columns, --time, --rows "
                                "or --delimiter"),
        ("a,a\n1,2\n3,4\n", {}, "data.csv has more than one column 'a'; rename them"),
        ("t\n1\n2\n", {"time_column": "t"}, "data.csv has no column but 't'; add one with values"),
        ("a,b\n1,on\n3,off\n", {}, "row 1 (line 2), column b: 'on' is no finite number (float32); no point of "
                                   "b there; rows 1-2 hold too little to begin with: mend them, or choose"),
        ("a,b\n" + "1,\n" * 99 + "1,1\n", {}, "column b: an empty cell; no point of b there; rows 1-20 hold"),
        ("t,a\n3,1\n2,1\n1,1\n", {"time_column": "t"}, "row 2 (line 3), column t: '2' is not later than '3' in"),
        ("sep=;\na;b;c\n1;2;3\n", {}, "row 1 (line 2) has 3 cells, but the header 'sep=,' has 2; the row is left"),
        ("t,a\nx,1\ny,1\n", {"time_column": "t"}, "row 1 (line 2), column t: 'x' is no time"),
        ("t,a\n1700000000000,1\n1700000000100,2\n", {"time_column": "t"},
         "row 1 (line 2), column t: '1700000000000' seems to be in milliseconds; write ISO 8601, such as 2024-12-31 "
         "12:00:00, or seconds since 1970; the row is left out; rows 1-2 hold"),
        ("t;a\n1;3,14\n2;3,15\n", {"time_column": "t"}, "row 1 (line 2), column a: '3,14' has a comma; a decimal "
                                                        "comma is not understood, write a point; no point of a"),
        ("a\nx\n1\n", {}, "row 1 (line 2), column a: 'x' is no finite number"),
        ("Größe,b\n1,2\n3,4\n".encode("latin-1"), {}, "data.csv, line 1 is no text in UTF-8"),
        (PLAIN.encode("utf-16"), {}, "data.csv, line 1 is no text in UTF-8"),
        (b"PK\x03\x04\0\0\n1\n2\n", {}, "data.csv, line 1 is no text in UTF-8"),
        ('a,b\n1,2\n3,"4\n' + "5,6\n" * 50_000, {}, "data.csv, line 3: field larger than field limit"),
        ('a,b\n1,2\n3,4\n5,"6\n7,8\n', {}, "data.csv, line 4: unexpected end of data; is a quotation mark left open"),
        ('a,"b\n1,2\n3,4\n', {}, "data.csv, line 1: unexpected end of data; is a quotation mark left open"),
        ('a,b,c\n1,2,x\n3,4,"y\n5,6,z\n7,8,"z\n9,9,z\n', {"columns": ["a"]}, "data.csv, line 3: ',' expected after"),
        ("a" * 2_000_000, {}, "data.csv has a line of 1048576 characters; is it a CSV file?"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_replayed(csv, content: str | bytes, options: dict[str, object], message: str):
    with pytest.raises(UserError) as raised:
        list(Replay(csv(content), **options, say=quiet))
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert str(raised.value).startswith("data.csv")


def test_a_file_that_cannot_be_read(csv):
    with pytest.raises(UserError, match=r"^nowhere.csv cannot be read \(No such file"):
        Replay("nowhere.csv")
    with pytest.raises(UserError, match=r"^\. cannot be read \(Is a directory"):
        Replay(".")


def test_a_pipe_that_is_never_closed_is_read_no_further_than_necessary(csv):
    """Two rows are enough to begin, and each further row comes out as soon as it is in."""
    os.mkfifo("pipe.csv")
    keeper = os.open("pipe.csv", os.O_RDWR)  # so that neither end waits for the other
    try:
        os.write(keeper, b"t,a\n1,10\n2,20\n")
        rows = iter(Replay("pipe.csv", time_column="t", say=quiet))
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
        count = sum(1 for _ in Replay(file, ["a"], "t", say=quiet))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1000 and peak < size / 10


class Clock:
    """Stands in for the module `time`: sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


def test_rows_with_times_keep_them_and_come_at_the_speed(clock: Clock, capsys: pytest.CaptureFixture[str]):
    rows = [Row(5_000_000, {"a": 1.0}), Row(7_000_000, {"a": 2.0}), Row(8_000_000, {}), Row(108_000_000, {"a": 3.0})]
    came = [(clock.now, timestamp) for timestamp, _ in pacing.at_own_times(rows, speed=4)]
    assert came == [(0, 5_000_000), (0.5, 7_000_000), (0.75, 8_000_000), (25.75, 108_000_000)]
    assert capsys.readouterr().out == "the next row is due in 25 s\n"


def test_a_time_centuries_away_can_be_waited_for(clock: Clock):
    rows = [Row(0, {}), Row(20_000_000_000_000_000, {})]
    assert len(list(pacing.at_own_times(rows, speed=1))) == 2
    assert max(clock.slept) <= 1e6 and clock.now == pytest.approx(2e10)


def test_rows_without_times_are_stamped_by_the_clock_also_where_one_is_empty(clock: Clock):
    rows = [Row(0, {"a": 1.0}), Row(0, {}), Row(0, {"a": 3.0})]
    samples = list(pacing.at_rate(rows, rate=4))
    assert samples == [(1_000_000_000, {"a": 1.0}), (1_000_250_000, {}), (1_000_500_000, {"a": 3.0})]
    assert clock.now == 0.5  # nothing is waited for after the last row


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("anomaly_start", nargs="?", type=int)
    replay_options.add(parser)
    options = parser.parse_args(arguments)
    replay_options.check(parser, options)
    return options


@pytest.mark.parametrize(
    "arguments",
    [
        ("--columns", "a"),
        ("--time", "t"),
        ("--rate", "5"),
        ("--speed", "5"),
        ("--delimiter", ";"),
        ("--rows", "1-2"),
        ("--csv",),
        ("--csv", "f", "500"),
        ("--csv", "f", "--time", "t", "--rate", "5"),
        ("--csv", "f", "--speed", "2"),
        ("--csv", "f", "--rate", "2", "--speed", "2"),
        *(("--csv", "f", "--rate", bad) for bad in ("0", "-1", "fast", "nan", "inf", "")),
        *(("--csv", "f", "--time", "t", "--speed", bad) for bad in ("0", "-1", "fast", "inf")),
        *(("--csv", "f", "--columns", bad) for bad in ("", ",", "a,", "a,a", "a, a")),
        *(("--csv", "f", "--delimiter", bad) for bad in ("", ",,", '"', "\n")),
        *(("--csv", "f", "--rows", bad) for bad in ("", "-", "0-5", "5-4", "5", "a-b", "1-2-3", "--1", "-0")),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        parsed(*arguments)
    assert raised.value.code == 2 and "error: " in capsys.readouterr().err


def test_options():
    assert parsed("--csv", "f", "--rows", "-400").rows == (1, 400)
    assert parsed("--csv", "f", "--rows", "401-").rows == (401, None)
    assert parsed("--csv", "f", "--rows", "7-7").rows == (7, 7)
    assert parsed("--csv", "f", "--columns", 'a, "b, c"').columns == ["a", "b, c"]
    assert parsed("--csv", "f", "--delimiter", "tab").delimiter == "\t"
    assert parsed("--csv", "f", "--delimiter", "\\t").delimiter == "\t"
    assert parsed("--csv", "f", "--time", "t").speed == 1
    assert replay_options.replay(parsed("500")) is None


class Listener:
    """A subscriber that keeps all points; it receives nothing while `free` is not set."""

    def __init__(self) -> None:
        from gravity import GravityNode, GravitySubscriber, gravity

        received: list[Point] = []
        self.free = free = threading.Event()
        free.set()

        class Receiver(GravitySubscriber):
            def subscriptionFilled(self, dataProducts):
                free.wait()
                received.extend(points.decode(product.data) for product in dataProducts)

        self.points = received
        self.node = GravityNode()
        assert self.node.init("TestListener") == gravity.SUCCESS
        self._receiver = Receiver()
        assert self.node.subscribe("AutoencoderExample", self._receiver) == gravity.SUCCESS


@pytest.fixture
def cluster(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """A folder with a Service Directory, in which this process may have nodes too."""
    monkeypatch.chdir(folder.path)
    folder.directory()
    yield folder


@pytest.fixture
def listen(cluster: Folder):
    """A function that starts a listener."""
    listeners: list[Listener] = []

    def start() -> Listener:
        listeners.append(Listener())
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.free.set()
        listener.node.close()


def test_a_subscriber_gets_every_point_with_its_own_time(cluster: Folder, listen):
    """As fast as it goes: neither the first points are lost nor the last."""
    Path("own.csv").write_text("when,p,q\n" + "".join(f"{n / 10},{n},{-n / 4}\n" for n in range(1, 3001)))
    publisher = cluster.node("DataPublisher.py", "--csv", "own.csv", "--time", "when", "--speed", "1e9")
    publisher.prints(r"^publishing p, q of own.csv on AutoencoderExample, 1e\+09 times as fast as when tells$")
    publisher.prints("^waiting for a subscriber to AutoencoderExample$")
    listener = listen()
    assert publisher.wait() == 0 and publisher.errors == []
    assert publisher.lines[-1] == "own.csv has ended: 3000 samples published"
    eventually(lambda: len(listener.points) >= 6000, 5)
    expected = [[Point("p", n * 100_000, float(n)), Point("q", n * 100_000, -n / 4)] for n in range(1, 3001)]
    assert listener.points == list(itertools.chain(*expected))


def test_a_subscriber_that_stalls_until_the_publisher_has_gone_gets_every_point(cluster: Folder, listen):
    Path("own.csv").write_text("when,p\n" + "".join(f"{n},{n}\n" for n in range(1, 1501)))
    listener = listen()
    listener.free.clear()
    publisher = cluster.node("DataPublisher.py", "--csv", "own.csv", "--time", "when", "--speed", "1e9")
    assert publisher.wait() == 0 and publisher.errors == []
    listener.free.set()
    eventually(lambda: len(listener.points) >= 1500, 5)
    assert [p.value for p in listener.points] == list(range(1, 1501))


def test_chosen_columns_and_rows_at_a_rate_stamped_by_the_clock(cluster: Folder, listen):
    Path("own.csv").write_text("p|label|q\n" + "".join(f"{n}|x|{'' if n == 4 else n * 2}\n" for n in range(1, 10)))
    listener = listen()
    begin = time.time() * 1e6
    publisher = cluster.node(
        "DataPublisher.py", "--csv", "own.csv", "--columns", "q,p", "--rate", "50", "--rows", "3-6"
    )
    assert publisher.wait() == 0 and publisher.errors == []
    publisher.prints("^publishing q, p of own.csv on AutoencoderExample, 50 samples a second$")
    publisher.prints("^own.csv, row 4 .line 5., column q: an empty cell")
    eventually(lambda: len(listener.points) >= 7, 5)
    came = [(p.name, p.value) for p in listener.points]
    assert came == [("q", 6), ("p", 3), ("p", 4), ("q", 10), ("p", 5), ("q", 12), ("p", 6)]
    times = sorted({p.timestamp for p in listener.points})
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == pytest.approx([20_000] * 3, abs=1)
    assert begin < times[0] <= times[-1] < time.time() * 1e6


def test_a_pipe_is_published_while_it_is_written(cluster: Folder, listen):
    os.mkfifo("pipe.csv")
    keeper = os.open("pipe.csv", os.O_RDWR)
    try:
        publisher = cluster.node("DataPublisher.py", "--csv", "pipe.csv", "--time", "t", "--speed", "1000")
        os.write(keeper, b"t,a\n1,10\n2,20\n")
        listener = listen()
        eventually(lambda: len(listener.points) == 2)
        os.write(keeper, b"3,30\n")
        eventually(lambda: listener.points[2:] == [Point("a", 3_000_000, 30.0)])
        assert publisher.stop() == 130
    finally:
        os.close(keeper)


def test_a_bad_file_is_told_in_one_line_without_a_cluster(folder: Folder):
    program = folder.node("DataPublisher.py", "--csv", "nowhere.csv")
    assert program.wait() == 1 and program.lines == []
    assert program.errors == [
        "DataPublisher: nowhere.csv cannot be read (No such file or directory); check the name given to --csv"
    ]


@pytest.mark.parametrize("arguments", [("500", "--csv", "f"), ("--rate", "5")])
def test_usage_errors_of_the_publisher(folder: Folder, arguments: tuple[str, ...]):
    program = folder.node("DataPublisher.py", *arguments)
    assert program.wait() == 2
    assert program.errors[0].startswith("usage: DataPublisher.py")
