"""群: customer groups in one list, and a group with who is in it, how it grew and by which codes people came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.connect.contracts import GroupWayFacts
from yutang.connect.group_ways import ways_by_token
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import GROUP_SCENES, GROUP_STATES, said
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind, Viewer
from yutang.organisation.queries import nodes, senders
from yutang.people import grouped
from yutang.people.contracts import CODE_FULL, GroupFacts, GroupFilter, GroupMemberShown, GroupWeek

SILENT_DAYS = 30
MOST_IN_FILE = 20_000


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with whose it is and where."""

    group: GroupFacts
    owner: str
    store: NodeFacts | None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Somebody in a group, with who invited and the code by which they came."""

    member: GroupMemberShown
    inviter: str
    way: GroupWayFacts | None


@page
@require_safe
def group_list(request: Page) -> HttpResponseBase:
    """The list; `?find=`, `?owner=`, `?store=`, `?least=`, `?most=`, `?full=`, `?silent=` and `?gone=` keep some."""
    given = {name: request.GET.get(name, "").strip() for name in ("find", "owner", "store", "least", "most")}
    marks = {name: request.GET.get(name, "") for name in ("full", "silent", "gone")}
    places = {node.id: node for node in nodes() if request.viewer.sees(node.id)}
    stores = {node.code: node for node in places.values() if node.kind is NodeKind.STORE}
    chosen = stores.get(given["store"])
    asked = GroupFilter(
        owner=given["owner"],
        node=None if not given["store"] else chosen.id if chosen else NodeId(0),
        least=_number(given["least"]),
        most=_number(given["most"]),
        full={"yes": True, "no": False}.get(marks["full"]),
        silent=SILENT_DAYS if marks["silent"] else None,
        find=given["find"],
        live=not marks["gone"],
    )
    order = sorting(request, grouped.SORTS, "-size")
    guides = _guides(request.viewer)
    if wanted_format(request):
        found, _total = grouped.groups(request.viewer, asked, order=order, limit=MOST_IN_FILE)
        return _export(request, [_row(one, guides, places) for one in found])
    number = page_number(request)
    found, total = grouped.groups(request.viewer, asked, order=order, limit=50, offset=(number - 1) * 50)
    owners = grouped.owners_of_groups(request.viewer)
    context = {
        "rows": [_row(one, guides, places) for one in found],
        "pager": Pager(number, total),
        "given": given,
        "marks": marks,
        "filtered": any(given.values()) or any(marks.values()),
        "owners": [(owner, guides.get(owner.casefold(), owner)) for owner in owners],
        "stores": sorted(stores.values(), key=lambda node: node.code),
        "sort": request.GET.get("sort", ""),
        "silent_days": SILENT_DAYS,
        "code_full": CODE_FULL,
    }
    return render(request, "console/groups.html", context)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def _guides(viewer: Viewer) -> dict[str, str]:
    return {one.userid.casefold(): one.name or one.userid for one in senders(viewer)}


def _row(one: GroupFacts, guides: Mapping[str, str], places: Mapping[NodeId, NodeFacts]) -> GroupRow:
    return GroupRow(
        one, guides.get(one.owner.casefold(), one.owner), places.get(one.node) if one.node is not None else None
    )


def _export(request: Page, rows: Sequence[GroupRow]) -> HttpResponseBase:
    head = [_("群ID"), _("群名"), _("群主"), _("门店"), _("状态"), _("群人数"), _("其中客户")]
    head += [_("30 天入群"), _("30 天退群"), _("建群时间"), _("最近有人进出")]
    table = [
        (
            row.group.code,
            row.group.name,
            row.owner,
            row.store.name if row.store else "",
            said(GROUP_STATES, row.group.state) if row.group.state else "",
            *(row.group.size, row.group.persons, row.group.joined, row.group.left, row.group.made_at),
            row.group.moved_at,
        )
        for row in rows
    ]
    return exported(request, "groups", head, table)


@page
@require_safe
def group(request: Page, number: int) -> HttpResponseBase:
    """One group; `?left=1` shows who is not in it any more, `?export=` gives its members as a file."""
    facts = grouped.group(request.viewer, number)
    live = not request.GET.get("left")
    guides = _guides(request.viewer)
    ways = ways_by_token(request.viewer)
    if wanted_format(request):
        members, _total = grouped.group_members(request.viewer, number, live=live)
        return _export_members(request, facts, [_member(one, guides, ways) for one in members])
    pager_page = page_number(request)
    members, total = grouped.group_members(request.viewer, number, live=live, limit=50, offset=(pager_page - 1) * 50)
    places = {node.id: node for node in nodes() if request.viewer.sees(node.id)}
    weeks = grouped.growth(request.viewer, number)
    context = {
        "row": _row(facts, guides, places),
        "members": [_member(one, guides, ways) for one in members],
        "pager": Pager(pager_page, total),
        "live": live,
        "weeks": weeks,
        "bars": _bars(weeks),
        "ways": [way for way in ways.values() if any(one.id == facts.id for one in way.groups)],
        "staff": [guides.get(one.casefold(), one) for one in facts.staff],
        "code_full": CODE_FULL,
    }
    return render(request, "console/groups_one.html", context)


def _member(one: GroupMemberShown, guides: Mapping[str, str], ways: Mapping[str, GroupWayFacts]) -> MemberRow:
    inviter = guides.get(one.inviter.casefold(), one.inviter)
    return MemberRow(one, inviter, ways.get(one.state) if one.state else None)


@dataclass(frozen=True, slots=True)
class Bar:
    """A week in the figure, in units of a view box of 12 × 100: who came stands on its middle, who left hangs below."""

    x: int
    top: float
    joined: float
    left: float


def _bars(weeks: Sequence[GroupWeek]) -> list[Bar]:
    most = max((max(week.joined, week.left) for week in weeks), default=0) or 1
    heights = [(round(48 * week.joined / most, 1), round(48 * week.left / most, 1)) for week in weeks]
    return [Bar(index, round(50 - up, 1), up, down) for index, (up, down) in enumerate(heights)]


def _export_members(request: Page, facts: GroupFacts, rows: Sequence[MemberRow]) -> HttpResponseBase:
    head = [_("客户编号"), _("姓名"), _("入群时间"), _("退群时间"), _("入群方式"), _("邀请人"), _("群活码")]
    table = [
        (
            row.member.person,
            row.member.name,
            row.member.joined_at,
            row.member.left_at,
            said(GROUP_SCENES, str(row.member.scene)),
            row.inviter,
            row.way.title if row.way else "",
        )
        for row in rows
    ]
    return exported(request, f"group {facts.id}", head, table)


urls = [
    path("groups/", group_list, name="groups"),
    path("groups/<int:number>/", group, name="group"),
]
