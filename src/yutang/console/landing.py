"""The page that a customer sees who scans a poster: a QR code to add, nothing to log in to, nothing that tracks."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from yutang.channels.ports.inheritance import ACQUISITION
from yutang.connect import queries as ways
from yutang.connect.qr import qr_svg
from yutang.connect.queries import OpenedWay
from yutang.connect.routing import distance_km, nearest
from yutang.connect.services import note_scan
from yutang.console.pages import sorry
from yutang.kernel.errors import YutangError
from yutang.organisation.contracts import NodeFacts
from yutang.organisation.queries import brand


@require_safe
def landing(request: HttpRequest, slug: str) -> HttpResponse:
    """The code of the whole way; or of the `?store=` that was chosen, or that stands nearest to `?at=lat,lon`.

    Where somebody is goes into the answer and is kept nowhere. Each opening counts once a minute and visitor.
    """
    try:
        found = ways.opened(slug)
        store, near = _chosen(request, found)
        if request.method == "GET" and not {"at", "store"} & request.GET.keys():  # choosing a store is no second scan
            note_scan(found.document.name, _visitor(request), store.code if store else None)
        link = found.document.link or ""
        picture = _picture(found, store)
        if found.document.channel == ACQUISITION:  # its code is an address, which the page draws and opens
            link, picture = picture, ""
        context = {
            "way": found.document,
            "brand": brand(),
            "slug": slug,
            "store": store,
            "near": near,
            "stores": [node for node, _ in found.by_store] if not store else [],
            "picture": picture,
            "uploaded": found.picture and not picture,
            "link": link,
            "qr": mark_safe(qr_svg(link)) if link else "",  # noqa: S308  # made by us
            "placed": any(node.place for node, _ in found.by_store),
        }
        answer = render(request, "console/landing.html", context)
        host = urlsplit(picture).netloc
        if host:  # the platform's own server shows the picture
            answer._csp_update = {"img-src": [f"{urlsplit(picture).scheme}://{host}"]}  # type: ignore[attr-defined]
        answer["Cache-Control"] = "no-store"
        return answer
    except YutangError as error:
        return sorry(request, error)


def _chosen(request: HttpRequest, found: OpenedWay) -> tuple[NodeFacts | None, float | None]:
    """The store that the visitor chose, or the nearest to where they say they are, with how far that is."""
    stores = [node for node, _ in found.by_store]
    wanted = request.GET.get("store", "")
    if wanted:
        return next((node for node in stores if node.code == wanted), None), None
    place = _place(request.GET.get("at", ""))
    if place is not None:
        node = nearest(place, [(node, node.place) for node in stores])
        if node is not None and node.place is not None:
            return node, distance_km(place, node.place)
    return (stores[0], None) if len(stores) == 1 else (None, None)


def _place(text: str) -> tuple[float, float] | None:
    parts = text.split(",")
    try:
        latitude, longitude = (float(part) for part in parts[:2])
    except ValueError:
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _picture(found: OpenedWay, store: NodeFacts | None) -> str:
    if store is not None:
        return next((code for node, code in found.by_store if node.id == store.id), "")
    return found.whole


def _visitor(request: HttpRequest) -> str:
    return f"{request.META.get('REMOTE_ADDR', '')} {request.headers.get('User-Agent', '')[:200]}"


@require_safe
def picture(request: HttpRequest, slug: str) -> HttpResponse:
    """The uploaded picture of a way without an API."""
    try:
        content, kind = ways.picture(slug)
    except YutangError as error:
        return sorry(request, error)
    return HttpResponse(content, content_type=kind)


urls = [
    path("w/<str:slug>/", landing, name="landing"),
    path("w/<str:slug>/picture", picture, name="landing_picture"),
]
