"""The scripts find or create an environment before anything else. Nothing here needs a network."""

import os
import shutil
import signal
import stat
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT, Program

SCRIPT = """#!/bin/sh
cd "$(dirname "$(readlink -f "$0")")" || exit 1
. launch/environment.sh
prepare requirements.txt
exec "$PYTHON" -c 'print("ready")'
"""


class Checkout:
    """A folder with the scripts, and programs of our own in front of PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bin = path / "bin"
        self.bin.mkdir()
        (path / "launch").symlink_to(PROJECT / "launch")
        (path / "pygravity").symlink_to(PROJECT / "pygravity")
        (path / "requirements.txt").write_text("nothing-that-exists\n")
        self.program("start.sh", SCRIPT, path)

    def program(self, name: str, text: str, folder: Path | None = None) -> None:
        """Write an executable script."""
        file = (folder or self.bin) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def start(self, **environment: str) -> Program:
        """Run the script and wait for its end."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHON3")}
        path = f"{self.bin}:{os.environ['PATH']}"
        program = Program(["./start.sh"], self.path, inherited | {"PATH": path} | environment)
        program.code = program.wait(50)
        return program

    def environment_with(self, pip: str) -> Path:
        """Return a virtual environment whose `python -m pip install` does what the shell text `pip` says."""
        body = (
            f'case "$*" in *"pip --version") exit 0 ;; *"pip install"*) {pip} ;; esac\nexec {sys.executable} "$@"\n'
        )
        self.program("python", f"#!/bin/sh\n{body}", self.path / "env" / "bin")
        return self.path / "env"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_packages_are_installed_once_and_again_when_what_is_needed_changes(checkout: Checkout):
    environment = str(checkout.environment_with('echo "$*" >> installs; exit 0'))
    installs = checkout.path / "installs"
    for _ in range(2):
        program = checkout.start(VIRTUAL_ENV=environment)
        assert (program.code, program.lines[-1]) == (0, "ready"), program.errors
    assert len(installs.read_text().splitlines()) == 1
    (checkout.path / "requirements.txt").write_text("something-else\n")
    assert checkout.start(VIRTUAL_ENV=environment).code == 0
    assert len(installs.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError: refused'",
            "cannot reach a package index",
        ),
        ("ERROR: Failed building wheel for pygravity", "Failed building wheel for pygravity"),
    ],
)
def test_an_installation_that_fails_is_told_in_one_line_and_tried_again(checkout: Checkout, error: str, told: str):
    environment = checkout.environment_with(f'echo "{error}" >&2; exit 1')
    for _ in range(2):
        program = checkout.start(VIRTUAL_ENV=str(environment))
        assert program.code == 1 and len(program.errors) == 1
        assert program.errors[0].startswith("start.sh: ") and told in program.errors[0]


@pytest.mark.timeout(120)
def test_without_a_network_a_fresh_environment_is_made_and_the_index_is_missed(checkout: Checkout):
    """Real pip, real venv, and an index at a port where nobody listens."""
    program = checkout.start(PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS="")
    assert program.code == 1
    assert program.lines[0] == "Creating a virtual environment in .venv"
    assert program.errors == [
        "start.sh: cannot reach a package index: check the network (or proxy), then run this again"
    ]
    assert (checkout.path / ".venv/bin/python").exists()


def test_a_python_that_is_too_old(checkout: Checkout):
    old = 'case "$1" in --version) echo Python 3.8.10 ;; -c) exit 1 ;; esac'
    checkout.program("python3.11", f"#!/bin/sh\n{old}\n")
    program = checkout.start()
    assert program.code == 1
    assert len(program.errors) == 1 and "requires Python 3.11 or newer" in program.errors[0]
    assert "Python 3.8.10" in program.errors[0]


def test_a_python_without_venv(checkout: Checkout):
    without = (
        f'case "$*" in "-m venv"*) echo "ensurepip is not available" >&2; exit 1 ;; esac\nexec {sys.executable} "$@"'
    )
    checkout.program("python3.11", f"#!/bin/sh\n{without}\n")
    program = checkout.start()
    assert program.code == 1
    assert len(program.errors) == 1 and "install its venv module" in program.errors[0]


SLOW_PIP = """
import time
print("installing", flush=True)
try:
    time.sleep(50)
except KeyboardInterrupt:
    raise SystemExit("ERROR: Operation cancelled by user")
"""


@pytest.mark.parametrize("shell", ["sh", "bash --posix"])
def test_ctrl_c_during_an_installation_is_no_failure(checkout: Checkout, shell: str):
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"there is no {shell}")
    (checkout.path / "pip.py").write_text(SLOW_PIP)
    environment = checkout.environment_with(f"exec {sys.executable} pip.py")
    script = Program([*shell.split(), "start.sh"], checkout.path, os.environ | {"VIRTUAL_ENV": str(environment)})
    script.prints("installing")
    os.killpg(script.process.pid, signal.SIGINT)  # as a terminal does
    assert script.wait(5) == 130
    assert script.errors == []


@pytest.mark.parametrize(
    ("script", "runs"),
    [("train.sh", "-E -m launch train"), ("detect.sh", "-E -m launch detect"), ("tests/run", "-m pytest")],
)
def test_a_script_called_through_a_symbolic_link_runs_in_its_own_folder(checkout: Checkout, script: str, runs: str):
    (checkout.path / "tests").mkdir()
    (checkout.path / "tests/requirements.txt").touch()
    shutil.copy(PROJECT / script, checkout.path / script)
    checkout.program("python", '#!/bin/sh\necho "$PWD: $*"\n', checkout.path / "env/bin")
    link = checkout.path / "some/where/link"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../{script}")
    program = Program([str(link), "x"], Path("/"), os.environ | {"VIRTUAL_ENV": str(checkout.path / "env")})
    assert program.wait() == 0, program.errors
    assert program.lines[-1] == f"{checkout.path}: {runs} x"
