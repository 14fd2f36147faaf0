"""Keep the list of who publishes what and who serves what; all nodes of a cluster ask it.

Settings, in section [ServiceDirectory] or [general] of Gravity.ini:
  ServiceDirectoryURL                           where to listen (tcp://localhost:5555)
  Domain                                        the cluster's name (none)
  BroadcastEnabled                              whether to broadcast the domain, if it has a name (true)
  ServiceDirectoryBroadcastIP, ...Port, ...Rate where to (this subnet), 8276, and every how many seconds (10)
  DomainSyncList                                domains whose nodes to list too, separated by commas; * for all
  CurveKeyFile                                  the key that encrypts the cluster (none)

Examples:
  ServiceDirectory                    with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://localhost:5555"
  GRAVITY_INI=/etc/plant.ini ServiceDirectory

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from .. import log
from ..io import Options, TransportError, cluster_key
from ..protocol.config import ConfigError, Parameters
from .server import COMPONENT_ID, BroadcastSettings, ServiceDirectory

DEFAULT_URL = "tcp://localhost:5555"  # Gravity listens at all addresses


def run(parameters: Parameters, ini: Path) -> ServiceDirectory:
    """Start a Service Directory with `parameters` from `ini`; raise ValueError or TransportError if that fails."""
    domain = parameters.text("Domain")
    if not all(part.isascii() and part.isalnum() for part in domain.split(".") if part):
        raise ConfigError(ini, 0, f"Domain is {domain!r}; use only letters, digits and dots")
    wanted = [name.strip() for name in parameters.text("DomainSyncList").split(",") if name.strip()]
    port = parameters.integer("ServiceDirectoryBroadcastPort", 8276)
    url = parameters.text("ServiceDirectoryURL") or DEFAULT_URL
    directory = ServiceDirectory(url, domain, Options.from_parameters(parameters), cluster_key(parameters))
    try:
        if domain and parameters.yes("BroadcastEnabled", True):
            rate = max(1, parameters.integer("ServiceDirectoryBroadcastRate", 10))
            directory.broadcast(BroadcastSettings(parameters.text("ServiceDirectoryBroadcastIP"), port, rate))
        if wanted:
            directory.follow(wanted, port)
    except TransportError:
        directory.close()
        raise
    return directory


def main() -> int:
    """Run a Service Directory until Ctrl-C or SIGTERM; return the exit code."""
    stopped = threading.Event()
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    argparse.ArgumentParser(
        prog="ServiceDirectory", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    ini = Path(os.environ.get("GRAVITY_INI") or "Gravity.ini")
    try:
        parameters = Parameters.read(COMPONENT_ID, ini)
        log.configure(COMPONENT_ID, parameters.text)
        directory = run(parameters, ini)
    except (ValueError, TransportError) as error:
        print(f"ServiceDirectory: {error}", file=sys.stderr)
        return 1
    print(f"ServiceDirectory: listening at {directory.url}", flush=True)
    if not directory.is_private:
        who = "whoever has its key" if parameters.text("CurveKeyFile") else "whoever does"
        print(f"ServiceDirectory: other hosts can reach it, and {who} can register and publish", flush=True)
    stopped.wait()
    directory.close()
    return 130 if received[0] == signal.SIGINT else 0


if __name__ == "__main__":
    sys.exit(main())
