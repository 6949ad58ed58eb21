"""Messages that were accepted and are no events yet: kept sealed, counted, shown masked, and replayed.

Bounds: the newest HELD_PER_KEY messages of a key, for HELD_DAYS; counts for COUNTED_DAYS, and of one key and day for at
most PROBLEMS_A_DAY kinds of trouble, the rest together under OTHER. What is let go is counted too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from django.db import connection, transaction
from django.db.models import Count, F, Max, Sum

from yutang.intake.collect.contracts import Held, KeyFacts, Trouble
from yutang.intake.collect.keys import facts
from yutang.intake.collect.messages import UNREADABLE
from yutang.intake.collect.reading import Kept, again
from yutang.intake.hooks import reading as hooks
from yutang.intake.models import FixedTime, HeldMessage, Violation, WriteKey
from yutang.intake.refused import hidden
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import NotFound, Refused
from yutang.log.documents import MAX_PROPS, EventTypeDocument
from yutang.log.envelopes import AT, ID, Row, micros, row_of, time_of
from yutang.log.registry import folded
from yutang.log.services import record_rows
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand

HELD_PER_KEY = 10_000
HELD_DAYS = 30
COUNTED_DAYS = 90
PROBLEMS_A_DAY = 200
FIXED_DAYS = 30
OTHER = Trouble("…", "其他问题", "other problems")
_TELLS_OF_SOMEBODY = re.compile(r"\d{6}|@")  # a phone or an address, sent as the name of a type or a field
_CONTEXT = "intake_heldmessage.sealed"
_STEP = 500
_READ_KEPT = msgspec.json.Decoder(Kept).decode
_PII = ("phone", "mobile", "tel", "email", "mail", "name", "address", "idcard", "id_card", "wechat", "unionid", "birth")
_COUNT = """
INSERT INTO intake_violation (key_id, day, type, problem, zh, en, seen, let_go) VALUES (%s, %s, %s, %s, %s, %s, %s, 0)
ON CONFLICT (key_id, day, type, problem) DO UPDATE SET seen = intake_violation.seen + excluded.seen
"""


@dataclass(frozen=True, slots=True)
class TroubleCount:
    """Messages of one key and type that met one problem in the last COUNTED_DAYS. `held` of them can be replayed."""

    key: int
    key_name: str
    type: str
    problem: str
    zh: str
    en: str
    seen: int
    let_go: int
    held: int
    last: date


@dataclass(frozen=True, slots=True)
class SampleField:
    """A field of a held message: where, of which kind, and its value with all but the first character hidden."""

    name: str
    kind: str
    value: str


# Keeping ----------------------------------------------------------------------------------------------------------


def hold(found: Sequence[Held], received_at: datetime) -> None:
    """Keep messages and count them, in the caller's transaction. A second arrival is counted and not kept twice."""
    day = received_at.date()
    ring = keyring()
    counts: Counter[tuple[int, str, Trouble]] = Counter()
    known = _known_problems({one.key for one in found}, day)
    rows = []
    for one in found:
        type_, trouble = _bounded(known[one.key], one.type, one.trouble)
        counts[one.key, type_, trouble] += 1
        rows.append(
            HeldMessage(
                key_id=one.key,
                mark=ring.lookup_hash("collect.held", one.mark),
                type=type_,
                problem=trouble.problem,
                received_at=received_at,
                sealed=ring.encrypt(one.message.decode("utf-8", "replace"), _CONTEXT),
            )
        )
    HeldMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_STEP)
    with connection.cursor() as cursor:
        cursor.executemany(
            _COUNT,
            [
                (key, day, type_, trouble.problem, trouble.zh, trouble.en, seen)
                for (key, type_, trouble), seen in counts.items()
            ],
        )
    for key in known:
        _let_go(key, HELD_PER_KEY)


def _known_problems(keys: Iterable[int], day: date) -> dict[int, set[tuple[str, str]]]:
    return {key: set(Violation.objects.filter(key_id=key, day=day).values_list("type", "problem")) for key in keys}


def _bounded(known: set[tuple[str, str]], type_: str, trouble: Trouble) -> tuple[str, Trouble]:
    """A key that stands in a page may be made to say anything: names are counted only so far, and hold no controls."""
    type_ = harmless(type_)
    if not trouble.problem.isprintable() or _TELLS_OF_SOMEBODY.search(f"{trouble.problem} {trouble.en}"):
        trouble = OTHER
    if (type_, trouble.problem) not in known:
        if len(known) >= PROBLEMS_A_DAY:
            return OTHER.problem, OTHER
        known.add((type_, trouble.problem))
    return type_, trouble


def harmless(name: str) -> str:
    """The name of a type as it may stand in clear: no controls, and nothing where it tells of somebody."""
    name = "".join(sign if sign.isprintable() else "�" for sign in name)
    return OTHER.problem if _TELLS_OF_SOMEBODY.search(name) else name


def _let_go(key: int, most: int) -> None:
    """Let the oldest go where a key has more than its share."""
    over = HeldMessage.objects.filter(key_id=key).count() - most
    if over <= 0:
        return
    oldest = list(HeldMessage.objects.filter(key_id=key).order_by("pk").values_list("pk", "type", "problem")[:over])
    for (type_, problem), gone in Counter((type_, problem) for _, type_, problem in oldest).items():
        _count_let_go(key, type_, problem, gone)
    HeldMessage.objects.filter(key_id=key, pk__lte=oldest[-1][0]).delete()


def _count_let_go(key: int, type_: str, problem: str, gone: int) -> None:
    latest = Violation.objects.filter(key_id=key, type=type_, problem=problem).order_by("-day").first()
    if latest is not None:
        Violation.objects.filter(pk=latest.pk).update(let_go=F("let_go") + gone)


def tidy() -> None:
    """Let go what is past its time."""
    now = wall_now()
    with transaction.atomic():
        old = HeldMessage.objects.filter(received_at__lt=now - timedelta(days=HELD_DAYS))
        for key, type_, problem, gone in old.values_list("key_id", "type", "problem").annotate(gone=Count("pk")):
            _count_let_go(key, type_, problem, gone)
        old.delete()
        Violation.objects.filter(day__lt=now.date() - timedelta(days=COUNTED_DAYS)).delete()
        FixedTime.objects.filter(noted_at__lt=now - timedelta(days=FIXED_DAYS)).delete()


def settled(rows: Sequence[Row]) -> list[Row]:
    """Rows whose time is of our making, each at the time that its first arrival was given."""
    ring = keyring()
    marks = [ring.lookup_hash("collect.time", row[ID]) for row in rows]
    FixedTime.objects.bulk_create(
        [FixedTime(mark=mark, occurred_at=time_of(row[AT])) for mark, row in zip(marks, rows, strict=True)],
        ignore_conflicts=True,
        batch_size=_STEP,
    )
    times: dict[bytes, int] = {}
    for start in range(0, len(marks), _STEP):
        kept = FixedTime.objects.filter(pk__in=marks[start : start + _STEP]).values_list("mark", "occurred_at")
        times.update((bytes(mark), micros(at)) for mark, at in kept)
    return [(*row[:AT], times[mark], *row[AT + 1 :]) for mark, row in zip(marks, rows, strict=True)]


# Looking ----------------------------------------------------------------------------------------------------------


def troubles(viewer: Viewer) -> list[TroubleCount]:
    """What messages met, most often first. Only for those who run the whole brand."""
    headquarters(viewer)
    held = {
        (key, type_, problem): count
        for key, type_, problem, count in HeldMessage.objects.values_list("key_id", "type", "problem").annotate(
            count=Count("pk")
        )
    }
    rows = (
        Violation.objects.values("key_id", "key__name", "type", "problem")
        .annotate(total=Sum("seen"), gone=Sum("let_go"), last=Max("day"), zh=Max("zh"), en=Max("en"))
        .order_by("-total")
    )
    return [
        TroubleCount(
            row["key_id"],
            row["key__name"],
            row["type"],
            row["problem"],
            row["zh"],
            row["en"],
            row["total"],
            row["gone"],
            held.get((row["key_id"], row["type"], row["problem"]), 0),
            row["last"],
        )
        for row in rows
    ]


def sample(viewer: Viewer, key: int, type_: str, problem: str) -> list[SampleField]:
    """The newest such message that is held, masked. Raises NotFound where none is held."""
    headquarters(viewer)
    row = HeldMessage.objects.filter(key_id=key, type=type_, problem=problem).order_by("-pk").first()
    if row is None:
        raise NotFound("没有留存这样的消息。", "No such message is held.")
    message = _content(row)
    if hooks.is_ours(_kept(row)):
        return [SampleField(name, _kind(value), _masked(value)) for name, value in hooks.leaves(message)][:60]
    fields = [SampleField(name, _kind(value), _masked(value)) for name, value in message.items() if name in _ABOUT]
    for part in ("properties", "traits"):
        inside = message.get(part)
        if isinstance(inside, dict):
            fields += [SampleField(f"{part}.{name}", _kind(value), _masked(value)) for name, value in inside.items()]
    return fields[:60]


_ABOUT = ("type", "event", "messageId", "timestamp", "userId", "anonymousId", "previousId", "groupId", "name")


def proposed(viewer: Viewer, key: int, type_: str) -> EventTypeDocument:
    """An event type made of what is held of it: every property seen, its kind, personal where its name says so.

    Raises NotFound where none is held.
    """
    headquarters(viewer)
    kinds: dict[str, set[str]] = {}
    rows = HeldMessage.objects.filter(key_id=key, type=type_).order_by("-pk")[:1000]
    for row in rows:
        inside = _content(row).get("properties")
        for name, value in inside.items() if isinstance(inside, dict) else ():
            if value is not None:
                kinds.setdefault(name, set()).add(_kind(value))
    if not kinds and not rows:
        raise NotFound("没有留存这样的消息。", "No such message is held.")
    base = folded(type_)
    name = base if base[:1].isascii() and base[:1].isalpha() and base.isascii() else f"event_{len(base)}"
    usable = [
        (prop, found)
        for prop, found in kinds.items()
        if found <= {"text", "number", "boolean"} and prop.isascii() and prop.isidentifier() and len(prop) <= 63
    ]
    props = {
        prop: {"type": found.pop() if len(found) == 1 else "text", **({"pii": True} if _personal(prop) else {})}
        for prop, found in usable[:MAX_PROPS]
    }
    return EventTypeDocument.model_validate(
        {
            "kind": "event_type",
            "name": name[:63],
            "title": {"zh": type_[:60], "en": type_[:90]},
            "also": [type_],
            "props": props,
        }
    )


def _content(row: HeldMessage) -> dict[str, Any]:
    try:
        kept = _kept(row)
        found = hooks.content(bytes(row.mark)) if hooks.is_ours(kept) else msgspec.json.decode(kept.message)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def _kept(row: HeldMessage) -> Kept:
    return _READ_KEPT(keyring().decrypt(bytes(row.sealed), _CONTEXT).encode())


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case None:
            return "null"
    return "object"


def _masked(value: object) -> str:
    match value:
        case bool() | None:
            return str(value).lower()
        case list():
            return f"[{len(value)}]"
        case dict():
            return "{" + ", ".join(str(name) for name in value)[:80] + "}"
    return hidden(str(value))


def _personal(name: str) -> bool:
    return any(word in name.lower() for word in _PII)


# Replaying --------------------------------------------------------------------------------------------------------


def replay(
    viewer: Viewer, key: int | None = None, type_: str | None = None, problem: str | None = None
) -> tuple[int, int]:
    """Put held messages (of a key, of a type, with a problem) through the vocabulary once more: how many were recorded,
    and how many are still held. Killed in the middle, it goes on when run again; an event that arrived meanwhile
    changes nothing."""
    headquarters(viewer)
    currency = brand().currency
    keys = {row.pk: facts(row) for row in WriteKey.objects.all()}
    recorded = left = after = 0
    while True:
        with transaction.atomic():
            rows = HeldMessage.objects.filter(pk__gt=after).order_by("pk")
            rows = rows if key is None else rows.filter(key_id=key)
            rows = rows if type_ is None else rows.filter(type=type_)
            rows = rows if problem is None else rows.filter(problem=problem)
            part = list(rows[:_STEP])
            if not part:
                return recorded, left
            after = part[-1].pk
            done = _recorded(part, keys, currency)
            recorded += done
            left += len(part) - done


def _recorded(part: Sequence[HeldMessage], keys: dict[int, KeyFacts], currency: str) -> int:
    sure: list[Row] = []
    unsure: list[Row] = []
    done = []
    told: dict[bytes, int] = {}
    pushed = hooks.Again([bytes(row.mark) for row in part])
    for row in part:
        try:
            kept = _kept(row)
        except UNREADABLE:
            continue
        found = pushed.read(bytes(row.mark)) if hooks.is_ours(kept) else again(kept, keys[row.key_id], currency)
        if isinstance(found, hooks.Made):
            sure += map(row_of, found.events)
            unsure += map(row_of, found.unsure)
            told[bytes(row.mark)] = len(found.events) + len(found.unsure)
            done.append(row.pk)
            continue
        if isinstance(found, Trouble):
            if found.problem != row.problem:
                HeldMessage.objects.filter(pk=row.pk).update(problem=found.problem)
                with connection.cursor() as cursor:  # a new count of nothing, so that its sentence can be shown
                    cursor.execute(
                        _COUNT, (row.key_id, wall_now().date(), row.type, found.problem, found.zh, found.en, 0)
                    )
            continue
        (unsure if kept.unsure else sure).extend(map(row_of, found))
        done.append(row.pk)
    if done:
        record_rows([*sure, *(settled(unsure) if unsure else ())])
        hooks.note_recorded(told)
        HeldMessage.objects.filter(pk__in=done).delete()
    return len(done)


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for whoever does not run the whole brand: what is held belongs to no store yet."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能看未归类的消息。", "Only headquarters sees messages that are no events yet.")


# Forgetting -------------------------------------------------------------------------------------------------------

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def any_of(words: Sequence[str]) -> re.Pattern[str]:
    """What finds any of these words as somebody may have written it: in either case, a number's digits in groups."""
    parts = (r"[\s().\-]{0,2}".join(word) if word.isdecimal() else re.escape(word) for word in words)
    return re.compile("|".join(parts), re.IGNORECASE)


def stands_in(found: re.Pattern[str], text: str) -> bool:
    """Whether the pattern finds something in a text as it came, or as JSON or a form would escape it."""
    if found.search(text):
        return True
    if "\\u" in text and found.search(_ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), text)):
        return True
    return "%" in text and found.search(unquote_plus(text, errors="replace")) is not None


def forget_messages_with(words: Sequence[str], after: int, limit: int = 1000) -> int | None:
    """Delete those of the next held messages in which one of these words stands (a phone, an id, as somebody may have
    written it); returns the last one looked at, None when there are no more."""
    last = None
    gone = []
    wanted = any_of(words)
    for row in HeldMessage.objects.filter(pk__gt=after).order_by("pk")[:limit]:
        last = row.pk
        if stands_in(wanted, keyring().decrypt(bytes(row.sealed), _CONTEXT)):
            gone.append(row.pk)
    HeldMessage.objects.filter(pk__in=gone).delete()
    return last
