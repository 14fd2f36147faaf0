"""Ends what the launcher has started when the launcher itself is killed, and can do it no more."""

from __future__ import annotations

import subprocess

# Reads what to end, a line each, until the pipe closes because the launcher is gone.
_WATCHER = """
while read -r target; do targets="$targets $target"; done
[ "$targets" ] || exit
kill -s TERM -- $targets
sleep 1
kill -s KILL -- $targets
"""


class Lifeline:
    """A shell that outlives the launcher just long enough; on leaving the context there is nothing to do for it.

    The system can tie children to their parent too (PR_SET_PDEATHSIG), but a window's program is no child of
    the launcher's.
    """

    def __enter__(self) -> Lifeline:
        # Without our output, which must be seen to close with the nodes, and out of reach of Ctrl-C.
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCHER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            text=True, bufsize=1, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._watcher.kill()
        self._watcher.communicate()

    def add(self, target: int) -> None:
        """Tie a process to the launcher's life; if the number is negative, a process group, as in kill(1)."""
        assert self._watcher.stdin
        self._watcher.stdin.write(f"{target}\n")
