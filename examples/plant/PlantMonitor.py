"""Several detectors in one process. When one finds an anomaly, the plant gets an alarm, in a message of its own."""

from node.lifecycle import run  # isort: split

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from node.membership import check, join, publish, subscribe
from node.tensorflow_import import importing_tensorflow

with importing_tensorflow():
    from anomaly import report
    from anomaly.detector import Detector

from plant_pb2 import AlarmPB

from anomaly.windows import cut
from streams.inbox import Inbox
from streams.reader import StreamReader

from gravity import gravity

DETECTORS = ("PumpDetector", "MotorDetector")  # each has its own section in Gravity.ini
ALARMS = "PlantAlarm"


class Watch:
    """A detector as a node of its own."""

    def __init__(self, component_id: str) -> None:
        self.name = component_id
        self.node, settings = join(component_id)
        self.detector = Detector.configured(settings)
        self.model_file, self.scores = settings.text("model_file"), settings.text("score_name")
        inbox = Inbox()
        self.reader = StreamReader.configured(inbox, settings)
        for product in (self.scores, ALARMS):
            check(self.node, self.node.registerDataProduct(product, gravity.TCP), f"registering {product}")
        subscribe(self.node, self.reader.decoder.products, inbox)

    def run(self) -> None:
        """Publish each window's score, and when an alarm starts or ends, until the streams end."""
        detector = self.detector
        streams = self.reader.expect(detector.streams, detector.n_streams, self.model_file)
        print(f"{self.name} watches {', '.join(streams)}")
        for windows in cut(self.reader.samples(streams), detector.n_steps, detector.stride):
            for finding in detector.examine(windows):
                publish(self.node, self.scores, report.message(finding, streams))
                if finding.verdict and finding.verdict.changed:
                    what = report.diagnosed(finding.diagnosis, streams)
                    publish(self.node, ALARMS, AlarmPB(source=self.name, on=finding.verdict.alarm, what=what))


def main() -> None:
    """Run each detector in a thread, until the streams of all have ended, one fails, or the program is stopped."""
    watches = [Watch(component_id) for component_id in DETECTORS]
    with ThreadPoolExecutor(len(watches)) as threads:
        running = {threads.submit(watch.run) for watch in watches}
        try:
            while running:
                ended, running = wait(running, timeout=1, return_when=FIRST_COMPLETED)  # then Ctrl-C has its turn
                for each in ended:
                    each.result()
        finally:
            for watch in watches:
                watch.reader.stop()


if __name__ == "__main__":
    run("PlantMonitor", main)
