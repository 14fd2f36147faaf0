"""`python -m launch train|detect`: the program behind train.sh and detect.sh.

It runs without PYTHONPATH (python -E), so that the Service Directory that it starts is always the embedded one. The
nodes run with it, and so on a real Gravity if that is there.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import argparse
import asyncio
import os
import sys
from pathlib import Path

from launch.nodes import nodes_of
from launch.supervisor import supervise
from launch.terminals import find_windows
from pictures.output import FORMATS, picture_file
from recording import files
from streams import publisher_options

ANOMALY_START = 500  # sample, by default
REPORT = {
    "detect": f"when it ends, also with Ctrl-C, draw the run in FILE ({FORMATS})",
    "train": f"draw what was learned in FILE ({FORMATS})",
}


def main(mode: str, arguments: list[str]) -> int:
    """Run the cluster that the command line asks for; return the exit code."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--windows", action="store_true", help="give each node a window of its own")
    own.add_argument("--no-dashboard", action="store_true", help="without the live view in the browser")
    own.add_argument("--report", metavar="FILE", type=picture_file, help=REPORT[mode])
    own.set_defaults(record=None, record_alarms=None)
    if mode == "detect":
        files.add_options(own)
    parser = argparse.ArgumentParser(prog=f"{mode}.sh", parents=[own], allow_abbrev=False)
    options = publisher_options.parse(parser, arguments, anomaly=mode == "detect")
    _, publisher = own.parse_known_args(arguments)
    publisher += files_of(options, "csv", "replay")  # the last one counts
    finite = options.csv is not None or options.replay is not None
    if mode == "detect" and options.anomaly_start is None and not finite:
        publisher += [str(ANOMALY_START)]
    detector = files_of(options, "report", "record", "record_alarms")
    files.check(options.record, options.record_alarms, options.report)
    windows = find_windows() if options.windows else None
    nodes = nodes_of([mode, *detector], publisher, finite=finite, dashboard=not options.no_dashboard)
    return asyncio.run(supervise(nodes, windows))


def files_of(options: argparse.Namespace, *names: str) -> list[str]:
    """Return the options that were given, with their files in the folder from which the script was called.

    `options` then names these, too.
    """
    given = []
    for name in names:
        if (file := getattr(options, name)) is not None:
            setattr(options, name, Path(os.environ.get("CALLED_FROM", ""), file))
            given += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return given


mode = sys.argv[1]
run(f"{mode}.sh", lambda: main(mode, sys.argv[2:]))
