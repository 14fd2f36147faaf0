"""What a publication stamps on its messages, and what it sends again to a latecomer."""

from __future__ import annotations

import pytest

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.envelope import TooLarge, decode_data_product
from gravity.protocol.limits import MOST_FILTERS
from gravity.protocol.publication import Frames, Publication

REGISTERED = 1_700_000_000_999_999
LARGEST = 1000  # bytes


def publication(*, cache: bool = True) -> Publication:
    return Publication("P", "tcp://127.0.0.1:24000", REGISTERED, origin=("Comp", "home"), cache=cache)


def send(to: Publication, text: str = "", filter_text: str = "", timestamp: int = 0, now: int = 100) -> Frames:
    return to.frames(
        GravityDataProductPB(dataProductID="P", data=text.encode()), filter_text, timestamp, now, LARGEST
    )


def replayed(of: Publication) -> list[tuple[str, str, bool]]:
    found = []
    for topic, frame in of.replay():
        product = decode_data_product(frame)
        found.append((topic.decode(), product.data.decode(), product.is_cached_dataproduct))
    return found


def test_what_is_stamped() -> None:
    topic, frame = send(publication(), "text", "filter", now=123)
    assert topic == b"filter"
    assert decode_data_product(frame) == GravityDataProductPB(
        timestamp=123,
        dataProductID="P",
        data=b"text",
        componentID="Comp",
        domain="home",
        registration_time=1_700_000_000,
    )


def test_what_a_publication_is() -> None:
    p = publication()
    assert (p.id, p.url, p.registered) == ("P", "tcp://127.0.0.1:24000", REGISTERED)
    assert p.registration_time == 1_700_000_000  # in whole seconds


def test_anonymous_messages_do_not_say_who_and_where() -> None:
    p = Publication("P", "url", REGISTERED, origin=None, cache=False)
    sent = decode_data_product(send(p)[1])
    assert not sent.HasField("componentID") and not sent.HasField("domain")
    assert (sent.timestamp, sent.registration_time) == (100, 1_700_000_000)


def test_an_empty_domain_is_stamped_too() -> None:
    p = Publication("P", "url", REGISTERED, origin=("Comp", ""), cache=False)
    assert decode_data_product(send(p)[1]).HasField("domain")


def test_what_a_republished_product_says_is_overwritten() -> None:
    other = GravityDataProductPB(
        dataProductID="P", timestamp=5, componentID="Other", domain="far", registration_time=6, softwareVersion="1"
    )
    sent = decode_data_product(publication().frames(other, "", 0, 100, LARGEST)[1])
    assert (sent.timestamp, sent.componentID, sent.domain, sent.registration_time) == (
        100,
        "Comp",
        "home",
        1_700_000_000,
    )
    assert sent.softwareVersion == "1"


def test_a_given_timestamp_is_taken() -> None:
    assert decode_data_product(send(publication(), timestamp=7)[1]).timestamp == 7


def test_automatic_stamps_grow_even_if_the_clock_does_not() -> None:
    p = publication()
    stamps = [decode_data_product(send(p, now=now)[1]).timestamp for now in (100, 100, 100, 50, 200, 200)]
    assert stamps == [100, 101, 102, 103, 200, 201]


def test_a_given_timestamp_does_not_move_the_automatic_ones() -> None:
    p = publication()
    send(p, timestamp=10**15)
    assert decode_data_product(send(p, now=100)[1]).timestamp == 100


def test_a_relayed_product_keeps_its_stamps() -> None:
    relayed = GravityDataProductPB(
        dataProductID="P",
        timestamp=5,
        componentID="Origin",
        domain="far",
        is_relayed_dataproduct=True,
        registration_time=6,
    )
    sent = decode_data_product(publication().frames(relayed, "", 99, 100, LARGEST)[1])
    assert (sent.timestamp, sent.componentID, sent.domain) == (5, "Origin", "far")
    assert sent.registration_time == 1_700_000_000


# ---- latecomers ------------------------------------------------------------------------------------------------


def test_nothing_published_nothing_replayed() -> None:
    assert publication().replay() == []


def test_the_last_message_of_each_filter_is_replayed_and_flagged() -> None:
    p = publication()
    for n, filter_text in enumerate(["", "a", "", "b", "a"]):
        send(p, str(n), filter_text)
    assert replayed(p) == [("", "2", True), ("b", "3", True), ("a", "4", True)]


def test_a_replay_differs_by_the_flag_alone() -> None:
    p = publication()
    _, frame = send(p, "text")
    [(_, again)] = p.replay()
    expected = decode_data_product(frame)
    expected.is_cached_dataproduct = True
    assert decode_data_product(again) == expected


def test_replays_come_in_the_order_of_their_timestamps() -> None:
    p = publication()
    send(p, "late", "a", timestamp=300)
    send(p, "early", "b", timestamp=100)
    send(p, "between", "c", timestamp=200)
    assert [text for _, text, _ in replayed(p)] == ["early", "between", "late"]


def test_replay_is_no_publication() -> None:
    p = publication()
    send(p, "text", now=100)
    assert p.replay() == p.replay()
    assert decode_data_product(send(p, now=100)[1]).timestamp == 101


def test_no_cache_no_replay() -> None:
    p = publication(cache=False)
    send(p, "text")
    assert p.replay() == []


@pytest.mark.parametrize(("text", "filter_text"), [("x" * LARGEST, ""), ("", "x" * (LARGEST + 1))])
def test_what_is_too_large_is_neither_sent_nor_cached(text: str, filter_text: str) -> None:
    of = publication()
    with pytest.raises(TooLarge, match="bytes are more than MaxMessageSize = 1000"):
        send(of, text, filter_text)
    assert replayed(of) == []


def test_the_cache_is_bounded() -> None:
    """Of too many filter texts, those unused for the longest time are forgotten."""
    of = publication()
    for number in range(MOST_FILTERS):
        send(of, "", str(number))
    send(of, "", "0")
    send(of, "", "new")
    topics = {topic for topic, _ in of.replay()}
    assert len(topics) == MOST_FILTERS and {b"0", b"new"} < topics and b"1" not in topics
