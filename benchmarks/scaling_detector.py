"""Hosts detectors for benchmarks.scaling, a thread each: `python -m benchmarks.scaling_detector COMPONENT...`.

It does for each window what AnomalyDetector.py does; the lines end with the component in brackets.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from node.membership import check, join, publish, subscribe

from anomaly import report
from anomaly.detector import Detector
from anomaly.windows import cut
from streams.inbox import Inbox
from streams.reader import StreamReader

from gravity import gravity


class Watch:
    """A detector as a node of its own."""

    def __init__(self, component_id: str) -> None:
        self.name = component_id
        self.node, settings = join(component_id)
        self.detector = Detector.configured(settings)
        self.scores, self.model_file = settings.text("score_name"), settings.text("model_file")
        inbox = Inbox()
        self.reader = StreamReader.configured(inbox, settings)
        check(self.node, self.node.registerDataProduct(self.scores, gravity.TCP), f"registering {self.scores}")
        subscribe(self.node, self.reader.decoder.products, inbox)

    def run(self) -> None:
        """Show and publish what is found in each window."""
        detector = self.detector
        streams = self.reader.expect(detector.streams, detector.n_streams, self.model_file)
        for windows in cut(self.reader.samples(streams), detector.n_steps, detector.stride):
            found = detector.examine(windows)
            print("\n".join(f"{line.text} [{self.name}]" for line in report.lines(found, streams)))
            for finding in found:
                publish(self.node, self.scores, report.message(finding, streams))


def main() -> None:
    """Run them until the program is stopped."""
    watches = [Watch(component_id) for component_id in sys.argv[1:]]
    with ThreadPoolExecutor(len(watches)) as threads:
        for ended in as_completed([threads.submit(watch.run) for watch in watches]):
            ended.result()


if __name__ == "__main__":
    run("benchmarks.scaling_detector", main)
