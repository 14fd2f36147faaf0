"""Progress of something that takes minutes: a bar on a terminal, elsewhere a line for each tenth."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def counted(items: Iterable[T], total: int, label: str) -> Iterator[T]:
    """Yield the first `total` of `items` and show how many have come."""
    first = islice(items, total)
    if sys.stdout.isatty():
        columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            yield from progress.track(first, total)
    else:
        tenth = max(1, total // 10)
        for number, item in enumerate(first, start=1):
            if number % tenth == 0:
                print(f"{label}: {number} of {total}", flush=True)
            yield item
