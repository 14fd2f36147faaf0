"""Keeps what TensorFlow says while it is imported off the terminal, except what is no hint."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Information and warnings in TensorFlow's log layout, and the lines around them that have none.
_HINT = re.compile(
    rb"[IW]\d{4} [\d:.]+ |WARNING: All log messages before absl::|To enable the following instructions:"
)


@contextlib.contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Drop the hints (oneDNN, CPU features, missing CUDA) of an import of TensorFlow; all else is shown after it.

    TensorFlow's log level silences later hints, but not those. Without an NVIDIA driver the failure to start
    CUDA is no error either. TF_CPP_MIN_LOG_LEVEL=0 brings everything back.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if Path("/proc/driver/nvidia").exists() else "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    faulthandler.enable(stderr)  # should the import crash, that is seen
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            faulthandler.enable(2)
            os.close(stderr)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _HINT.match(line)))
