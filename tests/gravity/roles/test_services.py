"""Services over real sockets: providers, synchronous and asynchronous requests, and raw peers on either side."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from gravity import GravityDataProduct, GravityNode, GravityRequestor, GravityServiceProvider, gravity
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.protocol.directory_messages import (
    DirectoryCode,
    Kind,
    Lookup,
    Registration,
    Service,
    decode_code_reply,
    decode_service_reply,
    encode_request,
)

if TYPE_CHECKING:
    from .conftest import Cluster, Eventually

Socket = zmq.Socket[bytes]
Raw = Callable[[int], Socket]
Product = Callable[[str, str], GravityDataProduct]

REGISTERED = 1_700_000_000
MUTE = "Mute"


class Echo(GravityServiceProvider):
    """Answers with what it is asked, after a word of its own."""

    def __init__(self, word: str = "echo") -> None:
        super().__init__()
        self.word = word
        self.asked: list[tuple[str, GravityDataProduct]] = []

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        self.asked.append((serviceID, dataProduct))
        answer = GravityDataProduct("Answer")
        answer.data = f"{self.word} {dataProduct.data.decode()}".encode()
        return answer


class Answers(GravityRequestor):
    """Keeps what it is told; then does what `after` says."""

    def __init__(self, after: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.filled: list[tuple[str, str, str]] = []
        self.timeouts: list[tuple[str, str]] = []
        self.after = after

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        self.filled.append((serviceID, requestID, response.data.decode()))
        self.after()

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        self.timeouts.append((serviceID, requestID))
        self.after()


class RawService:
    """A REP socket that is registered by hand as the provider of S."""

    def __init__(self, raw: Raw, cluster: Cluster, id: str = "S", url: str = "") -> None:
        self.socket = raw(zmq.REP)
        self.url = url or f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        requester = raw(zmq.REQ)
        requester.connect(cluster.url)
        registration = Registration(id, self.url, Kind.SERVICE, "Raw", REGISTERED * 1_000_000 + 1)
        requester.send(encode_request(registration))
        assert decode_code_reply(requester.recv()) is DirectoryCode.SUCCESS

    def take(self) -> GravityDataProductPB:
        return GravityDataProductPB.FromString(take(self.socket))

    def answer(self, **fields: Any) -> None:
        values = {"dataProductID": "Answer", "registration_time": REGISTERED} | fields
        self.socket.send(GravityDataProductPB(**values).SerializeToString())


def take(raw_socket: Socket) -> bytes:
    assert raw_socket.poll(10_000), "nobody has asked"
    return raw_socket.recv()


def ask_raw(raw: Raw, url: str, frame: bytes) -> GravityDataProductPB:
    """What a service answers to any bytes."""
    requester = raw(zmq.REQ)
    requester.connect(url)
    requester.send(frame)
    return GravityDataProductPB.FromString(take(requester))


def look_up(raw: Raw, cluster: Cluster, id: str) -> Service:
    requester = raw(zmq.REQ)
    requester.connect(cluster.url)
    requester.send(encode_request(Lookup(id, Kind.SERVICE)))
    return decode_service_reply(take(requester))


def text(response: GravityDataProduct | None) -> str | None:
    return None if response is None else response.data.decode()


@pytest.fixture
def provide(cluster: Cluster) -> Callable[..., GravityNode]:
    def provide(provider: GravityServiceProvider, *ids: str, component_id: str = "Provider") -> GravityNode:
        node = cluster.node(component_id)
        for id in ids or ("S",):
            assert node.registerService(id, gravity.TCP, provider) == gravity.SUCCESS
        return node

    return provide


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """For synchronous requests that the test itself answers."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


Provide = Callable[..., GravityNode]


# ---- synchronous requests --------------------------------------------------------------------------------------


def test_question_and_answer(cluster: Cluster, provide: Provide, product: Product) -> None:
    echo = Echo()
    provide(echo)
    question = product("Question", "x")
    before = question.serializeToString()
    answer = cluster.node("Asker").request("S", question, 10_000)
    assert answer is not None
    assert (answer.dataProductID, answer.data) == ("Answer", b"echo x")
    assert (answer.componentID, answer.domain) == ("Provider", "")
    [(service_id, asked)] = echo.asked
    assert (service_id, asked.dataProductID, asked.data) == ("S", "Question", b"x")
    assert (asked.componentID, asked.domain) == ("Asker", "")
    assert question.serializeToString() == before


def test_a_node_asks_itself(cluster: Cluster, product: Product) -> None:
    node = cluster.node()
    assert node.registerService("S", gravity.TCP, Echo()) == gravity.SUCCESS
    assert text(node.request("S", product("Q", "x"), 10_000)) == "echo x"


def test_the_answer_serialized(cluster: Cluster, provide: Provide, product: Product, eventually: Eventually) -> None:
    provide(Echo())
    node, answers, question = cluster.node("Asker"), Answers(), product("Q", "x")
    assert text(GravityDataProduct(data=node.requestBinary("S", question, 10_000))) == "echo x"
    assert node.requestBinary("S", question, answers, "1", 10_000) == gravity.SUCCESS
    eventually(lambda: len(answers.filled) == 1)
    assert node.requestBinary("T", question, 10_000) == b""
    assert node.requestBinary("T", question, answers) == gravity.NO_SUCH_SERVICE


def test_an_unknown_service(cluster: Cluster, product: Product) -> None:
    node, answers = cluster.node(), Answers()
    assert node.request("S", product("Q", "x")) is None
    before = sys.getrefcount(answers)
    assert node.request("S", product("Q", "x"), answers) == gravity.NO_SUCH_SERVICE
    assert sys.getrefcount(answers) == before
    assert answers.filled == answers.timeouts == []


def test_no_answer_in_time(cluster: Cluster, raw: Raw, product: Product) -> None:
    service, node = RawService(raw, cluster), cluster.node()
    assert node.request("S", product("Q", "x"), 50) is None
    assert service.take().data == b"x"
    service.answer(data=b"late")  # to nobody: the next request gets the answer that is meant for it
    provider = cluster.node("Provider")
    provider.registerService("S", gravity.TCP, Echo())
    assert text(node.request("S", product("Q", "y"), 10_000)) == "echo y"


def test_a_request_as_the_wire_sees_it(
    cluster: Cluster, raw: Raw, product: Product, executor: ThreadPoolExecutor
) -> None:
    service, node = RawService(raw, cluster), cluster.node("Asker")
    answer = executor.submit(node.request, "S", product("Q", "x"), 10_000)
    asked = service.take()
    assert (asked.dataProductID, asked.data, asked.componentID, asked.domain) == ("Q", b"x", "Asker", "")
    assert (asked.timestamp, asked.registration_time) == (0, 0)
    service.answer(data=b"y")
    assert text(answer.result(10)) == "y"


@pytest.mark.parametrize("time", [REGISTERED + 1, 0])
def test_an_answer_with_another_registration(
    cluster: Cluster, raw: Raw, product: Product, executor: ThreadPoolExecutor, library_lines: list[str], time: int
) -> None:
    service, node = RawService(raw, cluster), cluster.node()
    answer = executor.submit(node.request, "S", product("Q", "x"), 10_000)
    service.take()
    service.answer(data=b"y", registration_time=time)
    assert answer.result(10) is None
    assert library_lines == [f"dropped the response of {service.url}: not from the registered provider"]


def test_a_malformed_answer(
    cluster: Cluster, raw: Raw, product: Product, executor: ThreadPoolExecutor, library_lines: list[str]
) -> None:
    service, node = RawService(raw, cluster), cluster.node()
    answer = executor.submit(node.request, "S", product("Q", "x"), 10_000)
    service.take()
    service.socket.send(b"\xff")
    assert answer.result(10) is None
    assert [line.startswith(f"no response from {service.url}: ") for line in library_lines] == [True]


def test_a_future_response(cluster: Cluster, raw: Raw, product: Product, executor: ThreadPoolExecutor) -> None:
    """The second request repeats the first; its answer carries no registration, as the reference's."""
    service, future, node = RawService(raw, cluster), raw(zmq.REP), cluster.node()
    url = f"tcp://127.0.0.1:{future.bind_to_random_port('tcp://127.0.0.1')}"
    answer = executor.submit(node.request, "S", product("Q", "x"), 10_000)
    asked = take(service.socket)
    service.answer(dataProductID="FutureResponse", future_response=True, future_socket_url=url)
    assert take(future) == asked
    future.send(GravityDataProductPB(dataProductID="Answer", data=b"y").SerializeToString())
    assert text(answer.result(10)) == "y"


@pytest.mark.parametrize("url", ["", "nowhere", "tcp://127.0.0.1:x"])
def test_a_future_response_that_is_nowhere(
    cluster: Cluster, raw: Raw, product: Product, executor: ThreadPoolExecutor, url: str
) -> None:
    service, node = RawService(raw, cluster), cluster.node()
    answer = executor.submit(node.request, "S", product("Q", "x"), 10_000)
    service.take()
    service.answer(future_response=True, future_socket_url=url)
    assert answer.result(10) is None


# ---- asynchronous requests -------------------------------------------------------------------------------------


def test_filled(cluster: Cluster, provide: Provide, product: Product, eventually: Eventually) -> None:
    provide(Echo())
    node, answers = cluster.node(), Answers()
    assert node.request("S", product("Q", "x"), answers, "one") == gravity.SUCCESS
    assert node.request("S", product("Q", "y"), answers) == gravity.SUCCESS
    assert node.request("S", product("Q", "z"), answers, "three", 10_000, "") == gravity.SUCCESS
    eventually(lambda: len(answers.filled) == 3)
    assert sorted(answers.filled) == [("S", "", "echo y"), ("S", "one", "echo x"), ("S", "three", "echo z")]
    assert answers.timeouts == []


def test_an_asynchronous_request_carries_the_registration(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually
) -> None:
    service, answers = RawService(raw, cluster), Answers()
    cluster.node("Asker").request("S", product("Q", "x"), answers, "id")
    asked = service.take()
    assert (asked.componentID, asked.registration_time, asked.data) == ("Asker", REGISTERED, b"x")
    service.answer(data=b"y")
    eventually(lambda: answers.filled == [("S", "id", "y")])


def test_timeouts_come_in_their_own_order(
    cluster: Cluster, raw: Raw, provide: Provide, product: Product, eventually: Eventually
) -> None:
    RawService(raw, cluster, MUTE)
    provide(Echo())
    node, answers, patient = cluster.node(), Answers(), Answers()
    assert node.request(MUTE, product("Q", "x"), patient, "for ever") == gravity.SUCCESS
    for milliseconds in (900, 300, 600):
        node.request(MUTE, product("Q", "x"), answers, str(milliseconds), milliseconds)
    eventually(lambda: answers.timeouts)
    assert answers.timeouts[0] == (MUTE, "300")
    node.request("S", product("Q", "x"), answers, "meanwhile", 10_000)
    eventually(lambda: answers.filled == [("S", "meanwhile", "echo x")])
    eventually(lambda: len(answers.timeouts) == 3)
    assert answers.timeouts == [(MUTE, "300"), (MUTE, "600"), (MUTE, "900")]
    assert patient.timeouts == []


def test_an_answer_after_the_timeout_is_not_heard(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually
) -> None:
    service, node, answers = RawService(raw, cluster), cluster.node(), Answers()
    node.request("S", product("Q", "x"), answers, "one", 50)
    service.take()
    eventually(lambda: answers.timeouts == [("S", "one")])
    service.answer(data=b"late")
    node.request("S", product("Q", "y"), answers, "two", 10_000)
    assert service.take().data == b"y"
    service.answer(data=b"in time")
    eventually(lambda: answers.filled)
    assert answers.filled == [("S", "two", "in time")]
    assert answers.timeouts == [("S", "one")]


@pytest.mark.parametrize("answered", [True, False])
def test_a_request_holds_its_requestor_until_the_callback(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually, answered: bool
) -> None:
    service, node, answers = RawService(raw, cluster), cluster.node(), Answers()
    before = sys.getrefcount(answers)
    node.request("S", product("Q", "x"), answers, "", 10_000 if answered else 300)
    service.take()
    eventually(lambda: sys.getrefcount(answers) == before + 1)
    if answered:
        service.answer()
    eventually(lambda: answers.filled or answers.timeouts)
    eventually(lambda: sys.getrefcount(answers) == before)
    assert bool(answers.filled) is answered


def test_only_the_node_needs_to_hold_a_requestor(
    cluster: Cluster, provide: Provide, product: Product, eventually: Eventually
) -> None:
    called: list[str] = []
    provide(Echo())
    cluster.node().request("S", product("Q", "x"), Answers(lambda: called.append("x")))
    eventually(lambda: called == ["x"])


def test_a_requestor_that_fails(
    cluster: Cluster,
    raw: Raw,
    provide: Provide,
    product: Product,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provide(Echo())
    RawService(raw, cluster, MUTE)
    node, failing, answers = cluster.node(), Answers(lambda: 1 // 0), Answers()
    node.request("S", product("Q", "x"), failing)
    node.request(MUTE, product("Q", "x"), failing, "", 50)
    eventually(lambda: len(caplog.records) == 2)
    assert sorted(r.getMessage() for r in caplog.records) == [
        f"Exception caught calling client of {MUTE}",
        "Exception caught calling client of S",
    ]
    for record in caplog.records:
        assert record.levelno == logging.ERROR
        assert record.exc_info and record.exc_info[0] is ZeroDivisionError
    node.request("S", product("Q", "y"), answers)
    eventually(lambda: answers.filled == [("S", "", "echo y")])


def test_requests_from_within_a_callback(
    cluster: Cluster, provide: Provide, product: Product, eventually: Eventually
) -> None:
    provide(Echo())
    node, later, now = cluster.node(), Answers(), []

    def ask_again() -> None:
        node.request("S", product("Q", "later"), later)
        now.append(text(node.request("S", product("Q", "now"), 10_000)))

    node.request("S", product("Q", "x"), Answers(ask_again))
    eventually(lambda: later.filled)
    assert later.filled == [("S", "", "echo later")]
    assert now == ["echo now"]


@pytest.mark.parametrize("time", [0, REGISTERED])
def test_an_asynchronous_future_response(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually, time: int
) -> None:
    service, future, answers = RawService(raw, cluster), raw(zmq.REP), Answers()
    url = f"tcp://127.0.0.1:{future.bind_to_random_port('tcp://127.0.0.1')}"
    cluster.node().request("S", product("Q", "x"), answers, "id", 10_000)
    service.take()
    service.answer(dataProductID="FutureResponse", future_response=True, future_socket_url=url)
    assert take(future) == b"FUTURE_REQUEST"
    assert answers.filled == []
    response = GravityDataProductPB(dataProductID="Answer", data=b"y", registration_time=time or None)
    future.send(response.SerializeToString())
    eventually(lambda: answers.filled == [("S", "id", "y")])


def test_a_future_response_that_does_not_come(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually
) -> None:
    service, future, answers = RawService(raw, cluster), raw(zmq.REP), Answers()
    url = f"tcp://127.0.0.1:{future.bind_to_random_port('tcp://127.0.0.1')}"
    cluster.node().request("S", product("Q", "x"), answers, "id", 1000)
    service.take()
    service.answer(future_response=True, future_socket_url=url)
    take(future)
    eventually(lambda: answers.timeouts == [("S", "id")])
    assert answers.filled == []


@pytest.mark.parametrize("time", [REGISTERED + 1, 0])
def test_a_rejected_answer_still_times_out(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually, time: int
) -> None:
    """A provider with another registration is reported to the directory, one without any is not."""
    service, node, answers = RawService(raw, cluster), cluster.node(), Answers()
    assert look_up(raw, cluster, "S").url == service.url
    node.request("S", product("Q", "x"), answers, "id", 500)
    service.take()
    service.answer(data=b"y", registration_time=time)
    if time:
        eventually(lambda: look_up(raw, cluster, "S").url == "")
    eventually(lambda: answers.timeouts == [("S", "id")])
    assert answers.filled == []
    assert (look_up(raw, cluster, "S").url == "") is bool(time)


def test_a_malformed_asynchronous_answer_still_times_out(
    cluster: Cluster, raw: Raw, product: Product, eventually: Eventually
) -> None:
    service, answers = RawService(raw, cluster), Answers()
    cluster.node().request("S", product("Q", "x"), answers, "id", 300)
    service.take()
    service.socket.send(b"\xff")
    eventually(lambda: answers.timeouts == [("S", "id")])
    assert answers.filled == []


def test_a_service_that_is_nowhere(cluster: Cluster, raw: Raw, product: Product, eventually: Eventually) -> None:
    RawService(raw, cluster, url="nowhere")
    node, answers = cluster.node(), Answers()
    assert node.request("S", product("Q", "x"), 10_000) is None
    assert node.request("S", product("Q", "x"), answers, "id", 50) == gravity.SUCCESS
    eventually(lambda: answers.timeouts == [("S", "id")])


# ---- providers -------------------------------------------------------------------------------------------------


class Bad(GravityServiceProvider):
    """Fails in the way that the question asks for."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        values: dict[bytes, Any] = {b"none": None, b"text": "answer", b"number": 5}
        if dataProduct.data in values:
            return values[dataProduct.data]  # type: ignore[no-any-return]
        if dataProduct.data == b"good":
            return GravityDataProduct("Good")
        raise RuntimeError("bad provider")


@pytest.mark.parametrize("way", ["exception", "none", "text", "number"])
def test_a_provider_that_fails(
    cluster: Cluster, provide: Provide, product: Product, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    provide(Bad())
    node = cluster.node()
    answer = node.request("S", product("Q", way), 10_000)
    assert answer is not None
    assert (answer.dataProductID, answer.data, answer.componentID) == ("S", b"", "Provider")
    [record] = caplog.records
    assert record.getMessage() == "Exception caught calling provider request of S"
    assert record.exc_info
    answer = node.request("S", product("Q", "good"), 10_000)
    assert answer is not None and answer.dataProductID == "Good"


def test_a_provider_without_an_override_answers_without_data(
    cluster: Cluster, provide: Provide, product: Product
) -> None:
    provide(GravityServiceProvider())
    answer = cluster.node().request("S", product("Q", "x"), 10_000)
    assert answer is not None and (answer.dataProductID, answer.data) == ("S", b"")


def test_an_answer_as_the_wire_sees_it(cluster: Cluster, raw: Raw, provide: Provide) -> None:
    provide(Echo())
    service = look_up(raw, cluster, "S")
    question = GravityDataProductPB(dataProductID="Q", data=b"x", registration_time=service.registration_time)
    answer = ask_raw(raw, service.url, question.SerializeToString())
    assert (answer.dataProductID, answer.data) == ("Answer", b"echo x")
    assert (answer.componentID, answer.registration_time) == ("Provider", service.registration_time)
    assert answer.HasField("domain") and answer.domain == ""


def test_a_request_for_another_registration_is_refused(cluster: Cluster, raw: Raw, provide: Provide) -> None:
    echo = Echo()
    provide(echo)
    service = look_up(raw, cluster, "S")
    question = GravityDataProductPB(dataProductID="Q", registration_time=service.registration_time - 1)
    answer = ask_raw(raw, service.url, question.SerializeToString())
    assert answer == GravityDataProductPB(dataProductID="S")
    assert echo.asked == []


@pytest.mark.parametrize("frame", [b"\xff", b"", b"\x0a\x05ab"])
def test_a_malformed_request_is_an_empty_one(cluster: Cluster, raw: Raw, provide: Provide, frame: bytes) -> None:
    echo = Echo()
    provide(echo)
    service = look_up(raw, cluster, "S")
    answer = ask_raw(raw, service.url, frame)
    assert (answer.data, answer.registration_time) == (b"echo ", service.registration_time)
    [(_, asked)] = echo.asked
    assert (asked.dataProductID, asked.data) == ("", b"")
    good = ask_raw(raw, service.url, GravityDataProductPB(dataProductID="Q", data=b"x").SerializeToString())
    assert good.data == b"echo x"


def test_several_services_of_one_node(cluster: Cluster, provide: Provide, product: Product) -> None:
    echo = Echo()
    provider = provide(echo, "S", "T")
    assert provider.registerService("U", gravity.TCP, Echo("other")) == gravity.SUCCESS
    node = cluster.node()
    assert [text(node.request(id, product("Q", id), 10_000)) for id in "STU"] == ["echo S", "echo T", "other U"]
    assert [id for id, _ in echo.asked] == ["S", "T"]


def test_a_provider_is_asked_by_one_thread(cluster: Cluster, product: Product, eventually: Eventually) -> None:
    threads: set[int] = set()

    class Counting(GravityServiceProvider):
        def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
            threads.add(threading.get_ident())
            return GravityDataProduct("Answer")

    provider, node, answers = cluster.node(), cluster.node(), Answers()
    for id in "ST":
        provider.registerService(id, gravity.TCP, Counting())
    for n in range(20):
        node.request("ST"[n % 2], product("Q", "x"), answers)
    eventually(lambda: len(answers.filled) == 20)
    assert len(threads) == 1


def test_a_provider_may_ask_another_service(cluster: Cluster, provide: Provide, product: Product) -> None:
    provide(Echo(), "Inner", component_id="Inner")
    outer = cluster.node("Outer")

    class Asking(GravityServiceProvider):
        def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
            answer = outer.request("Inner", dataProduct, 10_000)
            assert answer is not None
            return answer

    asking = Asking()
    outer.registerService("Outer", gravity.TCP, asking)
    assert text(cluster.node().request("Outer", product("Q", "x"), 10_000)) == "echo x"


# ---- registration ----------------------------------------------------------------------------------------------


def is_free(raw: Raw, url: str) -> bool:
    """Whether an address can be bound to, which is tried for a moment only."""
    responder = raw(zmq.REP)
    try:
        responder.bind(url)
    except zmq.ZMQError:
        return False
    finally:
        responder.close()
    return True


def test_unregister(cluster: Cluster, raw: Raw, provide: Provide, product: Product, eventually: Eventually) -> None:
    echo = Echo()
    provider = provide(echo, "S", "T")
    url = look_up(raw, cluster, "S").url
    assert provider.unregisterService("S") == gravity.SUCCESS
    assert look_up(raw, cluster, "S").url == ""
    eventually(lambda: is_free(raw, url))
    assert provider.unregisterService("S") == gravity.NOT_REGISTERED
    node = cluster.node()
    assert node.request("S", product("Q", "x"), 10_000) is None
    assert text(node.request("T", product("Q", "x"), 10_000)) == "echo x"
    assert provider.registerService("S", gravity.TCP, Echo("again")) == gravity.SUCCESS
    assert text(node.request("S", product("Q", "x"), 10_000)) == "again x"


def test_closing_withdraws_services(cluster: Cluster, raw: Raw) -> None:
    with GravityNode("Provider") as provider:
        provider.registerService("S", gravity.TCP, Echo())
        assert look_up(raw, cluster, "S").url
    assert look_up(raw, cluster, "S").url == ""


def test_registering_twice_changes_nothing(cluster: Cluster, provide: Provide, product: Product) -> None:
    provider = provide(Echo("first"))
    assert provider.registerService("S", gravity.TCP, Echo("second")) == gravity.SUCCESS
    assert text(cluster.node().request("S", product("Q", "x"), 10_000)) == "first x"


def test_the_last_provider_wins(cluster: Cluster, raw: Raw, provide: Provide, product: Product) -> None:
    first = provide(Echo("first"), component_id="First")
    provide(Echo("second"), component_id="Second")
    node = cluster.node()
    assert text(node.request("S", product("Q", "x"), 10_000)) == "second x"
    first.unregisterService("S")  # no longer its own
    assert text(node.request("S", product("Q", "y"), 10_000)) == "second y"


def test_no_port_is_free(cluster: Cluster, raw: Raw) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster.configure(f"MinPort = {port}\nMaxPort = {port}")
        assert cluster.node().registerService("S", gravity.TCP, Echo()) == gravity.NO_PORTS_AVAILABLE
    assert look_up(raw, cluster, "S").url == ""


def test_nothing_works_before_init(product: Product) -> None:
    node = GravityNode()
    assert node.registerService("S", gravity.TCP, Echo()) == gravity.NOT_INITIALIZED
    assert node.unregisterService("S") == gravity.NOT_INITIALIZED
    assert node.request("S", product("Q", "x")) is None
    assert node.request("S", product("Q", "x"), Answers()) == gravity.NOT_INITIALIZED


def test_objects_without_the_callbacks(cluster: Cluster, product: Product) -> None:
    node, other = cluster.node(), object()
    with pytest.raises(TypeError, match="in method 'registerService', object has no method request"):
        node.registerService("S", gravity.TCP, other)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="in method 'request', object has no method requestFilled"):
        node.request("S", product("Q", "x"), other)  # type: ignore[call-overload]
