"""Money: an exact amount with its currency. Currencies are never mixed silently."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from yutang.kernel.errors import BadInput

CENT = Decimal("0.01")


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


def parse_amount(text: str) -> Decimal:
    """An amount as people write it: `1,234.50`, `¥1234.5`, `$3`. More than two decimals are refused, not rounded."""
    cleaned = text.strip().lstrip("¥￥$€").replace(",", "").replace("，", "")
    try:
        value = Decimal(cleaned)
        if not value.is_finite() or value != value.quantize(CENT) or abs(value) >= Decimal(10) ** 15:
            raise InvalidOperation
    except InvalidOperation:
        raise BadInput(
            f"「{text[:40]}」不是金额，应类似 1234.50。", f"“{text[:40]}” is not an amount such as 1234.50."
        ) from None
    return value.quantize(CENT)
