"""The latest messages, compressed."""

import numpy as np
import pytest

from recording import recent
from recording.recent import Message, Recent


def some(count: int, size: int = 100) -> list[Message]:
    random = np.random.default_rng(0)
    return [Message(1000 * n, random.bytes(size // 2) + bytes(size - size // 2)) for n in range(count)]


@pytest.mark.parametrize("part", [1, 1000, 10**9])
def test_what_was_received_since_a_moment_is_kept(part: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "PART", part)
    kept, messages = Recent(), some(300)
    for message in messages:
        kept.add(message)
    assert list(kept) == messages
    kept.forget(before=100_000)
    assert list(kept) == messages[100:]
    kept.forget(before=400_000)
    kept.add(Message(400_000, b""))
    assert list(kept) == [Message(400_000, b"")]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The oldest are dropped. Half of each message is random, and cannot be compressed."""
    monkeypatch.setattr(recent, "MOST", 100_000)
    monkeypatch.setattr(recent, "PART", 10_000)
    kept, messages = Recent(), some(5000)
    for message in messages:
        kept.add(message)
    left = list(kept)
    assert left == messages[-len(left) :]
    assert 80_000 < 50 * len(left) < 100_000
