"""Pools of persons who behave exactly as the models say, with what they did afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CHARACTERS = {
    "grocer": (0.6, 30.0, 0.8, 3.0, 6.0, 4.0, 15.0),
    "cafe": (1.5, 20.0, 0.3, 4.0, 2.0, 3.0, 60.0),
    "records": (0.24, 31.0, 0.79, 2.43, 6.25, 3.74, 15.44),
    "loyal": (2.0, 60.0, 0.1, 5.0, 4.0, 5.0, 80.0),
    "fickle": (1.0, 25.0, 1.4, 1.6, 8.0, 6.0, 30.0),
}
"""r, α (days), a, b; p, q, v."""


@dataclass(frozen=True)
class Pool:
    """Who was watched for T days, and how often they came, and what they spent, in the days after."""

    x: Any
    t_x: Any
    T: Any
    m: Any
    later: Any
    spent: Any


def draw(chance: np.random.Generator, persons: int, character: str, history: int = 365, horizon: int = 365) -> Pool:
    """A pool in which the first purchases are spread over the history."""
    r, alpha, a, b, p, q, v = CHARACTERS[character]
    rate, leaves = chance.gamma(r, 1 / alpha, persons), chance.beta(a, b, persons)
    money = chance.gamma(q, 1 / v, persons)
    watched = np.ceil(chance.uniform(1, history, persons))
    most = chance.geometric(np.clip(leaves, 1e-12, 1))  # with this purchase they leave
    x, t_x, later = np.zeros(persons), np.zeros(persons), np.zeros(persons)
    at, made, live = np.zeros(persons), np.zeros(persons), np.arange(persons)
    while len(live):
        at[live] += chance.exponential(1 / rate[live])
        made[live] += 1
        seen = live[at[live] <= watched[live]]
        x[seen] += 1
        t_x[seen] = at[seen]
        live = live[at[live] <= watched[live] + horizon]
        later[live[at[live] > watched[live]]] += 1
        live = live[made[live] < most[live]]
    each = chance.gamma(p * np.maximum(x, 1), 1 / money) / np.maximum(x, 1)
    spent = chance.gamma(p * np.maximum(later, 1), 1 / money)
    return Pool(x, t_x, watched, np.where(x > 0, each, 0), later, np.where(later > 0, spent, 0))
