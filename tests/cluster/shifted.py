"""Runs a module or a program as Python does, with a wall clock that a file shifts while it runs.

shifted.py SHIFT -m MODULE [ARGUMENT...] | shifted.py SHIFT PROGRAM [ARGUMENT...]. The file SHIFT holds seconds.
"""

import os
import runpy
import sys
import time
from pathlib import Path

_, file, target, *arguments = sys.argv
shift = Path(file)
seconds, nanoseconds = time.time, time.time_ns


def ahead() -> int:
    return int(shift.read_text() or 0)  # empty while it is being written


time.time = lambda: seconds() + ahead()
time.time_ns = lambda: nanoseconds() + ahead() * 10**9
sys.path.insert(0, os.getcwd())
if target == "-m":
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
else:
    sys.argv = [target, *arguments]
    runpy.run_path(target, run_name="__main__")
