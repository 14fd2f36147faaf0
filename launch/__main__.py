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

from launch.nodes import nodes_of
from launch.supervisor import supervise
from launch.terminals import find_windows
from pictures.output import FORMATS, picture_file
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
    parser = argparse.ArgumentParser(prog=f"{mode}.sh", parents=[own], allow_abbrev=False)
    options = publisher_options.parse(parser, arguments, anomaly=mode == "detect")
    _, publisher = own.parse_known_args(arguments)
    called_from = os.environ.get("CALLED_FROM", "")
    if options.csv is not None:
        publisher += ["--csv", os.path.join(called_from, options.csv)]  # the last one counts
    elif mode == "detect" and options.anomaly_start is None:
        publisher += [str(ANOMALY_START)]
    windows = find_windows() if options.windows else None
    detector = [mode] if options.report is None else [mode, "--report", os.path.join(called_from, options.report)]
    nodes = nodes_of(detector, publisher, finite=options.csv is not None, dashboard=not options.no_dashboard)
    return asyncio.run(supervise(nodes, windows))


mode = sys.argv[1]
run(f"{mode}.sh", lambda: main(mode, sys.argv[2:]))
