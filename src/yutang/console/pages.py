"""What every page needs: who is looking, the warehouse, errors said in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import get_language

from yutang.kernel.errors import NotFound, Refused, Unavailable, YutangError
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import is_set_up, viewer_for
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.current import current_warehouse

P = ParamSpec("P")
_STATUS: tuple[tuple[type[YutangError], int], ...] = ((NotFound, 404), (Refused, 403), (Unavailable, 503))


class Page(HttpRequest):
    """A request of somebody who is logged in."""

    viewer: Viewer
    warehouse: Warehouse


def page(view: Callable[Concatenate[Page, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page of the console: asks for log-in, sets `viewer` and `warehouse`, and turns our errors into pages."""

    @wraps(view)
    def opened(request: Page, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            request.viewer = viewer_for(request.user)  # type: ignore[arg-type]
            request.warehouse = current_warehouse()
            return view(request, *args, **kwargs)
        except YutangError as error:
            return sorry(request, error)

    guarded = login_required(opened)

    @wraps(view)
    def entered(request: Page, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_set_up():
            return redirect("set_up")
        return guarded(request, *args, **kwargs)

    return entered


def sorry(request: HttpRequest, error: YutangError) -> HttpResponse:
    """An error as a page (or, for a part of a page, as a note)."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    template = "console/_sorry.html" if request.headers.get("HX-Request") else "console/sorry.html"
    return render(request, template, {"sentence": error.sentence(language()), "status": status}, status=status)


def language() -> str:
    """The reader's language code."""
    return get_language() or "zh-hans"
