"""Publish → callback, measured: `python -m benchmarks.messaging [--quick] [--rounds 5] [--json FILE]`.

Publisher and subscribers are processes of their own, with 16 bytes of payload in Gravity's envelope. The
contenders take turns, measure by measure; each figure is the median over the rounds, each ratio that of medians:

    ours       the package gravity of this project
    encrypted  the same in a cluster with a key
    plain      pyzmq and protobuf, as their guides have it, with the same frames: what Python gives at best
    real       the original Gravity, if GRAVITY_PREFIX names the folder that has its bin and lib
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence

from benchmarks.messaging_session import ENCRYPTED, OURS, PLAIN, Contender, Session, find_real
from benchmarks.report import Row, describe, median, ratio, table, write_json

STEPS = [10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000, 120_000]  # messages a second
KEPT_UP = 0.98  # of a rate, below which an end has not kept it; the rest is for a late first or last message
CPU_RATE = 10_000  # messages a second at which processor time is measured
MANY_SUBSCRIBERS, MANY_RATE = 8, 2_000
MANY_PRODUCTS = 100

Figures = dict[str, float | None]


# ---- the measures: each takes a session and returns figures by name ------------------------------------------


def highest_rate(session: Session, seconds: float) -> Figures:
    """Return the highest rate that both ends kept up without a loss, and what a tight loop does.

    The publisher alone does not show it: the queues in between hold a backlog of a whole run.
    """
    best = 0.0
    for rate in STEPS:
        ran = session.run(rate, seconds)
        carried = min(ran["rate"], ran["intake"])
        if ran["lost"] or carried < KEPT_UP * rate:
            break
        best = carried
    tight = session.run(0, 0, total=int(100_000 * seconds))
    if not tight["lost"]:
        best = max(best, min(tight["rate"], tight["intake"]))
    return {
        "highest rate without loss, messages/s": best,
        "tight loop: intake, messages/s": tight["intake"],
        "tight loop: lost, %": 100 * tight["lost"] / tight["sent"],
    }


def latency(session: Session, seconds: float) -> Figures:
    """Return publish → callback in microseconds."""
    figures: Figures = {}
    for rate in (1_000, 20_000):
        ran = session.run(rate, seconds)
        figures |= {f"latency at {rate:,}/s, {q}, µs": ran[q] for q in ("p50", "p99")}
    return figures


def processor_time(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds a message, at a rate that all contenders keep up."""
    ran = session.run(CPU_RATE, seconds)
    return {f"CPU at {CPU_RATE:,}/s, {end}, µs/message": ran[end] for end in ("publisher", "subscriber")}


def many_subscribers(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds: the publisher's a message, the subscribers' a message each."""
    ran = session.run(MANY_RATE, seconds)
    count = len(session.subscribers)
    what = f"{count} subscriber{'s' * (count > 1)}, {MANY_RATE:,}/s"
    return {
        f"{what}: publisher, µs/message": ran["publisher"],
        f"{what}: each subscriber, µs/message": ran["subscriber"],
        f"{what}: latency p99, µs": ran["p99"],
        f"{what}: lost": ran["lost"],
    }


def many_products(session: Session, seconds: float) -> Figures:
    """Return processor time in microseconds a message when the messages go round all data products."""
    ran = session.run(CPU_RATE, seconds)
    what = f"{MANY_PRODUCTS} data products, {CPU_RATE:,}/s"
    return {
        f"{what}: publisher, µs/message": ran["publisher"],
        f"{what}: subscriber, µs/message": ran["subscriber"],
        f"{what}: latency p99, µs": ran["p99"],
        f"{what}: lost": ran["lost"],
    }


Measure = Callable[[Session, float], Figures]

# What shares sessions, with their numbers of subscribers and data products.
GROUPS: list[tuple[int, int, list[Measure]]] = [
    (1, 1, [highest_rate, latency, processor_time, many_subscribers]),
    (MANY_SUBSCRIBERS, 1, [many_subscribers]),
    (1, MANY_PRODUCTS, [many_products]),
]


def measure(contenders: Sequence[Contender], rounds: int, seconds: float) -> dict[str, dict[str, list[float | None]]]:
    """Return all values, by figure and contender."""
    values: dict[str, dict[str, list[float | None]]] = {}
    for subscribers, products, measures in GROUPS:
        with contextlib.ExitStack() as stack:
            sessions = [stack.enter_context(Session(c, subscribers, products)) for c in contenders]
            for turn in range(rounds):
                first = turn % len(sessions)  # whoever is first is measured in the wake of the last one before
                for taken in measures:
                    for session in sessions[first:] + sessions[:first]:
                        for figure, value in taken(session, seconds).items():
                            values.setdefault(figure, {}).setdefault(session.contender.name, []).append(value)
    return values


def rows(contenders: Sequence[Contender], rounds: int, seconds: float) -> list[Row]:
    """Measure and return the table: medians, ours as a multiple of the others, and encrypted as one of ours."""
    result: list[Row] = []
    for figure, by_contender in measure(contenders, rounds, seconds).items():
        medians = {name: median(by_contender.get(name, [])) for name in ("ours", "encrypted", "plain", "real")}
        row: Row = {"what": figure, **medians}
        for name in ("plain", "real"):
            row[f"ours/{name}"] = ratio(medians["ours"], medians[name])
        row["encrypted/ours"] = ratio(medians["encrypted"], medians["ours"])
        result.append(row)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the table and write it to a file if asked."""
    parser = argparse.ArgumentParser(description="Measure publish → callback against plain pyzmq and real Gravity.")
    parser.add_argument("--rounds", type=int, default=5, help="runs that each median is taken over")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a run")
    parser.add_argument("--quick", action="store_true", help="a look, in under a minute")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    given = parser.parse_args(arguments)
    real = find_real()
    about = describe("pyzmq", "protobuf", real="left out: " + real if isinstance(real, str) else "measured")
    contenders = [OURS, ENCRYPTED, PLAIN, *([real] if isinstance(real, Contender) else [])]
    measured = rows(contenders, 1, 0.3) if given.quick else rows(contenders, given.rounds, given.seconds)
    print(table("Publish → callback, 16 bytes of payload", measured))
    if given.json:
        write_json(given.json, {"machine": about, "rows": measured})


if __name__ == "__main__":
    main()
