"""客户分群: the list, who is in one, and the builder with its live count and the document beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console import builder
from yutang.console.builder import Node
from yutang.console.pages import Page, language, operators_only, page
from yutang.console.sentences import OPERATORS, event_title, sentence, trait_title
from yutang.console.tables import Pager, exported, page_number, sorting, wanted_format
from yutang.console.texts import base_version, compared, read_as, sentences
from yutang.console.words import PURPOSES
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.kernel.clock import business_now
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput, YutangError
from yutang.kernel.ids import PersonId
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation.contracts import NodeKind
from yutang.organisation.queries import nodes
from yutang.people.grouped import groups
from yutang.people.queries import names_of
from yutang.profiles.queries import moment
from yutang.profiles.traits import TRAITS, TraitType
from yutang.segments import queries
from yutang.segments import services as keeping
from yutang.segments.documents import LOOKS_BY, SegmentDocument
from yutang.segments.kept import MEMBERSHIPS, found_members
from yutang.segments.lists import is_list
from yutang.warehouse.contracts import named

COLUMNS = ("lifecycle", "home_store", "orders_365d", "spend_365d", "days_since_last_visit")
MOST_COLUMNS = 12
MEMBERS_SHOWN = 25
MOST_EXPORTED = 200_000
GROUPS_OFFERED = 200
MOST_OFFERED = 1000  # categories


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment in the list. `count` is None while it is still being counted; `lacking` are categories that it needs
    and the data do not have."""

    stored: StoredDocument
    says: str
    count: int | None
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A trait's value of one person, with how it is to be shown."""

    title: str
    type: str
    value: Any


@page
@require_safe
def segments(request: Page) -> HttpResponseBase:
    """The list; the sizes come with `?part=counts`, in one query, so that the page itself never waits. Shipped segments
    about goods that the brand does not sell stand apart: in them is nobody."""
    counted = request.GET.get("part") == "counts"
    stored = documents.current(SegmentDocument)
    found = [row.document for row in stored if isinstance(row.document, SegmentDocument)]
    kept = MEMBERSHIPS.answer(request.warehouse) if counted else None
    sizes = kept.value.counts(request.viewer) if kept is not None else {}
    titles = _titles(found)
    known = frozenset(queries.categories(request.warehouse))
    every = [
        SegmentRow(row, sentence(document, titles), sizes.get(document.name), queries.lacking(document, known))
        for row, document in zip(stored, found, strict=True)
    ]
    rows = [row for row in every if not (row.stored.shipped and row.lacking)]
    if counted and request.GET.get("sort") == "-count":
        rows.sort(key=lambda row: -(row.count or 0))
    template = "console/_segments_rows.html" if counted else "console/segments.html"
    apart = [row for row in every if row.stored.shipped and row.lacking]
    return render(request, template, {"rows": rows, "apart": apart, "kept": kept})


@page
@require_safe
def segment(request: Page, name: str) -> HttpResponseBase:
    """Who is in a segment: `?trait=` (several) choose columns, `?sort=`, `?page=`, `?export=`; `?version=` compares
    the current document with an earlier one."""
    history = documents.versions(SegmentDocument, name)
    document = queries.segment_named(name)
    traits = [trait for trait in request.GET.getlist("trait") if trait in TRAITS][:MOST_COLUMNS] or list(COLUMNS)
    sort = sorting(request, traits, "person")
    if wanted_format(request):
        return _export(request, document, traits, sort)
    offset = (page_number(request) - 1) * MEMBERS_SHOWN
    kept = found_members(request.warehouse, request.viewer, name)
    size, members = queries.members_page(
        request.warehouse, request.viewer, document, limit=MEMBERS_SHOWN, offset=offset, order=sort, traits=traits,
        found=kept.persons if kept else None,
    )  # fmt: skip
    pager = Pager(page_number(request), size, MEMBERS_SHOWN)
    context = {
        "document": document,
        "stored": history[0],
        "says": sentence(document, _titles(queries.segments())),
        "count": size,
        "as_of": kept.as_of if kept else None,
        "of_list": is_list(document),
        "as_name": f"{name[:50]}_{moment(request.warehouse).today:%Y%m%d}",
        "pager": pager,
        "rows": _members(request, members.to_pylist(), traits),
        "columns": [(trait, trait_title(trait)) for trait in traits],
        "traits": [(trait, trait_title(trait), trait in traits) for trait in TRAITS],
        **compared(history, request.GET.get("version", "")),
    }
    return render(request, "console/segments_one.html", context)


@page
@require_safe
def overlap(request: Page, name: str) -> HttpResponseBase:
    """How many of its members every other segment shares, the largest first."""
    document = queries.segment_named(name)
    others = queries.offered(request.warehouse)
    kept = MEMBERSHIPS.answer(request.warehouse)
    if name in kept.value.members:
        shared, at = kept.value.overlaps(request.viewer, name), kept.as_of
    else:  # it names what is no more, and says so
        shared, at = queries.overlaps(request.warehouse, request.viewer, document, others), business_now()
    size, _whole = shared[name]
    rows = [
        (other, *shared[other.name], shared[other.name][0] / size if size else None)
        for other in others
        if other.name != name and other.name in shared
    ]
    found = {"rows": sorted(rows, key=lambda row: -row[1]), "as_of": at}
    return render(request, "console/_segments_overlap.html", found)


def _titles(found: Sequence[SegmentDocument]) -> dict[str, str]:
    return {document.name: document.title.text(language()) for document in found}


def _members(
    request: Page, found: Sequence[Mapping[str, Any]], traits: Sequence[str]
) -> list[tuple[int, str | None, list[Cell]]]:
    names = names_of(request.viewer, [PersonId(row["person"]) for row in found])
    stores = {node.id: node.name for node in nodes()}
    return [
        (row["person"], names.get(row["person"]), [cell_of(trait, row[trait], stores) for trait in traits])
        for row in found
    ]


def cell_of(trait: str, value: Any, stores: Mapping[Any, str]) -> Cell:
    """A trait's value as it is shown, stores by their names."""
    kind = TRAITS[trait].type
    if kind is TraitType.STORE:
        value = stores.get(value)
    return Cell(trait_title(trait), "pool" if trait == "pool" else kind.value, value)


def _export(request: Page, document: SegmentDocument, traits: Sequence[str], sort: str) -> HttpResponseBase:
    found = queries.members(
        request.warehouse, request.viewer, document, limit=MOST_EXPORTED, order=sort, traits=traits
    ).to_pylist()
    stores = {node.id: node.code for node in nodes()}
    head = [_("编号"), *(trait_title(trait) for trait in traits)]
    rows = ([row["person"], *(cell_of(trait, row[trait], stores).value for trait in traits)] for row in found)
    return exported(request, f"segment-{document.name}", head, rows)


# The builder ------------------------------------------------------------------------------------------------------


@page
@require_safe
def segment_new(request: Page) -> HttpResponseBase:
    """The builder; `?from=` starts from a segment that exists, and then the next version of it is saved."""
    operators_only(request.viewer)
    wanted = request.GET.get("from", "")
    if wanted:
        document = queries.segment_named(wanted)
        data = document.as_data()
        tree = builder.tree_of(data["where"])
    else:
        document = None
        data = {"kind": "segment", "name": "", "schema": 1, "title": {"zh": "", "en": ""}}
        tree = builder.placed(Node("", "group", "all", [builder.first_row()]))
    context = {
        **_form(request, tree),
        "data": data,
        "editing": wanted,
        "version": documents.find(SegmentDocument, wanted).version if wanted else 0,
        "text": document.as_yaml() if document else "",
    }
    return render(request, "console/segments_edit.html", context)


@page
@require_POST
def segment_build(request: Page) -> HttpResponseBase:
    """The form after a change of its shape (`do` names the button): its rows anew, the document and count beside it."""
    tree = builder.posted(request.POST)
    if request.POST.get("do"):
        tree = builder.changed(tree, request.POST["do"])
    said = _said(request, tree)
    return render(request, "console/_segments_built.html", {**_form(request, tree), **said, "whole": True})


@page
@require_POST
def segment_said(request: Page) -> HttpResponseBase:
    """The document, the count and what is wrong in each row after a value was typed; the rows themselves stay."""
    tree = builder.posted(request.POST)
    said = _said(request, tree)
    return render(request, "console/_segments_built.html", {**said, "problems": _problems(tree), "whole": False})


@page
@require_POST
def segment_read(request: Page) -> HttpResponseBase:
    """The form after the document's text was edited; a text that cannot be read leaves the form as it is."""
    try:
        document = read_document(request.POST.get("text", ""))
    except YutangError as error:
        response = render(request, "console/_segments_problem.html", {"sentences": sentences(error)})
        response["HX-Reswap"] = "none"
        return response
    tree = builder.tree_of(document.as_data()["where"])
    context = {
        **_form(request, tree),
        **_counted(request, document),
        "data": document.as_data(),
        "editing": request.POST.get("editing", ""),
        "whole": True,
        "from_text": True,
    }
    return render(request, "console/_segments_built.html", context)


@page
@require_POST
def segment_count(request: Page) -> HttpResponseBase:
    """The size of what the text says, for rules that take longer than a moment: first told by a sample, which asks for
    what everybody says (`exact`)."""
    document = read_document(request.POST.get("text", ""))
    if not request.POST.get("exact"):
        told = queries.about(request.warehouse, request.viewer, document)
        return render(request, "console/_segments_count.html", {"told": told, "count": told.count})
    size = queries.count(request.warehouse, request.viewer, document)
    return render(request, "console/_segments_count.html", {"count": size})


@page
@require_POST
def segment_save(request: Page) -> HttpResponseBase:
    """Keep what the text says as the next version of its name."""
    operators_only(request.viewer)
    text = request.POST.get("text", "")
    try:
        document = read_document(text)
        if not request.POST.get("editing") and documents.versions(SegmentDocument, document.name):
            raise BadInput(
                f"已经有名为 {document.name} 的分群，请换一个名字，或去修改它。",
                f"There is a segment named {document.name} already; choose another name, or edit that one.",
            )
        base = base_version(request) if request.POST.get("editing") else None
        stored = keeping.save(document, request.viewer, base=base)
    except BadInput as error:
        tree = builder.posted(request.POST)
        form = {**_form(request, tree), "data": _head(request), "text": text, "sentences": sentences(error)}
        form |= {"editing": request.POST.get("editing", ""), "version": base_version(request)}
        return render(request, "console/segments_edit.html", form, status=422)
    messages.success(request, _("已保存为第 %s 版。") % stored.version)
    return redirect("segment", document.name)


def read_document(text: str) -> SegmentDocument:
    """The segment that a text says. Raises BadInput and BadDocument."""
    document = read_as(SegmentDocument, text)
    keeping.check(document)
    return document


def _head(request: Page) -> dict[str, Any]:
    """The document's head as the form has it; English stands in for a missing Chinese title, and the other way."""
    given = {
        name: request.POST.get(name, "").strip() for name in ("name", "title_zh", "title_en", "note_zh", "note_en")
    }
    zh, en = given["title_zh"] or given["title_en"], given["title_en"] or given["title_zh"]
    head: dict[str, Any] = {"kind": "segment", "name": given["name"], "schema": 1, "title": {"zh": zh, "en": en}}
    if given["note_zh"] or given["note_en"]:
        head["note"] = {"zh": given["note_zh"] or given["note_en"], "en": given["note_en"] or given["note_zh"]}
    return head


def _said(request: Page, tree: Node) -> dict[str, Any]:
    """What the form says: its document as text, and its count or why there is none."""
    where = builder.data_of(tree)
    if where is None:
        return {"unfinished": True}
    head = _head(request)
    name, title = head["name"] or "new_segment", head["title"]
    whole = {
        **head,
        "name": name,
        "title": title if title["zh"] else {"zh": "新分群", "en": "New segment"},
        "where": where,
    }
    try:
        document = parse(SegmentDocument, whole)
        keeping.check(document)
    except BadInput as error:
        return {"sentences": sentences(error)}
    return {"text": document.as_yaml(), "editing": request.POST.get("editing", ""), **_counted(request, document)}


def _counted(request: Page, document: SegmentDocument) -> dict[str, Any]:
    says = sentence(document, _titles(queries.segments()))
    if not builder.quick(document.where):
        return {"says": says, "later": True}
    return {"says": says, "count": queries.count(request.warehouse, request.viewer, document)}


def _problems(node: Node) -> list[tuple[str, str]]:
    found = [(node.place, node.problem)]
    for branch in node.branches:
        found += _problems(branch)
    return found


def _form(request: Page, tree: Node) -> dict[str, Any]:
    """What the rows need to offer their choices."""
    tree_nodes = nodes()
    builder.data_of(tree)
    return {
        "tree": tree,
        "kinds": builder.KINDS,
        "traits": [(name, trait_title(name)) for name in TRAITS if TRAITS[name].type is not TraitType.STORE],
        "operators": OPERATORS,
        "events": [(name, event_title(name)) for name in VOCABULARY],
        "segments": [(document.name, document.title.text(language())) for document in queries.segments()],
        "purposes": PURPOSES,
        "looks_by": [(name, trait_title(name)) for name in LOOKS_BY],
        "stores": [node for node in tree_nodes if node.kind is NodeKind.STORE],
        "regions": [node for node in tree_nodes if node.kind is NodeKind.REGION],
        "categories": queries.categories(request.warehouse)[:MOST_OFFERED],
        "groups": lambda: groups(request.viewer, limit=GROUPS_OFFERED)[0],
        "tags": [str(tag) for tag in request.warehouse.query(named("console/tags")).column(0).to_pylist()],
    }


urls = [
    path("segments/", segments, name="segments"),
    path("segments/new/", segment_new, name="segment_new"),
    path("segments/build/", segment_build, name="segment_build"),
    path("segments/said/", segment_said, name="segment_said"),
    path("segments/read/", segment_read, name="segment_read"),
    path("segments/count/", segment_count, name="segment_count"),
    path("segments/save/", segment_save, name="segment_save"),
    path("segments/of/<slug:name>/", segment, name="segment"),
    path("segments/of/<slug:name>/overlap/", overlap, name="segment_overlap"),
]
