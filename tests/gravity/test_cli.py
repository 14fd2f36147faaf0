"""The command `gravity`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import free_port

from gravity import GravityDataProduct, GravityNode, gravity, node
from gravity.directory.server import ServiceDirectory
from gravity.directory.state import registry
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity.io.curve import read_key
from gravity.ServiceDirectoryMapPB_pb2 import ProductLocations, ServiceDirectoryMapPB


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster: a directory, and a node that publishes `Log` and `Raw` and whose directory is in Gravity.ini."""
    monkeypatch.chdir(tmp_path)
    url = f"tcp://127.0.0.1:{free_port()}"
    Path("Gravity.ini").write_text(f'[general]\nServiceDirectoryURL = "{url}"\nNoConfigServer = true\n')
    directory = ServiceDirectory(url)
    with GravityNode("Talker") as talker:
        for id, data in (("Log", GravityLogMessagePB(level="info", message="hello")), ("Raw", b"\x01\xff")):
            assert talker.registerDataProduct(id, gravity.TCP) == gravity.SUCCESS
            product = GravityDataProduct(id)
            product.data = data
            talker.publish(product)
        yield url
    directory.close()


def run(*arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-W", "error", "-m", "gravity.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def test_list(url: str):
    code, printed, errors = run("list")
    assert (code, errors) == (0, "")
    assert printed.startswith("domain (unnamed): nodes ServiceDirectory, Talker\n")
    assert "  data product  Log" in printed and "  service       DirectoryService" in printed
    rows = json.loads(run("list", "--json")[1])
    assert {row["id"] for row in rows if row["node"] == "Talker"} == {"Log", "Raw"}


def test_control_characters_from_the_network_are_shown_not_sent_to_the_terminal(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    for module in (node, registry):  # an original Service Directory has no limits
        monkeypatch.setattr(module, "fault_of_name", lambda *_: "")
    with GravityNode("Evil\x1b[2J") as evil:
        product = GravityDataProduct("Bell\x07\u202e")
        product.data = b"x"
        assert evil.registerDataProduct("Bell\x07\u202e", gravity.TCP) == gravity.SUCCESS
        evil.publish(product)
        printed = run("list")[1] + run("echo", "Bell\x07\u202e", "--count", "1")[1]
    assert "Bell\\x07\\u202e" in printed and "Evil\\x1b[2J" in printed
    assert not [c for c in printed if c in "\x07\x1b\u202e"]


def test_long_messages_and_odd_times_are_shown(url: str):
    with GravityNode("Big") as big:
        assert big.registerDataProduct("Big", gravity.TCP) == gravity.SUCCESS
        product = GravityDataProduct("Big")
        product.data = b"\x11" * 100_000
        big.publish(product, timestamp=2**63)
        code, printed, errors = run("echo", "Big", "--count", "1")
    assert (code, errors) == (0, "")
    assert printed.startswith(f"{2**63} Big  (cached): 1111") and printed.endswith("… (200035 characters)\n")


def test_names_that_are_not_text_are_shown(url: str, monkeypatch: pytest.MonkeyPatch):
    """An original Service Directory passes them on."""
    locations = ProductLocations.FromString(b"\x0a\x01\xff\x12\x01\xfe\x1a\x01\xfd\x22\x00\x28\x01")
    monkeypatch.setattr(registry.Registry, "map", lambda *_: ServiceDirectoryMapPB(data_provider=[locations]))
    code, printed, errors = run("list")
    assert (code, errors) == (0, "") and r"data product  \xff  \xfd  \xfe" in printed
    assert json.loads(run("list", "--json")[1])[0]["id"] == r"\xff"


def test_the_directory_may_be_named(url: str):
    Path("Gravity.ini").unlink()
    assert "Talker" in run("--directory", url, "list")[1]


def test_echo_decodes_types_that_it_knows(url: str):
    code, printed, _ = run("echo", "Log", "--count", "1")
    assert code == 0
    assert printed.endswith(' Talker gravity.GravityLogMessagePB (cached): level: "info" message: "hello"\n')
    row = json.loads(run("echo", "Log", "--count", "1", "--json")[1])
    assert row["message"] == {"level": "info", "message": "hello"} and row["cached"] and row["hex"] is None


def test_echo_shows_other_messages_in_hexadecimal(url: str):
    assert run("echo", "Raw", "--count", "1")[1].endswith(" Talker  (cached): 01ff\n")
    assert json.loads(run("echo", "Raw", "--count", "1", "--json")[1])["hex"] == "01ff"


def test_hz_counts(url: str):
    with GravityNode("Clock") as clock:
        clock.registerDataProduct("Tick", gravity.TCP)
        product = GravityDataProduct("Tick")
        product.data = b"0123456789"
        command = subprocess.Popen(
            [sys.executable, "-m", "gravity.cli", "hz", "Tick", "--count", "3"], stdout=subprocess.PIPE, text=True
        )
        start = time.monotonic()
        for n in range(20_000):
            if command.poll() is not None:
                break
            time.sleep(max(0.0, start + n * 0.01 - time.monotonic()))
            clock.publish(product)
        printed, _ = command.communicate(timeout=10)
    rates = [float(line.split()[0]) for line in printed.splitlines()]
    assert len(rates) == 3 and 30 < rates[-1] < 130  # 100 a second, on a machine that does other things too


@pytest.mark.parametrize("arguments", [(), ("find",), ("echo",), ("hz",), ("list", "x")])
def test_wrong_arguments(arguments: tuple[str, ...], tmp_path: Path):
    code, _, errors = run(*arguments)
    assert code == 2 and errors.startswith("usage: gravity")


def test_an_unknown_module_of_types(url: str):
    code, _, errors = run("echo", "Log", "--types", "no.such_pb2")
    assert (code, errors) == (1, "gravity: No module named 'no'\n")


@pytest.mark.parametrize("arguments", [("list",), ("echo", "Log"), ("hz", "Log")], ids=" ".join)
def test_nobody_reads_the_output(url: str, arguments: tuple[str, ...]):
    """As in `gravity list | head`, when head has seen enough."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "gravity.cli", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


# ---- keys ------------------------------------------------------------------------------------------------------


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a directory with a key that `gravity keys` has made, as Gravity.ini says."""
    monkeypatch.chdir(tmp_path)
    url = f"tcp://127.0.0.1:{free_port()}"
    setting = 'CurveKeyFile = "Gravity.key"'
    code, printed, errors = run("keys")
    assert (code, errors) == (0, "") and printed.endswith(f"name it in [general] of Gravity.ini: {setting}\n")
    Path("Gravity.ini").write_text(f'[general]\nServiceDirectoryURL = "{url}"\nNoConfigServer = true\n{setting}\n')
    directory = ServiceDirectory(url, key=read_key(Path("Gravity.key")))
    yield url
    directory.close()


def test_the_command_has_the_key_that_is_configured(keyed: str):
    assert run("list")[1].startswith("domain (unnamed): nodes ServiceDirectory\n")
    assert run("--directory", keyed, "list")[1].startswith("domain (unnamed): nodes ServiceDirectory\n")


def test_the_command_without_the_key(keyed: str):
    Path("Gravity.ini").unlink()
    code, _, errors = run("--directory", keyed, "list")
    assert code == 1
    reason, outcome = errors.splitlines()
    assert reason.startswith(f"Gravity: the program at {keyed} requires a key, but this node has none; ")
    assert outcome == "gravity: the configuration cannot be used (see the previous message)"


def test_a_key_of_another_name_where_there_may_be_one_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert run("keys", "plant.key")[0] == 0
    before = Path("plant.key").read_bytes()
    assert Path("plant.key").stat().st_mode & 0o777 == 0o600
    assert run("keys", "plant.key") == (1, "", "gravity: plant.key: exists already; keys are never overwritten\n")
    assert Path("plant.key").read_bytes() == before
