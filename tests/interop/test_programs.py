"""Gravity's programs besides the directory, in mixes: each of ours does to the byte what the real one does."""

from __future__ import annotations

import contextlib
import re
import signal
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.cluster import Cluster, Tap, end
from tests.interop.implementations import OURS, Implementation, Mix, real
from tests.support import Program, eventually

from gravity import gravity
from gravity.commands.copying import copy
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.ServiceDirectoryPB_pb2 import ConfigeResponsePB, ConfigRequestPB
from gravity_recording import open_recording
from gravity_recording.archive import MARK, record

SECOND = 1_000_000
PAUSE = 3 * SECOND // 2  # in an archive: the original does not wait for subscribers before it begins
STAMPED = ("timestamp", "componentID", "domain", "registration_time")  # by who publishes


def without(product: GravityDataProductPB, *fields: str) -> bytes:
    copy = GravityDataProductPB.FromString(product.SerializeToString())
    for field in fields:
        copy.ClearField(field)
    return copy.SerializeToString()


def parsed(tap: Tap) -> list[GravityDataProductPB]:
    return [GravityDataProductPB.FromString(frame) for frame in tap.frames()]


def of(id: str, products: list[GravityDataProductPB]) -> list[GravityDataProductPB]:
    return [p for p in products if p.dataProductID == id]


def test_what_one_archives_the_other_plays(cluster: Cluster):
    """The Archiver is of the subscriber's kind, Playback of the publisher's."""
    cluster.configure(FileArchiver='DataProductList = "A, B"\n')
    publisher = cluster.publisher().offer("A", "B")
    archiver = cluster.program("Archiver", cluster.mix.of("subscriber"))
    eventually(lambda: publisher.has_subscribers("A") and publisher.has_subscribers("B"))
    taps, path = {id: cluster.tap(id) for id in "AB"}, cluster.folder / "archive.bin"
    for id, tap in taps.items():
        while not tap.frames():
            publisher.publish(id, f"probe {id}")
    for n in range(20):
        publisher.publish("A", f"a{n}\xff", filter=f"f{n}", version="1.2")
        publisher.do("publish", {"product": "B", "message": f"b{n}"})

    def archived() -> list[GravityDataProductPB]:
        with open_recording(path) as recording:
            return [GravityDataProductPB.FromString(message.product) for message in recording.messages()]

    def is_complete(id: str) -> bool:
        sent = parsed(taps[id])
        return b"19" in sent[-1].data and sent[-1].data == of(id, archived())[-1].data

    eventually(lambda: is_complete("A") and is_complete("B"))
    end(archiver)
    products = archived()
    assert path.read_bytes() == MARK + b"".join(record(p.SerializeToString()) for p in products)
    convert_there_and_back(path)
    for id, tap in taps.items():
        sent = [without(p) for p in parsed(tap) if not p.is_cached_dataproduct]
        kept = [without(p, "received_timestamp") for p in of(id, products)]
        assert len(sent) >= 20 and kept[-len(sent) :] == sent
        assert publisher.do("unregisterDataProduct", id) == gravity.SUCCESS

    probes, tail = ([p for p in products if (b"probe" in p.data) == probe] for probe in (True, False))
    for product in tail:
        product.received_timestamp += PAUSE
    path.write_bytes(MARK + b"".join(record(p.SerializeToString()) for p in probes + tail))
    convert_there_and_back(path)
    check_playback(cluster, cluster.mix.of("publisher"), tail)


def convert_there_and_back(archive: Path) -> None:
    """Replace an archive by what becomes of it as an MCAP file and back, which is the same to the last byte."""
    mcap, before = archive.with_suffix(".mcap"), archive.read_bytes()
    for source, target in ((archive, mcap), (mcap, archive)):
        with open_recording(source) as recording:
            copy([recording], None, target, target.suffix, "zstd")
    assert archive.read_bytes() == before


def check_playback(cluster: Cluster, player: Implementation, tail: list[GravityDataProductPB]) -> None:
    """Play the archive, of which `tail` follows a pause; see it on the wire and at a subscriber."""
    subscriber = cluster.subscriber()
    told = {id: subscriber.subscribe(id) for id in "AB"}
    cluster.program("Playback", player)
    eventually(lambda: cluster.publishers("A") and cluster.publishers("B"))
    taps = {id: cluster.tap(id) for id in "AB"}

    def is_complete(id: str) -> bool:
        last, played = of(id, tail)[-1].data, parsed(taps[id])
        return bool(played) and played[-1].data == last == told[id].products[-1].data.encode("latin-1")

    eventually(lambda: is_complete("A") and is_complete("B"))
    for id in "AB":
        expected = of(id, tail)
        played = parsed(taps[id])[-len(expected) :]
        assert [without(p, *STAMPED) for p in played] == [without(p, *STAMPED) for p in expected]
        for product, recorded in zip(played, expected, strict=True):
            if recorded.is_relayed_dataproduct:
                assert without(product, "registration_time") == without(recorded, "registration_time")
            else:
                assert (product.componentID, product.domain) == ("FileReplay", "")
        begin, *heard = told[id].products
        heard = heard[-len(expected) :]
        assert [p.data.encode("latin-1") for p in heard] == [p.data for p in expected]
        assert heard[0].timestamp - begin.timestamp >= PAUSE - SECOND // 10


@pytest.fixture(params=["ours", "real"])
def player(request: pytest.FixtureRequest) -> Implementation:
    return OURS if request.param == "ours" else real()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of ours alone."""
    with contextlib.closing(Cluster(tmp_path, Mix("ours", "ours", "ours"))) as cluster:
        cluster.start_directory()
        yield cluster


@pytest.mark.parametrize("order", ["<", ">"])
def test_playback_of_anything(plain: Cluster, player: Implementation, order: str):
    """Of either byte order; cached and relayed messages, and times of publication where there are none of receipt."""
    now = time.time_ns() // 1000
    first = [GravityDataProductPB(dataProductID=id, data=b"first", timestamp=now) for id in "AB"]
    tail = [
        GravityDataProductPB(dataProductID="A", data=b"1", timestamp=now + PAUSE, is_cached_dataproduct=True),
        GravityDataProductPB(dataProductID="A", data=b"2", timestamp=5, received_timestamp=now + PAUSE, protocol="p"),
        GravityDataProductPB(
            dataProductID="B", data=b"3", timestamp=now + SECOND * 1000, received_timestamp=now + PAUSE,
            is_relayed_dataproduct=True, componentID="Origin", domain="far", registration_time=7,
        ),
    ]  # fmt: skip
    with (plain.folder / "archive.bin").open("wb") as file:
        file.write(struct.pack(order + "i", 1))
        for product in first + tail:
            frame = product.SerializeToString()
            file.write(struct.pack(order + "i", len(frame)) + frame)
    check_playback(plain, player, tail)


@pytest.mark.parametrize("directory", ["ours", "real"])
def test_recorded_and_played_again(directory: str, tmp_path: Path):
    """`gravity record` has what is on the wire of a real publisher; `gravity play` feeds a real subscriber."""
    real()

    def command(*arguments: str) -> Program:
        run = [sys.executable, "-m", "gravity.cli", *arguments]
        started.append(Program(run, tmp_path, OURS.environment))
        return started[-1]

    started: list[Program] = []
    with contextlib.closing(Cluster(tmp_path, Mix(directory, "real", "real"))) as cluster:
        try:
            cluster.start_directory()
            publisher = cluster.publisher().offer("A", cache=False)
            recorder = command("record", "--all", "-o", "run.mcap")
            recorder.prints("^recording A$")
            publisher.offer("B", cache=False)
            recorder.prints("^recording B$")
            eventually(lambda: publisher.has_subscribers("A") and publisher.has_subscribers("B"))
            taps = {id: cluster.tap(id) for id in "AB"}
            for id, tap in taps.items():
                while not tap.frames():
                    publisher.publish(id, f"probe {id}")
            for n in range(20):
                publisher.publish("A", f"a{n}\xff", filter=f"f{n}", version="1.2")
                publisher.do("publish", {"product": "B", "message": f"b{n}"})
            eventually(lambda: all(b"19" in parsed(tap)[-1].data for tap in taps.values()))
            assert recorder.stop() == 130 and recorder.errors == []
            with open_recording(tmp_path / "run.mcap") as recording:
                products = [GravityDataProductPB.FromString(m.product) for m in recording.messages()]
                assert recording.products["B"].types == {"", "gravity.GravityLogMessagePB"}
            for id, tap in taps.items():
                on_wire = [without(p) for p in parsed(tap)]
                kept = [without(p, "received_timestamp") for p in of(id, products)]
                assert len(on_wire) >= 20 and kept[-len(on_wire) :] == on_wire
                assert publisher.do("unregisterDataProduct", id) == gravity.SUCCESS

            subscriber = cluster.subscriber()
            told = {id: subscriber.subscribe(id) for id in "AB"}
            player = command("play", "run.mcap")
            assert player.wait() == 0 and player.errors == []
            sent = {id: [p.data for p in of(id, products)] for id in "AB"}
            eventually(lambda: all(len(told[id].products) == len(sent[id]) for id in "AB"))
            for id in "AB":
                heard = told[id].products
                assert [p.data.encode("latin-1") for p in heard] == sent[id]
                assert {(p.component, p.cached) for p in heard} == {("GravityPlayer", False)}
        finally:
            for program in started:
                program.process.kill()
                program.wait()


def test_a_relay(cluster: Cluster):
    """The relay is not of the directory's kind."""
    kind = OURS if cluster.mix.directory == "real" else real()
    origin, subscriber = cluster.publisher("Origin").offer("P", cache=False), cluster.subscriber()
    told = subscriber.subscribe("P")
    origin.reach("P", told)

    def comes_relayed(wanted: bool) -> bool:
        origin.publish("P", "probe")
        return told.products[-1].relayed == wanted

    for local in (True, False):
        cluster.configure(Relay=f'DataProductList = "P, Q"\nProvideLocalOnly = {str(local).lower()}\n')
        relay = cluster.program("Relay", kind)
        eventually(lambda: [p.component_id for p in cluster.publishers("Q")] == ["Relay"])
        [listed] = [p for p in cluster.publishers("P") if p.is_relay]
        assert listed.ip_address == ("127.0.0.1" if local else "")
        eventually(lambda: comes_relayed(True))
        texts = [f"{local} {n}" for n in range(50)]
        origin.publish("P", *texts)
        eventually(lambda: told.texts[-1:] == texts[-1:])  # noqa: B023
        assert told.texts[-50:] == texts
        for product in told.products[-50:]:
            assert (product.relayed, product.component, product.domain) == (True, "Origin", "")
        assert end(relay, signal.SIGTERM) == 0
        assert [p.component_id for p in cluster.publishers("P")] == ["Origin"]
        assert cluster.publishers("Q") == []
        eventually(lambda: comes_relayed(False))
    assert len(told.texts) == len(set(told.texts)) == 100


def test_a_log_recorder(cluster: Cluster):
    cluster.configure(Publisher="AppNetworkLogLevel = info\n")
    publisher = cluster.publisher().join()
    recorder = cluster.program("LogRecorder", cluster.mix.of("subscriber"))

    def recorded() -> str:
        files = [p for p in cluster.folder.iterdir() if re.fullmatch(r"\d{4}(_\d\d){5}", p.name)]
        return files[0].read_text() if files else ""

    def reached() -> bool:
        publisher.do("log", "info", "probe")
        return bool(recorded())

    eventually(reached)
    for level in ("warn", "critical"):  # one by one: of several that arrive at once, the original writes the first
        publisher.do("log", level, f"it is {level}: \xe4")
        eventually(lambda: f"it is {level}" in recorded())  # noqa: B023
    end(recorder, signal.SIGTERM)
    expected = "".join(
        rf"\[ {name} \d\d/\d\d/\d\d \d\d:\d\d:\d\d\] \[\S+ \S+ Publisher-{name}\] it is {level}: ä\n\n"
        for level, name in (("warn", "warning"), ("critical", "critical"))
    )
    assert re.search(expected + r"\Z", recorded())


def test_a_config_server(cluster: Cluster):
    """The server is of the publisher's kind, and the node that it configures of the subscriber's."""
    cluster.configure(Subscriber="NoConfigServer = false\nOwn = 1\n")
    (cluster.folder / "config_file.ini").write_text(
        '[general]\nown = 2\nBase = "5 V"\nempty = ""\n[Subscriber]\nrate = $Base\nlist = 2 + 3\n[Other]\nx = 1\n'
    )
    cluster.program("ConfigServer", cluster.mix.of("publisher"))
    eventually(lambda: cluster.service("ConfigService").url)
    subscriber = cluster.subscriber().join()
    got = [subscriber.do("getStringParam", key, "-") for key in ("own", "base", "rate", "list", "empty", "x")]
    assert got == ["1", "5 V", "5 V", "5.000000", "-", "-"]
    question = ConfigRequestPB(componentID="Subscriber").SerializeToString().decode("latin-1")
    answer = subscriber.ask("ConfigService", question)
    assert answer
    expected = {"Base": "5 V", "list": "5.000000", "own": "2", "rate": "5 V"}
    data = ConfigeResponsePB(key=expected.keys(), value=expected.values()).SerializeToString()
    assert answer.data == data.decode("latin-1")
    assert (answer.id, answer.component, answer.domain) == ("ConfigResponsePB", "ConfigServer", "")
    assert (answer.protocol, answer.type_name) == ("protobuf2", "gravity.ConfigeResponsePB")
