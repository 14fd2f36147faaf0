"""The detector as a service: any node sends a window, and gets scores, kind and stream to blame.

The request is a WindowPB, the answer an AnomalyScorePB, whose `error` says what is wrong with a request.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import argparse
import logging

from node.errors import UserError
from node.membership import check, join
from node.settings import add_component
from node.tensorflow_import import importing_tensorflow

with importing_tensorflow():
    from anomaly import requests
    from anomaly.detector import Detector

from gravity import GravityDataProduct, GravityServiceProvider, gravity

COMPONENT_ID = "DetectorService"

log = logging.getLogger(COMPONENT_ID)


class DetectorService(GravityServiceProvider):
    """Answers each request by itself; a node asks one at a time."""

    def __init__(self, detector: Detector) -> None:
        """`detector`: one with a stride of 1, whose model names its streams; otherwise raises UserError."""
        GravityServiceProvider.__init__(self)
        if detector.streams is None:
            raise UserError("the model does not name its streams, as a service requires; train again with ./train.sh")
        self._detector = detector
        self._streams = detector.streams

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the answer to a request."""
        answer = GravityDataProduct(serviceID)
        answer.data = requests.answer(self._detector, self._streams, dataProduct.data, dataProduct.typeName)
        return answer


def main(component_id: str) -> None:
    """Join the cluster, load the model, answer until the program is stopped."""
    node, settings = join(component_id)
    service = settings.text("service_name")
    detector = Detector.configured(settings, stride=1)
    provider = DetectorService(detector)  # must live as long as the node: a real one does not keep it
    check(node, node.registerService(service, gravity.TCP, provider), f"registering {service}")
    log.info(
        "answering requests to %s: windows of %d samples or more of %s",
        service,
        detector.n_steps,
        ", ".join(detector.streams or ()),
    )
    node.waitForExit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="DetectorService.py", description=__doc__)
    add_component(parser, COMPONENT_ID)
    component = parser.parse_args().component
    run(component, lambda: main(component))
