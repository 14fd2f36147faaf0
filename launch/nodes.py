"""The nodes of a cluster: which ones have to be started, and how."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from node.errors import UserError
from node.settings import DEFAULTS, INI
from node.text import harmless

from gravity.io import Transport, TransportError, cluster_key
from gravity.protocol.config import Parameters
from gravity.roles.directory_client import DirectoryClient, DirectoryRefuses, NoDirectory

STOP_TIME = 1.2  # seconds that a node has to end by itself
WRITING_TIME = 60.0  # and with a picture to draw, or a recording to finish
PROBE_TIME = 0.5  # seconds in which a running Service Directory answers


@dataclass(frozen=True)
class Node:
    """A program of the cluster. `owns_terminal`: its output is not marked. `finite`: it may end before the others.

    `stop_time`: the seconds that it has to end by itself. `optional`: the others go on without it, however it ends;
    it has no window of its own.
    """

    name: str
    command: list[str]
    owns_terminal: bool = False
    finite: bool = False
    stop_time: float = STOP_TIME
    optional: bool = False


def nodes_of(detector: list[str], publisher: list[str], *, finite: bool, dashboard: bool) -> list[Node]:
    """Return the nodes to start, with their arguments; `finite`: whether the publisher's data come to an end.

    `dashboard`: whether to start the live view. Raises UserError if Gravity.ini cannot be used.
    """
    python = sys.executable
    nodes = [
        Node("DataPublisher", [python, "DataPublisher.py", *publisher], finite=finite),
        Node(
            "AnomalyDetector", [python, "AnomalyDetector.py", *detector], owns_terminal=True,
            stop_time=WRITING_TIME if detector[1:] else STOP_TIME,
        ),
    ]  # fmt: skip
    if dashboard:
        nodes.append(Node("Dashboard", [python, "Dashboard.py"], optional=True))
    if needs_directory():
        nodes.insert(0, Node("ServiceDirectory", [python, "-E", "-m", "gravity.directory"]))
    return nodes


def needs_directory() -> bool:
    """Return whether to start a Service Directory: none answers, and it would run on this host."""
    if not Path(INI).is_file():
        raise UserError(f"{Path(INI).resolve()} is missing; restore it, the nodes are configured there")
    try:
        parameters = Parameters.read("ServiceDirectory", Path(INI))
        publisher = Parameters.read("DataPublisher", Path(INI))
        key = cluster_key(parameters)
    except ValueError as error:
        raise UserError(str(error)) from None
    channel = publisher.text("subscription_name", DEFAULTS["subscription_name"])
    transport = Transport(key=key)
    try:
        directory = DirectoryClient(transport, parameters.text("ServiceDirectoryURL"))
        domain = directory.domain(attempts=1, timeout=PROBE_TIME)
        others = directory.publishers(channel, domain)
    except (ValueError, TransportError, DirectoryRefuses) as error:
        raise UserError(str(error)) from None
    except NoDirectory:
        return directory.is_local
    finally:
        transport.close()
    print(f"Using the Service Directory that answers at {directory.url}", flush=True)
    for other in others:  # perhaps a dead one: a directory does not notice
        url = harmless(other.url)
        print(f"{url} already publishes {channel}; if that publisher is running, stop it first", flush=True)
    return False
