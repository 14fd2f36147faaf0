"""How far detectors carry: `python -m benchmarks.scaling [--quick] [--json FILE] [--only PART]`.

A publisher sends samples as messages of its own, on one or more data products; the detectors are processes as users
run them. The rate rises until a sample is lost or scored more than a second late. Parts, each a table:

    detector    one detector of all data products, by data products, streams of each, and stride
    several     four data products of 8 streams: one detector of all, or one of each, in one process or in four
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from node.tensorflow_import import importing_tensorflow

import numpy as np

with importing_tensorflow():
    from anomaly.detector import train
    from anomaly.model_files import save_model
    from anomaly.windows import sliding

from benchmarks.detector_cluster import PROJECT
from benchmarks.report import Row, describe, median, table, write_json
from benchmarks.scaling_cluster import Cluster
from benchmarks.scaling_publisher import values
from streams.samples import Sample

RATES = (50, 100, 200, 500, 1000, 2000, 3000, 5000, 8000, 12_000, 20_000)
N_STEPS = 20
LAG = 1.0  # seconds
LENGTH = 2.0  # seconds at each rate
ONE = f"{PROJECT / 'AnomalyDetector.py'} detect --component"
HOST = "-m benchmarks.scaling_detector"


def settings(folder: Path, stride: int, detectors: Mapping[str, Sequence[int]], streams: int) -> None:
    """Write Gravity.ini, and train a model for each detector; `detectors`: with the numbers of their products."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = f'[general]\nServiceDirectoryURL = "tcp://127.0.0.1:{port}"\nNoConfigServer = true\n'
    text += f'message_types = "benchmarks.Scaling_pb2"\nwindow_stride = {stride}\n'
    text += "max_gap = 0\ntolerance = 0\nlateness = 8\n"  # the samples' own time goes fast
    fields = [f"s{number:02}" for number in range(streams)]
    for name, products in detectors.items():
        named = "; ".join(f"P{number}: {', '.join(fields)} @ time us" for number in products)
        text += f'[{name}]\nstreams = "{named}"\nmodel_file = "{name}.json"\nscore_name = "{name}Score"\n'
        samples = np.concatenate([values(streams, number) for number in products], axis=1)
        windows, _ = sliding((Sample(n, tuple(row)) for n, row in enumerate(samples.tolist())), N_STEPS)
        trained = train(windows, [f"P{number}.{field}" for number in products for field in fields], epochs=1)
        save_model(trained.model, folder / f"{name}.json", trained.metadata)
    (folder / "Gravity.ini").write_text(text)


def measure(
    products: int, streams: int, stride: int, detectors: Mapping[str, Sequence[int]],
    processes: Mapping[str, Sequence[str]], rounds: int,
) -> Row:  # fmt: skip
    """Return the median of the highest rates carried in so many rounds, what ended the last, and the cost."""
    best: list[float | None] = []
    used: list[float | None] = []
    why = ""
    with tempfile.TemporaryDirectory() as name:
        settings(Path(name), stride, detectors, streams)
        with Cluster(Path(name), products, streams, stride, processes) as cluster:
            for _ in range(rounds):
                carried, cost = 0.0, None
                why = "the fastest was carried"
                for offered in [rate for rate in RATES if rate >= min(filter(None, best), default=0) / 2]:
                    count = max(round(offered * LENGTH), 2 * N_STEPS)
                    cluster.settle()
                    before = cluster.processor_time
                    reached = count / cluster.publish(offered, count)
                    if fault := cluster.carries(count, LAG):
                        why = f"{offered}/s: {fault.rpartition('] ')[2][:60]}"
                        break
                    carried, cost = max(carried, reached), 1e6 * (cluster.processor_time - before) / count
                    if reached < 0.9 * offered:
                        why = f"{offered}/s: the publisher reaches no more"
                        break
                best.append(carried)
                used.append(cost)
            resident = cluster.resident
    return {
        "samples/s": median(best), "values/s": (median(best) or 0) * products * streams, "µs/sample": median(used),
        "MB": resident, "limit": why,
    }  # fmt: skip


def detector(quick: bool) -> Iterator[Row]:
    """Measure one detector of all data products."""
    for stride in (20, 1):
        for products, streams in ((1, 2), (4, 8)) if quick else [(p, s) for p in (1, 4) for s in (2, 8, 64)]:
            found = measure(
                products, streams, stride, {"Detector": range(products)}, {f"{ONE} Detector": ["Detector"]},
                1 if quick else 3,
            )  # fmt: skip
            yield {"data products": products, "streams of each": streams, "stride": stride, **found}


def several(quick: bool) -> Iterator[Row]:
    """Measure four data products with one detector, or four in one process or in four."""
    names = [f"Detector{number}" for number in range(4)]
    each = {name: [number] for number, name in enumerate(names)}
    kinds: dict[str, tuple[Mapping[str, Sequence[int]], Mapping[str, Sequence[str]]]] = {
        "one of all": ({"Detector": range(4)}, {f"{HOST} Detector": ["Detector"]}),
        "four, one process": (each, {f"{HOST} {' '.join(names)}": names}),
        "four processes": (each, {f"{HOST} {name}": [name] for name in names}),
    }
    for stride in (20,) if quick else (20, 1):
        for kind, (detectors, processes) in kinds.items():
            yield {
                "detectors": kind,
                "stride": stride,
                **measure(4, 8, stride, detectors, processes, 1 if quick else 3),
            }


def main() -> None:
    """Run the parts that are asked for."""
    parts = {"detector": detector, "several": several}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="How far detectors carry.")
    parser.add_argument("--quick", action="store_true", help="a look, in a few minutes")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    parser.add_argument("--only", choices=parts, help="this part alone")
    given = parser.parse_args()
    load = " ".join(f"{n:.1f}" for n in os.getloadavg())
    result: dict[str, object] = {"about": describe("tensorflow", "protobuf", "pyzmq", load=load)}
    for name, part in parts.items():
        if given.only in (None, name):
            rows = []
            for row in part(given.quick):
                rows.append(row)
                print(table(name, rows[-1:]), flush=True)
            print(table(f"{name}, load {os.getloadavg()[0]:.1f}", rows), flush=True)
            result[name] = rows
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
