"""Who is looking at the phone, and what every page of it needs.

`@phone_page` is the way in for every page of this room: it asks for log-in, sets `request.phone`, `warehouse` and
`brand`, and turns our errors into a page or, for what a script asks, into JSON. A page that may be kept on the phone,
to be read without a network, is answered by `shown(…, keep=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language

from yutang.channels.manual.contracts import CHANNEL as BY_HAND
from yutang.kernel.errors import NotFound, Refused, Unavailable, YutangError
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation.contracts import BrandFacts, RoleName, SenderFacts, StaffFacts, Viewer
from yutang.organisation.phones import BY_PHONE, staff_of
from yutang.organisation.queries import brand, has_second_factor, viewer_for
from yutang.people.queries import befriended, seen_among
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.current import current_warehouse

P = ParamSpec("P")
WECOM = "wecom"
SCRIPTS = ("https://res.wx.qq.com", "https://open.work.weixin.qq.com")
"""Where WeCom's client has its JS-SDK; loaded by `mobile.js`, and only inside WeCom."""
KEEP = "X-Yutang-Keep"
"""The service worker keeps an answer with this header, whose value names whose it is: it is thrown away at their
log-out, and when somebody else logs in."""
_STATUS: tuple[tuple[type[YutangError], int], ...] = ((NotFound, 404), (Refused, 403), (Unavailable, 503))


@dataclass(frozen=True, slots=True)
class Phone:
    """Who is looking.

    `staff` is None for a user of the console who is no member of staff: an operator, say, who looks by their role.
    `viewer` bounds every query, as everywhere; a guide's is her store. Beyond that a guide sees only the customers who
    are friends of her own accounts, unless she also works by hand, for whoever is at home in her store: pages of one
    person ask `person_seen`, pages of many narrow by `senders`.
    """

    viewer: Viewer
    staff: StaffFacts | None

    @property
    def guides(self) -> bool:
        """Whether they see their own customers only."""
        return self.viewer.role is RoleName.GUIDE and all(one.channel != BY_HAND for one in self.accounts)

    @property
    def accounts(self) -> tuple[SenderFacts, ...]:
        """Their own accounts that may speak."""
        return () if self.staff is None else self.staff.accounts

    @property
    def senders(self) -> frozenset[SenderId]:
        """The same by number."""
        return frozenset(one.id for one in self.accounts)

    @property
    def store(self) -> NodeId | None:
        """The store at which they are at home."""
        return None if self.staff is None else self.staff.store

    @property
    def corp(self) -> str:
        """The corp whose client they are likely to look from; empty without a WeCom account."""
        return next((one.corp for one in self.accounts if one.channel == WECOM), "")

    def seen(self, persons: Iterable[PersonId]) -> set[PersonId]:
        """Those of the surviving persons whom they may see."""
        found = seen_among(self.viewer, list(persons))
        return found & befriended(self.senders, found) if self.guides else found

    def person_seen(self, person: PersonId) -> PersonId:
        """The person, if they may see them. Raises NotFound as for one who is not there."""
        if person not in self.seen([person]):
            raise NotFound(f"没有编号为 {person} 的客户。", f"There is no person with the number {person}.")
        return person


class PhoneRequest(HttpRequest):
    """A request of somebody who is logged in on the phone."""

    phone: Phone
    warehouse: Warehouse
    brand: BrandFacts


def phone_page(view: Callable[Concatenate[PhoneRequest, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page of the phone, or what its script asks for. Nobody logged in: a page leads to the ways in, a script gets
    401."""

    @wraps(view)
    def opened(request: PhoneRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            request.brand = brand()
            if not request.user.is_authenticated:
                return _to_log_in(request)
            request.phone = phone_of(request)
            request.warehouse = current_warehouse()
            return view(request, *args, **kwargs)
        except YutangError as error:
            return sorry(request, error)

    return csp_update({"script-src": list(SCRIPTS)})(cast("Callable[..., HttpResponseBase]", opened))


def phone_of(request: HttpRequest) -> Phone:
    """Who is looking. Raises Refused for one who left meanwhile, and where their role needs a second factor that
    neither WeCom nor a password stood for."""
    assert request.user.is_authenticated
    viewer = viewer_for(request.user)
    staff = staff_of(viewer.name)
    if request.session.get(BY_PHONE) and (staff is None or not staff.accounts):
        raise Refused("这个员工账号已停用，请联系店长。", "This account is no longer active; ask your manager.")
    if staff is not None and viewer.role is RoleName.GUIDE:  # where she is now, whatever her role said at log-in
        viewer = Viewer(viewer.name, viewer.role, frozenset({staff.store}))
    missing = viewer.role in brand().second_factor and not has_second_factor(viewer.name)
    if missing and request.session.get(BY_PHONE) != WECOM:
        raise Refused(
            "你的角色要有第二步验证，请从企业微信打开。", "Your role needs a second factor; open this in WeCom."
        )
    return Phone(viewer, staff)


def _to_log_in(request: HttpRequest) -> HttpResponseBase:
    if asks_data(request):
        return JsonResponse({"error": "log_in", "at": reverse("phone_in")}, status=401)
    return redirect(f"{reverse('phone_in')}?{urlencode({'next': request.get_full_path()})}")


def asks_data(request: HttpRequest) -> bool:
    """Whether a script asks, which reads JSON."""
    return "application/json" in request.headers.get("Accept", "")


def sorry(request: HttpRequest, error: YutangError) -> HttpResponseBase:
    """An error as a page of the phone, or as JSON with its sentence."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    sentence = error.sentence(get_language() or "zh-hans")
    if asks_data(request):
        return JsonResponse({"error": type(error).__name__, "sentence": sentence}, status=status)
    return render(request, "mobile/sorry.html", {"sentence": sentence}, status=status)


def shown(request: PhoneRequest, template: str, context: Mapping[str, Any], *, keep: bool = False) -> HttpResponse:
    """A page. `keep`: the phone may keep it, to be read without a network; it is then asked for anew whenever there is
    one."""
    answer = render(request, template, {"phone": request.phone, "brand": request.brand, **context})
    answer["Cache-Control"] = "no-store"
    if keep:
        answer[KEEP] = request.phone.viewer.name
    return answer
