"""The nodes of a cluster: which ones have to be started, and how."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from node.errors import UserError
from node.settings import DEFAULTS, INI

from gravity.io import Transport, TransportError
from gravity.protocol import config
from gravity.roles.directory_client import DirectoryClient, NoDirectory

PROBE_TIME = 0.5  # seconds in which a running Service Directory answers


@dataclass(frozen=True)
class Node:
    """A program of the cluster. `owns_terminal`: its output is not marked. `finite`: it may end before the others."""

    name: str
    command: list[str]
    owns_terminal: bool = False
    finite: bool = False


def nodes_of(mode: str, publisher: list[str], *, finite: bool) -> list[Node]:
    """Return the nodes to start; `publisher` are the publisher's arguments, and `finite` if its data come to an end.

    Raises UserError if Gravity.ini cannot be used.
    """
    python = sys.executable
    nodes = [
        Node("DataPublisher", [python, "DataPublisher.py", *publisher], finite=finite),
        Node("AnomalyDetector", [python, "AnomalyDetector.py", mode], owns_terminal=True),
    ]
    if needs_directory():
        nodes.insert(0, Node("ServiceDirectory", [python, "-E", "-m", "gravity.directory"]))
    return nodes


def needs_directory() -> bool:
    """Return whether to start a Service Directory: none answers, and it would run on this host."""
    if not Path(INI).is_file():
        raise UserError(f"{Path(INI).resolve()} is missing; restore it, the nodes are configured there")
    transport = Transport()
    try:
        parameters = config.read(Path(INI), "ServiceDirectory")
        channel = config.read(Path(INI), "DataPublisher").get("subscription_name", DEFAULTS["subscription_name"])
        directory = DirectoryClient(transport, parameters.get("servicedirectoryurl", ""))
        domain = directory.domain(attempts=1, timeout=PROBE_TIME)
        others = directory.publishers(channel, domain)
    except NoDirectory:
        return directory.is_local
    except (ValueError, TransportError) as error:
        raise UserError(str(error)) from None
    finally:
        transport.close()
    print(f"Using the Service Directory that answers at {directory.url}", flush=True)
    for other in others:  # perhaps a dead one: a directory does not notice
        print(f"{other.url} already publishes {channel}; if that publisher is running, stop it first", flush=True)
    return False
