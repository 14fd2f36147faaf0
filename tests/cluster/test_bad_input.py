"""An error is one line: what is wrong, where, and what to do next."""

import re
import socket
import threading

import pytest

from streams import points
from streams.DataPoint_pb2 import DataPointPB
from tests.support import Folder, Program, eventually


def one_line(program: Program, code: int = 1, seconds: float = 30) -> str:
    assert program.wait(seconds) == code, (program.lines, program.errors)
    assert len(program.errors) == 1, program.errors
    assert not any("Traceback" in line for line in program.lines)
    return program.errors[0]


@pytest.mark.parametrize(
    "command",
    [
        ("DataPublisher.py", "0"),
        ("DataPublisher.py", "-3"),
        ("DataPublisher.py", "soon"),
        ("DataPublisher.py", "1.5"),
        ("DataPublisher.py", "1", "2"),
        ("AnomalyDetector.py",),
        ("AnomalyDetector.py", "predict"),
        ("AnomalyDetector.py", "train", "detect"),
    ],
)
def test_wrong_arguments_of_a_node_are_usage_errors(folder: Folder, command: tuple[str, ...]):
    program = folder.node(*command)
    assert program.wait() == 2
    assert program.errors[0].startswith("usage: ") and re.search("error: .+", program.errors[-1])


@pytest.mark.parametrize(("mode", "arguments"), [("train", ("5",)), ("detect", ("0",)), ("detect", ("x",))])
def test_wrong_arguments_of_a_script_are_usage_errors(folder: Folder, mode: str, arguments: tuple[str, ...]):
    program = folder.cluster(mode, *arguments)
    assert program.wait() == 2
    assert program.errors[0].startswith(f"usage: {mode}.sh") and not folder.processes()


@pytest.mark.parametrize("script", ["DataPublisher.py", "AnomalyDetector.py"])
def test_a_missing_or_unreadable_ini(folder: Folder, script: str):
    ini = folder.path / "Gravity.ini"
    ini.unlink()
    arguments = ("train",) if script.startswith("Anomaly") else ()
    assert "Gravity.ini (No such file" in one_line(folder.node(script, *arguments))
    assert "Gravity.ini is missing" in one_line(folder.cluster("train"))
    ini.mkdir()
    assert "Gravity.ini (Is a directory" in one_line(folder.node(script, *arguments))


def test_a_malformed_ini_is_reported_with_its_line(folder: Folder):
    ini = folder.path / "Gravity.ini"
    lines = ini.read_text().splitlines()
    number = lines.index("increment1 = 0.05") + 1
    ini.write_text("\n".join([*lines[: number - 1], "increment1 = 0.05 rad", *lines[number:]]))
    publisher = folder.node("DataPublisher.py")
    assert publisher.wait() == 1
    assert publisher.errors[0].startswith(f"Gravity: Gravity.ini, line {number}: ")
    assert f"Gravity.ini, line {number}: " in one_line(folder.cluster("detect"))


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("training_size", "19", "a whole number, 20 or more"),
        ("training_size", "many", "a whole number, 20 or more"),
        ("training_size", "100.5", "a whole number, 20 or more"),
        ("training_epochs", "0", "a whole number, 1 or more"),
        ("lateness", "0", "a number above 0"),
        ("lateness", "inf", "a number above 0"),
        ("tolerance", "-1", "auto or a number 0 or more"),
        ("tolerance", "automatic", "auto or a number 0 or more"),
        ("model_file", '""', "some text"),
        ("model_file", '"nowhere/model.json"', "a file in a folder that can be written to"),
        ("subscription_name", '""', "some text"),
    ],
)
def test_a_value_out_of_range(folder: Folder, key: str, value: str, wanted: str):
    folder.directory()
    folder.configure(**{key: value})
    line = (folder.path / "Gravity.ini").read_text().splitlines().index(f"{key} = {value}") + 1
    message = one_line(folder.node("AnomalyDetector.py", "train"))
    shown = value.strip('"')
    assert message == f"AnomalyDetector: Gravity.ini, line {line}: {key} = {shown!r}, but it must be {wanted}"


@pytest.mark.parametrize(("key", "value"), [("sample_rate", "0"), ("sample_rate", "-1"), ("increment1", "fast")])
def test_a_value_of_the_publisher_out_of_range(folder: Folder, key: str, value: str):
    folder.directory()
    folder.configure(**{key: value})
    assert f"{key} = {value!r}, but it must be a number" in one_line(folder.node("DataPublisher.py"))


def test_a_node_waits_for_a_directory(folder: Folder):
    publisher = folder.node("DataPublisher.py")
    publisher.prints(r"warning\] no Service Directory answers at tcp://localhost.*; retrying", 20)
    folder.directory()
    publisher.prints("publishing")


@pytest.fixture
def foreign_server(folder: Folder):
    """Something that listens at the Service Directory's port and answers nonsense."""
    with socket.create_server(("127.0.0.1", folder.port)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.usefixtures("foreign_server")
def test_a_port_that_something_else_has_taken(folder: Folder):
    cluster = folder.cluster("train")
    assert cluster.wait() == 1
    said = [line for line in cluster.lines if "cannot listen" in line]
    assert len(said) == 1 and str(folder.port) in said[0] and "ServiceDirectoryURL" in said[0]
    assert cluster.errors == ["ServiceDirectory ended with exit code 1; stopping the other nodes"]


@pytest.mark.parametrize("weights", [None, b"a spreadsheet"], ids=["missing", "foreign"])
def test_a_model_that_cannot_be_used(folder: Folder, weights: bytes | None):
    """All that can be wrong with its files is in tests/anomaly/test_model_files.py."""
    folder.directory()
    (folder.path / "model.json.h5").unlink()
    if weights:
        (folder.path / "model.json.h5").write_bytes(weights)
    message = one_line(folder.node("AnomalyDetector.py", "detect"), seconds=60)
    assert message.startswith("AnomalyDetector: model.json.h5 ") and "train" in message


class Publisher:
    """Publishes whatever a test wants on the cluster's data product."""

    def __init__(self, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
        from gravity import GravityDataProduct, GravityNode, gravity

        monkeypatch.chdir(folder.path)
        self._product = GravityDataProduct
        self.node = GravityNode()
        assert self.node.init("TestPublisher") == gravity.SUCCESS
        assert self.node.registerDataProduct("AutoencoderExample", gravity.TCP, False) == gravity.SUCCESS
        self.sample = 0

    def send(self, data: object) -> None:
        product = self._product("AutoencoderExample")
        product.data = data
        self.node.publish(product)

    def send_samples(self, count: int, *streams: str, **others: float) -> None:
        import math

        for _ in range(count):
            self.sample += 1
            time = 1_700_000_000_000_000 + self.sample * 100_000
            for n, stream in enumerate(streams):
                self.send(points.message(stream, time, math.sin(0.05 * self.sample + n * math.pi / 2)))
            for stream, value in others.items():
                self.send(DataPointPB(name=stream, timestamp=time, value=value))


@pytest.fixture
def publisher(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """A publisher with a subscriber: the detector, in detect mode."""
    folder.directory()
    folder.detector = folder.node("AnomalyDetector.py", "detect")
    publisher = Publisher(folder, monkeypatch)
    from tests.support import eventually

    eventually(lambda: publisher.node.subscribersExist("AutoencoderExample")[1])
    yield publisher
    publisher.node.close()


def test_a_model_that_was_trained_on_other_streams(folder: Folder, publisher: Publisher):
    publisher.send_samples(40, "temperature", "pressure")
    message = one_line(folder.detector, seconds=60)
    assert (
        "was trained on cos, sin, but these streams are arriving: pressure, temperature" in message
        and "train.sh" in message
    )


def test_trouble_with_the_streams_is_logged_and_costs_nothing_else(folder: Folder, publisher: Publisher):
    from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB

    publisher.send_samples(10, "sin", "cos")
    publisher.send(b"")
    publisher.send(b"\xff" * 50)
    publisher.send(GravityLogMessagePB(level="info", message="no point"))
    publisher.send_samples(15, "sin", "cos")
    publisher.send_samples(25, "sin", "cos", "tan")
    publisher.send_samples(2, "sin", cos=float("nan"))  # with the next one more in a row than are filled in
    publisher.send_samples(1, "sin", cos=float("inf"))
    publisher.send_samples(30, "sin", "cos")
    publisher.send_samples(30, cos=1.0)
    for samples, mark in (("1-20", ""), ("21-40", ""), ("51-70", r"  \(after a gap\)")):
        line = folder.detector.prints(rf"samples {samples} +MSE = (\S+)  score = \S+{mark}$", 40)
        assert float(line[1]) < 1e-3
    folder.detector.prints("ignored (a message that is not a|an incomplete) DataPointPB")
    folder.detector.prints(r" AnomalyDetector-warning\] ignored unknown stream tan$")
    folder.detector.prints("dropped incomplete sample: missing cos")
    folder.detector.prints("dropped incomplete sample: missing sin")
    for number in range(20_000):
        publisher.send(points.message(f"stream {number}\N{ESCAPE}[2J"[: None if number % 2 else -4], 1, 0.0))
    folder.detector.prints("more than 100 different messages like this, the others are only counted: ignored unknown")

    def scored() -> bool:  # however many samples the flood has cost
        publisher.send_samples(30, "sin", "cos")
        return any(int(n) > 80 for line in folder.detector.lines for n in re.findall(r"samples (\d+)-", line))

    eventually(scored)
    lines = [line for line in folder.detector.lines if "ignored" in line]
    assert 100 < len(lines) < 120 and "\N{ESCAPE}" not in "".join(lines)


def test_scores_on_the_streams_own_data_product(folder: Folder):
    folder.directory()
    folder.configure(score_name='"AutoencoderExample"')
    message = one_line(folder.node("AnomalyDetector.py", "detect"))
    assert "score_name = 'AutoencoderExample', but it must be another name than that of the streams" in message
