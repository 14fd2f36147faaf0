"""Directory, publisher and detector on three hosts: network namespaces with an address each."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.example import Example
from tests.interop.implementations import Mix, real

HOSTS = {"directory": "10.77.0.1", "publisher": "10.77.0.2", "subscriber": "10.77.0.3"}


class Network:
    """Network namespaces, joined by a bridge in one more: nothing of it is seen or reached from outside."""

    def __init__(self) -> None:
        self._name = f"test-{uuid.uuid4().hex[:8]}"
        self._namespaces: list[str] = []

    def build(self) -> None:
        """Make all hosts; raise CalledProcessError if that is not possible here."""
        switch = self._add("switch")
        ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge", "up")
        for host, address in HOSTS.items():
            name = self._add(host)
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", host, "netns", switch)
            ip("-n", switch, "link", "set", host, "master", "bridge", "up")
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                ip("-n", name, "link", "set", device, "up")

    def on(self, host: str) -> list[str]:
        """Return the beginning of a command that runs on a host."""
        return ["ip", "netns", "exec", f"{self._name}-{host}"]

    def remove(self) -> None:
        """Remove whatever was made."""
        for namespace in self._namespaces:
            ip("netns", "delete", namespace)

    def _add(self, host: str) -> str:
        namespace = f"{self._name}-{host}"
        ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        return namespace


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def network() -> Iterator[Network]:
    """Three hosts; the test is skipped where they cannot be made."""
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces: there is no program ip (package iproute2)")
    network = Network()
    try:
        try:
            network.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces: `{' '.join(error.cmd)}` says {error.stderr.strip()!r}")
        yield network
    finally:
        network.remove()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "mix", [Mix("ours", "ours", "ours"), Mix("real", "ours", "real"), Mix("ours", "real", "ours")], ids=str
)
@pytest.mark.parametrize("run", [Example.train_and_detect, Example.replay])
def test_on_three_hosts(tmp_path: Path, network: Network, mix: Mix, run: Callable[[Example], None]):
    if "real" in str(mix):
        real()
    example = Example(tmp_path, mix, HOSTS["directory"], network.on)
    try:
        run(example)
    finally:
        example.close()
