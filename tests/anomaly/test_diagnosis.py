import numpy as np
import pytest

from anomaly.checks import CHECKS, NAMES, Evidence
from anomaly.diagnosis import Diagnosis, Kind, diagnose, refined


def evidence(
    high: dict[tuple[str, int], float],
    n_streams: int = 3,
    jitter: float = 0.1,
    still: tuple[int, ...] = (),
    beyond: tuple[int, ...] = (),
) -> Evidence:
    """Evidence with these levels, all others low; `still` and `beyond` are streams."""
    levels = np.full((len(CHECKS), n_streams), 0.2)
    for (name, column), level in high.items():
        levels[NAMES.index(name), column] = level
    columns = np.arange(n_streams)
    return Evidence(levels, np.full(n_streams, jitter), np.isin(columns, still), 0.5 * np.isin(columns, beyond))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (evidence({("others", 1): 2}), Diagnosis(Kind.RELATION, 1)),
        (evidence({("others", 1): 2, ("both", 2): 1.9}), Diagnosis(Kind.RELATION, None)),
        (evidence({("others", 1): 2, ("both", 2): 1.4}), Diagnosis(Kind.RELATION, 1)),
        (evidence({("others", 1): 2}, still=(1,)), Diagnosis(Kind.FROZEN, 1)),
        (evidence({("others", 1): 2}, still=(2,)), Diagnosis(Kind.RELATION, 1)),
        (evidence({("others", 1): 2}, beyond=(1,)), Diagnosis(Kind.LEVEL, 1)),
        (evidence({("others", 1): 2}, beyond=(0, 1)), Diagnosis(Kind.OUTSIDE, None)),
        (evidence({("others", 1): 2}, n_streams=4, beyond=(0, 1)), Diagnosis(Kind.LEVEL, 1)),
        (evidence({("others", 1): 2}, n_streams=4, beyond=(0, 1, 2)), Diagnosis(Kind.OUTSIDE, None)),
        (evidence({("quiet", 0): 1.2}), Diagnosis(Kind.NOISE, 0)),
        (evidence({("both, squared", 0): 3, ("loud", 0): 1.2}, jitter=1.9), Diagnosis(Kind.NOISE, 0)),
        (evidence({("both, squared", 0): 3, ("loud", 0): 1.2}, jitter=0.4), Diagnosis(Kind.RELATION, 0)),
        # Of two streams, only what each does by itself tells.
        (evidence({("others", 1): 9}, n_streams=2), Diagnosis(Kind.RELATION, None)),
        (evidence({("others", 1): 9, ("own, squared", 0): 3}, n_streams=2), Diagnosis(Kind.RELATION, 0)),
        (evidence({("others", 1): 9, ("own, squared", 0): 0.5}, n_streams=2), Diagnosis(Kind.RELATION, None)),
        (evidence({}, n_streams=2, beyond=(0,)), Diagnosis(Kind.LEVEL, 0)),
        (evidence({}, n_streams=2, beyond=(0, 1)), Diagnosis(Kind.OUTSIDE, None)),
    ],
)
def test_evidence_is_diagnosed(seen: Evidence, expected: Diagnosis):
    assert diagnose(seen) == expected


RELATION = Diagnosis(Kind.RELATION, 1)


@pytest.mark.parametrize(
    ("before", "again", "expected"),
    [
        (RELATION, Diagnosis(Kind.FROZEN, 1), Diagnosis(Kind.FROZEN, 1)),
        (RELATION, Diagnosis(Kind.NOISE, None), Diagnosis(Kind.NOISE, 1)),
        (Diagnosis(Kind.RELATION, None), Diagnosis(Kind.NOISE, 0), Diagnosis(Kind.NOISE, 0)),
        (RELATION, Diagnosis(Kind.FROZEN, 0), RELATION),  # another stream than the one to blame
        (RELATION, Diagnosis(Kind.LEVEL, 1), RELATION),
        (Diagnosis(Kind.LEVEL, 1), Diagnosis(Kind.FROZEN, 1), Diagnosis(Kind.LEVEL, 1)),
        (RELATION, None, RELATION),
    ],
)
def test_what_takes_time_to_show_refines_a_diagnosis(before: Diagnosis, again: Diagnosis | None, expected: Diagnosis):
    assert refined(before, again) == expected
