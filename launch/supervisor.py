"""Runs the nodes of a cluster as child processes, and stops all of them together."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import stat
import sys
from collections.abc import Callable

from node.lifecycle import discard_output
from node.terminal import ERASE, erases
from node.text import harmless

from launch.nodes import Node
from launch.terminals import Windows

LONGEST_LINE = 1 << 24  # bytes of a node's output: it may name the columns of a wide table
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # prctl(2)

_libc = ctypes.CDLL(None)


async def supervise(nodes: list[Node], windows: Windows | None) -> int:
    """Run `nodes` until one ends, a signal comes, or nobody reads the output; then stop the others, at a second
    signal at once.

    Returns the exit code. Raises BrokenPipeError if nobody reads an output that is not a pipe.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)
        else:
            for task in running:
                task.cancel()

    def nobody_reads() -> None:
        discard_output()
        stop(1)

    running: dict[asyncio.Task[int], Node] = {}
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, 128 + number)
    if stat.S_ISFIFO(os.fstat(1).st_mode):  # as in `./detect.sh | head`
        when_reader_closes(1, nobody_reads)
    running |= {asyncio.create_task(run(node, windows, stop)): node for node in nodes}
    try:
        while True:
            await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return stopped.result()
            task = next(task for task in running if task.done())
            node = running.pop(task)
            if node.optional:
                print(f"going on without {node.name}, which {how_it_ended(task.result())}", file=sys.stderr)
            elif not (node.finite and task.result() == 0):
                return exit_code(node, task.result())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def exit_code(node: Node, code: int) -> int:
    """Return the script's exit code after `node` has ended by itself; report it if it should not have."""
    if code == 0 and node.owns_terminal:
        return 0
    print(f"{node.name} {how_it_ended(code)}; stopping the other nodes", file=sys.stderr)
    return code if code in (1, 2) else 1


def how_it_ended(code: int) -> str:
    """Return the words for an exit code of a process."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


async def run(node: Node, windows: Windows | None, stop: Callable[[int], None]) -> int:
    """Run a node and return its exit code; stop it when cancelled. Its output goes to its window or to this terminal.

    `stop(code)` is called if its window is closed.
    """
    if node.owns_terminal:
        return await run_process(node, None)
    if windows is None or node.optional:
        erase = ERASE if erases() else ""  # the status of the node that owns the terminal, which draws it again
        return await run_process(node, lambda line: print(f"{erase}[{node.name}] {line}", flush=True))
    async with windows.opened(node.name) as window:

        def closed() -> None:
            print(f"the window of {node.name} was closed; stopping the nodes", file=sys.stderr)
            stop(128 + signal.SIGHUP)

        when_reader_closes(window.fd, closed)
        return await run_process(node, window.write)


async def run_process(node: Node, write: Callable[[str], None] | None) -> int:
    """Run a node and return its exit code; stop it when cancelled. `write` gets its output, line by line."""
    pipe = None if write is None else asyncio.subprocess.PIPE
    # In a session of its own: Ctrl-C reaches only this program, which then stops all nodes in the same way. If this
    # program is killed, the system kills the nodes.
    process = await asyncio.create_subprocess_exec(
        *node.command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe and asyncio.subprocess.STDOUT,
        start_new_session=True, limit=LONGEST_LINE, preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )  # fmt: skip
    try:
        if process.stdout and write:
            async for line in process.stdout:
                write(harmless(line.decode(errors="replace").rstrip().expandtabs()))
        return await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), node.stop_time)
            finally:  # also if cancelled again
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def when_reader_closes(pipe: int, call: Callable[[], object]) -> None:
    """Call `call` once the reader of `pipe`, which we write to, closes it."""
    loop = asyncio.get_running_loop()

    def closed() -> None:
        loop.remove_reader(pipe)
        call()

    loop.add_reader(pipe, closed)  # nothing can be read there; the error wakes it up
