from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support import Program

Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start("archiver")` starts a program in the working directory; what is left of them is killed in the end."""
    started: list[Program] = []

    def start(module: str, *arguments: str, setup: str = "") -> Program:
        """`setup`: shell commands to run before."""
        command = [sys.executable, "-W", "error", "-m", f"gravity.programs.{module}", *arguments]
        if setup:
            command = ["sh", "-c", f'{setup}; exec "$@"', "sh", *command]
        environment = {k: v for k, v in os.environ.items() if k != "GRAVITY_INI"}
        started.append(Program(command, os.getcwd(), environment))
        return started[-1]

    yield start
    for program in started:
        program.process.kill()
        program.wait()
