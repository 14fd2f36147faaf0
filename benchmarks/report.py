"""Shared by the benchmarks: the machine they ran on, medians, tables for people and JSON for programs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = dict[str, object]  # plain values: what a table and JSON can hold


def describe(*distributions: str, **more: str) -> dict[str, str]:
    """Print and return what the figures depend on: machine, Python, the versions of `distributions`, and `more`."""
    about = _machine(*distributions) | more
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    return about


def _machine(*distributions: str) -> dict[str, str]:
    found = {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": platform.platform(terse=True),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of those values that there are, None if there are none."""
    known = [v for v in values if v is not None]
    return statistics.median(known) if known else None


def ratio(value: float | None, base: float | None) -> float | None:
    """Return value ÷ base, None if either is missing or the base is 0."""
    return value / base if value is not None and base else None


def table(title: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows of equal keys as a table of text; None is shown as a dash."""
    if not rows:
        return f"\n{title}\n  nothing was measured"
    cells = [list(rows[0]), *([_text(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(_pad(c, w, n) for n, (c, w) in enumerate(zip(line, widths, strict=True))) for line in cells]
    return "\n".join([f"\n{title}", *lines])


def write_json(path: str | Path, result: Mapping[str, object]) -> None:
    """Write a result to a file."""
    Path(path).write_text(json.dumps(result, indent=2) + "\n")


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _pad(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
