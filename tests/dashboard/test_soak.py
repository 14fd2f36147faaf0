"""Hours at a high rate leave the memory of the server and of the page flat: `--soak`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.dashboard.feed import Feed
from tests.support import Folder, eventually

RATE = 200  # samples a second
MOST_GROWTH = 1.15  # of the memory in the last part, relative to the one before
PAGE = """
gc = window.gc || (() => {}); gc();
return performance.memory.usedJSHeapSize / 1e6;
"""


@pytest.fixture
def minutes(request: pytest.FixtureRequest) -> float:
    """How long to run; a quarter of it is warming up."""
    if not request.config.getoption("--soak"):
        pytest.skip("an hour: run with --soak")
    return 60.0


def resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.timeout(4000)
def test_memory_stays_flat(
    folder: Folder, dashboard: Callable[..., Any], open_browser: Callable[..., Any], minutes: float
):
    folder.directory()
    program, url = dashboard()
    feed = Feed(folder.path / "Gravity.ini", ["a", "b"], period=1 / RATE)
    browser = open_browser()
    browser.get(url)
    looks: list[tuple[float, float]] = []
    start = look = time.monotonic()
    try:
        while (passed := time.monotonic() - start) < 60 * minutes:
            feed.samples(int(passed * RATE) - feed.number, blamed="b" if passed % 60 > 50 else "")
            if time.monotonic() >= look:
                looks.append((resident(program.process.pid), browser.execute_script(PAGE)))
                print(f"{passed / 60:5.1f} min  server {looks[-1][0]:.0f} MB  page {looks[-1][1]:.0f} MB", flush=True)
                look += minutes * 60 / 60
            time.sleep(0.02)
        eventually(lambda: browser.find_element("id", "state").text)
    finally:
        feed.close()
    part = len(looks) // 4
    # The page's memory rises between two collections: compare the least of each part.
    for memory, what in zip(np.array(looks).T, ("server", "page"), strict=True):
        before, after = memory[2 * part : 3 * part].min(), memory[3 * part :].min()
        assert after < MOST_GROWTH * before, f"{what}: {before:.0f} MB, then {after:.0f} MB"
