"""A user's own CSV file as streams: what subscribers get."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import points
from streams.points import END_TYPE, Point, ended_streams
from tests.support import Folder, eventually


class Listener:
    """A subscriber that keeps all points; it receives nothing while `free` is not set."""

    def __init__(self) -> None:
        from gravity import GravityNode, GravitySubscriber, gravity

        received: list[Point] = []
        self.ended = ended = []
        self.free = free = threading.Event()
        free.set()

        class Receiver(GravitySubscriber):
            def subscriptionFilled(self, dataProducts):
                free.wait()
                for product in dataProducts:
                    if product.typeName == END_TYPE:
                        ended.append(ended_streams(product.data))
                    else:
                        received.append(points.decode(product.data))

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
    publisher.prints(
        r"DataPublisher-info\] publishing on AutoencoderExample: p, q of own.csv at 1e\+09 times their speed$"
    )
    publisher.prints("waiting for a subscriber to AutoencoderExample$")
    listener = listen()
    assert publisher.wait() == 0 and publisher.errors == []
    assert publisher.lines[-1].endswith("the data ended: 3000 samples published")
    eventually(lambda: len(listener.points) >= 6000, 5)
    expected = [[Point("p", n * 100_000, float(n)), Point("q", n * 100_000, -n / 4)] for n in range(1, 3001)]
    assert listener.points == list(itertools.chain(*expected))
    eventually(lambda: listener.ended == [{"p", "q"}], 5)


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
    publisher.prints("publishing on AutoencoderExample: q, p of own.csv at 50 samples per second$")
    publisher.prints("own.csv, row 4 .line 5., column q: an empty cell; counted as a missing value$")
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


def test_a_bad_file_is_one_line_and_needs_no_cluster(folder: Folder):
    program = folder.node("DataPublisher.py", "--csv", "nowhere.csv")
    assert program.wait() == 1 and program.lines == []
    assert program.errors == [
        "DataPublisher: cannot read nowhere.csv (No such file or directory); check the name given to --csv"
    ]


@pytest.mark.parametrize("arguments", [("500", "--csv", "f"), ("--rate", "5")])
def test_usage_errors_of_the_publisher(folder: Folder, arguments: tuple[str, ...]):
    program = folder.node("DataPublisher.py", *arguments)
    assert program.wait() == 2
    assert program.errors[0].startswith("usage: DataPublisher.py")
