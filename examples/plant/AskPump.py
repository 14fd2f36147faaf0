"""Asks the detector's service about samples of the pump, without and with a leak."""

from Plant import load_at, pump

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.Window_pb2 import WindowPB

from gravity import GravityDataProduct, GravityNode

node = GravityNode()
node.init("AskPump")

for leaks in (False, True):
    samples = [pump(load_at(number), leaks) for number in range(60)]
    window = WindowPB()
    window.streams.add(name="Pump.pressure", values=[sample.pressure for sample in samples])
    window.streams.add(name="Pump.flow", values=[sample.flow for sample in samples])
    question = GravityDataProduct("PumpQuestion")
    question.data = window

    response = node.request("PumpCheck", question, 5000)  # milliseconds
    if response is None:
        raise SystemExit("the service does not answer")
    answer = AnomalyScorePB()
    response.populateMessage(answer)
    if answer.error:
        raise SystemExit(answer.error)
    found = AnomalyScorePB.State.Name(answer.state)
    if answer.HasField("kind"):
        found += f", {AnomalyScorePB.Kind.Name(answer.kind)}, {answer.blamed or 'no single stream'}"
    print(f"{'with' if leaks else 'without'} a leak: {found}")
