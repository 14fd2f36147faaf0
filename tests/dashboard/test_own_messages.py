"""The live view takes its streams from the messages that Gravity.ini names, as the detector does."""

import math

from anomaly import AnomalyScore_pb2
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from dashboard.live import Live
from streams import points
from streams.decoding import MessageDecoder
from streams.message_fields import message_types
from tests.support import node_program

from gravity import GravityDataProduct


def arrived(second: int, mse: float, score: float) -> GravityDataProduct:
    product = GravityDataProduct("Score")
    product.data = AnomalyScorePB(
        timestamp=1_000_000 * second, sample=1, mse=mse, score=score, state=AnomalyScorePB.NORMAL
    )
    return product


def test_what_can_be_used_of_a_message_is_shown():
    decoder = MessageDecoder("Score: score, mse @ timestamp us", message_types([AnomalyScore_pb2]))
    live = Live(3600)
    receiver = node_program("Dashboard").PointReceiver(live, decoder)
    end = GravityDataProduct("Score")
    end.data = points.end_message(decoder.streams)
    receiver.subscriptionFilled([arrived(1, 1, 2), arrived(2, math.nan, 4), end])
    summary = live.summary()
    assert {stream["name"]: stream["value"] for stream in summary["streams"]} == {"Score.mse": 1, "Score.score": 4}
    assert summary["refused"] == 1
    assert summary["nodes"][0]["text"] == "its data have ended"
