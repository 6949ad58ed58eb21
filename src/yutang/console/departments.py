"""部门: which region or store each department of a corp's directory is, and what the tree grows from."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.intake.collect.held import headquarters
from yutang.kernel.errors import BadInput, NotFound
from yutang.organisation import departments as directory
from yutang.organisation.contracts import DepartmentFacts, NodeFacts, NodeKind
from yutang.organisation.queries import corps, departments, nodes, stores_below
from yutang.organisation.services import audit


@dataclass(frozen=True, slots=True)
class Shown:
    """A department with those above it, and the store or region that it is."""

    facts: DepartmentFacts
    above: str
    node: NodeFacts | None


@page
@require_safe
def list_departments(request: Page) -> HttpResponseBase:
    """The departments of a corp; `?corp=`, `?find=`, `?linked=` yes or no, `?export=`."""
    headquarters(request.viewer)
    connected = [corp.corp for corp in corps()]
    corp = request.GET.get("corp") or (connected[0] if connected else "")
    found = _shown(departments(corp))
    wanted = request.GET.get("find", "").strip().casefold()
    linked = request.GET.get("linked", "")
    rows = [
        row
        for row in found
        if (not wanted or wanted in f"{row.facts.name} {row.facts.number}".casefold())
        and (not linked or (row.node is not None) == (linked == "yes"))
    ]
    if wanted_format(request):
        return _export(request, rows)
    pager = Pager(page_number(request), len(rows))
    context = {
        "corp": corp,
        "corps": connected,
        "rows": rows[pager.offset : pager.offset + pager.size],
        "pager": pager,
        "given": request.GET,
        "count": len(found),
        "unlinked": sum(row.node is None for row in found),
        "top": stores_below(corp),
        "places": [node for node in nodes() if node.kind is not NodeKind.BRAND],
    }
    return render(request, "console/departments.html", context)


@page
@require_POST
def link(request: Page) -> HttpResponse:
    """Say which store or region a department is (empty: none), or let stores grow below one."""
    headquarters(request.viewer)
    channel, corp = _corp(request.POST.get("corp", ""))
    number = request.POST.get("department", "")
    grow = "grow" in request.POST
    if not (grow and not number) and not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise BadInput("department：请写部门编号。", "department: give the department's number.")
    if grow:
        directory.make_stores_below(channel, corp, int(number) if number else None)
        audit(request.viewer, "make_stores_below", f"{corp}:{number}")
    else:
        code = request.POST.get("store", "").strip()
        directory.link_department(channel, corp, int(number), code)
        audit(request.viewer, "link_department", f"{corp}:{number}", store=code)
    messages.success(request, _("已保存，下次同步员工时生效。"))
    return redirect(f"{request.path.removesuffix('link/')}?corp={corp}")


def _shown(rows: list[DepartmentFacts]) -> list[Shown]:
    known = {row.number: row for row in rows}
    tree = {node.id: node for node in nodes()}

    def above(row: DepartmentFacts) -> str:
        names: list[str] = []
        seen = {row.number}
        while row.parent in known and row.parent not in seen:
            row = known[row.parent]
            seen.add(row.number)
            names.append(row.name or str(row.number))
        return "/".join(reversed(names))

    return [Shown(row, above(row), None if row.node is None else tree.get(row.node)) for row in rows]


def _corp(name: str) -> tuple[str, str]:
    for corp in corps():
        if corp.corp == name:
            return corp.channel, corp.corp
    raise NotFound("没有连接这个企业。", "That corp is not connected.")


def _export(request: Page, rows: list[Shown]) -> HttpResponseBase:
    head = ("corp", "department", "above", "name", "store")
    told = ((r.facts.corp, r.facts.number, r.above, r.facts.name, r.node.code if r.node else "") for r in rows)
    return exported(request, "departments", head, told)


urls = [
    path("settings/organisation/departments/", list_departments, name="departments"),
    path("settings/organisation/departments/link/", link, name="department_link"),
]
