"""客户: the list with its filters in the URL, and everything known of one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from sqlglot import exp

from yutang.console import person
from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.people.queries import find_by_identifier, names_of
from yutang.profiles.queries import as_of, in_scope, page_of, seen_by, select_traits, those
from yutang.profiles.traits import LIFECYCLE, POOLS, TRAITS
from yutang.segments import queries as segments
from yutang.segments.contracts import Context
from yutang.segments.kept import Members, found_members
from yutang.warehouse.contracts import Statement

COLUMNS = ("pool", "lifecycle", "home_store", "orders_365d", "spend_365d", "days_since_last_visit", "overdue_ratio")
SORTS = ("spend_365d", "orders_365d", "days_since_last_visit", "overdue_ratio", "spend_90d", "orders_ever")
MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """A person in the list. `name` is None where it is not known."""

    person: PersonId
    name: str | None
    synthetic: bool
    store: NodeFacts | None
    traits: Mapping[str, Any]


@page
@require_safe
def persons(request: Page) -> HttpResponseBase:
    """The list; `?find=` looks up one identifier exactly, `?export=` gives the whole list as a file."""
    wanted = request.GET.get("find", "").strip()
    found = find_by_identifier(request.viewer, wanted) if wanted else None
    if found is not None and len(found) == 1:
        return redirect("person", found[0])
    if as_of(request.warehouse) is None:
        return render(request, "console/persons.html", {"rows": None, "find": wanted})
    at = segments.context(request.warehouse)
    sort = sorting(request, SORTS, "-spend_365d")
    kept = found_members(request.warehouse, request.viewer, request.GET.get("segment", ""))
    query, tables = _filtered(request, at, found, kept)
    by = exp.Ordered(
        this=TRAITS[sort.removeprefix("-")].expression(at.moment), desc=sort.startswith("-"), nulls_first=False
    )
    limits = {"limit": MOST_EXPORTED, "offset": 0}
    pager = Pager(page_number(request), 0)
    if not wanted_format(request):
        limits = {"limit": pager.size, "offset": pager.offset}
    total, persons = page_of(
        request.warehouse, query, [by], **limits, name="console/persons", tables=tables, among=seen_by(request.viewer)
    )
    rows = _rows(request, persons, at)
    if wanted_format(request):
        return _export(request, rows)
    context = {
        "rows": rows,
        "pager": replace(pager, total=total),
        "as_of": kept.as_of if kept else None,
        "find": wanted,
        "sort": sort,
        "given": request.GET,
        "segments": segments.offered(request.warehouse, request.GET.get("segment", "")),
        "stores": [n for n in at.nodes.nodes if n.kind is NodeKind.STORE and request.viewer.sees(n.id)],
        "pools": POOLS,
        "lifecycles": LIFECYCLE,
        "filtered": any(request.GET.get(name) for name in ("segment", "store", "pool", "lifecycle", "reachable")),
    }
    return render(request, "console/persons.html", context)


def _filtered(
    request: Page, at: Context, found: list[PersonId] | None, kept: Members | None
) -> tuple[exp.Select, dict[str, pa.Table]]:
    """The visible persons that the URL's filters leave, and the tables that are asked for besides. Raises NotFound for
    a segment or store that does not exist."""
    tables: dict[str, pa.Table] = {}
    query = in_scope(exp.select(exp.column("person", "profiles")).from_("profiles"), request.viewer)
    given = request.GET
    if found is not None:
        query = query.where(_one_of(exp.column("person", "profiles"), found))
    if given.get("segment"):
        members: exp.Expr | str
        if kept is not None:
            members, tables = those(kept.persons)
        else:
            members = segments.statement(segments.segment_named(given["segment"]), request.viewer, at).sql
        query = query.where(exp.In(this=exp.column("person", "profiles"), query=exp.Subquery(this=members)))
    if given.get("store"):
        query = query.where(_at_home(int(_store(at, given["store"]))))
    for name, choices in (("pool", (*POOLS, "none")), ("lifecycle", LIFECYCLE)):
        value = given.get(name, "")
        if value in choices:
            trait = TRAITS[name].expression(at.moment)
            query = query.where(trait.is_(exp.null()) if value == "none" else trait.eq(value))
    if given.get("reachable") in ("yes", "no"):
        reachable = TRAITS["reachable"].expression(at.moment)
        query = query.where(reachable if given["reachable"] == "yes" else exp.not_(reachable))
    return query, tables


def _at_home(store: int) -> exp.Expr:
    """Whose store it is: where they buy most, or where they are known if they bought nowhere."""
    home = exp.column("home_store", "profiles")
    known = exp.select("person").from_("facts").where(exp.column("home_node", "facts").eq(store))
    there = exp.In(this=exp.column("person", "profiles"), query=known.subquery())
    return exp.or_(home.eq(store), exp.and_(home.copy().is_(exp.null()), there))


def _one_of(column: exp.Expr, persons: list[PersonId]) -> exp.Expr:
    return exp.In(this=column, expressions=[exp.Literal.number(p) for p in persons]) if persons else exp.false()


def _store(at: Context, code: str) -> NodeId:
    for node in at.nodes.nodes:
        if node.code == code and node.kind is NodeKind.STORE:
            return node.id
    raise NotFound(f"没有编号为「{code[:40]}」的门店。", f"There is no store with the code “{code[:40]}”.")


def _rows(request: Page, persons: list[PersonId], at: Context) -> list[Row]:
    """What is shown of these persons, whom the viewer sees, in their order."""
    query = select_traits(COLUMNS, at.moment, persons)
    query = query.join("facts", on="facts.person = profiles.person", join_type="left")
    query = query.select(exp.column("synthetic", "facts"), exp.column("home_node", "facts"))
    told = request.warehouse.query(Statement(query, name="console/persons")).to_pylist()
    found = {PersonId(row["person"]): row for row in told}
    names = names_of(request.viewer, persons)
    places = {node.id: node for node in at.nodes.nodes}
    return [
        Row(person, names.get(person), bool(row["synthetic"]), places.get(row["home_store"] or row["home_node"]), row)
        for person in persons
        if (row := found.get(person)) is not None
    ]


def _export(request: Page, rows: list[Row]) -> HttpResponseBase:
    head = [_("编号"), _("姓名"), _("合成"), _("门店")]
    head += [TRAITS[name].name for name in COLUMNS if name != "home_store"]
    kept = [name for name in COLUMNS if name != "home_store"]
    return exported(
        request,
        "persons",
        head,
        (
            (row.person, row.name, row.synthetic, row.store.code if row.store else "", *(row.traits[n] for n in kept))
            for row in rows
        ),
    )


urls = [
    path("persons/", persons, name="persons"),
    path("persons/<int:number>/", person.person, name="person"),
    path("persons/<int:number>/ways/", person.person_ways, name="person_ways"),
]
