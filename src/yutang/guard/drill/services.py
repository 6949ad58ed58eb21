"""The plan to reach, now, those who would be lost: a segment that stands still, and a draft that invites them to a
second way. It is sent by nobody yet: the draft is previewed, decided by the gate and launched like any other."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from yutang.connect.queries import way as contact_way
from yutang.guard.drill import queries
from yutang.guard.drill.contracts import Invitation, Unit, UnitLevel
from yutang.intake.mirror import mirror_facts
from yutang.kernel.calendars import local_day
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import NodeId, PersonId, salt
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.organisation.services import audit
from yutang.people.services import load_tags
from yutang.reach import drafts
from yutang.reach.documents import BroadcastDocument
from yutang.segments import services as segments
from yutang.segments.documents import SegmentDocument
from yutang.warehouse.contracts import Warehouse

MOST = 200_000
LINK = "{link}"
TEXT = "您好，为了不和您失联，请再加一位我们的同事，老朋友的服务不变：{link}\n不想再收到，点这里：{{preferences}}"
"""What is written where nobody wrote anything else."""


def invite(
    warehouse: Warehouse,
    viewer: Viewer,
    gone: Unit,
    *,
    way: str,
    address: str,
    text: str = TEXT,
    store: NodeId | None = None,
) -> Invitation:
    """Tag those who would be lost with a unit (of one store, if that is given), keep a segment of the tag, and write
    the draft of a broadcast that gives them the contact way at `address`. Who is tagged is settled now. Asked for again
    on the same day it adds whoever would be lost since then, and leaves the draft as it is.

    Raises BadInput where there is nobody, there are more than `MOST`, or the text names no link; NotFound for a way
    that the viewer does not see; Refused for a role that may write no plans.
    """
    if not viewer.may_operate:
        raise Refused("你的角色不能写计划，请找总部运营。", "Your role may not write plans; ask headquarters.")
    if LINK not in text:
        raise BadInput(
            f"文案里要有 {LINK}，会换成活码的链接。", f"The text needs {LINK}, where the way's address goes."
        )
    contact_way(viewer, way)
    total, people = queries.lost(warehouse, viewer, gone, store=store, limit=MOST, now=True)
    if not total:
        raise BadInput("没有会失联的人，不用邀请。", "Nobody would be lost; there is nobody to invite.")
    if total > MOST:
        raise BadInput(
            f"会失联的有 {total:,} 人，一次最多 {MOST:,} 人：请先选一家门店。",
            f"{total:,} persons would be lost; at most {MOST:,} at once: choose a store first.",
        )
    now = business_now()
    day = local_day(now, brand().zone)
    name = _name(gone, store, f"{day:%y%m%d}")
    title = {
        "zh": f"封号演练 {_said(gone)} {day:%m-%d}"[:60],
        "en": f"Ban drill {_said(gone)} {day:%m-%d}"[:90],
    }
    named = {"name": name, "schema": 1, "title": title}
    _keep(viewer, _draft(named, gone, text.replace(LINK, address)))  # first: it says so if it was launched since
    segments.save(parse(SegmentDocument, {"kind": "segment", **named, "where": {"tag": [name]}}), viewer)
    persons = pa.array([int(one.person) for one in people], pa.int64())
    at = pa.array([now] * total, pa.timestamp("us", "UTC"))
    load_tags(pa.table({"person": persons, "tag": pa.array([name] * total, pa.string()), "at": at}))
    mirror_facts(warehouse, [PersonId(one.person) for one in people])
    audit(viewer, "drill", f"{gone.level} {gone.of}", persons=total, segment=name)
    return Invitation(name, name, total)


def _keep(viewer: Viewer, document: BroadcastDocument) -> None:
    """Keep the draft, unless one of its name stands already: somebody may have worked on it."""
    if not any(stored.document.name == document.name for stored in drafts.drafts(viewer)):
        drafts.keep_draft(document, viewer, 0)


def _draft(named: Mapping[str, object], gone: Unit, text: str) -> BroadcastDocument:
    said = {
        "kind": "broadcast",
        **named,
        "audience": {"segment": named["name"]},
        "purpose": "marketing",
        "channel": gone.channel,
        "value": True,  # it sells nothing
        "message": {"text": text},
        "hold_out": 0.0,  # who is held out here stays without a second way
        "priority": 80,
    }
    return parse(BroadcastDocument, said)


def _name(gone: Unit, store: NodeId | None, day: str) -> str:
    of = gone.of if gone.level is not UnitLevel.CORP else f"{salt('drill', gone.of):016x}"[:8]
    where = f"_s{int(store)}" if store is not None else ""
    return re.sub(r"[^a-z0-9_]", "_", f"drill_{gone.level}_{of}{where}_{day}".lower())[:63]


def _said(gone: Unit) -> str:
    return gone.userid or gone.of
