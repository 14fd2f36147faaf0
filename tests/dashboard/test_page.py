"""The page in a real browser, with real nodes."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from tests.browser import prefer
from tests.dashboard.feed import Feed
from tests.support import Folder, Program, eventually

pytestmark = pytest.mark.timeout(120)

# The points that the plot with this name draws of a curve, in the browser.
CURVE = """
const plot = Bokeh.documents[0].get_model_by_name(arguments[0]);
const glyph = plot.renderers.find((r) => r.glyph && r.glyph.tags.includes(arguments[1]));
return [...glyph.data_source.data.x].map((x, i) => [x, glyph.data_source.data.y[i]]);
"""
SPAN = "const range = Bokeh.documents[0].get_model_by_name('score').x_range; return [range.start, range.end];"

HOSTILE = [
    "<img src=x onerror=document.title='pwned'>",
    "$$\\frac{1}{2}$$",
    "&lt;b&gt; \"'`{{7*7}}",
    "名前 🚀",
    "x" * 200,
]


@pytest.fixture
def feed(folder: Folder) -> Iterator[Callable[..., Feed]]:
    """Start publishers of our own."""
    started: list[Feed] = []

    def start(names: list[str], **options: float) -> Feed:
        started.append(Feed(folder.path / "Gravity.ini", names, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def text(browser: Any, id: str) -> str:
    return str(browser.execute_script("return document.getElementById(arguments[0])?.textContent ?? ''", id))


def shown(browser: Any, id: str) -> bool:
    """Return whether an element is visible; in one script, since the page may be replaced between two."""
    return bool(browser.execute_script("return document.getElementById(arguments[0])?.checkVisibility()", id))


def curve(browser: Any, plot: str, tag: str) -> list[list[float]]:
    """Return the points of a curve, none while the page loads."""
    if not browser.execute_script("return window.Bokeh !== undefined && Bokeh.documents.length > 0"):
        return []
    try:
        return list(browser.execute_script(CURVE, plot, tag))
    except Exception:  # the page is being replaced
        return []


def node(browser: Any, name: str) -> str:
    """Return the state of a node as the page shows it."""
    script = """return [...document.querySelectorAll("#nodes li")].map((row) => [row.textContent, row.className])"""
    states = {words.partition(":")[0]: state for words, state in browser.execute_script(script)}
    return states.get(name, "")


def is_complete(browser: Any) -> bool:
    """Return whether the page shows an alarm and which streams belong together."""
    return text(browser, "state").startswith("anomaly") and text(browser, "relations") != ""


def newest(browser: Any, tag: str) -> float:
    """Return the time of the newest point of the first stream's curve; -inf while there is none."""
    return max((x for x, _ in curve(browser, "place0", tag)), default=-math.inf)


def console(browser: Any) -> list[str]:
    return [line["message"] for line in browser.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]


def keep_feeding(feed: Feed, condition: Callable[[], object], blamed: str = "", seconds: float = 30) -> None:
    """Publish samples at 10 a second until `condition` is true."""
    start, before = time.monotonic(), feed.number

    def look() -> object:
        feed.samples(int(10 * (time.monotonic() - start)) + before - feed.number, blamed)
        return condition()

    eventually(look, seconds)


def test_the_page_with_the_real_nodes(folder: Folder, dashboard, open_browser):
    """It opens, plots move, an alarm is there within a second of the detector's line, two viewers see the same."""
    folder.configure(sample_rate=50, window_stride=5)
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    _, url = dashboard()
    one, two = open_browser(), open_browser(390, 800)
    for browser in (one, two):
        browser.get(url)
    publisher = folder.node("DataPublisher.py")
    eventually(lambda: text(one, "state") == "normal" and text(one, "relations"))
    eventually(lambda: all(newest(browser, "rebuilt") > 0 for browser in (one, two)))
    before = newest(one, "stream")
    eventually(lambda: newest(one, "stream") > before + 500, 10)
    assert 0.5 < max(y for _, y in curve(one, "place0", "stream")) <= 1
    assert {node(one, name) for name in ("publisher", "detector", "Service Directory")} == {"here"}
    publisher.stop()
    publisher = folder.node("DataPublisher.py", "100")
    detector.prints("^ANOMALY since")
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # a second, if each process has its processor
    eventually(lambda: text(one, "state").startswith("anomaly: "), busy)
    said = re.search(r": (.*)", next(line for line in detector.lines if line.startswith("ANOMALY")))
    assert said and text(one, "state") == f"anomaly: {said[1]}"
    eventually(lambda: text(two, "alarms") == text(one, "alarms") != "")
    publisher.stop()
    eventually(lambda: one.execute_script(SPAN) == two.execute_script(SPAN))
    eventually(lambda: curve(one, "place0", "stream") == curve(two, "place0", "stream") != [])
    assert console(one) == console(two) == []


def test_it_recovers_after_each_node_is_killed(folder: Folder, dashboard, open_browser):
    folder.configure(sample_rate=50, window_stride=5)
    directory = folder.directory()
    detector, publisher = folder.node("AnomalyDetector.py", "detect"), folder.node("DataPublisher.py")
    program, url = dashboard()
    browser = open_browser()
    browser.get(url)
    here = {"publisher": "here", "detector": "here", "Service Directory": "here"}

    def states() -> dict[str, str]:
        return {name: node(browser, name) for name in here}

    def moves() -> bool:
        before = newest(browser, "rebuilt")
        with contextlib.suppress(AssertionError):
            eventually(lambda: newest(browser, "rebuilt") > before > 0, 3)
            return True
        return False

    def kill(victim: Program) -> None:
        os.kill(victim.process.pid, signal.SIGKILL)
        victim.wait()

    eventually(lambda: states() == here and moves(), 40)
    kill(publisher)
    eventually(lambda: states() == here | {"publisher": "gone", "detector": "unknown"}, 10)
    publisher = folder.node("DataPublisher.py")
    eventually(lambda: states() == here and moves(), 20)
    kill(detector)
    eventually(lambda: node(browser, "detector") == "gone", 10)
    detector = folder.node("AnomalyDetector.py", "detect")
    eventually(lambda: states() == here and moves(), 30)
    kill(program)
    eventually(lambda: shown(browser, "connection"), 10)
    folder.configure(port=url.rstrip("/").rpartition(":")[2])
    dashboard()
    eventually(lambda: not shown(browser, "connection") and moves(), 20)
    kill(directory)
    eventually(lambda: node(browser, "Service Directory") == "gone", 15)
    assert moves(), "what is connected goes on without a directory"
    directory = folder.directory()
    eventually(lambda: states() == here, 15)
    kill(publisher)  # the new directory does not know it
    folder.node("DataPublisher.py")
    eventually(lambda: states()["publisher"] == "here" and curve(browser, "place0", "stream"), 30)


def test_hostile_names_stay_text(folder: Folder, dashboard, open_browser, feed):
    folder.directory()
    _, url = dashboard()
    source = feed([*HOSTILE, "y" * 10_000, "\x1b[31mred"])
    browser = open_browser()
    browser.get(url)
    keep_feeding(source, lambda: is_complete(browser), HOSTILE[0])
    names = browser.execute_script("return [...document.querySelectorAll('.place .name')].map((n) => n.textContent)")
    assert names == [HOSTILE[0], *sorted(HOSTILE[1:])], "the one to blame comes first"
    assert text(browser, "state") == f"anomaly: relation, stream {HOSTILE[0]}"
    assert browser.title == "⚠ Anomaly detection"
    assert browser.execute_script("return document.querySelectorAll('main img, main b').length") == 0
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    script = "return [...document.querySelectorAll('#figures div')].map((d) => d.textContent)"
    refused = next(line for line in browser.execute_script(script) if line.startswith("messages refused"))
    assert int(refused.removeprefix("messages refused")) > 0
    assert console(browser) == []


@pytest.mark.parametrize(("streams", "width"), [(2, 1280), (2, 390), (16, 1280)])
def test_axe_finds_nothing_serious(folder: Folder, dashboard, open_browser, feed, streams: int, width: int):
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    folder.directory()
    _, url = dashboard()
    source = feed([f"stream {number}" for number in range(streams)])
    browser = open_browser(width)
    browser.get(url)
    keep_feeding(source, lambda: is_complete(browser), "stream 1")
    browser.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text())
    for scheme in ("light", "dark"):
        prefer(browser, scheme)
        found = browser.execute_async_script("axe.run().then(arguments[0])")
        assert found["passes"]
        serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert not serious, [(v["id"], [part["html"] for part in v["nodes"]]) for v in serious]
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"


def test_keyboard_and_screen_reader(folder: Folder, dashboard, open_browser, feed):
    """What is drawn has a label, an alarm is read out, and all can be reached with the tab key."""
    folder.directory()
    _, url = dashboard()
    source = feed(["a", "b"])
    browser = open_browser()
    browser.get(url)
    keep_feeding(source, lambda: text(browser, "state") == "normal")
    images = browser.find_elements("css selector", "[role=img]")
    assert images and all(image.get_attribute("aria-label") for image in images)
    keep_feeding(source, lambda: text(browser, "news") == "Anomaly: relation, stream b", "b")
    assert browser.find_element("id", "news").get_attribute("aria-live")
    keep_feeding(source, lambda: text(browser, "news") == "The anomaly has ended")
    reached = set()
    for _ in range(12):
        browser.switch_to.active_element.send_keys("\ue004")  # tab
        reached.add(browser.switch_to.active_element.text.partition("\n")[0])
    assert {"10 minutes", "1 hour", "1 day"} <= reached
    browser.find_element("link text", "10 minutes").send_keys("\ue007")  # return
    eventually(lambda: "seconds=600" in browser.current_url)
    eventually(lambda: browser.find_element("css selector", "nav [aria-current]").text == "10 minutes")


def test_a_training_is_shown(folder: Folder, dashboard, open_browser, feed):
    folder.directory()
    _, url = dashboard()
    source = feed(["a", "b"])
    pb = AnomalyScorePB(timestamp=1, sample=100, mse=0, state=AnomalyScorePB.UNKNOWN)
    pb.training.samples = 2000
    source.message(pb)
    browser = open_browser()
    browser.get(url)

    def progress(wanted: str) -> bool:
        source.message(pb)
        return text(browser, "progress") == wanted

    eventually(lambda: progress("100 of 2000 samples collected"))
    pb.training.epochs = 10
    for epoch in range(1, 4):
        pb.training.epoch, pb.training.loss = epoch, 0.5**epoch
        source.message(pb)
    eventually(lambda: text(browser, "progress") == "epoch 3 of 10, loss 0.125")
    eventually(lambda: [y for _, y in curve(browser, "loss", "stream")] == [0.5, 0.25, 0.125])
    assert text(browser, "state") == "training"


DRAWN = """
return [...document.querySelectorAll(".place canvas")].filter((canvas) => {
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const { data } = pen.getImageData(0, 0, copy.width, copy.height);
  const blue = (i) => data[i] < 30 && data[i + 1] > 90 && data[i + 2] > 150 && data[i + 3] > 200;
  return Array.from({ length: data.length / 4 }, (_, i) => blue(4 * i)).filter(Boolean).length > 50;
}).length;
"""


def test_many_streams_have_small_plots(folder: Folder, dashboard, feed, open_browser):
    names = [f"sensor {number:02}" for number in range(64)]
    folder.directory()
    _, url = dashboard()
    source = feed(names)
    browser = open_browser()
    browser.get(url)
    keep_feeding(source, lambda: browser.execute_script(DRAWN) == 64 and is_complete(browser), blamed="sensor 40")
    first = browser.execute_script("return document.querySelector('.place.blamed .name')?.textContent")
    assert first == "sensor 40"
    assert console(browser) == []
