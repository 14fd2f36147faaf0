"""Runs a cluster for train.sh and detect.sh: starts the nodes, waits, and takes all of them down together.

Runs without PYTHONPATH (python -E), so that the Service Directory that it starts is always the embedded one.
The nodes are started with it, so they run on a real Gravity that lies there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster import output, replay_options
from cluster.errors import UserError
from cluster.lifeline import Lifeline
from cluster.settings import INI, positive
from cluster.windows import STOP_TIME, Windows, find_windows

from gravity import config
from gravity.directory_client import DirectoryClient, NoDirectory
from gravity.io import Transport, TransportError

ANOMALY_START = 500  # sample, unless the user says another
LONGEST_LINE = 1 << 24  # bytes of what a node says: it may name the columns of a wide table
PROBE_TIME = 0.5  # seconds in which a running Service Directory answers
Processes = dict[str, asyncio.subprocess.Process]  # by a node's name
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Node:
    """A program of the cluster: `owns_terminal` if its lines need no mark, `finite` if it may end first."""

    name: str
    command: list[str]
    owns_terminal: bool = False
    finite: bool = False


def cluster(mode: str, publisher: list[str], *, finite: bool) -> list[Node]:
    """Return the nodes to start, in this order; `publisher` are the publisher's arguments."""
    python = sys.executable
    nodes = [
        Node("DataPublisher", [python, "DataPublisher.py", *publisher], finite=finite),
        Node("AnomalyDetector", [python, "AnomalyDetector.py", mode], owns_terminal=True),
    ]
    if needs_directory():
        nodes.insert(0, Node("ServiceDirectory", [python, "-E", "-m", "gravity.service_directory"]))
    return nodes


def needs_directory() -> bool:
    """Return whether a Service Directory has to be started: none answers, and it would be on this host.

    Raises UserError if Gravity.ini cannot be used.
    """
    if not Path(INI).is_file():
        raise UserError(f"{Path(INI).resolve()} is missing; restore it, the nodes are configured there")
    transport = Transport()
    try:
        parameters = config.read(Path(INI), "ServiceDirectory")
        channel = parameters.get("subscription_name", "AutoencoderExample")
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
    for other in others:  # perhaps a dead one: a directory does not notice that
        print(f"{channel} is published at {other.url} already; if that publisher runs, stop it first", flush=True)
    return False


async def supervise(nodes: list[Node], windows: Windows | None, lifeline: Lifeline) -> int:
    """Run `nodes` until one ends, a signal comes or nobody reads the output, then end the others.

    Returns the exit code. Raises BrokenPipeError if nobody reads an output that is no pipe.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop, 128 + number)
    _call_when_nobody_reads(stop, 1)
    running: dict[asyncio.Task[int], Node] = {}
    started: Processes = {}
    try:
        for node in nodes:
            in_window = windows and not node.owns_terminal
            run = windows.run(node.name, node.command) if windows and in_window else run_here(node, lifeline, started)
            running[asyncio.create_task(run)] = node
        while True:
            await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return stopped.result()
            task = next(task for task in running if task.done())
            node = running.pop(task)
            if not (node.finite and task.result() == 0):
                return ending(node, task.result())
            for other in running.values():
                if other.owns_terminal and other.name in started:
                    started[other.name].send_signal(signal.SIGUSR1)  # the data have ended
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _call_when_nobody_reads(stop: Callable[[int], None], code: int) -> None:
    """Call `stop(code)` when the reader of our output, if that is a pipe, closes it: `./detect.sh | head`."""
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(1)
        output.discard()
        stop(code)

    if stat.S_ISFIFO(os.fstat(1).st_mode):
        loop.add_reader(1, closed)  # nothing can be read there: what wakes it up is the error


def ending(node: Node, code: int) -> int:
    """Return the script's exit code when `node` has ended by itself, and say so if it should not have."""
    if code == 0 and node.owns_terminal:
        return 0
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"
    print(f"{node.name} {how}; the other nodes are stopped", file=sys.stderr)
    return code if code in (1, 2) else 1


async def run_here(node: Node, lifeline: Lifeline, started: Processes) -> int:
    """Run a node in this terminal and return its exit code; when cancelled, end it. Adds it to `started`."""
    pipe = None if node.owns_terminal else asyncio.subprocess.PIPE
    # In a session of its own, so that Ctrl-C reaches this program alone, which then ends all nodes alike.
    process = await asyncio.create_subprocess_exec(
        *node.command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe and asyncio.subprocess.STDOUT,
        start_new_session=True, limit=LONGEST_LINE,
    )  # fmt: skip
    try:
        lifeline.add(-process.pid)
        started[node.name] = process
        if process.stdout:
            async for line in process.stdout:
                print(f"[{node.name}] {line.decode(errors='replace').rstrip()}", flush=True)
        return await process.wait()
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process and what it has started: kindly, then not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIME)
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def main() -> int:
    """Run the cluster that the command line asks for; return the exit code."""
    mode = sys.argv[1]
    parser = argparse.ArgumentParser(prog=f"{mode}.sh", allow_abbrev=False)
    parser.add_argument("--windows", action="store_true", help="give each node a window of its own")
    if mode == "detect":
        parser.add_argument(
            "anomaly_start", metavar="ANOMALY_START", nargs="?", type=positive,
            help=f"the sample with which the anomaly begins ({ANOMALY_START})",
        )  # fmt: skip
    replay_options.add(parser)
    parser.set_defaults(anomaly_start=None)
    arguments = parser.parse_args(sys.argv[2:])
    replay_options.check(parser, arguments)
    publisher = [argument for argument in sys.argv[2:] if argument != "--windows"]
    if arguments.csv is not None:
        publisher += ["--csv", os.path.join(os.environ.get("CALLED_FROM", ""), arguments.csv)]  # the last one counts
    elif mode == "detect" and not arguments.anomaly_start:
        publisher += [str(ANOMALY_START)]
    try:
        with Lifeline() as lifeline:
            windows = find_windows(lifeline) if arguments.windows else None
            nodes = cluster(mode, publisher, finite=arguments.csv is not None)
            return asyncio.run(supervise(nodes, windows, lifeline))
    except UserError as error:
        print(f"{mode}.sh: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        output.discard()
        return 1
