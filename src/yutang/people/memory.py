"""What this process remembers of identifiers that it has looked up, so that those seen all day are not asked for again.

Only what lasts is remembered: which birth person a group of identifiers leads to, once all of them are kept and joined.
Births never change, and who survives whom is looked up elsewhere. Whoever takes identifiers or edges away (erasing,
un-merging, restoring) calls `forget_all` in the same transaction, and every process's memory is void from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from django.db import connection

from yutang.people.models import Counter

GENERATION = 150_000
"""Groups per generation; two are kept, about 250 bytes each."""
_NAME = "memory"


class Memory:
    """Group → birth person, in two generations: what was not asked for in the younger's lifetime is dropped."""

    def __init__(self, stamp: int) -> None:
        self.stamp = stamp
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def get(self, group: str, otherwise: int) -> int:
        """The birth person of a group, or `otherwise`."""
        birth = self._young.get(group)
        if birth is None:
            birth = self._old.get(group)
            if birth is None:
                return otherwise
            self._young[group] = birth
        return birth

    def keep(self, births: Iterable[tuple[str, int]]) -> None:
        """Remember these."""
        if connection.in_atomic_block:
            return  # what this transaction made may yet be undone
        if len(self._young) >= GENERATION:
            self._young, self._old = {}, self._young
        self._young.update(births)


_memory = Memory(0)


def current() -> Memory:
    """This process's memory, empty where it has become void. One query."""
    global _memory
    stamp = Counter.objects.filter(name=_NAME).values_list("next", flat=True).first()
    if stamp is None:
        stamp = Counter.objects.get_or_create(name=_NAME, defaults={"next": _stamp()})[0].next
    if stamp != _memory.stamp:
        _memory = Memory(stamp)
    return _memory


def forget_all() -> None:
    """Make every process's memory void when the caller's transaction is kept."""
    Counter.objects.update_or_create(name=_NAME, defaults={"next": _stamp()})


def _stamp() -> int:
    return secrets.randbits(62) | 1
