"""When a heartbeat counts as received or missed."""

from __future__ import annotations

from gravity.protocol.heartbeat_monitor import PAYLOAD, HeartbeatMonitor, Missed, Received


def test_what_a_heartbeat_says() -> None:
    assert bytes.fromhex("476f6f6400") == PAYLOAD


def test_nothing_is_reported_before_it_is_due() -> None:
    monitor = HeartbeatMonitor(100, now=1000)
    monitor.beat()
    assert monitor.due == 1100
    assert monitor.check(1099) is None
    assert monitor.check(1100) == Received()


def test_many_beats_are_one_report() -> None:
    monitor = HeartbeatMonitor(100, now=0)
    for _ in range(5):
        monitor.beat()
    assert monitor.check(100) == Received()
    assert monitor.check(200) == Missed(100)


def test_never_heard() -> None:
    monitor = HeartbeatMonitor(100, now=0)
    assert [monitor.check(now) for now in (100, 200)] == [Missed(-1), Missed(-1)]


def test_a_silence_is_counted_from_the_last_report() -> None:
    monitor = HeartbeatMonitor(100, now=0)
    monitor.beat()
    assert monitor.check(110) == Received()
    assert monitor.check(210) == Missed(100)
    assert monitor.check(330) == Missed(220)
    monitor.beat()
    assert monitor.check(430) == Received()
    assert monitor.check(530) == Missed(100)


def test_the_next_check_is_an_interval_after_this_one() -> None:
    monitor = HeartbeatMonitor(100, now=0)
    monitor.check(150)
    assert monitor.check(249) is None
    assert monitor.check(250) is not None
