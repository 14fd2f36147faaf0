"""Learns how far apart the timestamps of one sample's points lie, from the first points that arrive."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from statistics import median

from streams.points import Point

MOST_APART = 0.4  # of a period: streams further apart could belong to the sample before or to the one after
MOST_SCATTER = 0.15  # of a period, median: what scatters more does not share the rhythm


def learn_tolerance(points: Iterable[Point]) -> int | None:
    """Return the tolerance of `SampleAssembler` in microseconds, None if the streams share no rhythm.

    Streams share a rhythm if each has its points at nearly the same distance from those of the fastest stream; lost
    points and slower streams do no harm, since medians count. The tolerance lies midway between the distance of the
    streams and half a period; it is 0 if their points have the same timestamps.
    """
    times: dict[str, list[int]] = defaultdict(list)
    for point in points:
        times[point.name].append(point.timestamp)
    for stream in times.values():
        stream.sort()
    fastest = max(times.values(), key=len)
    if len(times) == 1 or len(fastest) < 3:
        return 0
    period = median(later - earlier for earlier, later in pairwise(fastest))
    distances, scatter = [0.0], 0.0
    for stream in times.values():
        to_nearest = [_from_nearest(time, fastest) for time in stream]
        distances.append(median(to_nearest))
        scatter = max(scatter, median(abs(distance - distances[-1]) for distance in to_nearest))
    apart = max(distances) - min(distances)
    if apart > MOST_APART * period or scatter > MOST_SCATTER * period:
        return None
    return round((apart + period / 2) / 2) if apart or scatter else 0


def _from_nearest(time: int, times: list[int]) -> int:
    """Return the signed distance of `time` from the nearest of `times`, which are in order."""
    place = bisect(times, time)
    return min((time - near for near in times[max(0, place - 1) : place + 1]), key=abs)
