"""When something that grows reaches its wall: a damped trend of the weekly pace, with a bootstrap of its own weeks.

Weeks, since shops have weekdays. The trend of the pace is Theil's and Sen's median of slopes (Sen 1968), which one odd
week does not bend; it is damped into the future (Gardner & McKenzie 1985), because no growth lasts. How uncertain that
is, is said by refitting on weeks whose residuals were drawn anew, and walking on with drawn residuals (Efron &
Tibshirani 1993, ch. 9). What is counted in a window that moves along (the last 30 days) does not grow for ever:
there the line is that of the level itself, and what the line leaves is not added up. Pure: the same history always says
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isinf

import numpy as np
import numpy.typing as npt

FEWEST_DAYS = 21
"""Days of history below which nothing can be told of the pace: three weeks, of which one may be odd."""
LOOKED_BACK = 70
WINDOW = 30
"""Days of a moving window: at first it only fills, so as many days of its history say nothing."""
HORIZON = 365
"""Days beyond which nothing is said."""
DAMPED, DAMPED_LEVEL = 0.92, 0.97
"""What is left of a trend from one week to the next: of the pace's, and of that of a moving window."""
RECENT, FITTED = 4, 4
"""Weeks by which the pace of now is told (the slope is told by all), and how many numbers that costs: with these the
interval holds the truth in 74–86 of a hundred ragged worlds (`tests/guard/radar`)."""
DRAWS = 400
WEEK = 7
EDGES = (0.1, 0.5, 0.9)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Days:
    """Days until the wall: in one of ten cases earlier than `low`, in one later than `high`. None: not within HORIZON.

    `pace`: what is used up a day now. `told` False: the history is too short to say anything.
    """

    told: bool
    pace: float = 0.0
    low: float | None = None
    middle: float | None = None
    high: float | None = None


UNTOLD = Days(told=False)


def days_until(
    history: Sequence[tuple[int, float]],
    left: float,
    expiring: Sequence[tuple[float, float]] = (),
    *,
    moving: bool = False,
) -> Days:
    """How many days `left` lasts. `history`: (day, used so far), by day; `expiring`: (days from now, how much of what
    is left goes unused then), which is used up in that order. `moving`: what was used in the last WINDOW days, so far.
    Nothing left: no days."""
    if moving:
        return _days_of_window(history, left)
    weeks = _ends(history, 0)
    if weeks is None:
        return Days(True, 0.0, 0.0, 0.0, 0.0) if left <= 0 else UNTOLD
    weeks = np.diff(weeks)
    level, slope, rest = _fitted(weeks[None, :])
    pace = float(level[0]) / WEEK
    if left <= 0:
        return Days(True, pace, 0.0, 0.0, 0.0)
    paths = _walk(weeks, level[0], slope[0], rest[0], summed=True)
    return _told(pace, _hits(paths, left, expiring))


def _days_of_window(history: Sequence[tuple[int, float]], left: float) -> Days:
    levels = _ends(history, WINDOW)
    if levels is None:
        return Days(True, 0.0, 0.0, 0.0, 0.0) if left <= 0 else UNTOLD
    level, slope, rest = _fitted(levels[None, :])
    pace = float(slope[0]) / WEEK
    if left <= 0:
        return Days(True, pace, 0.0, 0.0, 0.0)
    paths = _walk(levels, level[0], slope[0], rest[0], summed=False) - history[-1][1]
    return _told(pace, _hits(paths, left, ()))


def _told(pace: float, hits: Floats) -> Days:
    low, middle, high = (float(np.quantile(hits, edge, method="inverted_cdf")) for edge in EDGES)
    return Days(True, pace, *(None if isinf(one) else one for one in (low, middle, high)))


def _ends(history: Sequence[tuple[int, float]], skipped: int) -> Floats | None:
    """How much was used at the end of each whole week back from the last day, oldest first; None where there are too
    few. Days that were not counted lie on the line between their neighbours; the first `skipped` are left out."""
    if len(history) < 2 or history[-1][0] - history[0][0] < FEWEST_DAYS + skipped:
        return None
    days = np.array([day for day, _ in history], dtype=np.float64)
    used = np.array([amount for _, amount in history], dtype=np.float64)
    last = days[-1]
    count = int(min(last - days[0] - skipped, LOOKED_BACK)) // WEEK
    return np.asarray(np.interp(last - WEEK * np.arange(count, -1, -1, dtype=np.float64), days, used))


def _fitted(weeks: Floats) -> tuple[Floats, Floats, Floats]:
    """Of rows of weeks: the pace of the last one on the line, the line's slope a week, and what the line leaves."""
    count = weeks.shape[1]
    x = np.arange(count, dtype=np.float64) - (count - 1)
    first, second = np.triu_indices(count, 1)
    slope = np.median((weeks[:, second] - weeks[:, first]) / (x[second] - x[first]), axis=1)
    level = np.median((weeks - slope[:, None] * x)[:, -RECENT:], axis=1)
    return level, slope, weeks - level[:, None] - slope[:, None] * x


def _walk(weeks: Floats, level: float, slope: float, rest: Floats, *, summed: bool) -> Floats:
    """What a line says of each coming week, in DRAWS futures, with what it leaves; `summed`: added up week by week."""
    generator = np.random.default_rng(20_260_101)
    count, ahead = len(weeks), -(-HORIZON // WEEK)
    x = np.arange(count, dtype=np.float64) - (count - 1)
    scale = np.sqrt(count / max(count - FITTED, 1))  # what was fitted leaves less than there was
    spread = (rest - rest.mean()) * scale
    levels, slopes, _ = _fitted(level + slope * x + generator.choice(spread, (DRAWS, count)))
    steps = np.cumsum((DAMPED if summed else DAMPED_LEVEL) ** np.arange(1, ahead + 1))
    coming = levels[:, None] + slopes[:, None] * steps + generator.choice(spread, (DRAWS, ahead))
    return np.asarray(np.cumsum(coming, axis=1) if summed else coming)


def _hits(paths: Floats, left: float, expiring: Sequence[tuple[float, float]]) -> Floats:
    """In each future, the days until nothing is left (inf: not within HORIZON). Parts are used up in the order in which
    they expire: each ends when it is used up, or on its day, and what of it was not used by then is lost."""
    draws, ahead = paths.shape
    ends = WEEK * np.arange(0, ahead + 1, dtype=np.float64)
    whole = np.hstack([np.zeros((draws, 1)), paths])
    used, found = np.zeros(draws), np.zeros(draws)
    for day, amount in sorted(expiring):
        consumed = _reached(whole, ends, used + amount)
        in_time = consumed <= day
        by_then = np.array([np.interp(day, ends, path) for path in whole])
        used = np.where(in_time, used + amount, np.maximum(used, by_then))
        found = np.where(in_time, consumed, day)
    rest = left - sum(amount for _, amount in expiring)
    if rest > 0 or not expiring:  # what does not expire is used last
        found = _reached(whole, ends, used + max(rest, 0.0))
    return np.where(found > HORIZON, inf, found)


def _reached(paths: Floats, ends: Floats, wanted: Floats) -> Floats:
    """When each path first comes so high; inf where it never does. Between two weeks' ends a path is straight."""
    over = paths >= wanted[:, None] - 1e-9
    at = np.where(over.any(axis=1), over.argmax(axis=1), 0)
    rows = np.arange(len(paths))
    before, after = paths[rows, np.maximum(at - 1, 0)], paths[rows, at]
    rise = np.where(after > before, after - before, 1.0)
    reached = ends[np.maximum(at - 1, 0)] + WEEK * (wanted - before) / rise
    reached = np.where(at == 0, 0.0, reached)
    return np.where(over.any(axis=1), reached, inf)
