"""Signatures by which a page of ours may act inside WeCom's client, and the script that keeps pages on the phone."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from yutang.channels.ports.staff import PageSignature
from yutang.kernel.errors import BadInput, NotFound
from yutang.mobile.session import WECOM, PhoneRequest, phone_page
from yutang.mobile.speaking import spoken

STATIC = Path(__file__).parent / "static" / "mobile"


@phone_page
@require_safe
def sign(request: PhoneRequest) -> HttpResponse:
    """JSON: `corp`, `agent`, and the signatures for `wx.config` (`config`) and `wx.agentConfig` (`agentConfig`), each
    with `timestamp`, `nonceStr`, `signature`. `?url=`: the page's address, one of the phone's; `?corp=` where staff
    have accounts of several."""
    url, corp = request.GET.get("url", ""), request.GET.get("corp", "") or request.phone.corp
    _of_ours(request, url)
    pages = spoken().pages().get((WECOM, corp))
    if pages is None or corp not in {one.corp for one in request.phone.accounts}:
        raise NotFound("你在这个企业里没有企业微信账号。", "You have no WeCom account of that corp.")
    plain, app = pages.for_config(url), pages.for_agent_config(url)
    return JsonResponse({"corp": corp, "agent": app.agent, "config": _said(plain), "agentConfig": _said(app)})


def _said(one: PageSignature) -> dict[str, object]:
    return {"timestamp": one.timestamp, "nonceStr": one.nonce, "signature": one.signature}


def _of_ours(request: HttpRequest, url: str) -> None:
    """Raise BadInput for an address that is no page of the phone at the host that was asked, or at the public one."""
    parts = urlsplit(url)
    hosts = {request.get_host(), urlsplit(settings.PUBLIC_ADDRESS).netloc}
    if (
        parts.scheme not in ("http", "https")
        or parts.netloc not in hosts
        or not parts.path.startswith(reverse("phone"))
    ):
        raise BadInput("url 应是本站 /m/ 下的页面地址。", "url must be the address of a page below /m/ of this site.")


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker. It must come from below `/m/`, for it keeps the pages below where it stands; it changes with
    what it keeps."""
    answer = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    return answer


@cache
def version() -> str:
    """Stands for what all pages of the phone load: another one, and they load it anew."""
    parts = [(STATIC / name).read_bytes() for name in ("mobile.css", "mobile.js", "sidebar.js", "sw.js")]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


@cache
def _worker() -> str:
    return (STATIC / "sw.js").read_text(encoding="utf-8").replace("{version}", version())
