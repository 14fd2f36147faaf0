"""Reads mutated HDF5 files as `hdf5_guard` does, each in a process of its own, and prints how these ended.

python -m tests.soak.hdf5_cases SEED CASES. They have a real one's limits, but less time.
"""

import os
import resource
import sys
from collections import Counter
from pathlib import Path
from random import Random

from anomaly import hdf5_guard
from tests.soak import mutation

hdf5_guard.SECONDS = 1  # of the processor, to get on


def ended(content: bytes) -> int:
    """Read a file in a child and return how it ended: 0 read, 1 refused, negative killed by that signal."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    hdf5_guard.confine(len(content))
    try:
        hdf5_guard.copy(content)
        os._exit(0)
    except Exception:
        os._exit(1)
    finally:
        os._exit(2)


def main(seed: int, cases: int) -> None:
    shipped = (Path(__file__).parents[2] / "model.json.h5").read_bytes()
    dice = Random(seed)
    ends: Counter[int] = Counter()
    for _ in range(cases):
        ends[ended(mutation.of_bytes(dice, [shipped]))] += 1
    print(dict(ends), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
