"""Contact ways for those who may see them, what they brought, and what the public page needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from django.db.models import Count, Max

from yutang.channels.acquisition.queries import quotas
from yutang.channels.ports.inheritance import ACQUISITION
from yutang.connect.contracts import FEWEST, CodeFacts, CodeState, GroupWayState, QuotaOutlook, WayFacts, WayResult
from yutang.connect.documents import ContactWay
from yutang.connect.models import Code, GroupWay, Join, Way
from yutang.connect.services import open_ways
from yutang.connect.telling import lasts, payback, wilson
from yutang.documents.contracts import StoredDocument
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, Viewer
from yutang.organisation.queries import nodes
from yutang.warehouse.contracts import Warehouse, named
from yutang.warehouse.dialects import beneath


def ways(viewer: Viewer) -> list[WayFacts]:
    """The contact ways of the nodes that a viewer may see, by name."""
    tree = {node.code: node for node in nodes()}
    codes: dict[int, list[Code]] = defaultdict(list)
    for code in Code.objects.order_by("node"):
        codes[code.way_id].append(code)
    found = []
    for _, (row, stored) in sorted(open_ways().items()):
        node = tree.get(_way(stored).at)
        if node is not None and viewer.sees(node.id):
            found.append(_facts(row, stored, node, codes[row.pk]))
    return found


def way(viewer: Viewer, name: str) -> WayFacts:
    """One of them. Raises NotFound."""
    for one in ways(viewer):
        if one.name == name:
            return one
    raise NotFound(f"没有名为「{name[:63]}」的活码。", f"There is no contact way “{name[:63]}”.")


def _way(stored: StoredDocument) -> ContactWay:
    assert isinstance(stored.document, ContactWay)
    return stored.document


def _facts(row: Way, stored: StoredDocument, node: NodeFacts, rows: Sequence[Code]) -> WayFacts:
    codes = tuple(
        CodeFacts(
            NodeId(code.node) if code.node else None,
            CodeState(code.state),
            code.qr_code,
            tuple(code.users),
            code.full,
            code.trouble,
        )
        for code in rows
    )
    return WayFacts(
        _way(stored), stored.version, node, row.slug, row.picture is not None, stored.author, stored.created_at, codes
    )


def codes_of(corp: str) -> int:
    """How many codes a corp has at the platform. (Unscoped: a number of the whole corp's, for its owner.)"""
    return Code.objects.filter(corp=corp).exclude(state=CodeState.WANTED).count()


def codes_held() -> dict[str, int]:
    """How many codes that count among the platform's 500,000 each corp has, group codes included. (Unscoped: numbers of
    whole corps.)"""
    held: dict[str, int] = defaultdict(int)
    links = [name for name, (_, stored) in open_ways().items() if _way(stored).channel == ACQUISITION]
    theirs = Code.objects.exclude(way__name__in=links).exclude(config_id="")
    groups = GroupWay.objects.exclude(config_id="").exclude(state__in=(GroupWayState.ENDED, GroupWayState.GONE))
    for rows in (theirs.exclude(state__in=(CodeState.CLOSED, CodeState.GONE)), groups):
        for corp, count in rows.values_list("corp").annotate(count=Count("pk")):
            held[corp] += count
    return dict(held)


@dataclass(frozen=True, slots=True)
class IdleWay:
    """A way by which nobody has come lately: its codes at the platform, and when the last came (None: nobody ever)."""

    way: WayFacts
    codes: int
    last: datetime | None


def idle_ways(viewer: Viewer, days: int) -> list[IdleWay]:
    """The ways that have codes and are older than so many days, by which nobody came in these days; the most codes
    first."""
    since = business_now() - timedelta(days=days)
    last = dict(Join.objects.values_list("way").annotate(last=Max("at")))
    found = []
    for one in ways(viewer):
        came, codes = last.get(one.name), sum(code.state is CodeState.LIVE for code in one.codes)
        if codes and not one.document.closed and one.created_at < since and (came is None or came < since):
            found.append(IdleWay(one, codes, came))
    return sorted(found, key=lambda idle: (-idle.codes, idle.way.name))


def way_of_state(state: str) -> str | None:
    """The name of the way whose code bears this state at the platform; None for a state that is none of ours."""
    return Code.objects.filter(token=state).values_list("way__name", flat=True).first()


@dataclass(frozen=True, slots=True)
class OpenedWay:
    """What a visitor's page shows: the way, the stores to choose from where it leads to the nearest, their codes."""

    document: ContactWay
    picture: bool
    whole: str
    by_store: tuple[tuple[NodeFacts, str], ...]


def opened(slug: str) -> OpenedWay:
    """A way by its public address. Raises NotFound. (Unscoped: it is what anyone may see who scans the poster.)"""
    row = Way.objects.filter(slug=slug).first()
    stored = open_ways().get(row.name, (None, None))[1] if row is not None else None
    if row is None or stored is None:
        raise NotFound(
            "这个二维码已经失效，请向门店要一个新的。", "This code no longer works; ask the store for another."
        )
    codes = {code.node: code.qr_code for code in row.codes.exclude(qr_code="")}
    stores = tuple((node, codes[node.id]) for node in nodes() if node.id in codes)
    return OpenedWay(_way(stored), row.picture is not None, codes.get(0, ""), stores)


def picture(slug: str) -> tuple[bytes, str]:
    """The uploaded picture of a way, and its type. Raises NotFound. (Unscoped: it is public.)"""
    row = Way.objects.filter(slug=slug).exclude(picture=None).first()
    if row is None or row.picture is None:
        raise NotFound("没有这张图片。", "There is no such picture.")
    return bytes(row.picture), row.picture_type


def quota_outlooks(viewer: Viewer) -> list[QuotaOutlook]:
    """How long the quota of acquisition links lasts, by corp. Raises Refused for whoever does not see all."""
    if not viewer.sees_all:
        raise Refused("获客额度属于整个品牌，请找总部。", "The quota belongs to the whole brand; ask headquarters.")
    found = quotas()
    if not found:
        return []
    now, links = (
        business_now(),
        [name for name, (_, stored) in open_ways().items() if _way(stored).channel == ACQUISITION],
    )
    corp_of = dict(Code.objects.filter(way__name__in=links).values_list("way__name", "corp"))
    came: dict[str, int] = defaultdict(int)
    since = now - timedelta(days=QuotaOutlook.DAYS)
    for name in Join.objects.filter(way__in=links, at__gt=since, at__lte=now).values_list("way", flat=True):
        came[corp_of.get(name, "")] += 1
    outlooks = []
    for quota in found:
        per_day = came[quota.corp] / QuotaOutlook.DAYS
        outlooks.append(QuotaOutlook(quota, per_day, *lasts(quota.balance, quota.expiring, per_day, now)))
    return outlooks


def results(warehouse: Warehouse, viewer: Viewer, found: Sequence[WayFacts]) -> dict[str, WayResult]:
    """What each of these ways, which the viewer may see, cost and brought, by name."""
    mine = [one for one in found if viewer.sees(one.node.id)]
    if not mine:
        return {}
    wanted = pa.table({"source": [f"way:{one.name}" for one in mine]})
    asked = beneath(named("connect/results", tables={"wanted": wanted}), "bought", "connect/bought")
    brought = {row["source"]: row for row in warehouse.query(asked).to_pylist()}
    scans = {
        row["source"]: int(row["scans"])
        for row in warehouse.query(named("connect/scans", tables={"wanted": wanted})).to_pylist()
    }
    empty = {"joined": 0, "kept": 0, "firsts": 0, "spent": Decimal(0), "squares": 0.0}
    return {
        one.name: _result(one.document, scans.get(f"way:{one.name}", 0), brought.get(f"way:{one.name}", empty))
        for one in mine
    }


def _result(document: ContactWay, scans: int, row: dict[str, object]) -> WayResult:
    joined, kept, firsts = (int(str(row[name])) for name in ("joined", "kept", "firsts"))
    spent = Decimal(str(row["spent"])).quantize(Decimal("0.01"))
    cost = document.cost.fixed + document.cost.per_head * joined
    return WayResult(
        scans,
        joined,
        kept,
        firsts,
        spent,
        cost,
        (cost / joined).quantize(Decimal("0.01")) if joined and cost else None,
        wilson(firsts, joined) if joined >= FEWEST else None,
        payback(joined, float(spent), float(str(row["squares"] or 0)), float(cost)),
    )
