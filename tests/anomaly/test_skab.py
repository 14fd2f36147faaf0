import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import skab

ROWS, BEGIN, END = 1000, 544, 868  # the labels from 24 % to 78 % of the rows after the first 400


def recording(folder: Path, name: str, rows: int = ROWS, columns: str = "datetime;a;b;anomaly;changepoint") -> Path:
    """Write two sensors in SKAB's layout; between the labels the second one lags behind."""
    random = np.random.default_rng(len(name))
    lines = [columns]
    for row in range(rows):
        anomalous = BEGIN <= row < END
        a, b = np.sin(0.1 * row), np.sin(0.1 * row - anomalous)
        values = [f"{v + 0.02 * random.normal():.4f}" for v in (a, b)]
        lines.append(";".join([f"2020-03-09 10:{row // 60:02}:{row % 60:02}", *values, f"{anomalous:.1f}", "0.0"]))
    file = folder / name
    file.write_text("\n".join(lines) + "\n")
    return file


def test_contenders_on_recordings_with_a_lag(tmp_path: Path):
    runs = [skab.read(recording(tmp_path, name)) for name in ("1.csv", "22.csv")]
    assert all(run.sensors.shape == (ROWS, 2) for run in runs)
    by_clock, always, pca = (
        skab.figures([skab.judge(run, kind, 0) for run in runs], runs) for kind in ("clock", "always", "pca")
    )
    assert by_clock == (1, 0, 0)
    part = (END - BEGIN) / (ROWS - 400)
    assert always == (pytest.approx(2 * part / (1 + part)), 100, 0)
    assert pca[0] > 0.9, pca


@pytest.mark.parametrize(
    ("rows", "columns", "why"),
    [
        (ROWS, "datetime;a;b;c;d", "layout"),  # no labels
        (ROWS, "datetime,a,b,anomaly,changepoint", "layout"),
        (400, "datetime;a;b;anomaly;changepoint", "400 rows"),
    ],
)
def test_what_is_no_recording(
    rows: int,
    columns: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    file = recording(tmp_path, "1.csv", rows, columns)
    monkeypatch.setattr(sys, "argv", ["skab", str(tmp_path)])
    assert skab.main() == 1
    said = capsys.readouterr().err
    assert str(file) in said and why in said


def test_a_folder_without_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["skab", str(tmp_path)])
    assert skab.main() == 1
    assert f"no *.csv file in {tmp_path}" in capsys.readouterr().err
