"""What a corp keeps at a platform for its members' chats: a product album, and the words that are stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the album. `price` in the brand's currency, to the cent; `code` ≤ 128 letters and digits; 1–9
    `pictures` by the ids of uploads made for albums; `description` ≤ 300 characters."""

    description: str
    price: Decimal
    pictures: tuple[str, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class PlatformProduct:
    """A product as the platform has it. The list does not say when it was made."""

    product_id: str
    product: Product
    created_at: datetime | None = None


class AlbumPort(Protocol):
    """A platform with an album of products that members send in chats. May raise as `MassSendPort` does."""

    def add_product(self, product: Product) -> str:
        """Its id. Not idempotent: on `AnswerLost` look with `find_products` for the code before ever adding again."""
        ...

    def read_product(self, product_id: str) -> PlatformProduct | None:
        """None for one that is not there, or no more."""
        ...

    def find_products(self) -> Sequence[PlatformProduct]:
        """All of them, by id."""
        ...

    def change_product(self, product_id: str, product: Product) -> None:
        """Make it so; again is no error."""
        ...

    def delete_product(self, product_id: str) -> None:
        """Deleting again is no error."""
        ...


class Semantics(IntEnum):
    """What a rule finds by its meaning, beside its words."""

    PHONE = 1
    EMAIL = 2
    RED_PACKET = 3


@dataclass(frozen=True, slots=True)
class InterceptRule:
    """Words that members may not write to customers. `block`: the message is not sent; otherwise they are only warned.

    `name` (≤ 20 characters) is unique in the corp; ≤ 300 words of ≤ 32 characters; some member or department.
    """

    name: str
    words: tuple[str, ...]
    block: bool
    members: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    semantics: frozenset[Semantics] = frozenset()


class InterceptionPort(Protocol):
    """A platform that watches what members write to customers. May raise as `MassSendPort` does."""

    def add_rule(self, rule: InterceptRule) -> str:
        """Its id. Not idempotent: on `AnswerLost` look with `find_rules` for the name before ever adding again."""
        ...

    def find_rules(self) -> Mapping[str, str]:
        """The names of the corp's rules by id."""
        ...

    def read_rule(self, rule_id: str) -> InterceptRule | None:
        """None for one that is not there, or no more."""
        ...

    def change_rule(self, rule_id: str, rule: InterceptRule) -> None:
        """Make it so; again is no error. Reads it first, since the platform takes ranges as differences."""
        ...

    def delete_rule(self, rule_id: str) -> None:
        """Deleting again is no error."""
        ...
