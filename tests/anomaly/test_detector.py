import re
from pathlib import Path

from node.settings import DEFAULTS

import numpy as np
import pytest

from anomaly import model_files
from anomaly.detector import BadMetadata, BadStream, Detector, Finding, Trained, train
from anomaly.diagnosis import Kind
from anomaly.relations import ALARM_MARGIN, FEWEST
from anomaly.windows import WindowBuilder
from benchmarks.contenders import joined, windows
from benchmarks.plants.plant import Plant
from streams.samples import Sample

N_STEPS, MARGIN, CHANGE = 20, 2.5, 300


@pytest.fixture(scope="module")
def plant() -> Plant:
    return Plant("walk", 2)


@pytest.fixture(scope="module")
def trained(plant: Plant) -> Trained:
    return train(joined(windows(calm(plant, 3000, 1), N_STEPS)), [f"s{c}" for c in range(6)], epochs=3)


def calm(plant: Plant, count: int, seed: int) -> np.ndarray:
    run = plant.run(count, np.random.default_rng(seed))
    return run.signal + run.noise


def alarms(findings: list[Finding]) -> list[Finding]:
    return [f for f in findings if f.verdict and f.verdict.alarm and f.verdict.changed]


def test_a_stream_that_varies_too_much_for_float32_is_named():
    values = np.random.default_rng(0).normal(size=(50, 20, 2)).astype(np.float32)
    values[:, :, 1] *= 1e20
    with pytest.raises(BadStream, match=r"stream density varies by 1e.20, too much for float32"):
        train(values, ["flow", "density"], epochs=1)


@pytest.mark.timeout(120)
def test_a_stuck_stream_is_named_and_its_kind_told(plant: Plant, trained: Trained):
    detector = Detector(trained.model, trained.metadata, stride=1, margin=MARGIN)
    for column in range(6):
        samples = calm(plant, 500, 2)
        samples[CHANGE:, column] = samples[CHANGE - 1, column]
        detector.start()
        findings = detector.examine(windows(samples, N_STEPS))
        [alarm] = alarms(findings)
        assert CHANGE < alarm.window.number <= CHANGE + 20
        diagnosed = [f.diagnosis for f in findings if f.news]
        assert diagnosed[-1] == (Kind.FROZEN, column) and len(diagnosed) <= 2
        assert findings[-1].diagnosis == diagnosed[-1] and findings[0].diagnosis is None


@pytest.mark.timeout(120)
def test_a_model_without_relations_still_scores_and_blames():
    phases = np.outer(np.arange(2000), [0.05] * 4) + np.arange(4)
    sines = train(joined(windows(np.sin(phases), N_STEPS)), [f"stream {n}" for n in range(4)], epochs=3)
    old = {key: value for key, value in sines.metadata.items() if key != "relations"}
    detector = Detector(sines.model, old, stride=1, margin=MARGIN)
    for culprit in range(4):
        broken = phases[:400].copy()
        broken[200:, culprit] += 0.3
        detector.start()
        findings = detector.examine(made := windows(np.sin(broken), N_STEPS))
        [alarm, *_] = alarms(findings)
        assert 200 < alarm.window.number <= 205
        assert alarm.diagnosis == (None, culprit) and alarm.news
    silent = Detector(sines.model, {"streams": old["streams"]}, stride=1, margin=MARGIN)
    found = silent.examine(made)
    assert not silent.has_alarm and found[0].verdict is None and found[0].diagnosis is None
    assert [f.mse for f in found] == [f.mse for f in findings]


@pytest.mark.parametrize("stride", [1, 20])
def test_batches_do_not_change_what_is_found(plant: Plant, trained: Trained, stride: int):
    """To the last bit: a replay must say what the run said."""
    samples = calm(plant, 1300, 3)
    samples[CHANGE:900, 0] += plant.spread[0]
    builder = WindowBuilder(N_STEPS, stride)
    made = [w for n, row in enumerate(samples) if (w := builder.add(Sample(n, tuple(map(float, row)), n == 1000)))]

    def examined(size: int) -> list[str]:
        detector = Detector(trained.model, trained.metadata, stride=stride, margin=MARGIN)
        found = [f for start in range(0, len(made), size) for f in detector.examine(made[start : start + size])]
        return [repr((f.mse, f.errors.tolist(), f.verdict, f.diagnosis, f.news, f.rebuilt.tolist())) for f in found]

    one_by_one = examined(1)
    assert "alarm=True" in "".join(one_by_one)
    for size in (2, 7, 51, 1024):
        assert examined(size) == one_by_one


def test_the_margin_moves_all_limits(plant: Plant, trained: Trained):
    made = windows(calm(plant, 300, 3), N_STEPS)
    strict, usual = (
        [f.verdict.score for f in Detector(trained.model, trained.metadata, 1, margin).examine(made) if f.verdict]
        for margin in (MARGIN / 2, MARGIN)
    )
    np.testing.assert_allclose(strict, 2 * np.array(usual), rtol=1e-6)


def test_the_shipped_margin_is_the_one_that_the_limits_are_made_for():
    assert float(DEFAULTS["alarm_margin"]) == ALARM_MARGIN


def test_a_training_too_short_for_relations_is_reported(plant: Plant):
    made = windows(calm(plant, FEWEST + 18, 1), N_STEPS)
    short = train(joined(made), [f"s{c}" for c in range(6)], epochs=1)
    assert "relations" not in short.metadata
    assert re.match(rf"training too short: .* from {FEWEST - 1} windows", short.remarks[0])
    assert Detector(short.model, short.metadata, 1, MARGIN).has_alarm


def test_the_relations_are_saved_with_the_model(tmp_path: Path, plant: Plant, trained: Trained):
    model_files.save_model(trained.model, tmp_path / "model.json", trained.metadata)
    model, metadata = model_files.load_model(tmp_path / "model.json")
    made = windows(calm(plant, 300, 3), N_STEPS)
    before, after = (
        [finding.verdict for finding in Detector(*pair, stride=1, margin=MARGIN).examine(made)]
        for pair in ((trained.model, trained.metadata), (model, metadata))
    )
    assert before == after


def test_relations_that_do_not_fit_are_refused(trained: Trained):
    metadata = trained.metadata | {"relations": {"checks": []}}
    with pytest.raises(
        BadMetadata, match="saved with relations between the streams that do not fit the model; train"
    ):
        Detector(trained.model, metadata, stride=1, margin=MARGIN)
