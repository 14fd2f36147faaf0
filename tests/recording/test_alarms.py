"""What surrounds alarms."""

import pytest

from recording.alarms import SPAN, AroundAlarms
from recording.recent import Message

SECOND = 1_000_000


class File:
    def __init__(self, time: int) -> None:
        self.time = time
        self.messages: list[Message] = []
        self.closed = False

    def add(self, message: Message) -> None:
        assert not self.closed
        self.messages.append(message)

    def close(self) -> None:
        self.closed = True

    @property
    def seconds(self) -> list[int]:
        return [message.received // SECOND for message in self.messages if message.product == b"taken"]


class Run:
    """A message a second, in lots, each followed by a finding."""

    def __init__(self) -> None:
        self.files: list[File] = []
        self.around = AroundAlarms(self.opened)
        self.now = 0

    def opened(self, time: int) -> File:
        self.files.append(File(time))
        return self.files[-1]

    def lots(self, count: int, alarm: bool = False, size: int = 1) -> None:
        for _ in range(count):
            lot = [Message((self.now + n) * SECOND, b"taken") for n in range(size)]
            self.now += size
            self.around.taken(lot, self.now * SECOND)
            self.around.told(Message(self.now * SECOND, b"told"), self.now * SECOND if alarm else None)


def test_the_minute_before_an_alarm_and_the_one_after_it_are_kept():
    run = Run()
    run.lots(100)
    assert not run.files
    run.lots(10, alarm=True)
    run.lots(100)
    [file] = run.files
    assert file.seconds == list(range(100 - SPAN // SECOND, 110 + SPAN // SECOND + 1))
    assert file.time == 101 * SECOND and file.closed
    assert file.messages.count(Message(50 * SECOND, b"told")) == 1
    assert sum(message.product == b"told" for message in file.messages) == len(file.seconds) + 1


def test_alarms_that_follow_each_other_within_a_minute_share_a_file():
    run = Run()
    for pause in (59, 62, 200):
        run.lots(1, alarm=True)
        run.lots(pause)
    assert [(file.seconds[0], file.seconds[-1]) for file in run.files] == [(0, 121), (63, 184)]


def test_each_file_has_all_of_the_minute_before():
    """Also what is at the end of another file."""
    run = Run()
    run.lots(70)
    run.lots(1, alarm=True)
    run.lots(80)
    run.lots(1, alarm=True)
    assert [file.seconds[0] for file in run.files] == [10, 91]
    assert run.files[0].seconds[-1] == 131


def test_an_alarm_in_a_long_lot_may_be_at_its_beginning_or_at_its_end():
    run = Run()
    run.lots(100)
    run.lots(1, alarm=True, size=500)
    run.lots(100)
    [file] = run.files
    assert (file.seconds[0], file.seconds[-1]) == (40, 660)


def test_an_alarm_lasts_until_a_finding_says_that_it_is_over():
    """However long that takes: a slow stream completes a window in an hour."""
    run = Run()
    run.lots(1, alarm=True)
    run.around.taken([Message(3600 * SECOND, b"taken")], 3600 * SECOND)
    run.around.taken([], 7200 * SECOND)
    assert not run.files[0].closed
    run.lots(1)
    run.around.taken([], 7200 * SECOND)
    assert run.files[0].closed and run.files[0].seconds == [0, 3600, 1]


@pytest.mark.parametrize("end", ["silence", "close"])
def test_a_file_ends_where_nothing_follows(end: str):
    run = Run()
    run.lots(1, alarm=True)
    run.lots(1)
    assert not run.files[0].closed
    if end == "close":
        run.around.close()
    else:
        run.around.taken([], 60 * SECOND)
        assert not run.files[0].closed
        run.around.taken([], 62 * SECOND)
    assert run.files[0].closed
    run.lots(100)
    assert len(run.files) == 1 and run.files[0].seconds == [0, 1]
