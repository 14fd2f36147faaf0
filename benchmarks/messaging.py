"""Publish → callback, measured: `python -m benchmarks.messaging [--quick] [--rounds 5] [--json FILE]`.

Publisher and subscribers are processes of their own, with 16 bytes of payload in Gravity's envelope. Three
contenders take turns, measure by measure; each figure is the median over the rounds, each ratio that of medians:

    ours   the package gravity of this project
    plain  pyzmq and protobuf, as their guides have it, with the same frames: what Python gives at best
    real   the original Gravity, if GRAVITY_PREFIX names the folder that has its bin and lib
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.report import Row, machine, median, ratio, table, write_json

WORKER = Path(__file__).with_name("messaging_worker.py")
STEPS = [10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000, 120_000]  # messages a second
KEPT_UP = 0.98  # of a rate, below which its publisher has not kept it
CPU_RATE = 10_000  # messages a second at which processor time is measured
MANY_SUBSCRIBERS, MANY_RATE = 8, 2_000
MANY_PRODUCTS = 100

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Contender:
    """How to run one implementation's ends; `directory` is its Service Directory, if it needs one."""

    name: str
    kind: str
    directory: tuple[str, ...] = ()
    package_path: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its programs."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GRAVITY_INI")}
        return inherited | ({"PYTHONPATH": self.package_path} if self.package_path else {})


OURS = Contender("ours", "gravity", (sys.executable, "-m", "gravity.service_directory"))
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
        self.hello = self._hear()

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to one command."""
        self.tell(command)
        return self._hear()

    def tell(self, command: str) -> None:
        """Give a command whose answer is heard later."""
        assert self.process.stdin
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
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

    def run(self, rate: float, seconds: float, total: int = 0) -> dict[str, Any]:
        """Publish at a rate, or `total` messages as fast as it goes; return what both ends say of it."""
        for subscriber in self.subscribers:
            subscriber.ask("clear")
        total = total or int(rate * seconds)
        sent = self.publisher.ask(f"{rate} {total}")
        for subscriber in self.subscribers:
            subscriber.tell("report")
        received = [subscriber._hear() for subscriber in self.subscribers]
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


# ---- the measures: each takes a session and returns figures by name ------------------------------------------


def highest_rate(session: Session, seconds: float) -> Figures:
    """Return the highest rate that was kept up and lost nothing, and what a tight loop does."""
    best = 0.0
    for rate in STEPS:
        ran = session.run(rate, seconds)
        if ran["lost"] or ran["rate"] < KEPT_UP * rate:
            break
        best = ran["rate"]
    tight = session.run(0, 0, total=int(100_000 * seconds))
    if not tight["lost"]:
        best = max(best, tight["rate"])
    return {
        "highest rate without loss, messages/s": best,
        "tight loop: intake, messages/s": tight["intake"],
        "tight loop: lost, %": 100 * tight["lost"] / tight["sent"],
    }


def latency(session: Session, seconds: float) -> Figures:
    """Return publish → callback in microseconds."""
    figures: Figures = {}
    for rate in (1_000, 20_000):
        ran = session.run(rate, seconds)
        figures |= {f"latency at {rate:,}/s, {q}, µs": ran[q] for q in ("p50", "p99")}
    return figures


def processor_time(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds a message, at a rate that all contenders keep up."""
    ran = session.run(CPU_RATE, seconds)
    return {f"CPU at {CPU_RATE:,}/s, {end}, µs/message": ran[end] for end in ("publisher", "subscriber")}


def many_subscribers(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds: the publisher's a message, the subscribers' a message each."""
    ran = session.run(MANY_RATE, seconds)
    count = len(session.subscribers)
    what = f"{count} subscriber{'s' * (count > 1)}, {MANY_RATE:,}/s"
    return {
        f"{what}: publisher, µs/message": ran["publisher"],
        f"{what}: each subscriber, µs/message": ran["subscriber"],
        f"{what}: latency p99, µs": ran["p99"],
        f"{what}: lost": ran["lost"],
    }


def many_products(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds a message when the messages go round all data products."""
    ran = session.run(CPU_RATE, seconds)
    what = f"{MANY_PRODUCTS} data products, {CPU_RATE:,}/s"
    return {
        f"{what}: publisher, µs/message": ran["publisher"],
        f"{what}: subscriber, µs/message": ran["subscriber"],
        f"{what}: latency p99, µs": ran["p99"],
        f"{what}: lost": ran["lost"],
    }


Measure = Callable[[Session, float], Figures]

# What shares sessions, with their numbers of subscribers and data products.
GROUPS: list[tuple[int, int, list[Measure]]] = [
    (1, 1, [highest_rate, latency, processor_time, many_subscribers]),
    (MANY_SUBSCRIBERS, 1, [many_subscribers]),
    (1, MANY_PRODUCTS, [many_products]),
]


def measure(contenders: Sequence[Contender], rounds: int, seconds: float) -> dict[str, dict[str, list[float | None]]]:
    """Return all values, by figure and contender."""
    values: dict[str, dict[str, list[float | None]]] = {}
    for subscribers, products, measures in GROUPS:
        with contextlib.ExitStack() as stack:
            sessions = [stack.enter_context(Session(c, subscribers, products)) for c in contenders]
            for _ in range(rounds):
                for taken in measures:
                    for session in sessions:
                        for figure, value in taken(session, seconds).items():
                            values.setdefault(figure, {}).setdefault(session.contender.name, []).append(value)
    return values


def rows(rounds: int = 5, seconds: float = 1.0) -> list[Row]:
    """Measure and return the table: medians, and ours as a multiple of the others."""
    real = find_real()
    contenders = [OURS, PLAIN, *([real] if isinstance(real, Contender) else [])]
    result: list[Row] = []
    for figure, by_contender in measure(contenders, rounds, seconds).items():
        medians = {name: median(by_contender.get(name, [])) for name in ("ours", "plain", "real")}
        row: Row = {"what": figure, **medians}
        for name in ("plain", "real"):
            row[f"ours/{name}"] = ratio(medians["ours"], medians[name])
        result.append(row)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the table and write it to a file if asked."""
    parser = argparse.ArgumentParser(description="Measure publish → callback against plain pyzmq and real Gravity.")
    parser.add_argument("--rounds", type=int, default=5, help="runs that each median is taken over")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a run")
    parser.add_argument("--quick", action="store_true", help="a look, in under a minute")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    given = parser.parse_args(arguments)
    real = find_real()
    about = machine("pyzmq", "protobuf")
    about["real Gravity"] = "left out: " + real if isinstance(real, str) else "measured"
    measured = rows(1, 0.3) if given.quick else rows(given.rounds, given.seconds)
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    print(table("Publish → callback, 16 bytes of payload", measured))
    if given.json:
        write_json(given.json, {"machine": about, "rows": measured})


if __name__ == "__main__":
    main()
