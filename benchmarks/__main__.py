"""All benchmarks, one after the other: `python -m benchmarks [--quick] [--json FILE]`.

benchmarks.skab is left out: it needs a folder with recordings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import write_json

PARTS = {  # with their arguments for a quick look
    "separation": ["--seeds", "1", "--usual-seeds", "1"],
    "detection": ["--seeds", "1", "--cases", "as shipped"],
    "messaging": ["--quick"],
    "detector": ["--quick"],
}


def main() -> None:
    """Run them; CalledProcessError if one fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run all benchmarks.")
    parser.add_argument("--quick", action="store_true", help="a look, in minutes instead of hours")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    given = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, quick in PARTS.items():
            file = Path(folder, name)
            print(f"\n== {name}", flush=True)
            arguments = ["--json", str(file), *(quick if given.quick else [])]
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)
            result[name] = json.loads(file.read_text())
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
