from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import Program

from gravity_recording import open_recording

COMMAND = [sys.executable, "-W", "error", "-m", "gravity.cli"]
Start = Callable[..., Program]


class Done(NamedTuple):
    """What a command has returned and printed."""

    code: int
    lines: list[str]
    errors: list[str]


def run(*arguments: object) -> Done:
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return Done(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())


def products(*paths: Path | str) -> list[bytes]:
    """The data products in undamaged recordings."""
    found = []
    for path in paths:
        with open_recording(path) as recording:
            found += [message.product for message in recording.messages()]
            assert recording.damage is None, recording.damage
    return found


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("record", "A")` starts a command in the working directory; what is left of them is killed in the end."""
    started: list[Program] = []

    def start(*arguments: object, setup: str = "") -> Program:
        """`setup`: shell commands to run before."""
        command = [*COMMAND, *map(str, arguments)]
        if setup:
            command = ["sh", "-c", f'{setup}; exec "$@"', "sh", *command]
        environment = {k: v for k, v in os.environ.items() if k != "GRAVITY_INI"}
        started.append(Program(command, Path.cwd(), environment))
        return started[-1]

    yield start
    for program in started:
        program.process.kill()
        program.wait()
