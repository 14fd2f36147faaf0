import json
import math

import numpy as np
import pytest

from anomaly.alarm import Alarm, Normal, Verdict, learn, levels

NORMAL = Normal(typical=(1.0, 100.0), highest=(2.0, 3.0, 4.0))


def windows(rows: int, seed: int, n_steps: int = 20, n_streams: int = 4) -> np.ndarray:
    """Windows of independent slow random walks: hardly alike, so a model that has seen few knows little."""
    noise = np.random.default_rng(seed).normal(size=(rows + 200, n_streams))
    walk = np.apply_along_axis(lambda x: np.convolve(x, np.exp(-np.arange(200) / 20), "valid"), 0, noise)
    return np.lib.stride_tricks.sliding_window_view(walk, n_steps, axis=0).transpose(0, 2, 1)


def judge(alarm: Alarm, errors: list[float], normal: Normal = NORMAL) -> Verdict:
    """Judge a window by its streams' errors."""
    return alarm.judge(float(normal.relative([errors])[0]))


def states(alarm: Alarm, errors: list[float]) -> str:
    """One letter a window: A while there is an alarm, capital where it has just changed."""
    verdicts = [judge(alarm, [error, 0.0]) for error in errors]
    return "".join(("aA" if v.alarm else "nN")[v.changed] for v in verdicts)


def test_the_alarm_goes_on_above_the_threshold_and_off_well_below_it():
    alarm = Alarm(NORMAL, stride=1000, margin=2.0, release=0.5)  # no smoothing at so large a stride
    assert states(alarm, [1, 7.9, 8.1, 7.9, 4.1, 3.9, 7.9, 9, 1]) == "nnAaaNnAN"


def test_errors_as_the_alarm_sees_them():
    errors = np.array([[1.0, 50.0], [3.0, 200.0], [2.0, 100.0]])
    unsmoothed = levels(NORMAL, errors, stride=1000, margin=2.0)
    np.testing.assert_allclose(unsmoothed, errors / NORMAL.typical / (2.0 * NORMAL.highest[-1]))
    constant = np.full((6, 2), [5.0, 500.0])
    np.testing.assert_allclose(levels(NORMAL, constant, stride=2, margin=2.0), 5 / (2.0 * NORMAL.highest[1]))


def test_each_stream_counts_relative_to_its_own_errors():
    alarm = Alarm(NORMAL, stride=1000, margin=2.5)
    threshold = 2.5 * NORMAL.highest[-1]
    assert not judge(alarm, [1, 0.9 * 100 * threshold]).alarm
    assert judge(alarm, [1, 1.1 * 100 * threshold]).alarm


def test_a_check_that_is_too_high_is_an_alarm_whatever_the_error():
    alarm = Alarm(NORMAL, stride=1, margin=2.5, after=2)
    verdicts = [alarm.judge(1.0, level) for level in (0.9, 1.1, 1.2, 0.9, 0.7)]
    assert [verdict.alarm for verdict in verdicts] == [False, False, True, True, False]
    assert [verdict.score for verdict in verdicts] == [0.9, 1.1, 1.2, 0.9, 0.7]


def test_an_alarm_can_be_told_to_wait_for_more_windows():
    alarm = Alarm(NORMAL, stride=1000, margin=2.0, release=0.5, after=3)
    assert states(alarm, [9, 9, 1, 9, 9, 9, 9, 1]) == "nnnnnAaN"


def test_smoothing_takes_the_same_time_at_any_stride():
    normal = Normal(NORMAL.typical, highest=(2.0,))
    by_one, by_five = Alarm(normal, 1, 2.5), Alarm(normal, 5, 2.5)
    for _ in range(10):
        fine = [judge(by_one, [3.0, 0]) for _ in range(5)][-1]
        assert fine.score == pytest.approx(judge(by_five, [3.0, 0]).score)


def test_an_alarm_ends_soon_after_the_anomaly_however_high_its_errors_were():
    alarm = Alarm(NORMAL, 1, 2.5)
    told = states(alarm, [1] * 5 + [1e12] * 50 + [1] * 60)
    assert told.count("A") == 1 and told.index("A") == 5
    assert 55 < told.index("N") < 95


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_an_alarm_at_once(error: float):
    alarm = Alarm(NORMAL, 1, 2.5, after=5)
    assert states(alarm, [1, 1, error, error, 1, 1]) == "nnAaNn"


@pytest.mark.parametrize("stride", [1, 2, 3, 50])
def test_normal_windows_like_those_of_training_raise_no_alarm(stride: int):
    training = windows(2000, 1)
    errors = np.random.default_rng(0).exponential(size=(len(training), 4)) * [1, 10, 1e-6, 1e6]
    normal = learn(training, errors, 32)
    alarm = Alarm(normal, stride, 2.5)
    np.testing.assert_allclose(normal.typical, errors.mean(axis=0).clip(0.01 * errors.mean()))
    assert not any(judge(alarm, e, normal).alarm for e in errors[::stride])


def test_few_windows_that_are_not_alike_make_the_threshold_higher():
    """Errors being the same, what differs is how much more unseen windows would have."""

    def highest(training: np.ndarray) -> float:
        return learn(training, np.ones((len(training), 4)), 32).highest[0]

    few, many = highest(windows(200, 1)), highest(windows(4000, 1))
    assert few > 1.3 * many and many < 1.5
    alike = np.repeat(windows(100, 1)[:1], 200, axis=0)
    assert highest(alike) == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 5, 30])
def test_hardly_any_windows_are_enough_to_learn_from(count: int):
    normal = learn(windows(count + 18, 1), np.ones((count, 4)), 32)
    assert len(normal.highest) == 20 and all(1 <= h < math.inf for h in normal.highest)


def test_errors_of_zero_can_be_learned_from():
    normal = learn(np.zeros((100, 20, 2)), np.zeros((100, 2)), 16)
    assert all(t > 0 for t in normal.typical)
    assert judge(Alarm(normal, 1, 2.5), [1e-3, 0], normal).alarm


def test_the_statistics_survive_json():
    normal = learn(windows(300, 1), np.random.default_rng(0).exponential(size=(300, 4)), 32)
    assert Normal.from_metadata(json.loads(json.dumps(normal.to_metadata())), 4) == normal


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        [],
        {},
        {"typical": [1, 1]},
        {"typical": [1, 1], "highest": []},
        {"typical": [1, 1], "highest": [10**400]},
        np.zeros(2),
        {"typical": [1, 1, 1], "highest": [1]},
        {"typical": [1, 0], "highest": [1]},
        {"typical": [1, -1], "highest": [1]},
        {"typical": [1, math.nan], "highest": [1]},
        {"typical": [1, 1], "highest": [math.inf]},
        {"typical": ["a", 1], "highest": [1]},
        {"typical": 1, "highest": [1]},
    ],
)
def test_statistics_that_make_no_sense_are_refused(metadata: object):
    with pytest.raises(ValueError, match="error statistics"):
        Normal.from_metadata(metadata, 2)
