"""Asks the detector's service about samples of the pump: as they should be, and with a leak."""

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.Window_pb2 import WindowPB

from gravity import GravityDataProduct, GravityNode

node = GravityNode()
node.init("AskPump")

for title, leak in (("as it should be", 0.0), ("with a leak", 0.3)):
    demand = [20 + 0.1 * n for n in range(40)]
    window = WindowPB()
    window.streams.add(name="Pump.pressure", values=[6 - 0.002 * flow**2 for flow in demand])
    window.streams.add(name="Pump.flow", values=[flow * (1 - leak) for flow in demand])
    question = GravityDataProduct("PumpQuestion")
    question.data = window

    response = node.request("PumpCheck", question, 5000)  # milliseconds
    if response is None:
        raise SystemExit("the service does not answer")
    answer = AnomalyScorePB()
    response.populateMessage(answer)
    if answer.error:
        raise SystemExit(answer.error)
    kind = AnomalyScorePB.Kind.Name(answer.kind) if answer.HasField("kind") else "no anomaly"
    print(f"{title}: {AnomalyScorePB.State.Name(answer.state)}, {kind} {answer.blamed}".rstrip())
