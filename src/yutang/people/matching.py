"""Looking for persons who are there twice without sharing a strong identifier: pairs to be reviewed, nothing merged.

Names, phones and mailboxes are opened in this process's memory only; what is kept of a pair is a score and codes.
"""

from __future__ import annotations

import unicodedata
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from django.db import transaction

from yutang.kernel.clock import wall_now
from yutang.organisation.contracts import Viewer
from yutang.organisation.services import audit
from yutang.people import bulk, identity, joining, splinking
from yutang.people.contracts import DecisionKind
from yutang.people.decisions import headquarters
from yutang.people.models import Decision, Identifier, Person, Suspect
from yutang.warehouse.contracts import Warehouse, named

LEAST = 0.5
"""More likely one human than two."""
MOST_IN_BLOCK = 50
"""A name, an end of a number … that more persons than these share brings nobody together."""
MOST_FOUND = 5_000
MOST_BOUGHT = 60

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What was looked at and found. `too_common`: values that so many share that they were not compared by them.
    `left_out`: likely pairs beyond the most that are kept, the least likely ones."""

    persons: int
    found: int
    new: int
    too_common: int
    left_out: int


def match(viewer: Viewer, warehouse: Warehouse) -> MatchReport:
    """Look for persons who are there twice; what was found before and is not any more waits no longer. A pair that
    somebody decided about is left to the decision. Raises Unavailable where splink is not installed."""
    headquarters(viewer)
    splinking.needed()
    rows = _rows(warehouse)
    too_common = _put_keys(rows)
    pairs: list[Row] = splinking.score(_table(rows), LEAST).to_pylist() if _anybody_meets(rows) else []
    pairs.sort(key=lambda pair: (-pair["score"], pair["first"], pair["second"]))
    with transaction.atomic():
        joining.lock()
        pairs = _undecided(pairs)
        kept = pairs[:MOST_FOUND]
        new = _keep(kept)
        report = MatchReport(len(rows), len(kept), new, too_common, len(pairs) - len(kept))
        audit(viewer, "match_persons", "persons", persons=report.persons, found=report.found, new=report.new)
    return report


def persons_there() -> int:
    """How many birth persons there are to be compared."""
    return Person.objects.filter(blocked=False).count()


def _rows(warehouse: Warehouse) -> list[Row]:
    """A row for each surviving person who may be touched at all, with what is known of them."""
    survivors = identity.survivors_of(Person.objects.filter(blocked=False).values_list("pk", flat=True))
    rows: dict[int, Row] = {
        survivor: {"person": survivor, "name": None, "phone": None, "mailbox": None, "store": None, "bought": None}
        for survivor in sorted(set(survivors.values()))
    }
    people = Person.objects.filter(blocked=False).order_by("name_at", "pk").values_list("pk", "name", "home_node")
    for birth, name, home in people.iterator(chunk_size=20_000):
        row = rows[survivors[birth]]
        if name and (plain := _plain(name)):
            row["name"] = plain
        if home is not None:
            row["store"] = home
    identifiers = Identifier.objects.filter(kind__in=("phone", "email"), hub=False).exclude(person=None).order_by("pk")
    for birth, kind, value in identifiers.values_list("person_id", "kind", "value").iterator(chunk_size=20_000):
        if birth in survivors and value:
            row = rows[survivors[birth]]
            if kind == "email":
                row["mailbox"] = row["mailbox"] or value.partition("@")[0]
            elif value.startswith("+"):
                row["phone"] = row["phone"] or value
    _put_bought(rows, survivors, warehouse)
    return list(rows.values())


def _put_bought(rows: dict[int, Row], survivors: Mapping[int, int], warehouse: Warehouse) -> None:
    table = warehouse.query(named("people/bought"))
    codes = table["sku"].combine_chunks().dictionary_encode().indices.to_pylist()
    bought: dict[int, set[int]] = {}
    for birth, sku in zip(table["person"].to_pylist(), codes, strict=True):
        if birth in survivors:
            bought.setdefault(survivors[birth], set()).add(sku)
    for person, things in bought.items():
        rows[person]["bought"] = sorted(things)[:MOST_BOUGHT]


def _plain(name: str) -> str:
    """A name as it is compared: full width as half, no case, no spaces."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


_KEYS: dict[str, Callable[[Row], str | None]] = {
    "name": lambda row: row["name"],
    "name_store": lambda row: f"{row['name']} {row['store']}" if row["name"] and row["store"] else None,
    # A phone with one digit wrong agrees on its end, on its start, or on both sides.
    "number_end": lambda row: row["phone"] and row["phone"][-7:],
    "number_start": lambda row: row["phone"] and row["phone"][:-3],
    "number_sides": lambda row: row["phone"] and row["phone"][:-7] + row["phone"][-3:],
    "mailbox": lambda row: row["mailbox"],
}


def _put_keys(rows: Sequence[Row]) -> int:
    """Put to each row what it is looked for by; returns how many values are too common to look by."""
    too_common = 0
    for key in splinking.KEYS:
        values = [_KEYS[key](row) for row in rows]
        times = Tally(value for value in values if value)
        common = {value for value, count in times.items() if count > MOST_IN_BLOCK}
        too_common += len(common)
        for row, value in zip(rows, values, strict=True):
            row[f"by_{key}"] = value if value and value not in common else None
    return too_common


def _anybody_meets(rows: Sequence[Row]) -> bool:
    """Whether two persons share anything that they are looked for by."""
    values = ([row[f"by_{key}"] for row in rows if row[f"by_{key}"]] for key in splinking.KEYS)
    return any(len(set(each)) < len(each) for each in values)


def _table(rows: Sequence[Row]) -> pa.Table:
    kinds = {"person": pa.int64(), "store": pa.int64(), "bought": pa.list_(pa.int64())}
    names = ("person", *splinking.FIELDS, *(f"by_{key}" for key in splinking.KEYS))
    return pa.table({name: pa.array([row[name] for row in rows], kinds.get(name, pa.string())) for name in names})


def _undecided(pairs: Iterable[Row]) -> list[Row]:
    """Those of the pairs who are two persons still, and of whom nobody said that they are not the same."""
    pairs = list(pairs)
    said = list(
        Decision.objects.filter(kind=DecisionKind.APART.value, withdrawn_at=None).values_list("person", "other")
    )
    numbers = {pair[end] for pair in pairs for end in ("first", "second")} | {
        one for both in said for one in both if one
    }
    survivors = identity.survivors_of(numbers)
    apart = {frozenset(survivors[one] for one in both if one) for both in said}
    here = set(bulk.select(Person, ("id", "blocked"), "id", survivors))  # some were erased while it was looked
    here_still = {number for number, blocked in here if not blocked}
    found = []
    for pair in pairs:
        both = frozenset((survivors[pair["first"]], survivors[pair["second"]]))
        if len(both) == 2 and both not in apart and {pair["first"], pair["second"]} <= here_still:
            found.append(pair)
    return found


def _keep(pairs: Sequence[Row]) -> int:
    """Let these be the pairs that wait, beside those that somebody put there; returns how many are new."""
    now = wall_now()
    keys = {(pair["first"], pair["second"]) for pair in pairs}
    waiting = {
        (first, second): row
        for row, first, second in Suspect.objects.filter(decision=None)
        .exclude(score=None)
        .values_list("pk", "first", "second")
    }
    bulk.delete(Suspect, "id", [row for key, row in waiting.items() if key not in keys])
    known = set(Suspect.objects.values_list("first", "second"))
    Suspect.objects.bulk_create(
        (
            Suspect(
                first=pair["first"], second=pair["second"], score=pair["score"], evidence=_evidence(pair), found_at=now
            )
            for pair in pairs
        ),
        batch_size=1_000,
        update_conflicts=True,
        unique_fields=("first", "second"),
        update_fields=("score", "evidence"),
    )
    return len(keys - known)


def _evidence(pair: Row) -> list[dict[str, Any]]:
    """What of each field was known of both, how far it agrees, and how much that says (bits)."""
    return [
        {
            "field": name,
            "level": levels[pair[f"{name}_level"]].name,
            "weight": round(float(np.float64(pair[f"{name}_weight"])), 1),
        }
        for name, levels in splinking.FIELDS.items()
        if pair[f"{name}_level"] >= 0
    ]
