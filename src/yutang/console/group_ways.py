"""群活码: codes that lead into groups, with the group that is being filled now; made, changed and ended here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.connect import group_ways as ways
from yutang.connect.contracts import GroupWayFacts
from yutang.connect.group_ways import MOST_GROUPS, GroupWayForm
from yutang.console.pages import Page, language, operators_only, page
from yutang.kernel.errors import BadInput
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import nodes
from yutang.people import grouped
from yutang.people.contracts import CODE_FULL, GroupFilter

GROUPS_LISTED = 500


@dataclass(frozen=True, slots=True)
class GroupWayRow:
    """A code with where it belongs."""

    way: GroupWayFacts
    store: NodeFacts | None


@page
@require_safe
def group_way_list(request: Page) -> HttpResponseBase:
    """Every code, the newest first."""
    places = {node.id: node for node in nodes()}
    found = ways.group_ways(request.viewer)
    context = {
        "rows": [GroupWayRow(one, places.get(one.node) if one.node is not None else None) for one in found],
        "code_full": CODE_FULL,
    }
    return render(request, "console/group_ways.html", context)


@page
@require_safe
def group_way_new(request: Page) -> HttpResponseBase:
    """The form; `?of=` names a code to change, `?group=` a group to begin with."""
    operators_only(request.viewer)
    number = request.GET.get("of", "")
    form: Mapping[str, Any] = {"title": "", "groups": request.GET.getlist("group"), "room_name": "", "room_number": 1}
    if number.isdecimal() and len(number) < 12:
        facts = ways.group_way(request.viewer, int(number))
        form = {
            "of": facts.id,
            "title": facts.title,
            "groups": [str(one.id) for one in facts.groups if one.ended_at is None][-MOST_GROUPS:],
            "room_name": facts.room_name,
            "room_number": facts.room_number,
        }
    return _form_page(request, form)


@page
@require_POST
def group_way_keep(request: Page) -> HttpResponseBase:
    """Keep what the form says."""
    operators_only(request.viewer)
    post = request.POST
    number = post.get("of", "")
    title, chosen, room_number = post.get("title", ""), post.getlist("groups"), post.get("room_number", "1")
    room_name = post.get("room_name", "") if post.get("creates") else ""
    form = {"of": number, "title": title, "groups": chosen, "room_name": room_name, "room_number": room_number}
    try:
        kept = GroupWayForm(title, tuple(map(_number, chosen)), room_name, _number(room_number))
        if post.get("creates") and not room_name.strip():
            raise BadInput("自动建群要写新群的名字。", "Creating groups needs a name for them.")
        ways.keep_group_way(request.viewer, kept, _number(number) if number else None)
    except BadInput as error:
        return _form_page(request, form, error.sentence(language()), status=422)
    messages.success(request, _("群活码已保存，几秒后平台上就会生效。"))
    return redirect("joining")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise BadInput("这里要填整数。", "A whole number belongs here.")
    return int(text)


@page
@require_POST
def group_way_end(request: Page, number: int) -> HttpResponseBase:
    """Let a code work no more."""
    ways.end_group_way(request.viewer, number)
    messages.success(request, _("群活码已停用，已入群的人不受影响。"))
    return redirect("joining")


def _form_page(request: Page, form: Mapping[str, Any], problem: str = "", status: int = 200) -> HttpResponse:
    found, total = grouped.groups(request.viewer, GroupFilter(connected=True), order="-made_at", limit=GROUPS_LISTED)
    listed = {str(one.id) for one in found}
    missing = [int(one) for one in form["groups"] if one.isdecimal() and one not in listed]
    found += [grouped.group(request.viewer, one) for one in missing[:MOST_GROUPS]]
    context = {
        "form": form,
        "problem": problem,
        "groups": found,
        "total": total,
        "most": MOST_GROUPS,
        "code_full": CODE_FULL,
    }
    return render(request, "console/group_ways_new.html", context, status=status)


urls = [
    path("connect/groups/", group_way_list, name="joining"),
    path("connect/groups/new/", group_way_new, name="joining_new"),
    path("connect/groups/keep/", group_way_keep, name="joining_keep"),
    path("connect/groups/<int:number>/end/", group_way_end, name="joining_end"),
]
