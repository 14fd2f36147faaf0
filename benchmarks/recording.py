"""What recording costs: `python -m benchmarks.recording [--quick] [--rounds 3] [--json FILE]`.

Parts, each a table of medians over the rounds:

    cluster    a publisher and a recorder as processes of their own, 16 bytes of payload: what is lost at 10,000
               messages a second and more, the recorder's processor time, and bytes a message; `gravity record` with
               each compression, and the Archiver, in turn
    format     how many messages a second one core writes and reads, without a cluster, with 100 bytes of payload
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.messaging_session import OURS, Session
from benchmarks.messaging_worker import PROBE, _payload
from benchmarks.report import Row, describe, median, table, write_json

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording import RecordingError, RecordingWriter, open_recording
from gravity_recording.archive import MARK, record

GOAL = 10_000  # messages a second
RATES = (GOAL, 20_000, 30_000)
PRODUCT = "Bench0"
COMPRESSIONS = ("none", "lz4", "zstd")
TICKS = os.sysconf("SC_CLK_TCK")

Values = dict[str, float | None]


# ---- in a cluster -----------------------------------------------------------------------------------------------


def commands() -> dict[str, tuple[str, list[str]]]:
    """Return the recorders by name: their file and command."""
    record = [
        sys.executable,
        "-m",
        "gravity.cli",
        "record",
        PRODUCT,
        "-o",
        "run.mcap",
        "--overwrite",
        "--compression",
    ]
    found = {f"record, {compression}": ("run.mcap", [*record, compression]) for compression in COMPRESSIONS}
    return found | {"Archiver": ("archive.bin", [sys.executable, "-m", "gravity.programs.archiver"])}


def numbers(path: Path) -> set[int]:
    """Return the numbers of the messages in a recording, as far as it can be read."""
    try:
        with open_recording(path) as recording:
            return {_payload.unpack(GravityDataProductPB.FromString(m.product).data)[0] for m in recording.messages()}
    except (OSError, RecordingError):  # it has just been created
        return set()


def processor_time(process: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("a recorder does not record")
        time.sleep(0.1)


@contextmanager
def recorder(session: Session, file: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a recorder that is connected; it ends with Ctrl-C."""
    session.folder.joinpath(file).unlink(missing_ok=True)
    process = subprocess.Popen(
        command, cwd=session.folder, env=OURS.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def connected() -> bool:
        session.publisher.ask("probe")
        return PROBE in numbers(session.folder / file)

    try:
        until(connected)
        yield process
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def measure(session: Session, file: str, command: list[str], rate: int, seconds: float) -> Values:
    """Record at a rate, 0 for as fast as it goes; return what that took."""
    total = int((rate or max(RATES)) * seconds)
    with recorder(session, file, command) as process:
        before = processor_time(process.pid)
        sent = session.publisher.ask(f"{rate} 0 {total}")
        used = [before, processor_time(process.pid)]

        def is_idle() -> bool:
            time.sleep(0.5)
            used.append(processor_time(process.pid))
            return used[-1] - used[-2] < 0.05

        until(is_idle)
    path = session.folder / file
    kept = numbers(path) - {PROBE}
    return {
        "sent, messages/s": total / sent["seconds"],
        "lost": total - len(kept),
        "processor time, µs/message": (used[-1] - before) / total * 1e6,
        "bytes/message": path.stat().st_size / total,
    }


def cluster(rounds: int, seconds: float) -> list[Row]:
    """Measure all recorders in turn, at each rate."""
    values: dict[tuple[str, str], list[Values]] = {}
    with Session(OURS, subscribers=0) as session:
        ini = session.folder / "Gravity.ini"
        ini.write_text(f"{ini.read_text()}[FileArchiver]\nDataProductList = {PRODUCT}\n")
        for _ in range(rounds):
            for rate in (*RATES, 0):
                for name, (file, command) in commands().items():
                    case = f"{rate:,}/s" if rate else "as fast as it goes"
                    values.setdefault((case, name), []).append(measure(session, file, command, rate, seconds))
    rows: list[Row] = []
    for (case, name), found in values.items():
        lost = [int(one["lost"] or 0) for one in found]
        figures = {key: median(one[key] for one in found) for key in found[0] if key != "lost"}
        rows.append({"what": f"{case}: {name}", **figures, "lost in all rounds": sum(lost)})
    return rows


# ---- the format -------------------------------------------------------------------------------------------------


def frames(count: int) -> list[bytes]:
    """Return data products with payloads that vary a little, as those of a sensor do."""
    begin = 1_700_000_000_000_000
    return [
        GravityDataProductPB(
            timestamp=begin + n * 100, dataProductID=PRODUCT, data=_payload.pack(n, n * n) + bytes(84), domain="",
            componentID="BenchPublisher", received_timestamp=begin + n * 100 + 60, registration_time=1_700_000_000,
        ).SerializeToString()
        for n in range(count)
    ]  # fmt: skip


def write(path: Path, products: list[bytes], compression: str) -> None:
    """Write an MCAP file, or without a compression an archive."""
    if not compression:
        with path.open("wb") as file:
            file.write(MARK)
            for product in products:
                file.write(record(product))
        return
    with RecordingWriter(path, compression=compression, overwrite=True) as writer:  # type: ignore[arg-type]
        for product in products:
            writer.add(product)


def formats(rounds: int, count: int) -> list[Row]:
    """Write and read messages in each format."""
    products = frames(count)
    rows: list[Row] = []
    for name, compression in [*((f"MCAP, {name}", name) for name in COMPRESSIONS), ("archive", "")]:
        written, read, opened = [], [], []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "run")
            for _ in range(rounds):
                begin = time.process_time()
                write(path, products, compression)
                written.append(count / (time.process_time() - begin))
                begin = time.process_time()
                with open_recording(path) as recording:
                    opened.append((time.process_time() - begin) * 1000)
                    found = sum(1 for _ in recording.messages())
                read.append(count / (time.process_time() - begin))
                if found != count:
                    raise RuntimeError(f"{found} of {count} messages were read")
            size = path.stat().st_size
        rows.append(
            {
                "what": name,
                "written, messages/s": median(written),
                "read, messages/s": median(read),
                "opened, ms": median(opened),
                "bytes/message": size / count,
            }
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the tables and write them to a file if asked."""
    parser = argparse.ArgumentParser(description="Measure gravity record, the Archiver, and the formats.")
    parser.add_argument("--rounds", type=int, default=3, help="runs that each median is taken over")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a run in the cluster")
    parser.add_argument("--quick", action="store_true", help="a look, in a minute or two")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    given = parser.parse_args(arguments)
    rounds, seconds = (1, 1.0) if given.quick else (given.rounds, given.seconds)
    about = describe("pyzmq", "protobuf", "mcap", "zstandard", "lz4")
    in_cluster = cluster(rounds, seconds)
    print(table("Recording in a cluster, 16 bytes of payload", in_cluster), flush=True)
    alone = formats(rounds, 20_000 if given.quick else 200_000)
    print(table("The formats alone, 100 bytes of payload", alone))
    if given.json:
        write_json(given.json, {"machine": about, "cluster": in_cluster, "formats": alone})


if __name__ == "__main__":
    main()
