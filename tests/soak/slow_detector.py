"""AnomalyDetector.py on a slow machine.

slow_detector.py SECONDS ROOM      SECONDS for each window; ROOM for data products that wait
"""

import os
import runpy
import sys
import time

sys.path.insert(0, os.getcwd())
seconds, room = float(sys.argv[1]), int(sys.argv[2])

from anomaly import detector  # noqa: E402
from streams import inbox  # noqa: E402

examine = detector.Detector.examine


def examine_slowly(self, windows):
    time.sleep(seconds * len(windows))  # others, such as the thread that receives, go on
    return examine(self, windows)


detector.Detector.examine = examine_slowly
inbox.MOST_WAITING = room
sys.argv = ["AnomalyDetector.py", "detect"]
runpy.run_path("AnomalyDetector.py", run_name="__main__")
