"""The detector's alarms, from the state of each of its findings."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

REMEMBERED = 200


@dataclass
class Alarm:
    """An anomaly from `begin` to `end`, in milliseconds since the epoch; `end` is None while it lasts.

    `kind` in words, "" if unknown; `blamed`: the stream that it comes from, "" for no single one; `highest` score.
    """

    begin: float
    end: float | None = None
    kind: str = ""
    blamed: str = ""
    highest: float = 0.0

    @property
    def said(self) -> str:
        """What is wrong, such as `frozen, stream cos`, in the detector's words."""
        stream = f"stream {self.blamed}" if self.blamed else "no single stream"
        return f"{self.kind}, {stream}" if self.kind else stream


class Alarms:
    """The last alarms, the newest last."""

    def __init__(self) -> None:
        self.all: deque[Alarm] = deque(maxlen=REMEMBERED)
        self.total = 0

    @property
    def present(self) -> Alarm | None:
        """The alarm that has not ended."""
        return self.all[-1] if self.all and self.all[-1].end is None else None

    def found(self, time: float, is_anomaly: bool, kind: str, blamed: str, score: float) -> None:
        """Take the next finding."""
        present = self.present
        if not is_anomaly:
            if present:
                present.end = time
            return
        if present is None:
            self.total += 1
            present = Alarm(time)
            self.all.append(present)
        present.kind, present.blamed = kind or present.kind, blamed or present.blamed
        present.highest = max(present.highest, score)

    def blamed(self) -> list[str]:
        """Return the streams to blame: of the present alarm, then of those before, the latest first."""
        return list(dict.fromkeys(alarm.blamed for alarm in reversed(self.all) if alarm.blamed))
