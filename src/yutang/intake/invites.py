"""老带新: who brought whom, out of `invite.joined`. The inviter is named by an identifier, which stays out of the
warehouse as every other; there stand two persons of birth and an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yutang.intake.columns import Births
from yutang.log.contracts import NEXT, PART, STRONG_KINDS, EventColumns, IdentifierValue
from yutang.people import services
from yutang.people.contracts import TIMESTAMP
from yutang.warehouse.contracts import Statement, named

INVITED = "invite.joined"
INVITES = pa.schema([("event_id", pa.string()), ("person", pa.int64()), ("inviter", pa.int64()), ("at", TIMESTAMP)])
_LONGEST = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_from_json = msgspec.json.Decoder().decode


def inviter_of(props: Mapping[str, Any], source: str) -> IdentifierValue | None:
    """Who invited, as an identifier: `kind:value` or `kind:namespace:value`; without a kind it is a member number.
    A member number without a namespace is of the event's source. None where nobody can be meant by it."""
    text = props.get("inviter")
    if not isinstance(text, str):
        return None
    text = text.strip()
    kind, _, rest = text.partition(":")
    if kind not in STRONG_KINDS:
        kind, namespace, value = "member", source, text
    else:
        first, colon, more = rest.partition(":")
        whole = not colon or kind in ("phone", "email")
        namespace, value = ("", rest) if whole else (first, more)
        namespace = source if kind == "member" and whole else namespace
    strange = any(sign in text for sign in (PART, NEXT)) or not value.strip() or len(text) > _LONGEST
    return None if strange else IdentifierValue(kind, namespace, value)


def invites_of(arrived: EventColumns, persons: Births) -> pa.Table:
    """The invitations among the events, as INVITES; inviters who are new are made, as everybody who is named. Without
    those whose newcomer or inviter is nobody's number any more, and those of oneself."""
    chosen = pc.equal(arrived.events["type"], INVITED).to_numpy()
    rows = np.flatnonzero(chosen & (persons > 0)) if chosen.any() else np.zeros(0, np.int64)
    told = arrived.events.select(["event_id", "source", "occurred_at"]).take(pa.array(rows, pa.int64()))
    stamps = told["occurred_at"].cast(pa.int64()).to_pylist()
    found = [
        (event, int(persons[row]), stamp, inviter)
        for row, event, source, stamp in zip(
            rows.tolist(), told["event_id"].to_pylist(), told["source"].to_pylist(), stamps, strict=True
        )
        if (inviter := inviter_of(_from_json(arrived.private.get(row) or "{}"), source)) is not None
    ]
    at = [_EPOCH + timedelta(microseconds=stamp) for _, _, stamp, _ in found]
    births = services.birth_persons([(inviter,) for *_, inviter in found], seen_at=at) if found else []
    kept = [
        {"event_id": event, "person": person, "inviter": int(birth), "at": when.replace(tzinfo=None)}
        for (event, person, _, _), when, birth in zip(found, at, births, strict=True)
        if birth and birth != person
    ]
    return pa.Table.from_pylist(kept, schema=INVITES)


def invite_statements(invites: pa.Table) -> list[Statement]:
    """What keeps these invitations, each once by its event's id."""
    return [named("intake/keep_invites", tables={"told": invites})] if invites.num_rows else []
