"""Makes the README's pictures of the live view: `python docs/pictures.py`, from the project's folder.

It runs the nodes, waits until an anomaly comes, and takes pictures of the page, light and dark. It needs what the
tests of the page need: tests/requirements.txt, and chromium with chromedriver.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from PIL import Image  # noqa: E402

from tests.browser import open_browser, prefer  # noqa: E402
from tests.support import Folder, eventually  # noqa: E402

WIDTH, HEIGHT = 1100, 780
COLOURS = 128  # of a picture: enough for lines and text, and a third of the bytes
BEFORE, AFTER = 400, 3.0  # samples before the anomaly, and seconds of it


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        try:
            folder.configure(sample_rate=20, window_stride=5)
            cluster = folder.cluster("detect", str(BEFORE), dashboard=True)
            url = cluster.prints(r"the live view is at (http://\S+)")[1]
            browser = open_browser(Path(place, "profile"), WIDTH, HEIGHT)
            browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
            browser.get(url)
            eventually(lambda: browser.title.startswith("⚠"), 90)
            time.sleep(AFTER)
            for scheme in ("light", "dark"):
                prefer(browser, scheme)
                time.sleep(1)  # until it is drawn
                save(browser, PROJECT / "docs" / f"live-{scheme}.png")
            browser.quit()
        finally:
            folder.close()


def save(browser: Any, file: Path) -> None:
    """Write what the browser shows to a small file."""
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
