"""The contenders of benchmarks.messaging: a publisher and its subscribers, as processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.report import median

from gravity.io.curve import make_key

WORKER = Path(__file__).with_name("messaging_worker.py")


@dataclass(frozen=True)
class Contender:
    """How to run one implementation's ends; `directory` is its Service Directory, if it needs one.

    `encrypted`: whether all of them have a key.
    """

    name: str
    kind: str
    directory: tuple[str, ...] = ()
    package_path: str | None = None
    encrypted: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its programs."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GRAVITY_INI")}
        return inherited | ({"PYTHONPATH": self.package_path} if self.package_path else {})


OURS = Contender("ours", "gravity", (sys.executable, "-m", "gravity.directory"))
ENCRYPTED = Contender("encrypted", OURS.kind, OURS.directory, encrypted=True)
PLAIN = Contender("plain", "plain")


def find_real() -> Contender | str:
    """Return the original Gravity, or the reason why there is none."""
    prefix = os.environ.get("GRAVITY_PREFIX")
    if not prefix:
        return "GRAVITY_PREFIX, the folder that has its bin and lib, is not set"
    program, packages = Path(prefix, "bin", "ServiceDirectory"), str(Path(prefix, "lib"))
    if not os.access(program, os.X_OK):
        return "GRAVITY_PREFIX names a folder without bin/ServiceDirectory"
    real = Contender("real", "gravity", (str(program),), packages)
    trial = subprocess.run(
        [sys.executable, "-c", "import gravity; print(gravity.__file__)"],
        env=real.environment, capture_output=True, text=True,
    )  # fmt: skip
    if trial.returncode or not trial.stdout.startswith(packages):
        return "this Python cannot import the bindings in the folder lib that GRAVITY_PREFIX has"
    return real


class End:
    """A publisher or subscriber in a process of its own."""

    def __init__(self, contender: Contender, folder: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), *map(str, arguments)],
            cwd=folder, env=contender.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.hello = self.hear()

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to one command."""
        self.tell(command)
        return self.hear()

    def tell(self, command: str) -> None:
        """Give a command whose answer is heard later."""
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("{"):  # else it is an original that talks
                return dict(json.loads(line))
        raise RuntimeError(f"an end of a measurement has ended with {self.process.wait()}")


class Session:
    """A publisher and its subscribers, connected."""

    def __init__(self, contender: Contender, subscribers: int = 1, products: int = 1) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._processes: list[subprocess.Popen[Any]] = []
        self._numbered = 0  # messages so far
        self.contender = contender
        try:
            self._start(contender, subscribers, products)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what this session has started."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """Where its programs run."""
        return Path(self._folder.name)

    def run(self, rate: float, seconds: float, total: int = 0) -> dict[str, Any]:
        """Publish at a rate, or `total` messages as fast as it goes; return what both ends say of it."""
        for subscriber in self.subscribers:
            subscriber.ask(f"clear {self._numbered}")
        total = total or int(rate * seconds)
        sent = self.publisher.ask(f"{rate} {self._numbered} {total}")
        self._numbered += total
        for subscriber in self.subscribers:
            subscriber.tell(f"report {total}")
        received = [subscriber.hear() for subscriber in self.subscribers]
        assert not any(r["repeated"] for r in received), "a message came twice"
        return {
            "sent": total,
            "rate": total / sent["seconds"],
            "lost": sum(total - r["received"] for r in received),
            "intake": min(r["received"] / r["seconds"] if r["seconds"] else 0.0 for r in received),
            "publisher": sent["cpu"] / total * 1e6,
            "subscriber": sum(r["cpu"] for r in received) / max(1, sum(r["received"] for r in received)) * 1e6,
            "p50": median(r["p50"] for r in received),
            "p99": median(r["p99"] for r in received),
        }

    def _start(self, contender: Contender, subscribers: int, products: int) -> None:
        if contender.directory:
            self._start_directory(contender)
        self.publisher = self._end("publisher", products)
        addresses = self.publisher.hello.get("addresses", [])
        self.subscribers = [self._end("subscriber", products, *addresses) for _ in range(subscribers)]
        deadline = time.monotonic() + 30
        while not all(s.ask("connected")["connected"] for s in self.subscribers):
            assert time.monotonic() < deadline, f"{contender.name}: no connection"
            self.publisher.ask("probe")
            time.sleep(0.05)

    def _start_directory(self, contender: Contender) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ini = f'[general]\nServiceDirectoryURL="tcp://127.0.0.1:{port}"\nNoConfigServer=true\n'
        if contender.encrypted:
            make_key(Path(self._folder.name, "Gravity.key"))
            ini += 'CurveKeyFile="Gravity.key"\n'
        Path(self._folder.name, "Gravity.ini").write_text(ini)
        self._processes.append(
            subprocess.Popen(
                contender.directory,
                cwd=self._folder.name,
                env=contender.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def _end(self, role: str, *arguments: object) -> End:
        end = End(self.contender, self._folder.name, role, self.contender.kind, *arguments)
        self._processes.append(end.process)
        return end
