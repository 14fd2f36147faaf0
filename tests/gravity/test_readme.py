"""The programs in pygravity's README run as they stand, and print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT, free_port

from gravity import GravityDataProduct
from gravity.directory.server import ServiceDirectory
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity_recording import RecordingWriter, open_recording

README = (PROJECT / "pygravity" / "README.md").read_text()
PROGRAMS = re.findall(r"### (.+?)\n.*?```python\n(.*?)```", README, re.DOTALL)
PRINTED = {
    "Publish and subscribe": "Talker says hello\n",
    "A service": "desserts\n",
    "A heartbeat": "Patient is alive\nPatient is alive\nPatient is silent\n",
}


def test_there_are_three():
    assert [title for title, _ in PROGRAMS] == list(PRINTED)


@pytest.mark.parametrize(("title", "program"), PROGRAMS, ids=[title for title, _ in PROGRAMS])
def test_a_program_of_the_readme(tmp_path: Path, title: str, program: str):
    [ini] = re.findall(r"```ini\n(.*?)```", README, re.DOTALL)
    port = free_port()
    (tmp_path / "Gravity.ini").write_text(ini.replace("5555", str(port)))
    (tmp_path / "program.py").write_text(program)
    directory = ServiceDirectory(f"tcp://localhost:{port}")
    try:
        command = [sys.executable, "-W", "error", "program.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    finally:
        directory.close()
    printed = re.sub(r"(Patient is alive\n)+", "Patient is alive\nPatient is alive\n", done.stdout)
    assert (printed, done.stderr, done.returncode) == (PRINTED[title], "", 0)


def test_the_program_for_recordings(tmp_path: Path):
    [program] = [p for p in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "gravity_recording" in p]
    message = GravityLogMessagePB(level="info", message="21 degrees")
    product = GravityDataProduct("Temperature")
    product.data, product.componentID, product.timestamp = message, "Boiler", 7
    with RecordingWriter(tmp_path / "run.mcap") as writer:
        writer.add(product.serializeToString())
    command = [sys.executable, "-W", "error", "-c", f"import gravity.GravityLogMessagePB_pb2\n{program}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == (f"7 Boiler {message}\n", "")
    with open_recording(tmp_path / "copy.mcap") as copy:
        assert [m.product for m in copy.messages()] == [product.serializeToString()]
