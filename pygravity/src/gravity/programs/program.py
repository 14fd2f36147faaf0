"""What the programs share: the command line, a node in the cluster, and an orderly end."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from .. import gravity
from ..log.text import harmless
from ..node import GravityNode


class ProgramError(Exception):
    """An error to be reported in one line."""


def run(name: str, component_id: str, text: str | None, work: Callable[[GravityNode], None]) -> int:
    """Run a program until it ends, fails, or is stopped by Ctrl-C or SIGTERM; return the exit code.

    `text`: what `--help` prints. `work` gets a node that has joined the cluster.
    """
    parser = argparse.ArgumentParser(
        prog=name, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        with GravityNode() as node:
            _join(node, name, component_id)
            work(node)
    except ProgramError as error:
        warn(name, str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def say(name: str, text: str) -> None:
    """Print a line about what the program does."""
    print(harmless(f"{name}: {text}"), flush=True)


def warn(name: str, text: str) -> None:
    """Print a line about what the program cannot do."""
    print(harmless(f"{name}: {text}"), file=sys.stderr, flush=True)


def check(node: GravityNode, code: int, what: str) -> None:
    """Raise ProgramError if `what` a node was asked to do has failed with `code`."""
    if code != gravity.SUCCESS:
        raise ProgramError(f"cannot {what}: {node.getCodeString(code)}")


def product_list(node: GravityNode) -> list[str]:
    """Return the ids in the parameter DataProductList, which commas separate."""
    return [id.strip(" ") for id in node.getStringParam("DataProductList").split(",") if id.strip(" ")]


def required_product_list(node: GravityNode) -> list[str]:
    """Return the ids in DataProductList; raise ProgramError if there are none."""
    ids = product_list(node)
    if not ids:
        section = node.getComponentID()
        raise ProgramError(f'DataProductList is empty; write in Gravity.ini: [{section}] DataProductList = "A, B"')
    return ids


def _join(node: GravityNode, name: str, component_id: str) -> None:
    """Initialise a node as soon as there is a Service Directory."""
    told = False
    while (code := node.init(component_id)) != gravity.SUCCESS:
        if code in (gravity.INVALID_PARAMETER, gravity.NO_SERVICE_DIRECTORY):
            sys.exit(1)  # the node has printed the reason
        if not told:
            told = True
            url, domain = node.getStringParam("ServiceDirectoryURL"), node.getStringParam("Domain")
            by_domain = domain and not url
            does = f"broadcasts the domain {domain}" if by_domain else f"answers at {url or 'tcp://localhost:5555'}"
            warn(name, f"no Service Directory {does}; still trying")
