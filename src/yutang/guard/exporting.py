"""All that is held of a person, for that person: as data, and as a page that anybody can read (个保法 45 条)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any

import pyarrow as pa

from yutang.guard.queries import headquarters
from yutang.kernel.calendars import aware
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand, nodes
from yutang.organisation.services import audit
from yutang.people.grouped import groups_of
from yutang.people.queries import person_card, words_of
from yutang.profiles.queries import as_of, traits_of
from yutang.tasks.remarks import remarks_of
from yutang.warehouse.contracts import Warehouse, named

TITLES: Mapping[str, tuple[str, str]] = {
    "person": ("基本资料", "Who"),
    "identifiers": ("身份标识", "Identifiers"),
    "consents": ("同意与撤回", "Consent given and withdrawn"),
    "preferences": ("消息偏好", "Message preferences"),
    "relations": ("好友关系", "Friendships"),
    "tags": ("标签", "Tags"),
    "groups": ("所在的群", "Groups"),
    "traits": ("算出的属性", "What was computed"),
    "segments": ("进出过的分群", "Segments entered and left"),
    "orders": ("订单", "Orders"),
    "order_lines": ("订单明细", "Lines of orders"),
    "events": ("发生过的事", "What happened"),
    "remarks": ("员工写的备注", "What staff wrote down"),
    "decisions": ("触达决定与回执", "Decisions on messages, and receipts"),
}


def export_person(warehouse: Warehouse, viewer: Viewer, person: PersonId) -> dict[str, Any]:
    """Everything held of a person, by section; times are UTC with their zone, amounts text. It is noted that it was
    given out, to whom. Raises Refused for whoever is not headquarters, NotFound for whom the viewer does not see."""
    headquarters(viewer)
    card = person_card(viewer, person)
    births = {"births": pa.table({"person": pa.array(card.births, pa.int64())})}
    places = {node.id: node.name for node in nodes()}

    def rows(name: str) -> list[dict[str, Any]]:
        found = warehouse.query(named(f"guard/export_{name}", tables=births)).to_pylist()
        return [
            {key: places.get(value, value) if key == "store" else value for key, value in row.items()} for row in found
        ]

    ready = as_of(warehouse) is not None
    found: dict[str, Any] = {
        "person": [
            {
                "number": card.person, "numbers": list(card.births), "name": card.name, "born_at": card.born_at,
                "home": places.get(card.home_node) if card.home_node else None, "silent": card.silent,
                "blocked": card.blocked, "synthetic": card.synthetic,
            }
        ],
        "identifiers": [asdict(one) for one in card.identifiers],
        "consents": [asdict(word) for _, word in words_of(card.person)],
        "preferences": [asdict(card.wish)],
        "relations": [asdict(one) for one in card.relations],
        "tags": [{"tag": tag} for tag in card.tags],
        "groups": [asdict(one) for one in groups_of(viewer, card.births)],
        "traits": [
            {"trait": name, "value": value}
            for name, value in (traits_of(warehouse, viewer, card.person) if ready else {}).items()
            if value is not None
        ],
        "segments": rows("segments"),
        "orders": rows("orders"),
        "order_lines": rows("lines"),
        "events": rows("events"),
        "remarks": [asdict(one) for one in remarks_of(viewer, card.births, limit=10_000)],
        "decisions": rows("decisions"),
    }  # fmt: skip
    audit(viewer, "export_person", f"person {card.person}", **{name: len(part) for name, part in found.items()})
    return {"brand": brand().name, "exported_at": wall_now(), **found}


def as_json(found: Mapping[str, Any]) -> str:
    """The export as JSON."""
    return json.dumps(found, ensure_ascii=False, indent=1, default=_plain)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return aware(value).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case frozenset():
            return sorted(value)
    return str(value)


def as_page(found: Mapping[str, Any]) -> str:
    """The export as one page in both languages: no script, nothing that it needs from elsewhere."""
    parts = [
        "<!doctype html><html lang='zh-Hans'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(str(found['brand']))} · 个人资料 Personal data</title>",
        "</head><body><h1>个人资料 Personal data</h1>",
        f"<p>{escape(str(found['brand']))} · {_shown(found['exported_at'])}</p>",
    ]
    for name, (zh, en) in TITLES.items():
        parts.append(f"<h2>{zh} {en} ({len(found[name])})</h2>{_table(found[name])}")
    return "\n".join([*parts, "</body></html>"])


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    rows = list(rows)
    if not rows:
        return "<p>没有 None</p>"
    head = "".join(f"<th align='left'>{escape(name)}</th>" for name in rows[0])
    lines = ("".join(f"<td valign='top'>{_shown(value)}</td>" for value in row.values()) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table border='1' cellpadding='4' cellspacing='0'><tr>{head}</tr>{body}</table>"


def _shown(value: object) -> str:
    if value is None:
        return ""
    said = _plain(value) if isinstance(value, datetime | date | Decimal | frozenset) else value
    return escape(", ".join(map(str, said)) if isinstance(said, list) else str(said))
