"""However a cluster ends, nothing that it started is left."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support import NODES, PROJECT, Folder, Program, eventually


def running(folder: Folder, mode: str = "train") -> Program:
    """Start a cluster that runs for ever; training starts faster, for it collects before it needs TensorFlow."""
    folder.configure(training_size=1_000_000)
    cluster = folder.cluster(mode)
    cluster.prints("TrainingState.COLLECTING" if mode == "train" else "MSE = ")
    return cluster


@pytest.mark.parametrize(
    ("mode", "number", "code"),
    [("train", signal.SIGINT, 130), ("train", signal.SIGTERM, 143), ("train", signal.SIGHUP, 129),
     ("detect", signal.SIGINT, 130)],
    ids=str,
)  # fmt: skip
def test_a_signal_ends_all_nodes(folder: Folder, mode: str, number: int, code: int):
    cluster = running(folder, mode)
    assert {folder.pid_of(node) for node in NODES} < set(folder.processes())
    begin = time.monotonic()
    assert cluster.stop(number) == code
    eventually(lambda: not folder.processes(), 2 - (time.monotonic() - begin))
    assert not any("Traceback" in line for line in cluster.lines + cluster.errors)


def test_all_nodes_end_with_a_script_that_is_killed(folder: Folder):
    cluster = running(folder)
    cluster.process.kill()
    eventually(lambda: not folder.processes(), 3)


def test_all_nodes_end_when_nobody_reads_the_output(folder: Folder):
    folder.configure(training_size=1_000_000)
    cluster = f'"{sys.executable}" -E -m launch train'
    pipeline = folder.run("sh", "-c", f"{{ {cluster}; echo code $? >&2; }} | head -n 3")
    assert pipeline.wait(10) == 0
    assert len(pipeline.lines) == 3 and pipeline.errors == ["code 1"]
    assert not folder.processes()


def test_ctrl_c_while_everything_starts(folder: Folder):
    for delay in (0.0, 0.3, 0.6, 1.0, 1.5, 2.5):
        cluster = folder.cluster("detect")
        time.sleep(delay)  # the moment is what is tested
        cluster.process.send_signal(signal.SIGINT)
        code = cluster.wait(5)
        # Before Python is up, the signal itself ends it, or a traceback of Python's own modules.
        starting = (
            code == 1 and cluster.errors[-1:] == ["KeyboardInterrupt"] and "launch" not in "".join(cluster.errors)
        )
        assert code in (130, -signal.SIGINT) or starting
        eventually(lambda: not folder.processes(), 2)


@pytest.mark.parametrize("node", list(NODES))
def test_a_node_that_dies_is_named_and_ends_the_others(folder: Folder, node: str):
    cluster = running(folder)
    os.kill(folder.pid_of(node), signal.SIGKILL)
    assert cluster.wait(5) == 1
    assert cluster.errors[-1] == f"{node} was killed by SIGKILL; stopping the other nodes"
    assert not folder.processes()


def test_a_node_that_ignores_sigterm_is_killed(folder: Folder):
    cluster = running(folder)
    os.kill(folder.pid_of("DataPublisher"), signal.SIGSTOP)  # a stopped process takes no signal but SIGKILL
    begin = time.monotonic()
    assert cluster.stop() == 130
    assert time.monotonic() - begin < 2
    assert not folder.processes()


@pytest.mark.parametrize(("script", "arguments"), [("DataPublisher.py", ()), ("AnomalyDetector.py", ("train",))])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_ctrl_c_ends_a_node_that_finds_no_directory(
    folder: Folder, script: str, arguments: tuple[str, ...], number: int, code: int
):
    node = folder.node(script, *arguments)
    node.prints("running on")
    begin = time.monotonic()
    assert node.stop(number) == code
    assert time.monotonic() - begin < 1.5
    assert not node.errors


def test_without_a_terminal_a_node_goes_on_under_nohup(folder: Folder):
    node = folder.run("nohup", sys.executable, "AnomalyDetector.py", "train")
    node.prints("running on")
    node.process.send_signal(signal.SIGHUP)
    assert node.stop(signal.SIGTERM) == 143


def test_a_node_ends_at_once_while_it_imports_tensorflow(folder: Folder):
    """Python would run its handler only when the import, of seconds, comes to an end."""
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    libraries = Path(f"/proc/{detector.process.pid}/maps")
    eventually(lambda: "libtensorflow" in libraries.read_text())
    begin = time.monotonic()
    assert detector.stop() == -signal.SIGINT
    assert time.monotonic() - begin < 1
    assert not detector.errors


SLOW = """
import time
print("importing", flush=True)
time.sleep(50)
"""


@pytest.mark.parametrize(
    "command", [("DataPublisher.py",), ("AnomalyDetector.py", "train"), ("-m", "launch", "train")], ids=" ".join
)
@pytest.mark.parametrize("packages", [("argparse",), ("anomaly", "gravity")], ids=["Python's own", "others"])
def test_ctrl_c_during_the_imports(folder: Folder, command: tuple[str, ...], packages: tuple[str, ...]):
    """Python's own handler would end in a traceback, or in nothing at all if it runs in an import's callback."""
    for script in ("DataPublisher.py", "AnomalyDetector.py"):  # copies, which import from this folder
        (folder.path / script).unlink()
        shutil.copy(PROJECT / script, folder.path)
    (folder.path / "anomaly").unlink()
    for package in packages:
        (folder.path / package).mkdir()
        (folder.path / package / "__init__.py").write_text(SLOW)
    program = folder.node(*command)
    program.prints("importing")
    assert program.stop() == -signal.SIGINT
    assert not program.errors


def test_training_that_is_killed_leaves_the_old_model(folder: Folder):
    before = {name: (folder.path / name).read_bytes() for name in ("model.json", "model.json.h5")}
    folder.configure(training_size=100, training_epochs=1_000_000)
    training = folder.cluster("train")
    training.prints("loss", 60)
    os.kill(folder.pid_of("AnomalyDetector"), signal.SIGKILL)
    training.wait()
    assert before == {name: (folder.path / name).read_bytes() for name in before}
