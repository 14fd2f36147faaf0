"""The programs in pygravity's README run as they stand, and print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT, free_port

from gravity.directory.server import ServiceDirectory

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
