import numpy as np

from anomaly.detector import Trained, train
from pictures.html import html
from pictures.image import image
from pictures.page import Bars, Chart, Ridges, Rows
from pictures.training import page

STREAMS = ("flow", "<b>noise</b>", "pressure")


def trained(count: int) -> Trained:
    random = np.random.default_rng(0)
    phase = 0.05 * np.arange(count)
    samples = np.column_stack([np.sin(phase), random.normal(size=count), np.cos(phase)])
    samples[:, ::2] += 0.01 * random.normal(size=(count, 2))
    windows = np.lib.stride_tricks.sliding_window_view(samples, 20, axis=0).transpose(0, 2, 1)
    return train(windows.astype(np.float32), STREAMS, epochs=2)


def test_a_training_in_pictures():
    result = trained(600)
    shown = page(result, STREAMS, stride=20, margin=2.5)
    loss, rows = shown.pictures
    assert isinstance(loss, Chart) and loss.y.tolist() == result.losses and len(loss.y) == 2
    assert isinstance(rows, Rows) and rows.names == STREAMS
    ridges, bias, explained = rows.columns
    assert isinstance(ridges, Ridges) and isinstance(bias, Bars) and isinstance(explained, Bars)
    np.testing.assert_allclose(ridges.shares.sum(axis=1), 1)
    below = ridges.edges[1:] <= 1
    assert ridges.shares[:, below].sum(axis=1).min() > 0.99  # training windows raise no alarm
    assert explained.values[1] < 0.2 < 0.9 < min(explained.values[0], explained.values[2])
    assert any("<b>noise</b>" in remark for remark in shown.remarks)
    assert "<b>noise" not in html(shown) and "&lt;b&gt;noise" in html(shown)
    assert image(shown, "png").startswith(b"\x89PNG")


def test_a_training_too_short_for_relations():
    short = trained(100)
    for margin in (1.0, 100.0):
        shown = page(short, STREAMS, stride=1, margin=margin)
        assert "training too short" in shown.remarks[1]
        assert html(shown) and image(shown, "svg")
