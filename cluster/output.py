"""Standard output whose reader is gone."""

from __future__ import annotations

import os


def discard() -> None:
    """Let all further output vanish; else Python complains when it ends about what it could not write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
