"""The synthetic plants: the same each time, and faults are where they are said to be."""

import numpy as np
import pytest

from benchmarks.plants.faults import FAULTS, Fault
from benchmarks.plants.kinds import KINDS
from benchmarks.plants.plant import Plant

START, COUNT = 120, 400


@pytest.fixture(scope="module")
def plants() -> list[Plant]:
    return [Plant(kind, 2) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plant_is_the_same_each_time_and_stays_in_its_range(kind: str, plants: list[Plant]):
    plant = plants[list(KINDS).index(kind)]
    first, again = (Plant(kind, 2).run(COUNT, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.signal, again.signal)
    np.testing.assert_array_equal(first.noise, again.noise)
    assert first.signal.shape == (COUNT, plant.n_streams)
    assert (np.abs(first.signal - plant.mean) < 5 * plant.spread).all()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_its_streams_from_its_start_on_and_nothing_else(fault: Fault, plants: list[Plant]):
    tried = 0
    for plant in plants:
        for columns in fault.columns(plant)[:2]:
            run = plant.run(COUNT, np.random.default_rng(6))
            normal = run.signal + run.noise
            faulty = fault.change(run, plant, columns, START, np.random.default_rng(7))
            others = [j for j in range(plant.n_streams) if j not in columns]
            np.testing.assert_array_equal(faulty[:START], normal[:START])
            np.testing.assert_array_equal(faulty[:, others], normal[:, others])
            assert (faulty[START:, columns] != normal[START:, columns]).any(axis=0).all()
            tried += 1
    assert tried
