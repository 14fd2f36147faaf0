"""The picture of a run, in every format, and in a real browser."""

import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from anomaly.alarm import Verdict
from anomaly.detector import Finding
from anomaly.diagnosis import Diagnosis, Kind
from anomaly.windows import Window
from pictures.detection import Recording, page
from pictures.html import html
from pictures.image import image
from pictures.page import Chart, Page, Table
from streams.samples import Sample

TIME = 1_700_000_000_000_000
HOSTILE = ("<script>document.title = 'owned'</script>", "$$\\frac{1}{$ & \\n 温度 😀", "x" * 10_000)


def recorded(streams: tuple[str, ...], count: int = 2000, alarms: int = 2, rate: float = 10) -> Recording:
    """Waves with a gap of 10 s after half of them, and alarms of 40 samples, the last of which is not over."""
    recording = Recording(streams)
    values = np.sin(0.05 * np.arange(count))[:, None] * np.ones(len(streams))
    values[count // 4, 0] = 7
    begins = [count - 40 * (alarms - index) for index in range(alarms)]
    for first in range(0, count, 1000):
        lot = []
        for n in range(first, min(first + 1000, count)):
            gap = n == count // 2
            at = TIME + round(1e6 * (n / rate + 10 * (n >= count // 2)))
            lot.append(Sample(at, tuple(values[n].tolist()), gap))
        assert list(recording.noting([lot])) == [lot]
        found = []
        for n in range(first + 19, min(first + 1000, count), 20):
            began = n - 19 in begins
            over = began is False and n - 39 in begins and n < count - 40
            verdict = Verdict(9.0, True, True) if began else Verdict(0.3, False, over)
            window = Window(n + 1, lot[n - first].timestamp, np.zeros((20, 2)), False, np.zeros((20, 2)))
            diagnosis = Diagnosis(Kind.FROZEN, 1) if began else None
            found.append(Finding(window, 1e-6, np.zeros(len(streams)), verdict, diagnosis))
        recording.add(found)
    return recording


def charts(shown: Page) -> list[Chart]:
    return [picture for picture in shown.pictures if isinstance(picture, Chart)]


def test_the_score_comes_first_then_the_stream_to_blame():
    shown = page(recorded(("cos", "sin")))
    score, *streams = charts(shown)
    assert [chart.title for chart in streams] == ["sin", "cos"]
    assert score.log and score.limit == (1.0, "alarm above 1")
    assert [span.here for chart in streams for span in chart.alarms] == [True, True, False, False]
    [table] = [picture for picture in shown.pictures if isinstance(picture, Table)]
    assert [(row[0], row[4]) for row in table.rows] == [("1", "frozen, sin"), ("2", "frozen, sin")]
    assert re.fullmatch(
        r"100 windows, 2,000 samples in 3 min \d+ s: 2 alarms, 1 gap, 0 lost messages", shown.remarks[0]
    )


def test_lines_keep_peaks_and_break_at_gaps():
    recording = recorded(("cos", "sin"), count=100_000, alarms=1)
    for chart in charts(page(recording)):
        [gap] = chart.gaps
        breaks = np.isnan(chart.y)
        assert breaks.sum() == 1 and chart.x[breaks][0] == gap.begin
        assert not ((chart.x > gap.begin) & (chart.x < gap.end)).any()
    assert max(chart.y[~np.isnan(chart.y)].max() for chart in charts(page(recording))[1:]) == 7


def test_a_run_without_data_has_a_picture():
    shown = page(Recording(("cos", "sin")))
    assert shown.remarks == ("no samples arrived",)
    assert "no samples arrived" in html(shown) and image(shown, "png").startswith(b"\x89PNG")


def test_alarms_are_all_counted_but_only_the_latest_are_drawn():
    shown = page(recorded(("cos", "sin"), count=40_000, alarms=300))
    assert len(charts(shown)[0].alarms) == 200 and charts(shown)[0].alarms[-1].label == "300"
    assert any("last 200 of 300 alarms" in remark for remark in shown.remarks)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_names_stay_text_in_images(kind: str):
    drawn = image(page(recorded(HOSTILE)), kind)
    if kind == "svg":
        texts = "".join(ET.fromstring(drawn).itertext())
        assert HOSTILE[0] in texts and "$$\\frac{1}{$ & \\n" in texts and len(drawn) < 1_000_000


@pytest.mark.parametrize(("n_streams", "count"), [(2, 86_400), (2, 864_000), (64, 86_400)])
def test_a_day_takes_seconds_and_a_few_megabytes(n_streams: int, count: int):
    recording = recorded(tuple(f"s{number}" for number in range(n_streams)), count, alarms=50)
    for draw in (html, lambda shown: image(shown, "png"), lambda shown: image(shown, "svg")):
        begin = time.process_time()
        assert len(draw(page(recording))) < 5_000_000
        assert time.process_time() - begin < 10


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium")
    return found


def test_the_page_opens_offline_and_hostile_names_stay_text(browser: str, tmp_path: Path):
    text = html(page(recorded(HOSTILE)))
    assert not re.search(r"<(script|link|img)[^>]* (src|href)=", text)
    (tmp_path / "run.html").write_text(text)
    ran = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--virtual-time-budget=10000",
         "--dump-dom", str(tmp_path / "run.html")],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    said = [line for line in ran.stderr.splitlines() if ":CONSOLE:" in line]
    assert not [line for line in said if not re.search(r"setting log level|document idle|ResizeObserver", line)]
    assert any("document idle" in line for line in said)
    assert "<title>Anomaly detection, " in ran.stdout  # not owned
