"""Which publishers a subscription listens to, and which of their messages it accepts."""

from __future__ import annotations

from enum import Enum, auto

import pytest

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.directory_messages import Publisher
from gravity.protocol.subscription import Subscription, choose_publishers

A, B, C = (Publisher(f"tcp://127.0.0.1:{port}", name, 10) for name, port in (("A", 1), ("B", 2), ("C", 3)))
NOW = 10**15
HOUR = 3_600_000_000  # microseconds


class Verdict(Enum):
    DELIVER = auto()
    IGNORE = auto()
    STALE = auto()


DELIVER, IGNORE, STALE = Verdict


def product(text: str = "x", at: int = 100, **fields: object) -> GravityDataProductPB:
    values: dict[str, object] = {"dataProductID": "P", "componentID": "A", "domain": "isle", "registration_time": 10}
    return GravityDataProductPB(data=text.encode(), timestamp=at, **(values | fields))  # type: ignore[arg-type]


def subscription(*publishers: Publisher, wants_cached: bool = True) -> Subscription:
    subscription = Subscription("P", "isle", wants_cached=wants_cached)
    subscription.update(publishers)
    return subscription


def frames(*products: GravityDataProductPB) -> list[bytes]:
    return [p.SerializeToString() for p in products]


def judge(s: Subscription, url: str, product: GravityDataProductPB) -> Verdict:
    """What happens to a message that comes alone."""
    products, malformed, stale = s.accept(url, frames(product), NOW)
    assert not malformed
    if products:
        assert [p.data for p in products] == [product.data] and not stale
    return STALE if stale else DELIVER if products else IGNORE


# ---- acceptance ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "new", "verdict"),
    [
        (None, product(), DELIVER),
        (None, product(at=0), DELIVER),
        (product(at=100), product(at=101), DELIVER),
        (product(at=100), product(at=99), IGNORE),
        (product(at=HOUR), product(at=HOUR - 10_000_000), IGNORE),
        (product(at=HOUR), product(at=0), DELIVER),  # the publisher's clock was set back
        (product(at=HOUR), product(at=0, is_cached_dataproduct=True), IGNORE),
        (product(at=HOUR), product(at=0, is_relayed_dataproduct=True), IGNORE),
        (product("x"), product("x"), IGNORE),
        (product("x"), product("y"), DELIVER),
        (product("x"), product("x", is_cached_dataproduct=True), IGNORE),
        (product("x", 100), product("x", 101, is_cached_dataproduct=True), DELIVER),
        (None, product(is_cached_dataproduct=True), DELIVER),
        (None, product(registration_time=11), STALE),
        (None, product(registration_time=0), STALE),
        (product(at=100), product(at=99, registration_time=9), STALE),
        (None, product(componentID="B"), STALE),  # of the same second, on a port that changed hands
        (None, product(domain="mainland"), STALE),
        (None, product(dataProductID="Q"), STALE),
        (None, product(componentID="", domain=""), DELIVER),  # anonymous
        (None, product(componentID="B", domain="mainland", is_relayed_dataproduct=True), DELIVER),
        (None, product(componentID="B", is_relayed_dataproduct=True, registration_time=11), STALE),
    ],
)
def test_judge(last: GravityDataProductPB | None, new: GravityDataProductPB, verdict: Verdict) -> None:
    s = subscription(A)
    if last:
        assert judge(s, A.url, last) is DELIVER
    assert judge(s, A.url, new) is verdict


def test_a_batch_is_judged_message_by_message() -> None:
    batch = frames(product("a", 1), product("b", 2), product("b", 2), product("old", 1), product("c", 3))
    s = subscription(A)
    products, malformed, stale = s.accept(A.url, batch, NOW)
    assert [p.data for p in products] == [b"a", b"b", b"c"] and not malformed and not stale
    assert [p.received_timestamp for p in products] == [NOW] * 3
    assert [(p.data, p.received_timestamp) for p in s.last_products()] == [(b"c", NOW)]


def test_malformed_frames_are_dropped_and_said() -> None:
    s = subscription(A)
    products, malformed, stale = s.accept(
        A.url, [*frames(product("a", 1)), b"\xff", b"\x12\x02\xff\xfe", *frames(product("b", 2))], NOW
    )
    assert [p.data for p in products] == [b"a", b"b"] and len(malformed) == 2 and not stale


def test_a_batch_ends_with_the_first_stale_message() -> None:
    batch = frames(product("a", 1), product("b", 2, registration_time=9), product("c", 3))
    products, _, stale = subscription(A).accept(A.url, batch, NOW)
    assert [p.data for p in products] == [b"a"] and stale


def test_cached_messages_that_nobody_wants_are_remembered() -> None:
    s = subscription(A, wants_cached=False)
    assert judge(s, A.url, product("x", 100, is_cached_dataproduct=True)) is IGNORE
    assert judge(s, A.url, product("w", 99)) is IGNORE
    assert judge(s, A.url, product("y", 101)) is DELIVER


def test_what_is_ignored_is_not_remembered() -> None:
    s = subscription(A)
    judge(s, A.url, product("x", 100))
    judge(s, A.url, product("old", 50))
    assert [p.data for p in s.last_products()] == [b"x"]
    assert judge(s, A.url, product("y", 60)) is IGNORE


def test_publishers_have_clocks_of_their_own() -> None:
    s = subscription(A, B)
    assert judge(s, A.url, product(at=100)) is DELIVER
    assert judge(s, B.url, product(at=50, componentID="B")) is DELIVER


@pytest.mark.parametrize(
    ("relayed", "verdict"),
    [
        (product("x", 100, is_relayed_dataproduct=True), IGNORE),
        (product("x", 100, componentID="B"), DELIVER),  # not relayed: another publisher that says the same
        (product("x", 101, is_relayed_dataproduct=True), DELIVER),
        (product("y", 100, is_relayed_dataproduct=True), DELIVER),
        (product("x", 100, is_relayed_dataproduct=True, componentID="C"), DELIVER),
    ],
)
def test_a_relays_first_message_may_be_known_from_elsewhere(relayed: GravityDataProductPB, verdict: Verdict) -> None:
    s = subscription(A, B)
    judge(s, A.url, product("x", 100))
    assert judge(s, B.url, relayed) is verdict


def test_only_a_relays_first_message_is_compared_with_others() -> None:
    s = subscription(A, B)
    judge(s, A.url, product("x", 100))
    judge(s, B.url, product("w", 90, is_relayed_dataproduct=True))
    assert judge(s, B.url, product("x", 100, is_relayed_dataproduct=True)) is DELIVER


# ---- what a further subscriber starts with -----------------------------------------------------------------------


def test_last_products_oldest_first() -> None:
    s = subscription(A, B, C)
    judge(s, A.url, product("late", 300))
    judge(s, B.url, product("early", 100, componentID="B"))
    assert [p.data for p in s.last_products()] == [b"early", b"late"]


def test_what_an_application_changes_is_not_what_is_remembered() -> None:
    s = subscription(A)
    [mine], _, _ = s.accept(A.url, frames(product("x", 100)), NOW)
    mine.timestamp, mine.data = 10**15, b"changed"
    assert [(p.timestamp, p.data) for p in s.last_products()] == [(100, b"x")]
    assert judge(s, A.url, product("y", 101)) is DELIVER


def test_nothing_received_nothing_remembered() -> None:
    assert subscription(A).accept(A.url, [], NOW) == ([], [], False)
    assert subscription(A).last_products() == []


# ---- publishers come and go ----------------------------------------------------------------------------------------


def test_update() -> None:
    s = Subscription("P", "isle", wants_cached=True)
    assert s.update([A, B]) == ([], [A, B])
    assert s.update([B, A]) == ([], [])
    assert s.update([B, C]) == ([A], [C])
    assert s.update([]) == ([B, C], [])


def test_a_publisher_registered_anew_is_connected_anew() -> None:
    again = Publisher(A.url, "A", 11)
    s = subscription(A)
    judge(s, A.url, product(at=100))
    assert s.update([again]) == ([A], [again])
    assert judge(s, A.url, product(at=50, registration_time=11)) is DELIVER
    assert judge(s, A.url, product(at=200, registration_time=10)) is STALE


def test_an_update_without_change_keeps_the_memory() -> None:
    s = subscription(A)
    judge(s, A.url, product(at=100))
    s.update([A, B])
    assert judge(s, A.url, product(at=100)) is IGNORE


def test_a_dropped_publisher_may_come_back() -> None:
    s = subscription(A, B)
    assert s.drop(A.url) == A
    assert s.update([A, B]) == ([], [A])


# ---- relays --------------------------------------------------------------------------------------------------------

ME, MY_IP = "Me", "10.0.0.1"
MY_RELAY = Publisher("tcp://10.0.0.1:4", ME, 10, True)
NEAR = Publisher("tcp://10.0.0.1:5", "Near", 10, True, MY_IP)
NEAR2 = Publisher("tcp://10.0.0.1:6", "Near2", 10, True, MY_IP)
FAR = Publisher("tcp://10.0.0.2:7", "Far", 10, True, "10.0.0.2")
EVERYWHERE = Publisher("tcp://10.0.0.3:8", "Everywhere", 10, True)


@pytest.mark.parametrize(
    ("publishers", "chosen"),
    [
        ([], []),
        ([A, B], [A, B]),
        ([A, MY_RELAY, B], [A, B]),
        ([A, NEAR, MY_RELAY], [A]),
        ([MY_RELAY], []),
        ([A, NEAR], [NEAR]),
        ([A, NEAR, NEAR2], [NEAR]),
        ([NEAR], [NEAR]),
        ([A, EVERYWHERE], [EVERYWHERE]),
        ([A, EVERYWHERE, NEAR], [NEAR]),
        ([A, FAR, B], [A, B]),
        ([A, FAR, EVERYWHERE], [EVERYWHERE]),
        ([A, FAR, NEAR], [NEAR]),
        ([FAR], []),
        ([Publisher("tcp://10.0.0.1:9", ME, 10)], [Publisher("tcp://10.0.0.1:9", ME, 10)]),  # my own product
    ],
)
def test_choose_publishers(publishers: list[Publisher], chosen: list[Publisher]) -> None:
    assert choose_publishers(publishers, ME, MY_IP) == chosen
