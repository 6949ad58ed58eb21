"""Money: an exact amount with its currency. Currencies are never mixed silently."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from yutang.kernel.errors import BadInput


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in one currency (ISO 4217)."""

    amount: Decimal
    currency: str

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise BadInput(
                f"不能把 {self.currency} 和 {other.currency} 相加，请先换算成同一种货币。",
                f"{self.currency} and {other.currency} cannot be added; convert them to one currency first.",
            )

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)
