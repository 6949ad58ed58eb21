"""Files of events: one row is one event of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from yutang.intake.files.contracts import Rows
from yutang.intake.parsing import amount_trouble, scaled, text, time_trouble, times
from yutang.intake.refused import RefusedRows
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log.contracts import STRONG_KINDS, WEAK_KINDS, Event, IdentifierValue
from yutang.log.services import seal, unseal
from yutang.log.vocabulary import VOCABULARY, check

REQUIRED = ("type", "occurred_at")
IDENTITY = STRONG_KINDS + WEAK_KINDS
PROPS = tuple(sorted({name for kind in VOCABULARY.values() for name in kind.props} - set(IDENTITY)))
OPTIONAL = ("event_id", "store", "staff", "channel", "amount", "currency", *PROPS)
_YES = frozenset(("1", "true", "yes", "是"))
_START = datetime(1970, 1, 1, tzinfo=UTC)


def events_of(
    rows: Rows, columns: dict[str, pa.Array], *, zone: str, source: str, corp: str, currency: str, synthetic: bool,
    refused: RefusedRows,
) -> list[Event]:  # fmt: skip
    """A block's events that the vocabulary takes; the others are refused, each for the first thing wrong with it.

    Member numbers and e-mails are of `source`, external_userids and openids of `corp`. An event without an id gets
    one made of its row, so that importing the row again changes nothing.
    """
    at, bad_time = times(columns["occurred_at"], zone)
    amount, bad_amount = (
        scaled(columns["amount"], 2, empty=0, currency=currency)
        if "amount" in columns
        else (np.zeros(len(rows), np.int64), np.zeros(len(rows), bool))
    )
    words = {name: text(column).to_pylist() for name, column in columns.items()}
    result = []
    for index, row in enumerate(rows.tolist()):
        given = {name: values[index] for name, values in words.items() if values[index]}
        if bad_time[index]:
            said = given.get("occurred_at", "")
            refused.add(row, "occurred_at", said, *time_trouble(said))
            continue
        if bad_amount[index]:
            refused.add(row, "amount", given["amount"], *amount_trouble(given["amount"]))
            continue
        event = _event(
            given, _START + timedelta(microseconds=int(at[index])), int(amount[index]), source, corp, currency
        )
        if synthetic and event.type in VOCABULARY and "synthetic" in VOCABULARY[event.type].props:
            event = replace(event, props={**event.props, "synthetic": True})
        try:
            check(event, currency)
        except BadInput as error:
            # The sentence may quote what stands in the file, so only what is wrong is kept, not with which event.
            refused.add(
                row,
                "type" if event.type not in VOCABULARY else "props",
                given.get("type", ""),
                error.zh.partition("的 ")[2] if event.type in VOCABULARY else "没有这种事件",
                error.en.partition(", ")[2] if event.type in VOCABULARY else "there is no such event type",
            )
            continue
        result.append(event)
    return result


def _event(given: dict[str, str], at: datetime, cents: int, source: str, corp: str, currency: str) -> Event:
    kind = VOCABULARY.get(given.get("type", ""))
    spaces = {"member": source, "external_userid": corp, "openid": corp}
    props: dict[str, Any] = {name: given[name] for name in PROPS if name in given}
    for name in props:
        if kind is not None and name in kind.props and kind.props[name].type is bool:
            props[name] = props[name].lower() in _YES
    made = (
        keyring()
        .lookup_hash("event", source, at.isoformat(), *(f"{name}={given[name]}" for name in sorted(given)))
        .hex()
    )
    return Event(
        id=EventId(given.get("event_id") or f"row:{source}:{made}"),
        type=given.get("type", ""),
        occurred_at=at,
        identifiers=tuple(
            IdentifierValue(name, spaces.get(name, ""), given[name]) for name in IDENTITY if name in given
        ),
        store=given.get("store"),
        staff=given.get("staff"),
        source=source,
        channel=given.get("channel"),
        amount=Decimal(cents).scaleb(-2) if "amount" in given else None,
        currency=given.get("currency") or (currency if "amount" in given else None),
        props=props,
    )


class EventSpill:
    """Checked events, sealed, on their way to identity. Closed when left."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, events: list[Event]) -> None:
        """Lay down one block."""
        if events:
            sealed = seal(events)
            self._file.write(len(sealed).to_bytes(4, "big") + sealed)

    def __enter__(self) -> EventSpill:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def load(path: Path) -> Iterator[list[Event]]:
    """The blocks of an `EventSpill`."""
    with path.open("rb") as file:
        while size := file.read(4):
            yield unseal(file.read(int.from_bytes(size, "big")))
