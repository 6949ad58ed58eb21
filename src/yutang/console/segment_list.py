"""客户分群 → 上传名单: a list of phones or numbers becomes a segment; looked at first, and kept nowhere itself."""

from __future__ import annotations

from pathlib import Path

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from yutang.console.pages import Page, language, page
from yutang.console.texts import sentences
from yutang.documents import queries as documents
from yutang.intake.files.opening import ENDINGS, Given
from yutang.intake.rolls import SentFile
from yutang.intake.uploads import headquarters
from yutang.kernel.errors import BadInput
from yutang.segments import lists
from yutang.segments.documents import SegmentDocument

TROUBLES_SHOWN = 20


@page
@require_http_methods(["GET", "HEAD", "POST"])
def segment_list(request: Page) -> HttpResponseBase:
    """The form; posted, what the list says, and with `keep` the segment of it."""
    headquarters(request.viewer)
    name = request.POST.get("name", request.GET.get("name", "")).strip()
    source = request.POST.get("source", "")
    context: dict[str, object] = {
        "name": name,
        "given": request.POST,
        "endings": ",".join(ENDINGS),
        "sources": lists.sources(),
    }
    context["last"] = next(iter(documents.versions(SegmentDocument, name)), None) if name else None
    if request.method != "POST":
        return render(request, "console/segment_list.html", context)
    try:
        if "keep" not in request.POST:
            listed = lists.read_list(request.viewer, _given(request), source)
            context |= {"listed": listed, "shown": listed.troubles[:TROUBLES_SHOWN]}
            if listed.ambiguous:
                context["ambiguity"] = lists.ambiguity(listed)[language().startswith("en")]
            return render(request, "console/segment_list.html", context)
        title = request.POST.get("title", "").strip()
        kept = lists.keep_list(request.warehouse, request.viewer, name, _given(request), title, source)
    except BadInput as error:
        return render(request, "console/segment_list.html", {**context, "sentences": sentences(error)}, status=422)
    same, new = (
        _("和上次是同一批人，还是第 %(version)s 版：%(found)s 人。"),
        _("已存为第 %(version)s 版：%(found)s 人。"),
    )
    said = new if kept.changed else same
    messages.success(request, said % {"version": kept.version, "found": f"{kept.found:,}"})
    return redirect("segment", name)


@page
@require_POST
def list_errors(request: Page) -> HttpResponseBase:
    """The rows that add nobody, each with its column, its masked value and the reason."""
    headquarters(request.viewer)
    told = lists.error_file(lists.read_list(request.viewer, _given(request), request.POST.get("source", "")))
    answer = HttpResponse(told, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="list-errors.csv"'
    return answer


def _given(request: Page) -> Given:
    file = request.FILES.get("list")
    if file is not None:
        return SentFile(Path(file.name or "list.csv").name, file.read())
    return lists.pasted(request.POST.get("words", ""))


urls = [
    path("segments/list/", segment_list, name="segment_list"),
    path("segments/list/errors/", list_errors, name="segment_list_errors"),
]
