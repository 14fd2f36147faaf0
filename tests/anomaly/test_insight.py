import re

import numpy as np
import pytest

from anomaly.insight import remarks, smallest_bias
from anomaly.relations import ALARM_MARGIN, Relations, Watch
from benchmarks.contenders import joined, windows
from benchmarks.plants.plant import Plant

N_STEPS = 20


def calm(plant: Plant, count: int, seed: int) -> np.ndarray:
    run = plant.run(count, np.random.default_rng(seed))
    return run.signal + run.noise


def told(samples: np.ndarray) -> list[str]:
    """The remarks on a training, the table left out."""
    training = joined(windows(samples, N_STEPS))
    relations, held_out = Relations.learn(training)
    names = [f"s{column}" for column in range(samples.shape[1])]
    lines = list(remarks(names, training, relations, held_out))
    assert len([line for line in lines if re.match(r"s\d+ +\S+ σ = \S+ +\d+%$", line)]) == len(names)
    return lines[1 + len(names) :]


@pytest.mark.parametrize("kind", ["oscillators", "walk", "batch", "daily", "set-points"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_nothing_is_remarked_on_a_calm_training(kind: str, number: int):
    plant = Plant(kind, number)
    assert told(calm(plant, 5000, 1)) == []


@pytest.mark.parametrize("kind", ["oscillators", "walk", "daily"])
@pytest.mark.parametrize("anomaly", ["bias", "noise", "stuck"])
def test_a_training_with_an_anomaly_in_it_is_reported(kind: str, anomaly: str):
    plant = Plant(kind, 3)
    samples = calm(plant, 5000, 1)
    if anomaly == "bias":
        samples[2500:2700, 5] += 0.9 * plant.spread[5]
    elif anomaly == "stuck":
        samples[2500:2700, 5] = samples[2500, 5]
    else:
        samples[2500:2700, 5] += 2 * plant.noise_spread[5] * np.random.default_rng(0).normal(size=200)
    lines = [line for line in told(samples) if "may hold an anomaly: stream s5" in line]
    assert lines
    found = re.search(r"around samples? (\d+)", lines[0])
    assert found and 2450 < int(found[1]) < 2700


def test_the_smallest_bias_is_where_alarms_begin():
    plant = Plant("walk", 2)
    relations, _ = Relations.learn(joined(windows(calm(plant, 5000, 1), N_STEPS)))
    for column, bias in enumerate(smallest_bias(relations) * relations.features.spread):
        highest = []
        for part in (0.5, 1.5):
            samples = calm(plant, 1500, 2)
            samples[300:, column] += part * bias
            highest.append(max(Watch(relations, ALARM_MARGIN).levels(windows(samples, N_STEPS)[400:])))
        assert highest[0] < 1 < highest[1]


def test_a_stream_that_has_nothing_to_do_with_the_others_is_named():
    samples = np.column_stack([calm(Plant("walk", 2), 4000, 1), np.random.default_rng(0).normal(size=4000)])
    [line] = told(samples)
    assert line == "nothing to do with the other streams, and checked only by itself: s6"


def test_a_constant_stream_is_called_so():
    samples = np.column_stack([calm(Plant("walk", 2), 2000, 1), np.full(2000, 3.0)])
    training = joined(windows(samples, N_STEPS))
    names = [f"s{column}" for column in range(7)]
    lines = list(remarks(names, training, *Relations.learn(training)))
    assert re.match("s6 +constant: any change$", lines[7])


@pytest.mark.parametrize("begin", [0, 1, 3000])
def test_a_stream_that_stands_still_in_training_is_named_wherever_it_does(begin: int):
    samples = calm(Plant("walk", 2), 4000, 1)
    samples[begin : begin + 60, 3] = samples[begin, 3]
    assert any(re.search(rf"s3 stands still around sample {begin + 20}$", line) for line in told(samples))


@pytest.mark.parametrize("seed", range(3))
def test_what_happens_again_and_again_is_not_an_anomaly_of_the_training(seed: int):
    """A valve that opens now and then, and spikes."""
    random = np.random.default_rng(seed)
    valve = np.cumsum(random.random(5000) < 0.01) % 2
    spikes = 10.0 * (random.random(5000) < 0.005) + 0.1 * random.normal(size=5000)
    samples = np.column_stack([calm(Plant("walk", 0), 5000, seed), valve, spikes])
    assert not [line for line in told(samples) if "may hold an anomaly" in line]


def test_a_ramp_is_not_covered_and_rare_outliers_are_no_reason():
    ramp = np.linspace(0, 10, 4000)[:, None] * [1, 0.5] + np.random.default_rng(0).normal(0, 0.2, size=(4000, 2))
    assert any("does not cover what follows" in line and line.count("s0, s1") for line in told(ramp))
    heavy = np.random.default_rng(1).standard_t(2, size=(4000, 3))
    assert not [line for line in told(heavy) if "does not cover" in line]


def test_a_short_training_and_one_that_does_not_cover_its_end_are_reported():
    lines = told(calm(Plant("daily", 2), 300, 1))
    found = re.search(
        r"^training short: .* raise training_size in Gravity.ini to (\d+) or more$", "\n".join(lines), re.M
    )
    assert found and 600 <= int(found[1]) <= 5000
    samples = calm(Plant("walk", 2), 4000, 1)
    samples[3500:] += np.linspace(0, 6, 500)[:, None] * samples.std(axis=0)
    [line] = [line for line in told(samples) if "does not cover what follows" in line]
    assert "came before: s0, s1" in line
