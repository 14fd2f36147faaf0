"""The live view is started with the cluster, ends with it, and is not needed by it."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.test_alarms import plant
from tests.support import Folder, eventually


def status(url: str) -> Any:
    with urllib.request.urlopen(f"{url}status.json", timeout=10) as answer:
        return json.load(answer)


def test_its_address_is_printed_and_it_shows_the_collecting(folder: Folder):
    folder.configure(training_size=40_000)
    cluster = folder.cluster("train", dashboard=True)
    url = cluster.prints(r"^\[Dashboard\] the live view is at (http://localhost:\d+/)$")[1]
    eventually(lambda: (status(url)["training"] or {}).get("collected", 0) > 0)
    assert status(url)["training"]["samples"] == 40_000 and status(url)["state"] == "training"
    with urllib.request.urlopen(url, timeout=10) as page:
        text = page.read().decode()
    assert "<h1>Anomaly detection</h1>" in text and "https://" not in text, "nothing comes from elsewhere"
    assert cluster.stop(signal.SIGINT) == 130
    eventually(lambda: not folder.processes(), 2)


def test_the_cluster_goes_on_without_it(folder: Folder):
    """If its port is taken, if its package is missing, and if it is killed."""
    folder.configure(training_size=40_000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        folder.configure(port=taken.getsockname()[1])
        cluster = folder.cluster("train", dashboard=True)
        cluster.prints(r"^\[Dashboard\] Dashboard: cannot listen at 127.0.0.1:\d+ \(.*\); set another port")
        cluster.prints("samples collected")
    eventually(lambda: "going on without Dashboard, which ended with exit code 1" in cluster.errors)
    assert cluster.stop() == 130
    dashboard = folder.path / "Dashboard.py"
    copy = dashboard.read_text()
    dashboard.unlink()  # a symbolic link; Python looks for packages first beside what it names
    dashboard.write_text(copy)
    (folder.path / "bokeh").mkdir()
    (folder.path / "bokeh" / "__init__.py").write_text("raise ImportError('No module named bokeh')")
    cluster = folder.cluster("train", dashboard=True)
    cluster.prints(r"^\[Dashboard\] Dashboard: the live view needs a package .*pip install -r requirements.txt")
    cluster.prints("samples collected")
    assert cluster.stop() == 130


def test_it_may_die(folder: Folder):
    folder.configure(training_size=40_000)
    cluster = folder.cluster("train", dashboard=True)
    cluster.prints("the live view is at")
    [dashboard] = [pid for pid in folder.processes() if b"Dashboard.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(dashboard, signal.SIGKILL)
    eventually(lambda: "going on without Dashboard, which was killed by SIGKILL" in cluster.errors)
    cluster.prints("samples collected")
    assert cluster.stop() == 130


def test_no_dashboard(folder: Folder):
    folder.configure(training_size=40_000)
    cluster = folder.cluster("train")
    cluster.prints("samples collected")
    assert not any("Dashboard" in line for line in cluster.lines + cluster.errors)
    assert cluster.stop() == 130


def test_the_publisher_of_a_file_waits_for_the_detector_and_not_for_the_dashboard(folder: Folder):
    plant(folder.path / "plant.csv", samples=400, change=400, end=400)
    folder.directory()
    publisher = folder.node("DataPublisher.py", "--csv", "plant.csv", "--time", "time", "--speed", "2000")
    publisher.prints("waiting for a subscriber")
    dashboard = folder.node("Dashboard.py")
    url = dashboard.prints(r"the live view is at (http://\S+)")[1]
    eventually(lambda: status(url)["nodes"][2]["state"] == "waiting")  # it runs, and looks for the detector
    folder.configure(training_size=390, training_epochs=1)
    detector = folder.node("AnomalyDetector.py", "train")
    detector.prints("samples collected: 390 of 390")
    eventually(lambda: status(url)["streams"])
