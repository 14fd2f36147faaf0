"""A run that is recorded, and replayed: a replay prints what the run printed, to the last character."""

import dataclasses
import math
import random
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from node.settings import DEFAULTS, Settings

import pytest

import AnomalyDetector
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from streams import decoding, replay
from streams.inbox import Inbox
from streams.reader import StreamReader
from tests.support import Folder

from gravity import GravityDataProduct, GravityNode, gravity
from gravity_recording import RecordingWriter, open_recording
from gravity_recording.archive import MARK, record

STRIDE = 3


@dataclasses.dataclass
class Run:
    """A folder, and what a detector printed in it."""

    folder: Folder
    lines: list[str]

    @property
    def recording(self) -> Path:
        return self.folder.path / "run.mcap"


def rows() -> Iterator[str]:
    """Sine waves, an anomaly that ends, missing values, and a gap."""
    yield "sin,cos"
    for n in range(1500):
        phase, late = 0.05 * n, 1.0 * (700 <= n < 800)
        cells = [str(math.sin(phase)), str(math.cos(phase + late))]
        if n % 97 == 50:
            cells[n % 2] = ""
        yield "," if 400 <= n < 410 else ",".join(cells)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = Folder(tmp_path_factory.mktemp("run"))
    try:
        folder.configure(window_stride=STRIDE)
        (folder.path / "data.csv").write_text("\n".join(rows()) + "\n")
        cluster = folder.cluster(
            "detect", "--csv", "data.csv", "--rate", "300", "--record", "run.mcap", "--record-alarms", "alarms"
        )
        assert cluster.wait(50) == 0, cluster.errors
        yield Run(folder, printed_by_detector(cluster.lines))
    finally:
        folder.close()


def printed_by_detector(lines: list[str]) -> list[str]:
    """Return what a replay must print, too: all but the log."""
    return [line for line in lines if not re.match(r"\[|running on ", line)]


class Lots(Inbox):
    """An inbox in which messages arrive in lots of various sizes."""

    def __init__(self, products: list[GravityDataProduct], largest: int) -> None:
        super().__init__()
        sizes = random.Random(largest)
        self._lots: deque[list[GravityDataProduct]] = deque()
        while products:
            size = sizes.randint(1, largest)
            self._lots.append(products[:size])
            products = products[size:]

    def take(self, timeout: float) -> list[GravityDataProduct]:
        self.put(self._lots.popleft())
        return super().take(timeout)


def settings_of(folder: Folder, **values: object) -> Settings:
    given = DEFAULTS | {"model_file": str(folder.path / "model.json")} | {k: str(v) for k, v in values.items()}
    return Settings(lambda key, _: given[key], "AnomalyDetector")


def detected(run: Run, file: Path, capsys: pytest.CaptureFixture[str], largest: int = 100) -> list[str]:
    """Return what a detector prints that gets a recording in lots of up to `largest` messages, as fast as it can."""
    settings = settings_of(run.folder, window_stride=STRIDE)
    with open_recording(file) as recording:
        decoder = decoding.configured(settings)
        products = list(replay.products(replay.messages(recording, decoder.products), decoder.points))
    reader = StreamReader.configured(Lots(products, largest), settings)
    AnomalyDetector.detect(settings, reader, lambda _: None, None)
    return capsys.readouterr().out.splitlines()


def archived(file: Path, to: Path) -> Path:
    with open_recording(file) as recording:
        to.write_bytes(MARK + b"".join(record(message.product) for message in recording.messages()))
    return to


@pytest.mark.timeout(120)
def test_a_replay_prints_what_the_run_printed(run: Run):
    assert sum(line.startswith("ANOMALY since") for line in run.lines) == 1
    assert "1 gap, " in "\n".join(run.lines) and any("(after a gap)" in line for line in run.lines)
    replayed = run.folder.cluster("detect", "--replay", "run.mcap", "--speed", "20")
    assert replayed.wait(60) == 0, replayed.errors
    assert printed_by_detector(replayed.lines) == run.lines
    assert any("publishing on AutoencoderExample: run.mcap at 20 times its speed" in line for line in replayed.lines)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("largest", [1, 50, 10_000])
def test_a_replay_in_other_lots_and_from_an_archive_prints_the_same(
    run: Run, largest: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert detected(run, archived(run.recording, tmp_path / "archive.bin"), capsys, largest) == run.lines


def test_the_findings_are_recorded_too(run: Run):
    with open_recording(run.recording) as recording:
        assert recording.damage is None and list(recording.products) == ["AnomalyScore", "AutoencoderExample"]
        assert recording.types and recording.types.FindMessageTypeByName("AnomalyScorePB"), "as Foxglove finds it"
        products = [GravityDataProduct(data=m.product) for m in recording.messages(ids={"AnomalyScore"})]
    found = [AnomalyScorePB.FromString(product.data) for product in products]
    assert [f"MSE = {pb.mse:.3e}" for pb in found if pb.sample] == re.findall(r"MSE = \S+", "\n".join(run.lines))


def test_the_file_of_an_alarm_shows_it(run: Run, capsys: pytest.CaptureFixture[str]):
    [alarm] = [line for line in run.lines if line.startswith("ANOMALY since")]
    time = re.sub(r"\D", "", alarm.partition(".")[0])
    file = run.folder.path / "alarms" / f"alarm_{time[:8]}_{time[8:]}.mcap"
    assert alarm in detected(run, file, capsys)


def test_a_file_that_was_cut_off_is_replayed_up_to_there(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    with open_recording(run.recording) as recording, RecordingWriter(tmp_path / "slow.mcap") as writer:
        for number, message in enumerate(recording.messages()):
            writer.add(message.product, message.received)
            if number % 100 == 0:  # as in a run that is longer
                writer.flush()
    whole = (tmp_path / "slow.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    lines = detected(run, tmp_path / "cut.mcap", capsys)
    windows = [line for line in lines if "MSE = " in line]
    assert len(windows) > 50 and windows == [line for line in run.lines if "MSE = " in line][: len(windows)]
    assert "cut.mcap, offset " in caplog.text and "; it is replayed up to there" in caplog.text


def test_a_training_on_a_replay(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """With the recorded points and times, as fast as they arrive."""
    archived(run.recording, run.folder.path / "archive.bin")
    run.folder.directory()
    monkeypatch.chdir(run.folder.path)
    publisher = run.folder.node("DataPublisher.py", "--replay", "archive.bin", "--speed", "1000")
    publisher.prints("waiting for a subscriber")
    trained = tmp_path / "trained.json"
    settings = settings_of(run.folder, training_size=300, training_epochs=1, model_file=trained)
    with GravityNode() as node:
        assert node.init("TestTraining") == gravity.SUCCESS
        inbox = Inbox()
        assert node.subscribe("AutoencoderExample", inbox) == gravity.SUCCESS
        reader = StreamReader.configured(inbox, settings)
        AnomalyDetector.train(settings, reader, lambda _: None, lambda: None, None)
    assert "TrainingState.TRAINING: 281 windows of cos, sin; 0 gaps" in capsys.readouterr().out
    assert trained.exists() and publisher.wait() == 0
    assert publisher.lines[-1].endswith("messages published")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("detect", "--record", "run.mcap"), r"run\.mcap exists; record to another file, or remove it"),
        (("detect", "--record", "new.svg", "--report", "new.svg"), r"--record and --report both name \S*new\.svg"),
        (("detect", "--record-alarms", "run.mcap"), r"run\.mcap is not a folder; choose another one"),
    ],
)
def test_a_recording_that_cannot_be_made_is_told_before_anything_starts(
    run: Run, arguments: tuple[str, ...], said: str
):
    before = run.recording.read_bytes()
    cluster = run.folder.cluster(*arguments)
    assert cluster.wait() == 1 and cluster.lines == []
    assert re.fullmatch(rf"detect\.sh: \S*{said}.*", "\n".join(cluster.errors)), cluster.errors
    assert run.recording.read_bytes() == before


def test_a_file_that_is_not_a_recording_ends_the_run(run: Run):
    cluster = run.folder.cluster("train", "--replay", "data.csv")
    assert cluster.wait() == 1
    assert re.search(r"DataPublisher: \S*data.csv, offset 0: neither an MCAP file nor", "\n".join(cluster.lines))
