"""What every list shares: sorting by the URL, pages, and the file that it exports."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.http import HttpRequest, HttpResponse

PAGE_SIZE = 50
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def page_number(request: HttpRequest) -> int:
    """The page asked for; 1 for anything that is none."""
    text = request.GET.get("page", "1")
    return min(max(int(text), 1), 1_000_000) if text.isdecimal() and len(text) < 9 else 1


def sorting(request: HttpRequest, allowed: Iterable[str], default: str) -> str:
    """The column that `?sort=` names, with `-` for the largest first; the default for one that is not allowed."""
    wanted = request.GET.get("sort", default)
    return wanted if wanted.removeprefix("-") in set(allowed) else default


def csv_file(name: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """Rows as a file that Excel opens as it is: UTF-8 with its mark, and no cell that could be taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([str(cell) for cell in head])
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case int() | float() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
