"""Compares the detector with simple methods on faults in synthetic plants: `python -m benchmarks.plants`.

Plants of five kinds (`kinds`), 2 to 64 streams, with white or AR(1) noise, every third with 1 % of its points lost.
Every contender is trained on the same 5,000 samples of a plant and judges the same calm run and the same faults
(`faults`), at stride 1, with the detector's smoothing. The detector uses its shipped threshold, learned from
training alone. The simple methods get a better one than they could have learned: their highest level in the calm run
itself, so that none has a false alarm there; `detector, level` is the detector with such a threshold.

A cell holds the share of faults found and the median delay in samples over all faults; one that is not found counts
as infinitely late. `within 20` is the share that the detector finds within 20 samples, `best simple` the simple
method that finds most faults, of several the fastest. A second table shows what the detector's alarms say: the kind,
and whether the stream to blame is one with the fault.

Requires the packages in benchmarks/requirements.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.plants import table as tables
from benchmarks.plants.kinds import KINDS
from benchmarks.plants.measure import measure
from benchmarks.plants.plant import Plant
from benchmarks.report import Row, describe, table, write_json

FULL = (10, 50_000, 6)  # plants of a kind, calm samples, faults of each kind in a plant
QUICK = (2, 5_000, 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the tables, write JSON and the picture if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plants", description="Faults in synthetic plants.")
    parser.add_argument("--quick", action="store_true", help="two small plants of each kind")
    parser.add_argument("--kinds", default="", help="only kinds whose name contains this")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    parser.add_argument("--plot", metavar="FILE", help="draw the table of all plants (PNG, SVG, PDF)")
    given = parser.parse_args(arguments)
    n_plants, calm, times = QUICK if given.quick else FULL
    result: dict[str, object] = {"machine": describe("tensorflow", "keras", "numpy", "pyod", "scikit-learn")}
    rows: list[Row] = []
    for kind in KINDS:
        if given.kinds in kind:
            for number in range(n_plants):
                rows += measure(Plant(kind, number), calm, times)
                if given.json:
                    write_json(given.json, result | {"rows": rows})
            of_kind = [row for row in rows if kind in str(row["plant"])]
            print(table(f"{kind}, {n_plants} plants", tables.table_rows(of_kind)), flush=True)
    title = f"{len(rows) // len({row['contender'] for row in rows})} plants, {calm:,} calm samples each"
    print(table(f"all: {title}", tables.table_rows(rows)))
    print(table("what the detector's alarms say", tables.told_rows(rows)))
    if given.json:
        write_json(
            given.json, result | {"rows": rows, "table": tables.table_rows(rows), "told": tables.told_rows(rows)}
        )
    if given.plot:
        tables.plot(rows, given.plot, f"{title}: share found / median delay in samples")


if __name__ == "__main__":
    main()
