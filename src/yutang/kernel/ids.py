"""Typed ids, and the one hash by which people are drawn into arms, waves and buckets."""

from __future__ import annotations

import hashlib
from typing import NewType

import numpy as np
import numpy.typing as npt

PersonId = NewType("PersonId", int)
NodeId = NewType("NodeId", int)
StaffId = NewType("StaffId", int)
SenderId = NewType("SenderId", int)
PlanId = NewType("PlanId", int)
RunId = NewType("RunId", int)
BatchId = NewType("BatchId", int)
TouchId = NewType("TouchId", int)
EventId = NewType("EventId", str)

_MASK = (1 << 64) - 1
BUCKETS = 10_000


def salt(*parts: str | int) -> int:
    """A 64-bit salt from names and numbers; the same on every machine and run."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def mix(value: int, salted: int) -> int:
    """One 64-bit number drawn for `value` under a salt (SplitMix64 finaliser; Steele, Lea & Flood 2014)."""
    z = ((value & _MASK) + 0x9E3779B97F4A7C15 + salted) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def mix_array(values: npt.NDArray[np.int64], salted: int) -> npt.NDArray[np.uint64]:
    """`mix` for a whole column; equal to it element by element."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64) + np.uint64((0x9E3779B97F4A7C15 + salted) & _MASK)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def draw(value: int, salted: int) -> float:
    """A uniform draw in [0, 1) for `value` under a salt."""
    return (mix(value, salted) >> 11) / float(1 << 53)


def draw_array(values: npt.NDArray[np.int64], salted: int) -> npt.NDArray[np.float64]:
    """`draw` for a whole column; equal to it element by element."""
    return (mix_array(values, salted) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def touch_id(plan: int, occasion: str, target_kind: str, target: int, attempt: int) -> TouchId:
    """The id of a touch: the same touch has the same id however often it is planned. Signed 64 bits."""
    value = mix(target, salt("touch", plan, occasion, target_kind, attempt))
    return TouchId(value - (1 << 64) if value >= 1 << 63 else value)


def touch_ids(
    plan: int, occasion: str, target_kind: str, targets: npt.NDArray[np.int64], attempt: int
) -> npt.NDArray[np.int64]:
    """`touch_id` for a whole column of targets."""
    return mix_array(targets, salt("touch", plan, occasion, target_kind, attempt)).astype(np.int64)
