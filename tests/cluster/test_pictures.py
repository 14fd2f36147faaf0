"""`--report` as users run it."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.support import Folder, eventually

from gravity_recording import open_recording


@pytest.mark.timeout(120)
def test_a_run_that_is_stopped_is_summed_up_drawn_and_recorded(folder: Folder):
    folder.configure(sample_rate=500)
    picture = folder.path / "run.html"
    picture.write_text("before")
    cluster = folder.cluster("detect", "300", "--report", "run.html", "--record", "run.mcap")
    cluster.prints("^ANOMALY since", 80)
    assert picture.read_text() == "before"
    assert cluster.stop() == 130, cluster.errors
    summary = next(n for n, line in enumerate(cluster.lines) if re.match(r"\d+ windows, [\d,]+ samples in ", line))
    assert cluster.lines[summary].endswith("1 alarm, 0 gaps, 0 lost messages")
    assert re.search(r"not over +samples \d+-\S+  (relation|level|noise)", cluster.lines[summary + 1])
    assert "wrote run.html" in cluster.lines[summary + 2 :]
    drawn = picture.read_text()
    assert "<h2>Alarms</h2>" in drawn and drawn.endswith("</html>\n")
    with open_recording(folder.path / "run.mcap") as recording:
        assert recording.damage is None and set(recording.products) == {"AutoencoderExample", "AnomalyScore"}
    assert not folder.processes() and not list(folder.path.glob("*.tmp"))


@pytest.mark.timeout(120)
def test_a_training_is_drawn_and_logged_for_tensorboard(folder: Folder):
    pytest.importorskip("tensorboard")
    folder.configure(training_size=150, training_epochs=2, tensorboard_dir='"board/here"')
    training = folder.cluster("train", "--report=training.svg")
    assert training.wait(100) == 0, training.errors
    assert "wrote training.svg" in training.lines
    assert "<svg" in (folder.path / "training.svg").read_text()
    logged = b"".join(file.read_bytes() for file in (folder.path / "board" / "here").rglob("events.out.tfevents.*"))
    assert b"epoch_loss" in logged and b"errors/cos" in logged and b"decoder" in logged


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("run.pdf", 2, r"argument --report: 'run\.pdf' does not end in one of \.html, \.png, \.svg"),
        ("missing/run.png", 1, r"AnomalyDetector: cannot write into \S+missing \(No such file or directory\)"),
    ],
)
def test_a_file_that_cannot_be_written_ends_the_run_at_its_start(folder: Folder, file: str, code: int, said: str):
    cluster = folder.cluster("detect", "--report", file)
    assert cluster.wait() == code
    assert any(re.search(said, line) for line in cluster.errors), cluster.errors
    assert not any("MSE" in line for line in cluster.lines) and not folder.processes()


@pytest.mark.timeout(120)
def test_a_second_signal_stops_at_once(folder: Folder):
    folder.configure(sample_rate=500)
    cluster = folder.cluster("detect", "--report", "run.png")
    cluster.prints("MSE = ", 80)
    [detector] = [pid for pid in folder.processes() if "AnomalyDetector" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(detector, signal.SIGSTOP)  # as if drawing took long
    cluster.process.send_signal(signal.SIGINT)
    eventually(lambda: folder.processes() and len(folder.processes()) == 2)
    cluster.process.send_signal(signal.SIGINT)
    assert cluster.wait(5) == 130
    assert not folder.processes() and not (folder.path / "run.png").exists()
