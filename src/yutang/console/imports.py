"""引流获客 → 导入: a file is uploaded, looked at, checked, imported in the background; its bad rows are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from yutang.console.pages import Page, language, page
from yutang.console.tables import PAGE_SIZE, Pager, page_number
from yutang.console.uploading import SealingHandler, the_file
from yutang.intake import uploads
from yutang.intake.files.opening import ENDINGS
from yutang.intake.kinds.every import KINDS
from yutang.intake.kinds.fields import field
from yutang.intake.kinds.recognising import Recognised
from yutang.intake.uploads import Glance, ImportShown, Wish, headquarters
from yutang.kernel.errors import YutangError
from yutang.organisation.services import audit

UPLOAD_PATH = "/imports/upload/"


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of the kind on the form: which column it has and how that is known, or a value for all rows."""

    name: str
    zh: str
    en: str
    needed: bool
    column: str
    how: str
    may_be_fixed: bool
    fixed: str
    likely: tuple[str, ...]


@page
@require_safe
def imports(request: Page) -> HttpResponse:
    """The list, and the form that takes a file in."""
    number = page_number(request)
    found, total = uploads.listed(request.viewer, (number - 1) * PAGE_SIZE, PAGE_SIZE)
    context = {
        "found": found,
        "pager": Pager(number, total),
        "kinds": KINDS.values(),
        "endings": ",".join(ENDINGS),
        "busy": any(one.busy for one in found),
    }
    return render(request, "console/imports.html", context)


@csrf_exempt  # the check reads the form, and the form is read only when it is known whose it is: see `_taken`
@page
@require_POST
def import_upload(request: Page) -> HttpResponseBase:
    """Take a file in, sealed."""
    headquarters(request.viewer)
    handler = SealingHandler(request)
    request.upload_handlers = [handler]
    answer = _taken(request, handler)
    if answer.status_code == 403:  # no token: what came with it goes
        handler.forget()
    return answer


@csrf_protect
def _taken(request: Page, handler: SealingHandler) -> HttpResponseBase:
    file = the_file(request, handler)
    kind, source = request.POST.get("kind", ""), request.POST.get("source", "")
    kept = uploads.keep_upload(request.viewer, file.written, file.name or "", kind, source)
    audit(request.viewer, "upload_import", str(kept), kind=kind, source=source, bytes=file.written.size)
    return redirect("import_one", kept)


@page
@require_safe
def import_one(request: Page, import_id: int) -> HttpResponse:
    """One import: its first rows and how they are understood, how far it is, or what became of it."""
    found = uploads.shown(request.viewer, import_id)
    return _show(request, found, found.wish)


@page
@require_POST
def import_start(request: Page, import_id: int) -> HttpResponseBase:
    """Check the file or import it, as the form says."""
    found = uploads.shown(request.viewer, import_id)
    wish = _wish(request, found)
    try:
        uploads.start(request.viewer, import_id, wish)
    except YutangError as error:
        if not found.open:
            raise
        return _show(request, found, wish, error)
    audit(request.viewer, "check_import" if wish.dry_run else "start_import", str(import_id), skip_bad=wish.skip_bad)
    return redirect("import_one", import_id)


@page
@require_POST
def import_cancel(request: Page, import_id: int) -> HttpResponseBase:
    """Cancel it, and remove its file."""
    uploads.cancel(request.viewer, import_id)
    audit(request.viewer, "cancel_import", str(import_id))
    messages.success(request, _("已取消，文件已删除，什么都没有导入。"))
    return redirect("imports")


@page
@require_safe
def import_progress(request: Page, import_id: int) -> HttpResponse:
    """How far it is. When it is over, the whole page is asked for again."""
    found = uploads.shown(request.viewer, import_id)
    if not found.busy:
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    return render(request, "console/_imports_progress.html", {"it": found})


@page
@require_safe
def import_errors(request: Page, import_id: int) -> HttpResponseBase:
    """Every bad row, with its column, its masked value and the reason."""
    file = uploads.error_file(request.viewer, import_id).open("rb")
    return FileResponse(file, as_attachment=True, filename=f"import-{import_id}-errors.csv", content_type="text/csv")


def _show(request: Page, found: ImportShown, wish: Wish, error: YutangError | None = None) -> HttpResponse:
    context: dict[str, object] = {"it": found, "report": found.report, "wish": wish}
    if found.open:
        recognised, problem = _recognised(request, found, wish)
        clear = {column for name, column in recognised.columns.items() if not field(name).personal}
        glance = uploads.glance(request.viewer, found.id, clear)
        problem = error or problem
        context |= {
            "glance": glance,
            "choices": _choices(found, recognised, wish),
            "preview": _preview(glance, recognised),
            "corp_asked": "external_userid" in found.kind.identity,
            "problem": problem.sentence(language()) if problem else "",
        }
    return render(request, "console/imports_one.html", context, status=422 if error else 200)


def _recognised(request: Page, found: ImportShown, wish: Wish) -> tuple[Recognised, YutangError | None]:
    try:
        return uploads.proposed(request.viewer, found.id, wish), None
    except YutangError as error:
        return uploads.proposed(request.viewer, found.id, Wish()), error


def _wish(request: HttpRequest, found: ImportShown) -> Wish:
    given = request.POST
    mapping = {name: given[f"column.{name}"] for name in found.kind.fields if given.get(f"column.{name}")}
    constants = {
        name: given[f"fixed.{name}"].strip()
        for name in found.kind.constants
        if given.get(f"fixed.{name}", "").strip() and name not in mapping
    }
    return Wish(
        mapping, constants, given.get("zone", "").strip(), given.get("corp", "").strip(), "skip_bad" in given,
        given.get("do") != "import",
    )  # fmt: skip


def _choices(found: ImportShown, recognised: Recognised, wish: Wish) -> list[Choice]:
    kind = found.kind
    needed = {*kind.required}
    names = [*kind.required, *kind.one_of, *kind.identity, *kind.optional]
    if kind.name == "events":  # a prop that the file does not hold would be one of a hundred
        names = [name for name in names if name in recognised.columns or name in needed or name in kind.identity]
    return [
        Choice(
            name, field(name).zh, field(name).en, name in needed, recognised.columns.get(name, ""),
            recognised.how.get(name, ""), name in kind.constants, wish.constants.get(name, ""),
            (recognised.doubtful or {}).get(name, ()),
        )
        for name in names
    ]  # fmt: skip


def _preview(glance: Glance, recognised: Recognised) -> tuple[Sequence[tuple[str, str]], object]:
    """The columns, each with the field it is taken for, and the rows."""
    of = {column: name for name, column in recognised.columns.items()}
    used = [place for place, column in enumerate(glance.columns) if column in of]
    rest = [place for place in range(len(glance.columns)) if place not in used]
    places = [*used, *rest]
    head = [(glance.columns[place], of.get(glance.columns[place], "")) for place in places]
    return head, [(row, [cells[place] for place in places]) for row, cells in glance.rows]


urls = [
    path("imports/", imports, name="imports"),
    path("imports/upload/", import_upload, name="import_upload"),
    path("imports/of/<int:import_id>/", import_one, name="import_one"),
    path("imports/of/<int:import_id>/start/", import_start, name="import_start"),
    path("imports/of/<int:import_id>/cancel/", import_cancel, name="import_cancel"),
    path("imports/of/<int:import_id>/progress/", import_progress, name="import_progress"),
    path("imports/of/<int:import_id>/errors/", import_errors, name="import_errors"),
]
