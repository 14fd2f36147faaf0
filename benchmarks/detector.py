"""The cost of detection: `python -m benchmarks.detector [--quick] [--json FILE] [--only PART] [--plot FILE]`.

Parts, each a table; medians are those of several rounds:

    scoring     a backlog of windows of the shipped model, against Keras's `predict` a window at a time; medians
    checks      training on 5000 samples of up to 256 streams, one run; windows examined with and without the checks
                of how streams belong together, alone and in batches, medians
    training    2000 samples, 10 epochs, against Keras's `fit`, each in a fresh process, compilation included; medians
    pipeline    messages in, lines and messages out, without sockets, in one process; medians
    rate        the whole detector, fed by a publisher process: the highest rate at which nothing is lost and the
                last score comes within LAG of the last sample; one run at each rate
    latency     from just before a window's last point is published until its line is read from the detector's pipe;
                percentiles over the windows of one run
    start       ./detect.sh to the first score, at 10 samples/s, and what there is over the import of TensorFlow and
                the 19 intervals between the 20 samples of a window; medians. Samples arrive while TensorFlow is
                imported, so that both go on at the same time: the figure over the import alone is given, too.
    memory      the detector's resident memory at 1000 samples/s, twelve looks at one run; growth is counted after a
                minute, or a third
    cost        against streams and window length (medians), and processor time against the rate (one run at each);
                with --plot as pictures, too. These need matplotlib, which the project does not require:
                `pip install matplotlib`.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from anomaly import model_files, report
from anomaly.autoencoder import Scorer, build
from anomaly.detector import Detector, train
from anomaly.relations import Relations
from anomaly.run import Run
from anomaly.windows import cut
from benchmarks import contenders
from benchmarks.contenders import MARGIN
from benchmarks.detector_cluster import PROJECT, Cluster, environment, write_settings
from benchmarks.report import Row, describe, median, ratio, table, write_json
from streams import points
from streams.inbox import Inbox
from streams.reader import StreamReader

from gravity import GravityDataProduct

N_STEPS = 20
BATCHES = (1, 256, 1024)
TRAINING = 5000  # samples
CALLBACK = 1000  # data products that a callback brings at most
RATES = [500, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000, 20_000, 25_000]  # samples a second
LAG = 1.0  # seconds
STREAMS, LENGTHS, COST_RATES = (2, 4, 8, 16, 32, 64), (10, 20, 50, 100, 200), (10, 100, 1000)


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Return the median time of a call, after one that does not count."""
    call()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def waves(count: int, n_streams: int = 2) -> np.ndarray:
    """Return samples, shape (count, n_streams), of the waves that the publishers make."""
    phases = 0.05 * np.arange(count)[:, None] + np.pi / 2 * np.arange(n_streams)[::-1]
    return np.sin(phases)


# ---- parts: each returns a table's rows -----------------------------------------------------------------------


def scoring(quick: bool) -> Iterator[Row]:
    """Score backlogs with the shipped model."""
    model, _ = model_files.load_model(PROJECT / "model.json")
    scorer = Scorer(model)
    windows = np.lib.stride_tricks.sliding_window_view(waves(1100), N_STEPS, axis=0).transpose(0, 2, 1).astype("f4")
    rounds = 7 if quick else 31
    compiled = tf.function(model, input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    calls: list[tuple[str, Callable[[], object], int]] = [
        ("1, predict", lambda: model.predict(windows[:1], verbose=0), 1),
        ("256, a compiled call of the model", partial(compiled, windows[:256]), 256),
        *((f"{batch}, scored", partial(scorer.score, windows[:batch]), batch) for batch in BATCHES),
    ]
    base = None
    for what, call, batch in calls:
        taken = seconds(call, rounds) / batch * 1e6
        base = base or taken
        goal = "≤ 20" if "scored" in what and batch > 1 else None
        yield {"windows": what, "µs/window": taken, "predict/this": base / taken, "goal": goal}


def checks(quick: bool) -> Iterator[Row]:
    """Train on TRAINING samples of more and more streams; examine windows with and without the checks."""
    random = np.random.default_rng(0)
    for n_streams in (2, 16) if quick else (2, 16, 64, 256):
        walks = np.cumsum(random.normal(size=(TRAINING, -(-n_streams // 4))), axis=0)
        samples = np.repeat(walks, 4, axis=1)[:, :n_streams] + random.normal(size=(TRAINING, n_streams))
        made = contenders.windows(samples, N_STEPS)
        start = time.perf_counter()
        trained = train(contenders.joined(made), stream_names(n_streams), epochs=10)
        taken = time.perf_counter() - start
        start = time.perf_counter()
        Relations.learn(contenders.joined(made))
        learned = time.perf_counter() - start
        plain = {key: value for key, value in trained.metadata.items() if key != "relations"}
        without, full = (Detector(trained.model, metadata, 1, MARGIN) for metadata in (plain, trained.metadata))
        for batch in (1, 256):
            before, after = (
                seconds(partial(watch.examine, made[:batch]), 7 if quick else 51) / batch * 1e6
                for watch in (without, full)
            )
            yield {
                "streams": n_streams, "trained in, s": taken, "of it relations": learned, "windows at once": batch,
                "without, µs/window": before, "with checks": after, "with/without": after / before,
                "goal": "≤ 1.5" if n_streams == 2 else "≤ 120 s" if n_streams == 256 else None,
            }  # fmt: skip


def training(quick: bool) -> Iterator[Row]:
    """Train in fresh processes, ours and Keras's in turn."""
    taken: dict[str, list[float | None]] = {"keras": [], "ours": []}
    for _ in range(1 if quick else 3):
        for kind, values in taken.items():
            command = [sys.executable, "-m", "benchmarks.detector_fit", kind]
            ran = subprocess.run(
                command, cwd=PROJECT, env=environment(), capture_output=True, text=True, check=True
            )  # fmt: skip
            values.append(float(ran.stdout.splitlines()[-1]))
    base = median(taken["keras"])
    for kind, values in taken.items():
        share = ratio(median(values), base)
        yield {"fit": kind, "s": median(values), "÷ keras": share, "goal": "≤ 0.5" if kind == "ours" else None}


def stream_names(count: int) -> list[str]:
    """Return the names of so many streams: the two of the shipped model, or others."""
    return ["cos", "sin"] if count == 2 else [f"s{number:02}" for number in range(count)]


def products(samples: np.ndarray) -> list[GravityDataProduct]:
    """Return the data products that carry samples, as they arrive."""
    made = []
    names = stream_names(samples.shape[1])
    for number, values in enumerate(samples):
        for name, value in zip(names, values, strict=True):
            product = GravityDataProduct("AutoencoderExample")
            product.data = points.message(name, 10**15 + 1000 * number, float(value))
            made.append(product)
    return made


def examine(watch: Detector, streams: Sequence[str], arrived: Inbox, n_steps: int, stride: int) -> float:
    """Do with what has arrived all that AnomalyDetector.py does but sending; return the seconds it took."""
    reader = StreamReader(arrived, lateness=1.0, max_gap=2, tolerance=0)
    out = io.StringIO()
    product = GravityDataProduct("AnomalyScore")
    start = time.perf_counter()
    run = Run(streams)
    for found in map(watch.examine, cut(run.noting(reader.samples(tuple(streams))), n_steps, stride)):
        run.add(found)
        report.status(run)
        print("\n".join(text for text, _ in report.lines(found, streams)), file=out)
        for finding in found:
            product.data = report.message(finding, streams)
            product.serializeToString()
    return time.perf_counter() - start


def inbox(made: Sequence[GravityDataProduct]) -> Inbox:
    """Return an inbox with data products in the portions of a subscriber that has a backlog."""
    arrived = Inbox()
    for first in range(0, len(made), CALLBACK):
        arrived.put(list(made[first : first + CALLBACK]))
    end = GravityDataProduct("AutoencoderExample")
    end.data = points.end_message(tuple({points.decode(product.data).name for product in made}))
    arrived.put([end])
    return arrived


def through(
    model: keras.Model, metadata: dict[str, object], made: Sequence[GravityDataProduct], stride: int, rounds: int
) -> float:
    """Return the median of the seconds that data products take through the pipeline."""
    _, n_steps, n_streams = model.input_shape
    watch = Detector(model, metadata, stride, MARGIN)
    run = partial(examine, watch, stream_names(n_streams))
    run(inbox(made), n_steps, stride)  # traces the model
    gc.freeze()  # as the node does
    return float(np.median([run(inbox(made), n_steps, stride) for _ in range(rounds)]))


def pipeline(quick: bool) -> Iterator[Row]:
    """Send a backlog through the pipeline."""
    model, metadata = model_files.load_model(PROJECT / "model.json")
    count = 10_000
    made = products(waves(count))
    for stride, goal in ((20, "≥ 20,000"), (1, "≥ 5,000")):
        taken = through(model, metadata, made, stride, 3 if quick else 9)
        yield {"stride": stride, "samples/s": count / taken, "µs/sample": taken / count * 1e6, "goal": goal}


def rate(quick: bool, length: float) -> Iterator[Row]:
    """Feed the detector faster and faster, until it loses something or lags behind."""
    for stride, goal in ((20, "≥ 20,000"), (1, "≥ 5,000")):
        best, why = 0.0, "none: the fastest was carried"
        with Cluster(stride) as cluster:
            for offered in RATES[::3] if quick else RATES:
                count = max(int(offered * length), N_STEPS) // N_STEPS * N_STEPS
                reached = count / cluster.publish(offered, count)
                if not cluster.wait(LAG):
                    why = f"{offered}/s: {cluster.output.loss or 'lags behind'}"
                    break
                best = max(best, reached)
                if reached < 0.95 * offered:
                    why = f"{offered}/s: the publisher reaches no more"
                    break
        yield {"stride": stride, "samples/s carried": best, "goal": goal, "limit": why}


def latency(quick: bool) -> Iterator[Row]:
    """Measure how long after a sample its window's line is there, at stride 1; beside it, `predict` alone."""
    model, _ = model_files.load_model(PROJECT / "model.json")
    window = waves(N_STEPS).astype("f4")[None]
    base = seconds(lambda: model.predict(window, verbose=0), 7 if quick else 31) * 1e3
    with Cluster(stride=1) as cluster:
        for offered in (10, 100):
            before = cluster.sent
            cluster.output.keeps_times = True
            count = (4 if quick else 20) * offered if offered == 10 else (300 if quick else 1000)
            cluster.publish(offered, count)
            if not cluster.wait(5):  # lines and samples would no longer belong together
                raise RuntimeError(f"at {offered}/s: {cluster.output.loss or 'the detector lags behind'}")
            read = cluster.output.times
            late = [(read[n] - sent) / 1e6 for n, sent in enumerate(cluster.published(), start=before + 1)]
            p50, p99 = np.percentile(late, [50, 99])
            figures = {"p50, ms": float(p50), "p99, ms": float(p99), "predict, ms": base}
            yield {"samples/s": offered, **figures, "predict/p50": base / p50, "goal, p50": "≤ 3"}


def start(quick: bool) -> Iterator[Row]:
    """Run ./detect.sh until its first score, at 10 samples/s."""
    figures = []
    _first_score()  # detect.sh may install something first
    filling = (N_STEPS - 1) / 10
    for _ in range(1 if quick else 5):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import keras, tensorflow"], env=environment(), capture_output=True)
        importing = time.perf_counter() - begin
        total = _first_score()
        figures.append((importing, filling, total, total - importing - filling, total - importing))
    names = (
        "import TensorFlow, s",
        "filling a window, s (19 intervals)",
        "detect.sh to first score, s",
        "over both, s",
        "over the import alone, s",
    )
    yield {**dict(zip(names, np.median(figures, axis=0).tolist(), strict=True)), "goal, over both": "≤ 1.5"}


def _first_score() -> float:
    """Return the seconds from the start of ./detect.sh to the first score."""
    with tempfile.TemporaryDirectory() as folder:
        ini = write_settings(Path(folder), N_STEPS)
        env = environment() | {"GRAVITY_INI": str(ini), "VIRTUAL_ENV": sys.prefix}
        begin = time.perf_counter()
        process = subprocess.Popen(
            [PROJECT / "detect.sh"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )  # fmt: skip
        try:
            assert process.stdout
            for line in process.stdout:
                if "MSE = " in line:
                    return time.perf_counter() - begin
        finally:
            process.terminate()
            process.communicate()
    raise RuntimeError("detect.sh has ended without a score")


def memory(minutes: float) -> Iterator[Row]:
    """Watch the detector's memory while it gets 1000 samples a second."""
    with Cluster(N_STEPS) as cluster:
        settled = min(1.0, minutes / 3)
        at_first = None
        for part in range(12):
            cluster.publish(1000, round(minutes * 60_000 / 12))
            passed = (part + 1) / 12 * minutes
            if at_first is None and passed >= settled:
                at_first = cluster.resident
            growth = None if at_first is None else cluster.resident - at_first
            yield {"minutes": passed, "resident, MB": cluster.resident, "growth, MB": growth, "goal": "< 5"}


def cost(quick: bool) -> Iterator[Row]:
    """Measure the pipeline against streams and window length, at stride 20, and processor time against the rate."""
    for by, sizes in (("streams", STREAMS), ("window", LENGTHS)):
        for size in sizes:
            n_streams, n_steps = (size, N_STEPS) if by == "streams" else (2, size)
            model = build(n_steps, n_streams)
            count = 2000
            normal = {"typical": [1e9] * n_streams, "highest": [1.0]}  # untrained: no error is an alarm
            made = products(waves(count, n_streams))
            taken = through(model, {"normal": normal}, made, N_STEPS, 3 if quick else 7) / count * 1e6
            yield {"by": by, "size": size, "µs/sample": taken, "µs/sample, per size": taken / size}
    with Cluster(N_STEPS) as cluster:
        for size in COST_RATES:
            used = cluster.processor_time
            count = round(size * (3 if quick else 10))
            cluster.publish(size, count)
            taken = (cluster.processor_time - used) / count * 1e6
            yield {"by": "rate", "size": size, "µs/sample": taken, "µs/sample, per size": None}


def plot(rows: Iterable[Row], path: str) -> None:
    """Draw the rows of `cost`, one picture beside the other."""
    import matplotlib  # type: ignore[import-not-found,unused-ignore]

    matplotlib.use("Agg")
    from matplotlib import pyplot

    titles = {"streams": "streams, window 20", "window": "window, 2 streams", "rate": "samples/s"}
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    for axis, (by, title) in zip(axes, titles.items(), strict=True):
        x, y = np.array([(row["size"], row["µs/sample"]) for row in rows if row["by"] == by]).T
        axis.plot(x, y, "o-")
        axis.set(xlabel=title, ylabel="µs a sample", ylim=(0, None))
        if by == "rate":
            axis.set(xscale="log")
    figure.savefig(path, dpi=120)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the tables, write JSON and the plot if asked."""
    parser = argparse.ArgumentParser(description="Measure the detector.")
    parser.add_argument("--quick", action="store_true", help="a look, in two minutes")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    parser.add_argument("--plot", metavar="FILE", help="draw the costs there (PNG); needs matplotlib")
    parser.add_argument("--seconds", type=float, help="length of a run at one rate (60; quick: 3)")
    parser.add_argument("--memory-minutes", type=float, help="how long memory is watched (3; quick: 0.2)")
    parser.add_argument("--only", action="append", metavar="PART", help="measure this part alone; may be repeated")
    given = parser.parse_args(arguments)
    quick = given.quick
    parts: dict[str, tuple[str, Callable[[], Iterator[Row]]]] = {
        "scoring": ("Scoring, the shipped model", lambda: scoring(quick)),
        "checks": ("Training and examining many streams", lambda: checks(quick)),
        "training": ("Training, 2000 samples, 10 epochs", lambda: training(quick)),
        "pipeline": ("Pipeline without sockets", lambda: pipeline(quick)),
        "rate": ("The whole detector", lambda: rate(quick, given.seconds or (3 if quick else 60))),
        "latency": ("Last point of a window published → its line read", lambda: latency(quick)),
        "start": ("Start", lambda: start(quick)),
        "memory": ("Memory at 1000 samples/s", lambda: memory(given.memory_minutes or (0.2 if quick else 3))),
        "cost": ("Cost, stride 20", lambda: cost(quick)),
    }
    if unknown := set(given.only or ()) - set(parts):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(parts)}")
    if given.plot and "cost" not in (given.only or parts):
        parser.error("--plot draws the part cost, which --only leaves out")
    if given.plot and not importlib.util.find_spec("matplotlib"):
        parser.error("--plot needs matplotlib: pip install matplotlib")
    about = describe("tensorflow", "keras", "numpy", "protobuf", "pyzmq")
    result: dict[str, list[Row]] = {}
    for name in given.only or parts:
        title, measure = parts[name]
        result[name] = list(measure())
        print(table(title, result[name]), flush=True)
        if given.json:  # after each part: a later one may fail
            write_json(given.json, {"machine": about, **result})
    if given.plot:
        plot(result["cost"], given.plot)


if __name__ == "__main__":
    main()
