"""What every page needs: who is looking, the warehouse, errors said in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language

from yutang.console.shown import show
from yutang.kernel.errors import NotFound, Refused, Unavailable, YutangError
from yutang.organisation.contracts import BrandFacts, RoleName, Viewer
from yutang.organisation.phones import BY_PHONE
from yutang.organisation.queries import brand, has_second_factor, viewer_for
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.current import current_warehouse

P = ParamSpec("P")
_ACCOUNT = ("mfa_index", "usersessions_end")  # open to whoever has no second factor yet
_STATUS: tuple[tuple[type[YutangError], int], ...] = ((NotFound, 404), (Refused, 403), (Unavailable, 503))


class Page(HttpRequest):
    """A request of somebody who is logged in."""

    viewer: Viewer
    warehouse: Warehouse
    brand: BrandFacts


def page(view: Callable[Concatenate[Page, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page of the console: asks for log-in, sets `viewer`, `warehouse` and `brand`, and turns our errors into pages.

    Before set-up every page leads to the set-up page; where the brand was set up with defaults, its owner is led there
    once more.
    """

    @wraps(view)
    def opened(request: Page, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            assert request.user.is_authenticated  # by `login_required`
            if BY_PHONE in request.session:
                return redirect("phone")
            request.viewer = viewer_for(request.user)
            request.warehouse = current_warehouse()
            if _name(request) not in _ACCOUNT and second_factor_missing(request):
                return _to_account(request)
            if _to_be_confirmed(request):
                return redirect("set_up")
            return view(request, *args, **kwargs)
        except YutangError as error:
            return sorry(request, error)

    guarded = login_required(opened)

    @wraps(view)
    def entered(request: Page, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            request.brand = brand()
        except Refused:
            return redirect("set_up")
        show(request.brand)
        try:
            return guarded(request, *args, **kwargs)
        finally:
            show(None)

    return entered


def _name(request: HttpRequest) -> str | None:
    return request.resolver_match.url_name if request.resolver_match else None


def second_factor_missing(request: Page) -> bool:
    """Whether the owner requires a second factor of this role, and its user has none."""
    return request.viewer.role in request.brand.second_factor and not has_second_factor(request.viewer.name)


def _to_account(request: Page) -> HttpResponseBase:
    """To where a second factor is set up; also from a part of a page."""
    answer = redirect("mfa_index")
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": answer["Location"]})
    return answer


def _to_be_confirmed(request: Page) -> bool:
    """Whether a whole page was opened by the owner of a brand whose settings nobody chose."""
    whole = request.method == "GET" and not request.headers.get("HX-Request")
    owner = request.viewer.role is RoleName.OWNER
    return request.brand.presumed and owner and whole and request.path != reverse("set_up")


def sorry(request: HttpRequest, error: YutangError) -> HttpResponse:
    """An error as a page (or, for a part of a page, as a note)."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    template = "console/_sorry.html" if request.headers.get("HX-Request") else "console/sorry.html"
    return render(request, template, {"sentence": error.sentence(language()), "status": status}, status=status)


def operators_only(viewer: Viewer) -> None:
    """Raise Refused for a viewer who may not change anything."""
    if not viewer.may_operate:
        raise Refused("你的角色只能查看，请找总部运营。", "Your role may only look; ask headquarters.")


def language() -> str:
    """The reader's language code."""
    return get_language() or "zh-hans"
