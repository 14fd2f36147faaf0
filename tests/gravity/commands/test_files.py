"""`gravity info`, `convert` and `repair`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gravity.commands.conftest import Done, products
from tests.gravity.commands.conftest import run as apart
from tests.gravity.recording.conftest import BEGIN, frame

from gravity import cli
from gravity_recording import RecordingWriter, open_recording
from gravity_recording.archive import MARK, record

Run = Callable[..., Done]
FRAMES = [
    frame(n * 100, "Log" if n % 3 else "Raw/x", **({} if n % 3 else {"type_name": "no.Such"})) for n in range(30)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("info", path)` runs the command in this process, which is faster."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["gravity", *map(str, arguments)])
        monkeypatch.setattr(sys, "path", list(sys.path))
        try:
            code = cli.main()
        except SystemExit as ended:  # by argparse
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Done(code, printed.out.splitlines(), printed.err.splitlines())

    return run


@pytest.fixture
def mcap() -> Path:
    return write(Path("run.mcap"))


def write(path: Path, compression: str = "zstd") -> Path:
    with RecordingWriter(path, compression=compression) as writer:  # type: ignore[arg-type]
        for n, one in enumerate(FRAMES):
            writer.add(one)
            if n % 10 == 9:
                writer.flush()
    return path


@pytest.fixture
def archive() -> Path:
    path = Path("archive.bin")
    path.write_bytes(MARK + b"".join(map(record, FRAMES)))
    return path


# ---- info -------------------------------------------------------------------------------------------------------


def test_info(run: Run, mcap: Path, archive: Path) -> None:
    done = run("info", mcap, archive)
    assert done.code == 0 and done.errors == []
    assert done.lines == [
        "run.mcap: MCAP, compression: zstd",
        f"  size      {mcap.stat().st_size / 1e3:.1f} kB",
        "  length    2.900 s, 2023-11-14 22:13:20.000 to 2023-11-14 22:13:22.900",
        "  messages  30",
        "    Raw/x         10       3.3/s  no.Such from Pump",
        "    Log           20       6.8/s  gravity.GravityLogMessagePB from Pump",
        "",
        "archive.bin: Gravity archive, compression: none",
        f"  size      {archive.stat().st_size / 1e3:.1f} kB",
        *done.lines[2:6],
    ]


def test_info_of_a_file_among_others_that_cannot_be_read(run: Run, mcap: Path) -> None:
    Path("bad.mcap").write_bytes(b"no recording")
    done = run("info", "bad.mcap", mcap)
    assert done.code == 1 and done.lines[0].startswith(f"{mcap}: MCAP")
    assert len(done.errors) == 1 and "bad.mcap, offset 0: neither an MCAP file" in done.errors[0]


def test_info_for_programs(run: Run, mcap: Path) -> None:
    done = run("info", mcap, "--json")
    [facts] = json.loads(done.lines[0])
    log = {
        "id": "Log", "messages": 20, "rate": 19 / 2.8, "first": BEGIN + 100_050, "last": BEGIN + 2_900_050,
        "types": ["gravity.GravityLogMessagePB"], "components": ["Pump"],
    }  # fmt: skip
    assert facts.pop("products")[1] == log
    assert facts == {
        "file": "run.mcap", "format": "MCAP", "compression": ["zstd"], "bytes": mcap.stat().st_size,
        "begin": BEGIN + 50, "end": BEGIN + 2_900_050, "seconds": 2.9, "messages": 30, "damage": None,
    }  # fmt: skip


def test_info_of_damage(run: Run, mcap: Path) -> None:
    content = mcap.read_bytes()
    mcap.write_bytes(content[: len(content) // 2])
    done = run("info", mcap)
    assert done.code == 0 and done.lines[-1].startswith("  damage    at offset ")
    [facts] = json.loads(run("info", mcap, "--json").lines[0])
    assert facts["damage"].keys() == {"offset", "reason"} and 0 < facts["messages"] < 30


def test_damage_within_shows_when_all_is_read(run: Run, mcap: Path) -> None:
    with open_recording(mcap) as recording:
        second = recording._reader.index.blocks[1]
    content = bytearray(mcap.read_bytes())
    content[second.offset + second.length - 1] ^= 255
    mcap.write_bytes(content)
    assert "damage" not in "".join(run("info", mcap).lines)
    done = run("info", mcap, "--check")
    assert done.code == 0 and "damage    at offset " in done.lines[-1]


# ---- convert ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_an_archive_to_mcap_and_back(run: Run, compression: str, archive: Path) -> None:
    there = run("convert", archive, "run.mcap", "--compression", compression)
    assert there == (0, ["wrote 30 messages to run.mcap"], [])
    assert run("convert", "run.mcap", "again.bin") == (0, ["wrote 30 messages to again.bin"], [])
    assert Path("again.bin").read_bytes() == archive.read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["again.bin", "archive.bin", "run.mcap"]


def test_some_data_products_of_several_recordings(run: Run, mcap: Path, archive: Path) -> None:
    done = run("convert", mcap, archive, "both.mcap", "--products", "Raw/x")
    assert done.lines == ["wrote 20 messages to both.mcap"]
    assert products("both.mcap") == FRAMES[::3] * 2


def test_to_csv(run: Run, mcap: Path) -> None:
    done = run("convert", mcap, "run.csv")
    assert done.lines == ["wrote 10 messages of Raw/x to run_Raw%2Fx.csv", "wrote 20 messages of Log to run_Log.csv"]
    with Path("run_Log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "received": "2023-11-14T22:13:20.100050Z", "published": "2023-11-14T22:13:20.100000Z", "component": "Pump",
        "type": "gravity.GravityLogMessagePB", "level": "info", "message": "message 100", "payload": "",
    }  # fmt: skip
    with Path("run_Raw%2Fx.csv").open(newline="") as file:
        raw = list(csv.DictReader(file))
    assert raw[0]["payload"] == b"\x0a\x04info\x12\x09message 0".hex() and "level" not in raw[0]


def test_types_from_a_module(archive: Path) -> None:
    """What an archive does not describe."""
    Path("plant_pb2.py").write_text(
        """
from google.protobuf import descriptor_pb2, descriptor_pool
file = descriptor_pb2.FileDescriptorProto(name="plant.proto", package="no")
file.message_type.add(name="Such").field.add(name="what", number=1, type=9, label=1)
descriptor_pool.Default().Add(file)
"""
    )
    done = apart("convert", archive, "raw.csv", "--products", "Raw/x", "--types", "plant_pb2")
    assert done == (0, ["wrote 10 messages of Raw/x to raw.csv"], [])
    assert Path("raw.csv").read_text().splitlines()[1].endswith(",no.Such,info,")
    assert apart("convert", archive, "x.csv", "--types", "no_such") == (1, [], ["gravity: No module named 'no_such'"])


def test_to_parquet(run: Run, mcap: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    done = run("convert", mcap, "log.parquet", "--products", "Log")
    assert done == (0, ["wrote 20 messages of Log to log.parquet"], [])
    table = parquet.read_table("log.parquet")
    assert table.column("message").to_pylist() == [f"message {n * 100}" for n in range(30) if n % 3]


def test_parquet_without_its_package(mcap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("without/pyarrow").mkdir(parents=True)
    Path("without/pyarrow/__init__.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", "without")
    done = apart("convert", mcap, "run.parquet")
    assert done == (1, [], ["gravity: Parquet files require pyarrow: pip install 'pygravity[parquet]'"])
    assert not list(Path().glob("*.parquet*")) and not list(Path().glob(".*"))


@pytest.mark.parametrize("name", ["run.bin", "run.csv", "run.mcap"])
def test_half_a_file_is_never_left(name: str, archive: Path) -> None:
    """The disk is full; an earlier file of that name stays."""
    before = archive.with_name(name)
    before.write_text("mine")
    arguments = f"convert archive.bin {name} --products Log --overwrite --compression none"
    command = f"ulimit -f 1; exec {sys.executable} -m gravity.cli {arguments}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"gravity: cannot write {name}: File too large\n")
    assert before.read_text() == "mine" and len(list(Path().iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("none.bin", "x.mcap"), "cannot read none.bin: No such file or directory"),
        (("archive.bin", "x.avi"), "x.avi: the name must end in .mcap, .bin, .csv, .parquet"),
        (("archive.bin", "archive.bin"), "archive.bin exists; name another file, or add --overwrite"),
        (("archive.bin", "no/x.mcap"), "cannot write no/x.mcap: No such file or directory"),
        (("archive.bin", "no/x.csv", "--products", "Log"), "cannot write no/x.csv: No such file or directory"),
        (("x", "x.mcap"), "x, offset 0: neither an MCAP file nor a Gravity archive: it begins with 74 65 78 74"),
        (("empty", "x.mcap"), "empty, offset 0: neither an MCAP file nor a Gravity archive: it is empty"),
    ],
)
def test_what_cannot_be_converted(run: Run, arguments: tuple[str, ...], error: str, archive: Path) -> None:
    Path("x").write_text("text")
    Path("empty").touch()
    assert run("convert", *arguments) == (1, [], [f"gravity: {error}"])


# ---- repair -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_a_recording_that_was_cut_off(run: Run, compression: str) -> None:
    cut = write(Path("cut.mcap"), compression)
    cut.write_bytes(cut.read_bytes()[:-2000])
    done = run("repair", cut, "whole.mcap")
    assert done.code == 0 and "cut.mcap, offset " in done.errors[0]
    found = products("whole.mcap")
    assert 10 <= len(found) < 30 and found == FRAMES[: len(found)]
    [facts] = json.loads(run("info", "whole.mcap", "--json").lines[0])
    assert facts["compression"] == [compression] and facts["damage"] is None


def test_an_archive_that_was_cut_off(run: Run, archive: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1])
    done = run("repair", archive, "whole.bin")
    size = len(FRAMES[-1])
    offset = len(whole) - size - 4
    reason = f"the file ends after {size - 1} of the {size} bytes of a data product"
    assert done.errors == [f"gravity: archive.bin, offset {offset}: {reason}; what comes before is read"]
    assert Path("whole.bin").read_bytes() == whole[:offset]
    assert run("repair", archive, "whole.mcap").code == 0 and products("whole.mcap") == FRAMES[:-1]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("run.mcap", "x.csv"), "x.csv: the name must end in .mcap or .bin"),
        (("run.mcap", "run.mcap"), "run.mcap exists; name another file, or add --overwrite"),
        ((".", "x.mcap"), ". is a folder; name a file"),
    ],
)
def test_what_cannot_be_repaired(run: Run, arguments: tuple[str, ...], error: str, mcap: Path) -> None:
    assert run("repair", *arguments) == (1, [], [f"gravity: {error}"])


# ---- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["record", "play", "info", "convert", "repair"])
def test_help(run: Run, command: str) -> None:
    done = run(command, "--help")
    printed = "\n".join(done.lines)
    assert done.code == 0 and f"gravity {command}" in printed and "examples:" in printed and "exit codes:" in printed
