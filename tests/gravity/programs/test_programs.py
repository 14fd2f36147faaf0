"""The programs as a user runs them, in processes of their own."""

from __future__ import annotations

import importlib.metadata
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gravity.programs.conftest import Start
from tests.support import free_port as find_free_port

from gravity import GravityDataProduct, GravityNode, gravity
from gravity.directory.server import BroadcastSettings, ServiceDirectory
from gravity.FileArchiverControlRequestPB_pb2 import FileArchiverControlRequestPB
from gravity.FileArchiverControlResponsePB_pb2 import FileArchiverControlResponsePB
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity.programs import log_recorder
from gravity.protocol.directory_messages import Publisher
from gravity_recording import RecordingWriter, open_recording
from gravity_recording.archive import MARK, record

if TYPE_CHECKING:
    from tests.gravity.conftest import Cluster, Collector, Eventually

Product = Callable[[str, str], GravityDataProduct]
MODULES = {
    "archiver": "Archiver",
    "config_server": "ConfigServer",
    "log_recorder": "LogRecorder",
    "playback": "Playback",
    "relay": "Relay",
}


# ---- all of them ------------------------------------------------------------------------------------------------


def test_installed_under_their_names() -> None:
    scripts = {s.name: s for s in importlib.metadata.distribution("pygravity").entry_points}
    assert scripts.keys() == {"ServiceDirectory", "gravity", *MODULES.values()}
    for module, name in MODULES.items():
        assert scripts[name].value == f"gravity.programs.{module}:main" and callable(scripts[name].load())


@pytest.mark.parametrize("module", MODULES)
def test_the_command_line(module: str, start: Start) -> None:
    helped, wrong = start(module, "--help"), start(module, "now")
    assert helped.wait() == 0 and helped.errors == []
    printed = "\n".join(helped.lines)
    assert printed.startswith(f"usage: {MODULES[module]} ") and "Examples:" in printed and "Exit codes:" in printed
    assert wrong.wait() == 2 and wrong.errors[0].startswith(f"usage: {MODULES[module]} ")


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_an_orderly_end(
    module: str, number: int, code: int, cluster: Cluster, start: Start, eventually: Eventually
) -> None:
    """What they have registered is registered no more."""
    products = 'DataProductList = "P"\n'
    cluster.configure(f"[FileArchiver]\n{products}[Relay]\n{products}")
    Path("config_file.ini").write_text("[general]\n")
    Path("archive.bin").write_bytes(MARK + record(GravityDataProductPB(dataProductID="P").SerializeToString()))
    program = start(module)
    program.prints("reached the end" if module == "playback" else f"^{MODULES[module]}: ")
    listed = {"playback": 1, "relay": 1}.get(module, 0)
    assert len(cluster.publishers("P")) == listed
    assert program.stop(number) == code and program.errors == []
    assert cluster.publishers("P") == []


def test_they_wait_for_a_directory(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    port = find_free_port()
    Path("Gravity.ini").write_text(
        "[general]\nDomain = isle\nNoConfigServer = true\nServiceDirectoryBroadcastTimeout = 1\n"
        f"ServiceDirectoryBroadcastPort = {port}\n"
    )
    recorder = start("log_recorder")
    eventually(lambda: recorder.errors)
    directory = ServiceDirectory(f"tcp://127.0.0.1:{find_free_port()}", "isle")
    directory.broadcast(BroadcastSettings("127.255.255.255", port, 1))
    recorder.prints("writing")
    assert recorder.errors == ["LogRecorder: no Service Directory broadcasts the domain isle; still trying"]
    assert recorder.stop() == 130
    directory.close()


def test_a_malformed_configuration(cluster: Cluster, start: Start) -> None:
    cluster.configure("a = /tmp")
    program = start("log_recorder")
    assert program.wait() == 1
    assert len(program.errors) == 1 and "Gravity.ini, line 4: " in program.errors[0]


@pytest.mark.parametrize("module", ["archiver", "relay"])
def test_no_list_of_data_products(module: str, cluster: Cluster, start: Start) -> None:
    program = start(module)
    assert program.wait() == 1
    assert len(program.errors) == 1 and program.errors[0].startswith(f"{MODULES[module]}: DataProductList is empty")


# ---- Archiver and Playback --------------------------------------------------------------------------------------


def archived(path: str = "archive.bin") -> list[GravityDataProductPB]:
    with open_recording(path) as recording:
        return [GravityDataProductPB.FromString(message.product) for message in recording.messages()]


def publish(node: GravityNode, id: str, *texts: str) -> None:
    for text in texts:
        product = GravityDataProduct(id)
        product.data = GravityLogMessagePB(level="info", message=text)
        product.softwareVersion = "1.2"
        assert node.publish(product, "filter") == gravity.SUCCESS


def publish_until(
    condition: Callable[[], object], node: GravityNode, id: str, text: str, eventually: Eventually
) -> None:
    """Publish until somebody has received it."""

    def reached() -> bool:
        publish(node, id, text)
        return bool(condition())

    eventually(reached)


def as_received(collector: Collector) -> list[GravityDataProductPB]:
    return [GravityDataProductPB.FromString(p.serializeToString()) for p in collector.products]


def without_receipt(products: list[GravityDataProductPB]) -> list[bytes]:
    copies = [GravityDataProductPB.FromString(p.SerializeToString()) for p in products]
    for copy in copies:
        copy.ClearField("received_timestamp")
    return [copy.SerializeToString() for copy in copies]


def test_an_archive_has_what_a_subscriber_receives(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    cluster.configure('[FileArchiver]\nDataProductList = "A, B"')
    a, other = cluster.publisher("A", "First"), cluster.publisher("C")
    archiver = start("archiver")
    archiver.prints("writing A, B to archive.bin")
    b = cluster.publisher("B", "Second")
    eventually(lambda: a.subscribersExist("A")[1] and b.subscribersExist("B")[1])
    listener = cluster.subscriber(cluster.node("Listener"), "A", cached=False)
    publish_until(lambda: listener.products, a, "A", "probe", eventually)
    for n in range(100):
        publish(a, "A", f"a{n}")
        publish(b, "B", f"b{n}")
        publish(other, "C", f"c{n}")
    for id in "ab":
        eventually(lambda: any(f"{id}99".encode() in p.data for p in archived()))  # noqa: B023
    eventually(lambda: b"a99" in listener.products[-1].data)
    assert archiver.stop(signal.SIGTERM) == 0
    found = archived()
    assert all(p.received_timestamp >= p.timestamp > 0 for p in found)
    of_a, heard = [p for p in found if p.dataProductID == "A"], as_received(listener)
    assert without_receipt(of_a)[-len(heard) :] == without_receipt(heard)
    assert len(found) - len(of_a) == 100 < len(heard)
    assert {(p.dataProductID, p.componentID) for p in found} == {("A", "First"), ("B", "Second")}


def control(node: GravityNode, data: bytes) -> bool:
    request = GravityDataProduct("FileArchiverControlRequest")
    request.data = data
    response = node.request("FileArchiverControlRequest", request, 10_000)
    assert response is not None and response.dataProductID == "FileArchiverControlResponse"
    return FileArchiverControlResponsePB.FromString(response.data).status


def test_suspend_and_resume(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    cluster.configure("[FileArchiver]\nDataProductList = A\nStartSuspended = true\nArchiveFilename = auto")
    node = cluster.publisher("A", cache=False)
    archiver = start("archiver")
    path = archiver.prints(r"writing A to (archive_\d{8}_\d{6}\.bin)$")[1]
    eventually(lambda: node.subscribersExist("A")[1])
    listener = cluster.subscriber(cluster.node("Listener"), "A")

    def publish_in_vain() -> None:
        before = len(listener.products)
        publish_until(lambda: len(listener.products) > before, node, "A", "not archived", eventually)

    publish_in_vain()
    assert control(node, FileArchiverControlRequestPB(suspend=False).SerializeToString())
    publish(node, "A", "archived")
    eventually(lambda: len(archived(path)) == 1)
    assert not control(node, b"\xff")  # goes on as before
    assert not control(node, b"")
    publish(node, "A", "archived too")
    eventually(lambda: len(archived(path)) == 2)
    assert control(node, FileArchiverControlRequestPB(suspend=True).SerializeToString())
    publish_in_vain()
    assert archiver.stop() == 130
    assert [GravityLogMessagePB.FromString(p.data).message for p in archived(path)] == ["archived", "archived too"]
    assert [e.split(":")[1] for e in archiver.errors] == [" ignored a request to FileArchiverControlRequest"] * 2


def test_a_full_disk(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    """The archiver ends with one line, and what it has written can be played."""
    cluster.configure("[FileArchiver]\nDataProductList = A")
    node = cluster.publisher("A")
    archiver = start("archiver", setup="ulimit -f 2")
    archiver.prints("writing A")
    eventually(lambda: node.subscribersExist("A")[1])
    for n in range(2000):
        publish(node, "A", f"message {n}")
    assert archiver.wait() == 1
    [line] = archiver.errors
    assert re.fullmatch("Archiver: cannot write archive.bin: File too large; all that was archived .*", line)
    messages = [GravityLogMessagePB.FromString(p.data).message for p in archived()]
    first = int(messages[0].split()[1])
    assert len(messages) > 3 and messages == [f"message {first + n}" for n in range(len(messages))]


def test_a_file_that_cannot_be_written(cluster: Cluster, start: Start) -> None:
    cluster.configure('[FileArchiver]\nDataProductList = A\nArchiveFilename = "no/such/folder"')
    archiver = start("archiver")
    assert archiver.wait() == 1
    assert archiver.errors == ["Archiver: cannot write no/such/folder: No such file or directory"]


SECOND = 1_000_000


def write_archive(*products: GravityDataProductPB, end: bytes = b"") -> None:
    whole = b"".join(record(p.SerializeToString()) for p in products)
    Path("archive.bin").write_bytes(MARK + whole + end)


def test_playback_at_the_recorded_times(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    """Payload and description are as recorded; time and origin are new, as the original's."""
    times = [0, 0.1, 0.4, 0.4, 0.5]
    recorded = [
        GravityDataProductPB(
            dataProductID="AB"[n % 2], data=bytes([n]), timestamp=7, received_timestamp=10**15 + int(at * SECOND),
            componentID="Gone", domain="far", protocol="protobuf2", type_name="T", softwareVersion="1",
            registration_time=5,
        )
        for n, at in enumerate(times)
    ]  # fmt: skip
    write_archive(*recorded)
    node = cluster.node("Listener")
    listeners = [cluster.subscriber(node, id) for id in "AB"]
    playback = start("playback")
    playback.prints("reached the end of archive.bin")
    eventually(lambda: sum(len(listener.products) for listener in listeners) == 5)
    assert "Playback: playing archive.bin: 3 x A, 2 x B" in playback.lines
    played = sorted((p for listener in listeners for p in as_received(listener)), key=lambda p: p.data)
    for at, product in zip(times, played, strict=True):
        late = (product.timestamp - played[0].timestamp) / SECOND - at
        assert -0.01 < late < 1
    for new, old in zip(played, recorded, strict=True):
        assert new.componentID == "FileReplay" and new.domain == ""
        for product in (new, old):
            for field in ("timestamp", "received_timestamp", "componentID", "domain", "registration_time"):
                product.ClearField(field)
        assert new.SerializeToString() == old.SerializeToString()
    assert playback.stop() == 130


def test_playback_of_some_data_products(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    cluster.configure('[FileReplay]\nDataProductList = "B, C"')
    write_archive(*(GravityDataProductPB(dataProductID=id, data=id.encode()) for id in ("A", "B", "GRAVITY_LOGGER")))
    playback = start("playback")
    playback.prints("playing archive.bin: 1 x B$")
    playback.prints("reached the end")
    late = cluster.subscriber(cluster.node("Listener"), "B")
    eventually(lambda: late.texts == ["B"])  # it keeps serving the last message
    assert cluster.publishers("A") == []
    assert playback.errors == ["Playback: archive.bin has no messages of C"]


def test_playback_of_an_mcap_file(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    cluster.configure('[FileReplay]\nArchiveFilename = "run.mcap"')
    with RecordingWriter("run.mcap") as writer:
        writer.add(GravityDataProductPB(dataProductID="A", data=b"x").SerializeToString())
    listener = cluster.subscriber(cluster.node("Listener"), "A")
    playback = start("playback")
    playback.prints("reached the end of run.mcap")
    eventually(lambda: listener.texts == ["x"])
    assert playback.errors == []


def test_playback_of_what_is_reserved(cluster: Cluster, start: Start) -> None:
    write_archive(*(GravityDataProductPB(dataProductID=id) for id in ("A", "GRAVITY_LOGGER")))
    playback = start("playback")
    playback.prints("playing archive.bin: 1 x A$")
    playback.prints("reached the end")
    assert playback.errors == ["Playback: GRAVITY_LOGGER is reserved for Gravity itself; it is not played"]


def test_playback_of_an_archive_after_a_crash(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    listener = cluster.subscriber(cluster.node("Listener"), "A")
    products = [GravityDataProductPB(dataProductID="A", data=text) for text in (b"one", b"two")]
    write_archive(*products, end=struct.pack("=i", 100) + b"cut")
    offset = Path("archive.bin").stat().st_size - 7
    playback = start("playback")
    playback.prints("reached the end")
    eventually(lambda: listener.texts == ["one", "two"])
    [warning] = playback.errors
    reason = "the file ends after 3 of the 100 bytes of a data product; it is played up to there"
    assert warning == f"Playback: archive.bin, offset {offset}: {reason}"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "cannot read archive.bin: No such file or directory"),
        (
            b"text",
            "archive.bin, offset 0: neither an MCAP file nor a Gravity archive: it begins with 74 65 78 74",
        ),
    ],
)
def test_playback_of_no_archive(content: bytes | None, error: str, cluster: Cluster, start: Start) -> None:
    if content is not None:
        Path("archive.bin").write_bytes(content)
    playback = start("playback")
    assert playback.wait() == 1
    assert playback.errors == [f"Playback: {error}"]


# ---- Relay ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("local", [True, False])
def test_subscribers_turn_to_a_relay_and_back(
    local: bool, cluster: Cluster, start: Start, product: Product, eventually: Eventually
) -> None:
    cluster.configure(f"[Relay]\nDataProductList = P\nProvideLocalOnly = {str(local).lower()}")
    origin = cluster.publisher("P", "Origin", cache=False)
    listener = cluster.subscriber(cluster.node("Listener"), "P")

    def reached(relayed: bool) -> bool:
        origin.publish(product("P", "probe"))
        return any(is_relayed(p) == relayed for p in listener.products[before:])

    before = 0
    eventually(lambda: reached(False))
    relay = start("relay")
    relay.prints(f"relaying P to {'subscribers at 127.0.0.1' if local else 'all'}$")
    [_, listed] = whole_list(cluster, "P")
    assert listed.is_relay and listed.component_id == "Relay" and listed.ip_address == ("127.0.0.1" if local else "")
    before = len(listener.products)
    eventually(lambda: reached(True))
    mark = f"text {local}"
    for n in range(100):
        origin.publish(product("P", f"{mark} {n}"))
    eventually(lambda: [t for t in listener.texts if t.startswith(mark)] == [f"{mark} {n}" for n in range(100)])
    relayed = [p for p in listener.products if p.data.decode().startswith(mark)]
    assert {(is_relayed(p), p.componentID, p.domain) for p in relayed} == {(True, "Origin", "")}
    assert relay.stop(signal.SIGTERM) == 0
    assert [p.is_relay for p in whole_list(cluster, "P")] == [False]
    before = len(listener.products)
    eventually(lambda: reached(False))


def is_relayed(product: GravityDataProduct) -> bool:
    return product.isRelayedDataproduct


def whole_list(cluster: Cluster, id: str) -> list[Publisher]:
    return cluster.directory._registry.publishers(id, "")


# ---- LogRecorder ------------------------------------------------------------------------------------------------

TALK = """
import time
from gravity import GravityNode, SpdLog
node = GravityNode("Talker")
while node.subscribersExist("GRAVITY_LOGGER") != [0, True] or {forever}:
    SpdLog.info("probe")
    time.sleep(0.002)
SpdLog.warn("first: ä")
SpdLog.critical("last")
"""


def test_log_messages_are_recorded(isle: Cluster, start: Start, eventually: Eventually) -> None:
    isle.configure("AppNetworkLogLevel = info")
    recorder = start("log_recorder")
    path = Path(recorder.prints(r"writing (\d{4}(_\d\d){5})$")[1])
    subprocess.run([sys.executable, "-c", TALK.format(forever=False)], check=True, timeout=30)
    eventually(lambda: "last" in path.read_text())
    assert recorder.stop(signal.SIGTERM) == 0
    head, body = r"\[isle {} \d\d/\d\d/\d\d \d\d:\d\d:\d\d\] ", r"\[\S+ \S+ Talker-{}\] {}\n\n"
    first, last = (head + body).format(*["warning"] * 2, "first: ä"), (head + body).format(*["critical"] * 2, "last")
    assert re.search(first + last + r"\Z", path.read_text())


def log_message(text: str | bytes, timestamp: int = 0) -> GravityDataProduct:
    product = GravityDataProduct("GRAVITY_LOGGER")
    product.timestamp, product.domain, product.componentID = timestamp, "far", "Talker"
    product.data = GravityLogMessagePB(level="error", message=text) if isinstance(text, str) else text
    return product


def test_the_line_of_a_log_message() -> None:
    line = log_recorder.line(log_message("hot\n", 1_700_000_000 * SECOND + 999_999))
    assert line == "[far error 11/14/23 22:13:20] hot\n\n"
    assert log_recorder.line(log_message(b"", 0)) == "[far  01/01/70 00:00:00] \n"


def test_no_log_message_looks_like_two() -> None:
    line = log_recorder.line(log_message("\x1b[2J\n[far error 11/14/23 22:13:20] forged"))
    assert line == "[far error 01/01/70 00:00:00] \\x1b[2J\n    [far error 11/14/23 22:13:20] forged\n"


def test_a_new_file_after_so_many_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(log_recorder, "MESSAGES_PER_FILE", 3)
    names = iter(["1", "2", "2"])
    monkeypatch.setattr(log_recorder, "_file_name", lambda: next(names))
    recorder = log_recorder.LogRecorder()
    recorder.subscriptionFilled([log_message(str(n)) for n in range(5)] + [log_message(b"\x12\x01\xff")])
    recorder.subscriptionFilled([log_message("5"), log_message("6")])
    recorder.close()
    assert ["".join(re.findall(r"\] (\d)\n", Path(name).read_text())) for name in "12"] == ["012", "3456"]
    assert capsys.readouterr().err.startswith("LogRecorder: dropped a message of 'Talker': gravity.Gravity")
    assert recorder.failures.empty()


def test_a_full_disk_ends_the_recorder(cluster: Cluster, start: Start) -> None:
    cluster.configure("AppNetworkLogLevel = info")
    recorder = start("log_recorder", setup="ulimit -f 1")
    path = recorder.prints(r"writing (\S+)$")[1]
    with subprocess.Popen([sys.executable, "-c", TALK.format(forever=True)]) as talker:
        assert recorder.wait() == 1
        talker.kill()
    assert recorder.errors == [f"LogRecorder: cannot write {path}: File too large"]
    assert Path(path).read_text().endswith("\n\n")


# ---- ConfigServer -----------------------------------------------------------------------------------------------


def test_nodes_get_their_parameters(cluster: Cluster, start: Start, eventually: Eventually) -> None:
    cluster.configure("[Pump]\nNoConfigServer = false\nown = 1\n")
    config = Path("config_file.ini")
    config.write_text('[general]\nOwn = 2\nRate = 2\nbase = 5\n[Pump]\nrate = $base\nempty = ""\n')
    server = start("config_server")
    server.prints("serving config_file.ini")
    pump = cluster.node("Pump")
    assert [pump.getStringParam(key, "-") for key in ("own", "rate", "empty")] == ["1", "5", "-"]
    server.prints("sent 3 parameters to 'Pump'")

    config.write_text("[general]\nrate = 6\n")  # read anew
    assert cluster.node("Pump").getIntParam("rate") == 6
    config.write_text("[general]\nrate = /\n")
    assert cluster.node("Pump").getIntParam("rate") == -1
    eventually(lambda: server.errors)
    assert server.errors[0].startswith("ConfigServer: sent no parameters: config_file.ini, line 2: ")
    response = pump.request("ConfigService", GravityDataProduct("ConfigRequestPB"), 10_000)
    assert response is not None and response.data == b""
    eventually(lambda: len(server.errors) > 1)
    assert "incomplete gravity.ConfigRequestPB" in server.errors[1]
    assert server.stop() == 130


@pytest.mark.parametrize(
    ("text", "error"),
    [(None, "config_file.ini: does not exist"), ("[general]\n\na = %", "config_file.ini, line 3: ")],
)
def test_a_bad_file_of_parameters(text: str | None, error: str, cluster: Cluster, start: Start) -> None:
    if text:
        Path("config_file.ini").write_text(text)
    server = start("config_server")
    assert server.wait() == 1
    [line] = server.errors
    assert line.startswith(f"ConfigServer: {error}")
