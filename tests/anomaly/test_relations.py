"""What is learned of a plant, and how faults show in it."""

import numpy as np
import pytest

from anomaly import limits
from anomaly.checks import CHECKS, FLAT, FLAT_SLOW, N_PREDICTED, N_RESIDUAL, NAMES, RANGE, RUN, Checks, Form
from anomaly.diagnosis import Kind
from anomaly.relations import ALARM_MARGIN, Relations, Watch
from anomaly.windows import Window, WindowBuilder
from benchmarks.contenders import joined, windows
from benchmarks.plants.faults import FAULTS
from benchmarks.plants.plant import Plant
from streams.samples import Sample

N_STEPS, START = 20, 300
RANDOM = 7


@pytest.fixture(scope="module")
def plant() -> Plant:
    return Plant("walk", 2)


def calm(plant: Plant, count: int, seed: int) -> np.ndarray:
    run = plant.run(count, np.random.default_rng(seed))
    return run.signal + run.noise


@pytest.fixture(scope="module")
def relations(plant: Plant) -> Relations:
    return Relations.learn(joined(windows(calm(plant, 5000, 1), N_STEPS)))[0]


def faulty(plant: Plant, name: str, column: int, seed: int = 2) -> np.ndarray:
    [fault] = [fault for fault in FAULTS if fault.name == name]
    random = np.random.default_rng(seed)
    return fault.change(plant.run(START + fault.length, random), plant, (column,), START, random)


def watched(relations: Relations, samples: np.ndarray, stride: int = 1) -> tuple[Watch, np.ndarray, list[Window]]:
    builder = WindowBuilder(N_STEPS, stride)
    made = [w for row in samples if (w := builder.add(Sample(0, tuple(map(float, row)))))]
    watch = Watch(relations, ALARM_MARGIN)
    return watch, np.array(watch.levels(made)), made


def test_calm_samples_stay_below_all_limits(plant: Plant, relations: Relations):
    for seed in range(20, 24):
        _, levels, _ = watched(relations, calm(plant, 5000, seed))
        assert levels.max() < 1


@pytest.mark.parametrize("column", range(6))
@pytest.mark.parametrize(
    ("name", "within", "kind"),
    [
        ("bias 0.9 σ", 20, Kind.RELATION),
        ("stuck", 20, Kind.FROZEN),
        ("frozen, noisy", 200, Kind.RELATION),
        ("noise up", 100, Kind.NOISE),
        ("delay", 300, Kind.RELATION),
    ],
)
def test_faults_are_found_and_told_apart(
    plant: Plant, relations: Relations, name: str, within: int, kind: Kind, column: int
):
    watch, levels, made = watched(relations, faulty(plant, name, column))
    numbers = np.array([window.number for window in made])
    assert levels[numbers <= START].max() < 1
    first = int(np.flatnonzero((levels > 1) & (numbers > START))[0])
    assert numbers[first] - START <= within
    found = watch.diagnose(first, first=True)
    assert found and found.column in (column, None)
    later = watch.diagnose(first + 20)
    assert later and kind in (found.kind, later.kind)


def test_the_stride_does_not_change_what_is_found(plant: Plant, relations: Relations):
    samples = faulty(plant, "bias 0.9 σ", 3)
    _, by_one, _ = watched(relations, samples)
    for stride in (7, 20, 50):
        watch, levels, made = watched(relations, samples, stride)
        ends = [window.number - N_STEPS + 1 for window in made]
        highest = [by_one[begin:end].max() for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        np.testing.assert_allclose(levels, highest, rtol=1e-5)
        found = watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True)
        assert found and found.column == 3


def test_all_that_leaves_the_trained_range_together_is_not_the_fault_of_a_stream(plant: Plant, relations: Relations):
    samples = calm(plant, 600, 3)
    samples[START:] += 8 * plant.spread
    watch, levels, _ = watched(relations, samples)
    found = watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True)
    assert found == (Kind.OUTSIDE, None)
    samples = calm(plant, 600, 3)
    samples[START:, 2] += 8 * plant.spread[2]
    watch, levels, _ = watched(relations, samples)
    assert watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True) == (Kind.LEVEL, 2)


def test_alarms_end_soon_after_the_worst_of_anomalies(plant: Plant, relations: Relations):
    samples = calm(plant, 900, 4)
    samples[START : START + 100, 1] = 1e30
    samples[START + 100 : START + 110, 2] = np.nan
    samples[START + 110 : START + 120, 3] = np.inf
    _, levels, made = watched(relations, samples)
    assert np.isfinite(levels).all()
    over = np.array([window.number for window in made])[levels > 0.8]
    assert over.min() == START + 1 and over.max() < START + 120 + N_STEPS + 150


def test_two_streams_that_no_longer_belong_together_are_both_suspect():
    phases = 0.05 * np.arange(3000)
    random = np.random.default_rng(0)
    samples = np.stack([np.sin(phases), np.cos(phases)], axis=1) + 0.05 * random.normal(size=(3000, 2))
    relations, _ = Relations.learn(joined(windows(samples[:2000], N_STEPS)))
    later = samples[2000:].copy()
    later[START:, 1] = np.cos(phases[2000 + START :] + 0.003 * np.arange(700)) + 0.05 * random.normal(size=700)
    watch, levels, _ = watched(relations, later)
    assert watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True) == (Kind.RELATION, None)


def test_relations_survive_being_saved_as_metadata(plant: Plant, relations: Relations):
    again = Relations.from_metadata(relations.to_metadata(), N_STEPS, plant.n_streams)
    samples = faulty(plant, "bias 0.9 σ", 0)
    np.testing.assert_array_equal(watched(again, samples)[1], watched(relations, samples)[1])


def test_a_window_by_itself_has_the_levels_that_it_has_among_others(plant: Plant, relations: Relations):
    made = windows(faulty(plant, "stuck", 2), N_STEPS)
    at_once = Watch(relations, ALARM_MARGIN).levels(made)
    one_by_one = Watch(relations, ALARM_MARGIN)
    np.testing.assert_allclose([one_by_one.levels([window])[0] for window in made], at_once, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: None,
        lambda m: {},
        lambda m: m | {"checks": ["other"]},
        lambda m: m | {"weights": m["weights"][:-1]},
        lambda m: m | {"weights": m["weights"] * np.nan},
        lambda m: m | {"usual": m["usual"] | {"limits": m["usual"]["limits"][1:]}},
        lambda m: m | {"usual": {"limits": m["usual"]["limits"]}},
        lambda m: m | {"usual": m["usual"] | {"change": m["usual"]["change"][1:]}},
        lambda m: m | {"features": m["features"] | {"mean": "text"}},
        lambda m: m | {"features": m["features"] | {"mean": [10**400] * 2}},
        lambda m: m | {"features": 5},
    ],
)
def test_relations_that_make_no_sense_are_refused(plant: Plant, relations: Relations, change: object):
    with pytest.raises(ValueError, match="relations between the streams that do not fit"):
        Relations.from_metadata(change(relations.to_metadata()), N_STEPS, plant.n_streams)  # type: ignore[operator]
    with pytest.raises(ValueError, match="relations"):
        Relations.from_metadata(relations.to_metadata(), N_STEPS, plant.n_streams + 1)


def test_evidence_of_a_calm_window_is_its_levels(plant: Plant, relations: Relations):
    running = Checks(relations.usual)
    levels = running.levels(relations.see(joined(windows(calm(plant, 800, 5), N_STEPS))))
    for index in (100, 400, 780):
        evidence = running.evidence(index)
        slow = np.array([check.weight < 0.1 for check in CHECKS])  # reach further back than the evidence
        np.testing.assert_allclose(evidence.levels[~slow], levels[index][~slow], atol=0.03)


def often_still(count: int, seed: int) -> np.ndarray:
    """A stream that moves every tenth sample, and what follows it with noise."""
    random = np.random.default_rng(seed)
    steps = np.repeat(random.normal(size=count // 10), 10)
    return np.stack([steps, steps + 0.1 * random.normal(size=count)], axis=1)


def test_a_stream_that_often_stands_still_is_frozen_only_if_it_does_so_for_long():
    relations, _ = Relations.learn(joined(windows(often_still(4000, 0), N_STEPS)))
    samples = often_still(1000, 1)
    _, levels, _ = watched(relations, samples)
    assert levels.max() < 1
    stuck = samples.copy()
    stuck[START:] = samples[START - 1]
    watch, levels, _ = watched(relations, stuck)
    first = int(np.flatnonzero(levels > 1)[0])
    assert watch.diagnose(first + 40) == (Kind.FROZEN, None) or watch.diagnose(first + 40) == (Kind.FROZEN, 1)
    alone = samples.copy()
    alone[START:, 0] = samples[START - 1, 0]
    watch, levels, _ = watched(relations, alone)
    assert (levels > 1).any() and watch.diagnose(40 + START) in [(Kind.FROZEN, 0), (Kind.RELATION, None)]
    noisy = samples.copy()
    noisy[START:, 0] += np.random.default_rng(2).normal(size=700)
    watch, levels, _ = watched(relations, noisy)
    found = watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True)
    assert found and found.kind is not Kind.FROZEN, "it moves more than ever"


def test_a_constant_stream_may_stay_so_for_ever_but_not_move():
    random = np.random.default_rng(0)
    samples = np.stack([np.sin(0.05 * np.arange(2000)) + 0.1 * random.normal(size=2000), np.full(2000, 5.0)], axis=1)
    relations, _ = Relations.learn(joined(windows(samples, N_STEPS)))
    _, levels, _ = watched(relations, np.tile(samples, (6, 1)))
    assert levels.max() < 1
    samples[START:, 1] += random.normal(size=1700)
    watch, levels, _ = watched(relations, samples)
    found = watch.diagnose(int(np.flatnonzero(levels > 1)[0]), first=True)
    assert found and found.column == 1 and found.kind is not Kind.FROZEN


def test_leaving_the_trained_range_together_is_an_alarm_though_the_relation_holds():
    random = np.random.default_rng(0)

    def ramp(begin: float, end: float) -> np.ndarray:
        load = np.convolve(random.normal(size=3000), np.exp(-np.arange(100) / 30), "same") / 5
        both = (np.linspace(begin, end, 3000) + load)[:, None] * [1, 2]
        return np.asarray(both + 0.1 * random.normal(size=both.shape))

    relations, _ = Relations.learn(joined(windows(ramp(0, 1), N_STEPS)))
    watch, levels, _ = watched(relations, ramp(0, 30))
    assert (levels[2000:] > 1).all() and watch.diagnose(2500) == (Kind.OUTSIDE, None)


def test_checks_of_a_form_stand_together():
    """So that slices address them."""
    forms = [check.form for check in CHECKS]
    assert forms[:3] == [Form.MEAN] * 3 and all(check.source is not None for check in CHECKS[:N_PREDICTED])
    assert [i for i, form in enumerate(forms) if form is Form.SQUARE] == list(range(3, N_RESIDUAL))
    assert [i for i, form in enumerate(forms) if form is Form.INVERSE] == list(range(N_PREDICTED - 2, FLAT_SLOW + 1))
    assert (NAMES[FLAT], NAMES[FLAT_SLOW]) == ("flat", "flat, slow")
    assert (NAMES[RUN], NAMES[RANGE]) == ("run", "range") and len(set(NAMES)) == len(NAMES)


def test_each_limit_is_above_what_training_showed(plant: Plant, relations: Relations):
    short = joined(windows(calm(plant, 1000, 6), N_STEPS))
    learned, held_out = Relations.learn(short)
    seen = learned.see(short)._replace(residuals=held_out)
    assert (Checks(learned.usual).levels(seen) < 1 / limits.MARGIN).all()
    others = NAMES.index("others")
    ratio = learned.usual.limits[others] / relations.usual.limits[others]
    assert np.median(ratio) > 1.1, "the shorter the training, the higher the limits"


@pytest.mark.parametrize("memory", [0.99, 0.999])
def test_residuals_with_a_long_memory_leave_few_independent_samples(memory: float):
    random, value = np.random.default_rng(0), 0.0
    walk = np.array([value := memory * value + each for each in random.normal(size=5000)])
    samples = np.stack([walk, random.normal(size=5000)], axis=1)
    relations, held_out = Relations.learn(joined(windows(samples, N_STEPS)))
    remembered = limits.memories(relations.usual, held_out)
    slow, white = limits.freedom(CHECKS[NAMES.index("others")], len(held_out), remembered)
    assert white > 150 and slow < 5000 * (1 - memory) * 2
