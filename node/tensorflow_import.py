"""Imports TensorFlow without its hints on the terminal."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Information and warnings in TensorFlow's log layout, and the lines around them that do not have it.
_HINT = re.compile(
    rb"[IW]\d{4} [\d:.]+ |WARNING: All log messages before absl::|To enable the following instructions:"
)


@contextlib.contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Drop the hints (oneDNN, CPU features, missing CUDA) of an import of TensorFlow; show all else after it.

    TensorFlow's own log level silences later hints, but not those. Without an NVIDIA driver, CUDA's failure to start
    is not an error either. TF_CPP_MIN_LOG_LEVEL=0 shows everything.

    Meanwhile signals just end the program, because Python would handle them only seconds later.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in handlers.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    try:
        with contextlib.nullcontext() if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" else _without_hints():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    gc.freeze()  # the garbage collector need not search a million lasting objects again and again


@contextlib.contextmanager
def _without_hints() -> Iterator[None]:
    """Show what is written to standard error only in the end, without TensorFlow's hints."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if Path("/proc/driver/nvidia").exists() else "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    faulthandler.enable(stderr)  # to see it if the import crashes
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            faulthandler.enable(2)
            os.close(stderr)
            written.seek(0)
            os.write(2, b"".join(line for line in written if not _HINT.match(line)))
