"""The two Gravities: ours, and a real one that GRAVITY_PREFIX names."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Implementation:
    """How to run the programs of one Gravity."""

    name: str
    folder: Path | None = None  # of the real one: it has bin and lib

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its programs."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GRAVITY_INI")}
        return inherited | ({"PYTHONPATH": str(self.folder / "lib")} if self.folder else {})

    def command(self, program: str) -> tuple[str, ...]:
        """How to run one of Gravity's programs; skip the test where there is none."""
        if not self.folder:
            return sys.executable, "-m", _OURS[program]
        path = self.folder / "bin" / program
        if not os.access(path, os.X_OK):
            pytest.skip(f"the real Gravity in {self.folder} has no bin/{program}")
        return (str(path),)

    def __str__(self) -> str:
        return self.name


OURS = Implementation("ours")
_OURS = {
    "ServiceDirectory": "gravity.directory",
    "ConfigServer": "gravity.programs.config_server",
    "Archiver": "gravity.programs.archiver",
    "Playback": "gravity.programs.playback",
    "Relay": "gravity.programs.relay",
    "LogRecorder": "gravity.programs.log_recorder",
}


@functools.cache
def find_real() -> Implementation | str:
    """Return the real Gravity, or the reason why there is none."""
    prefix = os.environ.get("GRAVITY_PREFIX")
    if not prefix:
        return "no real Gravity: GRAVITY_PREFIX, the folder that has its bin and lib, is not set"
    if not os.access(Path(prefix, "bin", "ServiceDirectory"), os.X_OK):
        return "no real Gravity: GRAVITY_PREFIX names a folder without bin/ServiceDirectory"
    found = Implementation("real", Path(prefix))
    trial = subprocess.run(
        [sys.executable, "-c", "import gravity; print(gravity.__file__)"],
        env=found.environment, capture_output=True, text=True,
    )  # fmt: skip
    if trial.returncode:
        reason = (trial.stderr.splitlines() or [f"exit code {trial.returncode}"])[-1]
        return f"no real Gravity: this Python cannot import its bindings: {reason}"
    if not Path(trial.stdout.strip()).is_relative_to(Path(prefix, "lib")):
        return "no real Gravity: there are no Python bindings in the folder lib that GRAVITY_PREFIX has"
    return found


def real() -> Implementation:
    """Return the real Gravity; skip the test where there is none."""
    found = find_real()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@dataclass(frozen=True)
class Mix:
    """Which Gravity each role runs on."""

    directory: str
    publisher: str
    subscriber: str

    def of(self, role: str) -> Implementation:
        """Return the Gravity of a role; skip the test where there is none."""
        return real() if getattr(self, role) == "real" else OURS

    def __str__(self) -> str:
        return f"{self.directory}-{self.publisher}-{self.subscriber}"


def mixes() -> Iterator[Mix]:
    """Yield all eight mixes of directory, publisher and subscriber."""
    return itertools.starmap(Mix, itertools.product(("ours", "real"), repeat=3))
