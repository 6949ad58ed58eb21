"""What every list shares: sorting by the URL, pages, and the file that it exports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from yutang.console.pages import Page
from yutang.kernel.calendars import zone
from yutang.kernel.clock import business_now
from yutang.kernel.files import TYPES, later, written
from yutang.organisation.services import audit

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Pager:
    """Which rows of a list are shown. `page` counts from 1."""

    page: int
    total: int
    size: int = PAGE_SIZE

    @property
    def offset(self) -> int:
        """Rows before the first shown."""
        return (self.page - 1) * self.size

    @property
    def first(self) -> int:
        """The number of the first row shown."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return min(self.offset + self.size, self.total)

    @property
    def before(self) -> int | None:
        """The page before."""
        return self.page - 1 if self.page > 1 else None

    @property
    def after(self) -> int | None:
        """The page after."""
        return self.page + 1 if self.last < self.total else None


def page_number(request: HttpRequest, name: str = "page") -> int:
    """The page asked for, by `?page=` or another name; 1 for anything that is none."""
    text = request.GET.get(name, "1")
    return min(max(int(text), 1), 1_000_000) if text.isdecimal() and len(text) < 9 else 1


def sorting(request: HttpRequest, allowed: Iterable[str], default: str) -> str:
    """The column that `?sort=` names, with `-` for the largest first; the default for one that is not allowed."""
    wanted = request.GET.get("sort", default)
    return wanted if wanted.removeprefix("-") in set(allowed) else default


def wanted_format(request: HttpRequest) -> str | None:
    """The format of the file that `?export=` asks for; None where none is asked for."""
    wanted = request.GET.get("export", "")
    return wanted if wanted in TYPES else None


def exported(request: Page, name: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> HttpResponseBase:
    """A list as a file in the format that was asked for. Who took what, when, in how many rows is noted in the audit,
    and marked in the file and its name."""
    format, now, rows = wanted_format(request) or "csv", business_now(), list(rows)
    brand_time = now.astimezone(zone(request.brand.zone))
    audit(request.viewer, "export", name, rows=len(rows), format=format)
    mark = f"{request.brand.name} · {name} · {request.viewer.name} · {brand_time:%Y-%m-%d %H:%M}"
    parts = written(format, head, rows, mark)
    content = later(parts) if isinstance(request, ASGIRequest) else parts
    response = StreamingHttpResponse(content, content_type=TYPES[format])
    who = "".join(sign for sign in request.viewer.name if sign.isascii() and sign.isalnum())[:20] or "user"
    file = f"{name.replace(' ', '-')}-{brand_time:%Y%m%d-%H%M}-{who}.{format}"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response
