"""`gravity record`, in a process of its own."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.gravity.commands.conftest import Start, products, run
from tests.support import Program

from gravity import GravityDataProduct, GravityNode, gravity
from gravity.commands import record
from gravity.commands.inbox import Inbox
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity_recording import open_recording

if TYPE_CHECKING:
    from tests.gravity.conftest import Cluster, Eventually

Product = Callable[[str, str], GravityDataProduct]


def publish(node: GravityNode, id: str, *texts: str) -> None:
    for text in texts:
        product = GravityDataProduct(id)
        product.data = GravityLogMessagePB(level="info", message=text)
        assert node.publish(product) == gravity.SUCCESS


def texts(*paths: str | Path, id: str = "") -> list[str]:
    found = map(GravityDataProductPB.FromString, products(*paths))
    return [GravityLogMessagePB.FromString(p.data).message for p in found if id in ("", p.dataProductID)]


def recording(start: Start, node: GravityNode, *arguments: str, setup: str = "", id: str = "A") -> Program:
    """Start the command and wait until it is connected to a node that publishes `id` without a cache."""
    recorder = start("record", *arguments, setup=setup)
    recorder.prints("Ctrl-C ends it")
    reaches(node, id)
    return recorder


def reaches(node: GravityNode, id: str) -> None:
    deadline = time.monotonic() + 10
    while not node.subscribersExist(id)[1]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_some_data_products(cluster: Cluster, start: Start) -> None:
    """As the wire has them, with a schema; a second subscriber has the same but for its time of receipt."""
    node = cluster.publisher("A", cache=False)
    cluster.publisher("Other")
    listener = cluster.subscriber(cluster.node("Listener"), "A")
    recorder = recording(start, node, "A", "B", "-o", "run.mcap")
    reaches(node, "A")
    publish(node, "A", *map(str, range(100)))
    late = cluster.publisher("B", "Late")
    reaches(late, "B")
    publish(late, "B", "b")
    assert recorder.stop() == 130
    assert recorder.errors == [] and re.fullmatch(
        r"recorded 101 messages of 2 data products in \d+\.\d s to run\.mcap \(\d+\.\d kB\)", recorder.lines[-1]
    )
    assert texts("run.mcap", id="A") == [str(n) for n in range(100)] and texts("run.mcap", id="B") == ["b"]
    found = [GravityDataProductPB.FromString(product) for product in products("run.mcap")]
    heard = [GravityDataProductPB.FromString(p.serializeToString()) for p in listener.products]
    for product in (*found, *heard):
        assert product.received_timestamp >= product.timestamp > 0
        product.ClearField("received_timestamp")
    assert [p for p in found if p.dataProductID == "A"][-len(heard) :] == heard
    with open_recording("run.mcap") as file:
        assert file.products["A"].types == {"gravity.GravityLogMessagePB"} and file.compression == ["zstd"]


def test_all_also_those_that_appear_later(cluster: Cluster, start: Start) -> None:
    early = cluster.publisher("Early", "First", cache=False)
    recorder = start("record", "--all", "--compression", "none")
    recorder.prints("^recording Early$")
    late = cluster.publisher("Late", "Second", cache=False)
    recorder.prints("^recording Late$")
    for node, id in ((early, "Early"), (late, "Late")):
        reaches(node, id)
        publish(node, id, id)
    assert recorder.stop(signal.SIGTERM) == 0 and recorder.errors == []
    [path] = Path().glob("gravity_*.mcap")
    assert re.fullmatch(r"gravity_\d{8}_\d{6}\.mcap", path.name)
    assert sorted(texts(path)) == ["Early", "Late"]
    with open_recording(path) as file:
        assert file.compression == ["none"]
        assert not [id for id in file.products if id.startswith(("ServiceDirectory", "Registered"))]


def test_all_of_a_domain(isle: Cluster, start: Start) -> None:
    node = isle.publisher("P", cache=False)
    recorder = start("record", "--all", "--domain", "isle", "-o", "run")
    recorder.prints("^recording P$")
    reaches(node, "P")
    publish(node, "P", "x")
    assert recorder.stop() == 130 and texts("run.mcap") == ["x"]


def test_what_has_arrived_when_it_ends_is_recorded(cluster: Cluster, start: Start) -> None:
    """Without a pause between publishing and Ctrl-C."""
    node = cluster.publisher("A", cache=False)
    recorder = recording(start, node, "A", "-o", "run.mcap")
    publish(node, "A", *map(str, range(20_000)))
    assert recorder.stop() == 130
    assert texts("run.mcap") == [str(n) for n in range(20_000)]


def test_split_by_size(cluster: Cluster, start: Start) -> None:
    node = cluster.publisher("A", cache=False)
    recorder = recording(start, node, "A", "-o", "run.mcap", "--split-size", "0.5", "--compression", "none")
    sent = [f"{n:01000}" for n in range(3000)]
    publish(node, "A", *sent)
    assert recorder.stop() == 130
    files = [f"run_{n}.mcap" for n in range(len(list(Path().glob("run_*.mcap"))))]
    assert len(files) >= 3 and texts(*files) == sent
    assert f"to run_0.mcap ... {files[-1]}" in recorder.lines[-1] or len(files) < 3
    assert all(os.path.getsize(file) < 2.6e6 for file in files)
    printed = run("info", ".").lines
    assert [line.split(":")[0] for line in printed if "MCAP" in line] == files


def test_split_by_time(cluster: Cluster, start: Start) -> None:
    node = cluster.publisher("A", cache=False)
    recorder = recording(start, node, "A", "-o", "run.mcap", "--split-time", "0.3")
    begin = time.monotonic()
    n = 0
    while time.monotonic() - begin < 1.2:
        publish(node, "A", str(n))
        n += 1
        time.sleep(0.01)
    assert recorder.stop() == 130
    files = [f"run_{k}.mcap" for k in range(len(list(Path().glob("run_*.mcap"))))]
    assert len(files) >= 3 and texts(*files) == [str(k) for k in range(n)]


def test_an_existing_file_is_kept(cluster: Cluster, start: Start) -> None:
    Path("run.mcap").write_text("mine")
    done = run("record", "A", "-o", "run.mcap")
    assert done == (1, [], ["gravity: run.mcap exists; name another file, or add --overwrite"])
    assert Path("run.mcap").read_text() == "mine"
    recorder = start("record", "A", "-o", "run.mcap", "--overwrite")
    recorder.prints("Ctrl-C")
    assert recorder.stop() == 130 and products("run.mcap") == []


def test_a_file_that_cannot_be_written(cluster: Cluster) -> None:
    done = run("record", "A", "-o", "no/such/run.mcap")
    assert done == (1, [], ["gravity: cannot write no/such/run.mcap: No such file or directory"])


def written(path: str) -> int:
    """How many messages of a recording are on the disk."""
    with open_recording(path) as file:
        return sum(1 for _ in file.messages())


def test_killed(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    """What was on the disk can be read; `repair` completes it."""
    node = cluster.publisher("A", cache=False)
    recorder = recording(start, node, "A", "-o", "run.mcap")
    publish(node, "A", *map(str, range(1000)))
    eventually(lambda: written("run.mcap") >= 1000)
    publish(node, "A", *map(str, range(1000, 2000)))
    assert recorder.stop(signal.SIGKILL) == -signal.SIGKILL
    count = written("run.mcap")
    with open_recording("run.mcap") as file:
        assert 1000 <= count <= 2000 and file.damage
        warning = f"gravity: {file.damage}; what comes before is read"
    done = run("repair", "run.mcap", "whole.mcap")
    assert done == (0, [f"wrote {count} messages to whole.mcap"], [warning])
    assert texts("whole.mcap") == [str(n) for n in range(count)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("only root can mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a disk: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk(cluster: Cluster, small_disk: Path, start: Start) -> None:
    node = cluster.publisher("A", cache=False)
    recorder = recording(start, node, "A", "-o", "disk/run.mcap", "--compression", "none")
    n = 0
    while recorder.process.poll() is None:
        assert n < 20_000
        publish(node, "A", str(n))
        time.sleep(0.0005)
        n += 1
    assert recorder.wait() == 1
    reason = os.strerror(errno.ENOSPC)
    assert recorder.errors == [f"gravity: cannot write disk/run.mcap: {reason}; what was written before can be read"]
    with open_recording("disk/run.mcap") as file:
        found = [GravityDataProductPB.FromString(message.product) for message in file.messages()]
    sent = [GravityLogMessagePB.FromString(product.data).message for product in found]
    assert len(sent) > 100 and sent == [str(k) for k in range(len(sent))]
    assert re.match(r"recorded \d+ messages of 1 data product", recorder.lines[-1])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "one of the arguments PRODUCT --all is required"),
        (("--all", "A"), "argument PRODUCT: not allowed with argument --all"),
        (("A", "--split-size", "0"), "argument --split-size: '0' is not a number from 0.001 to 1e+09"),
        (("A", "--split-time", "soon"), "argument --split-time: 'soon' is not a number from 0.001 to 1e+09"),
        (("A", "--compression", "gzip"), "argument --compression: invalid choice: 'gzip'"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], error: str) -> None:
    done = run("record", *arguments)
    assert done.code == 2 and f"error: {error}" in done.errors[-1]


# ---- the end, and the queue ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_the_end_waits_for_what_was_published_before(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless Ctrl-C comes again."""
    old, new = (GravityDataProductPB(timestamp=at).SerializeToString() for at in (1, 2**63))
    batches = [deque([old]), deque([old, new]), deque([new]), deque([new])]
    written: list[bytes] = []
    inbox = SimpleNamespace(take=lambda seconds: batches.pop(0))
    record._drain(inbox, SimpleNamespace(add=written.append), SimpleNamespace(again=again))  # type: ignore[arg-type]
    assert written == ([] if again else [old, old, new, new]) and len(batches) == (4 if again else 1)


def test_a_full_inbox_counts_what_it_drops(product: Product) -> None:
    """Its room is free again once what was taken is done."""
    one = product("P", "x")
    size = len(one.serializeToString())
    inbox = Inbox(capacity=3 * size)
    inbox.subscriptionFilled([one] * 2)
    inbox.subscriptionFilled([one] * 2)
    assert inbox.dropped == 1
    assert list(inbox.take(0)) == [one.serializeToString()] * 3
    inbox.subscriptionFilled([one])
    assert inbox.dropped == 2  # what was taken may not be written yet
    assert not inbox.take(0)
    inbox.subscriptionFilled([one])
    assert inbox.dropped == 2 and len(inbox.take(0)) == 1
