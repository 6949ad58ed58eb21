"""Shares of a few, with how surely they are known."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval (Wilson 1927)."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share; None of nobody."""
        return self.part / self.whole if self.whole else None

    @property
    def low(self) -> float | None:
        """The interval's lower end."""
        return self._end(-1)

    @property
    def high(self) -> float | None:
        """The interval's upper end."""
        return self._end(1)

    def _end(self, side: int) -> float | None:
        if not self.whole:
            return None
        n, share, z = self.whole, self.part / self.whole, 1.959964
        middle = share + z * z / (2 * n)
        spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return (middle + side * spread) / (1 + z * z / n)
