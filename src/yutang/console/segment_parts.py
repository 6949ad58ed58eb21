"""What stands on a segment's page beside its members: why some are in it, a past day, who came and went, and what a
change of the document does. Each comes after the page, which waits for none of them."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, language, operators_only, page
from yutang.console.person_then import lines, past_day
from yutang.console.segments import read_document
from yutang.console.sentences import rule_said
from yutang.console.texts import sentences
from yutang.documents import queries as documents
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import nodes
from yutang.people.queries import names_of
from yutang.profiles.queries import moment
from yutang.segments import queries, then
from yutang.segments import services as keeping
from yutang.segments.documents import SegmentDocument
from yutang.segments.kept import MEMBERSHIPS
from yutang.segments.why import sample
from yutang.warehouse.contracts import Warehouse

THEN_SHOWN = 10


@page
@require_safe
def why(request: Page, name: str) -> HttpResponseBase:
    """Some members, each with why they are in it."""
    document = queries.segment_named(name)
    kept = MEMBERSHIPS.answer(request.warehouse).value
    members = kept.of(request.viewer, name) if name in kept.members else None
    try:
        found = sample(request.warehouse, request.viewer, document, members=members)
    except BadInput as error:  # too many rules to be told
        return render(request, "console/_segments_why.html", {"sentences": sentences(error)})
    names = names_of(request.viewer, list(found))
    stores = {node.id: node.name for node in nodes()}
    titles = _titles()
    rows = [(person, names.get(person), list(lines(why, titles, stores, 0))) for person, why in found.items()]
    return render(request, "console/_segments_why.html", {"rows": rows})


@page
@require_safe
def past(request: Page, name: str) -> HttpResponseBase:
    """The segment at the end of a past day, `?day=`."""
    document = queries.segment_named(name)
    return _then(request, document, request.GET.get("day", ""), linked=True)


@page
@require_POST
def built_past(request: Page) -> HttpResponseBase:
    """The same of what the builder's text says, at the end of `past_day`."""
    document = read_document(request.POST.get("text", ""))
    return _then(request, document, request.POST.get("past_day", ""), linked=False)


def _then(request: Page, document: SegmentDocument, given: str, *, linked: bool) -> HttpResponseBase:
    day, at = past_day(given, moment(request.warehouse))
    found = then.as_of(request.warehouse, request.viewer, document, at)
    titles = _titles()
    persons = [PersonId(person) for person in sorted(found.members["person"].to_pylist())[:THEN_SHOWN]]
    names = names_of(request.viewer, persons)
    context = {
        "then": found,
        "day": day,
        "today": [rule_said(leaf, titles) for leaf in found.today],
        "rows": [(person, names.get(person)) for person in persons],
        "document": document if linked else None,
    }
    return render(request, "console/_segments_then.html", context)


@page
@require_safe
def flow(request: Page, name: str) -> HttpResponseBase:
    """Who came and who went, day by day."""
    queries.segment_named(name)
    days = then.flow(request.warehouse, request.viewer, name)
    most = max((max(one.entered, one.left) for one in days or ()), default=0)
    context = {"days": days, "span": then.FLOW_DAYS, "most": most}
    return render(request, "console/_segments_flow.html", context)


@page
@require_POST
def freeze(request: Page, name: str) -> HttpResponseBase:
    """Keep who is in it now as a segment of its own."""
    operators_only(request.viewer)
    try:
        stored = keeping.freeze(request.warehouse, name, request.POST.get("as_name", "").strip(), request.viewer)
    except BadInput as error:
        messages.error(request, error.sentence(language()))
        return redirect("segment", name)
    messages.success(request, _("已定格，往后没有人进出。"))
    return redirect("segment", stored.document.name)


@page
@require_safe
def differing(request: Page, name: str) -> HttpResponseBase:
    """Who came and went by the change of the document since `?version=`."""
    history = documents.versions(SegmentDocument, name)
    earlier = next((stored for stored in history if str(stored.version) == request.GET.get("version")), None)
    if earlier is None:
        raise NotFound("没有这一版。", "There is no such version.")
    return _differing(request, earlier.document, queries.segment_named(name), then.differing, saved=True)


@page
@require_POST
def built_differing(request: Page) -> HttpResponseBase:
    """Who would come and who would go if what the builder's text says were saved as the next version: first told by a
    sample, which asks for what everybody says (`exact`)."""
    before = queries.segment_named(request.POST.get("editing", ""))
    after = read_document(request.POST.get("text", ""))
    ask = then.differing if request.POST.get("exact") else then.about_differing
    return _differing(request, before, after, ask, saved=False)


_Ask = Callable[[Warehouse, Viewer, SegmentDocument, SegmentDocument], then.Difference]


def _differing(request: Page, before: object, after: object, ask: _Ask, *, saved: bool) -> HttpResponseBase:
    if not isinstance(before, SegmentDocument) or not isinstance(after, SegmentDocument):
        raise TypeError(type(before).__name__)
    try:
        found = ask(request.warehouse, request.viewer, before, after)
    except BadInput as error:  # an earlier version may name what is no more
        return render(request, "console/_segments_differing.html", {"sentences": sentences(error)})
    return render(request, "console/_segments_differing.html", {"differing": found, "saved": saved})


def _titles() -> dict[str, str]:
    return {document.name: document.title.text(language()) for document in queries.segments()}


urls = [
    path("segments/past/", built_past, name="segment_built_past"),
    path("segments/differing/", built_differing, name="segment_built_differing"),
    path("segments/of/<slug:name>/why/", why, name="segment_why"),
    path("segments/of/<slug:name>/past/", past, name="segment_past"),
    path("segments/of/<slug:name>/freeze/", freeze, name="segment_freeze"),
    path("segments/of/<slug:name>/flow/", flow, name="segment_flow"),
    path("segments/of/<slug:name>/differing/", differing, name="segment_differing"),
]
