"""`gravity play`, in a process of its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gravity.commands.conftest import COMMAND, Start, run
from tests.gravity.recording.conftest import BEGIN

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording import RecordingWriter, open_recording
from gravity_recording.archive import MARK, record

if TYPE_CHECKING:
    from tests.gravity.conftest import Cluster, Collector, Eventually

SECOND = 1_000_000


def write(path: str, *messages: tuple[float, str, str], **fields: object) -> None:
    """Write messages, each with the second of its receipt, id and text, to a recording."""
    frames = [
        GravityDataProductPB(
            dataProductID=id, data=text.encode(), received_timestamp=BEGIN + int(at * SECOND), **fields
        ).SerializeToString()  # type: ignore[arg-type]
        for at, id, text in messages
    ]
    if path.endswith(".bin"):
        Path(path).write_bytes(MARK + b"".join(map(record, frames)))
        return
    with RecordingWriter(path) as writer:
        for frame in frames:
            writer.add(frame)
            writer.flush()


def intervals(collector: Collector) -> list[float]:
    """The seconds at which its messages were published, from the first."""
    times = [product.timestamp for product in collector.products]
    return [(at - times[0]) / SECOND for at in times]


@pytest.fixture
def listener(cluster: Cluster) -> Collector:
    """A subscriber to A and B."""
    collector, node = cluster.subscriber(cluster.node("Listener"), "A"), cluster.node("Other")
    node.subscribe("B", collector)
    return collector


@pytest.mark.parametrize("path", ["run.mcap", "run.bin"])
def test_at_the_recorded_times(path: str, listener: Collector, start: Start, eventually: Eventually) -> None:
    """Published anew: neither cached nor relayed, with a new time and origin; the rest is as it was."""
    write(
        path, (0, "A", "1"), (0.3, "B", "2"), (0.3, "A", "3"), (0.8, "A", "4"), componentID="Gone", timestamp=7,
        is_cached_dataproduct=True, is_relayed_dataproduct=True, softwareVersion="1", type_name="T", domain="far",
    )  # fmt: skip
    player = start("play", path)
    assert player.wait() == 0 and player.errors == []
    eventually(lambda: len(listener.products) == 4)
    assert player.lines == [f"playing A, B from {path}", "played 4 messages"]
    assert listener.texts == ["1", "2", "3", "4"] or listener.texts == ["1", "3", "2", "4"]
    for at, due in zip(intervals(listener), [0, 0.3, 0.3, 0.8], strict=True):
        assert due - 0.01 < at < due + 1
    for product in listener.products:
        assert not product.isCachedDataproduct and not product.isRelayedDataproduct
        assert (product.componentID, product.softwareVersion, product.typeName) == ("GravityPlayer", "1", "T")


def test_some_data_products_from_a_time_on_and_faster(
    listener: Collector, start: Start, eventually: Eventually
) -> None:
    write("run.mcap", *((n, "AB"[n % 2], str(n)) for n in range(100)))
    player = start("play", "run.mcap", "--products", "A", "C", "--start", "90", "--speed", "20")
    assert player.wait() == 0
    eventually(lambda: len(listener.products) == 5)
    assert player.errors == ["gravity: run.mcap: there are no messages of C"]
    assert listener.texts == ["90", "92", "94", "96", "98"]
    assert 0.38 < intervals(listener)[-1] < 2


def test_several_files_in_order_of_time(listener: Collector, start: Start, eventually: Eventually) -> None:
    """Damage in one of them does not keep the others from being played."""
    folder = Path("recordings")
    folder.mkdir()
    write("recordings/b.mcap", (0, "A", "1"), (0.1, "A", "2"))
    write("recordings/a.bin", (0.2, "A", "3"))
    with open_recording("recordings/b.mcap") as recording:
        second = recording._reader.index.blocks[1]
    os.truncate("recordings/b.mcap", second.offset + 20)
    player = start("play", "recordings", "--speed", "2")
    assert player.wait() == 0
    eventually(lambda: len(listener.products) == 2)
    assert listener.texts == ["1", "3"]
    [warning] = player.errors
    assert warning.startswith("gravity: recordings/b.mcap, offset ") and warning.endswith("what comes before is read")


def test_a_loop(listener: Collector, start: Start, eventually: Eventually) -> None:
    write("run.mcap", (0, "A", "1"), (0.05, "A", "2"))
    player = start("play", "run.mcap", "--loop")
    eventually(lambda: len(listener.products) >= 6)
    assert player.stop() == 130
    assert listener.texts[:6] == ["1", "2"] * 3


def test_what_is_reserved(listener: Collector, start: Start) -> None:
    write("run.mcap", (0, "GRAVITY_LOGGER", "x"), (0, "A", "1"))
    player = start("play", "run.mcap")
    assert player.wait() == 0 and player.lines[-1] == "played 1 messages"
    assert player.errors == ["gravity: GRAVITY_LOGGER is reserved for Gravity itself; it is not played"]


def test_sigterm(cluster: Cluster, start: Start) -> None:
    write("run.mcap", (0, "A", "1"), (100, "A", "2"))
    player = start("play", "run.mcap")
    player.prints("playing")
    assert player.stop(signal.SIGTERM) == 0 and cluster.publishers("A") == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("no.mcap",), "cannot read no.mcap: No such file or directory"),
        (("Gravity.ini",), "Gravity.ini, offset 0: neither an MCAP file nor a Gravity archive: it begins with "),
        ((".",), ". holds no recordings (.mcap, .bin)"),
        (("run.rec", "--products", "B"), "there is nothing to play"),
        (("run.rec", "--start", "2"), "--start 2: the last message is at 1.000 s"),
        (("run.rec", "--start", "1", "--loop"), "--loop: what is to be played has no length"),
        (("other.mcap", "--products", "A", "--loop"), "--loop: what is to be played has no length"),
        (("other.mcap", "--products", "GRAVITY_LOGGER"), "there is nothing to play"),
        (("run.rec", "--paused"), "--paused requires a terminal, where a key goes on"),
    ],
)
def test_what_cannot_be_played(arguments: tuple[str, ...], error: str, cluster: Cluster) -> None:
    write("run.rec", (0, "A", "1"), (1, "A", "2"))
    if "other.mcap" in arguments:
        write("other.mcap", (0, "A", "1"), (1, "B", "2"), (2, "GRAVITY_LOGGER", "3"))
    done = run("play", *arguments)
    assert done.code == 1 and done.errors[-1].startswith(f"gravity: {error}")


def test_wrong_arguments() -> None:
    for arguments in ((), ("x", "--speed", "0"), ("x", "--start", "-1")):
        assert run("play", *arguments).code == 2


# ---- keys -------------------------------------------------------------------------------------------------------


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._end, other = pty.openpty()
        os.set_blocking(self._end, False)
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=other, stdout=other, stderr=other, start_new_session=True,
            preexec_fn=lambda: os.tcsetpgrp(0, os.getpgrp()) if _take_terminal() else None,
        )  # fmt: skip
        os.close(other)
        self.text = ""

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def shows(self, text: str) -> bool:
        try:
            self.text += os.read(self._end, 10_000).decode()
        except OSError:
            time.sleep(0.02)
        return text in self.text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


def _take_terminal() -> bool:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    return True


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_keys(listener: Collector, terminal: Callable[..., Terminal], eventually: Eventually) -> None:
    """Begin paused, two steps, go on faster, pause, Ctrl-C."""
    write("run.mcap", *((n, "A", str(n)) for n in range(1000)))
    shown = terminal("play", "run.mcap", "--paused", "--start", "10")
    eventually(lambda: shown.shows("space pauses"))
    at = 0
    while len(listener.texts) < 2:  # the first ones may come before it is connected
        shown.press("s" if at % 2 else "\x1b[C")
        eventually(lambda: shown.shows(f"at {at}.000 s"))  # noqa: B023
        at += 1
    first = int(listener.texts[0])
    assert first >= 10
    for key, text in (("+", "speed 2\r"), ("\x1b[A", "speed 4\r"), ("-", "speed 2\r"), ("\x1b[B", "speed 1\r")):
        shown.text = ""
        shown.press(key)
        eventually(lambda: shown.shows(text))  # noqa: B023
    shown.press("++++++")
    shown.press(" ")
    eventually(lambda: shown.shows(f"playing at {at - 1}.000 s"))
    eventually(lambda: len(listener.texts) > 10)
    shown.press(" ")
    eventually(lambda: shown.shows("paused at "))
    shown.press("\x03")
    assert shown.process.wait(10) == 130
    assert listener.texts == [str(n) for n in range(first, first + len(listener.texts))]
