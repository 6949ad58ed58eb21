"""Addresses and parcels, for those who run the whole brand."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet

from yutang.channels.models import Endpoint, Parcel
from yutang.channels.webhook.contracts import EndpointFacts, Off, ParcelFacts, ParcelState
from yutang.kernel.errors import NotFound, Refused
from yutang.organisation.contracts import Viewer


def endpoints(viewer: Viewer) -> list[EndpointFacts]:
    """Every address, by name."""
    _headquarters(viewer)
    return [_facts(row) for row in _counted().order_by("name")]


def endpoint(viewer: Viewer, name: str) -> EndpointFacts:
    """One of them. Raises NotFound."""
    _headquarters(viewer)
    row = _counted().filter(name=name).first()
    if row is None:
        raise NotFound(f"没有名为「{name[:80]}」的投递地址。", f"There is no address named “{name[:80]}”.")
    return _facts(row)


def parcels(
    viewer: Viewer, name: str, *, state: ParcelState | None = None, limit: int = 50, offset: int = 0
) -> list[ParcelFacts]:
    """What was cut for an address, newest first."""
    _headquarters(viewer)
    rows = Parcel.objects.filter(endpoint__name=name).order_by("-pk")
    rows = rows if state is None else rows.filter(state=state.value)
    return [
        ParcelFacts(
            row.pk, row.uid, name, row.events, ParcelState(row.state), row.tries, row.status, row.reason, row.made_at,
            row.not_before, row.settled_at,
        )
        for row in rows[offset : offset + limit]
    ]  # fmt: skip


def counted(viewer: Viewer, name: str, state: ParcelState | None = None) -> int:
    """How many parcels of an address are kept."""
    _headquarters(viewer)
    rows = Parcel.objects.filter(endpoint__name=name)
    return (rows if state is None else rows.filter(state=state.value)).count()


def in_trouble() -> list[tuple[str, Off | None, int]]:
    """The addresses that were switched off by themselves, or have dead parcels: their name, why off, and how many dead.
    (Unscoped because it names no person; pages show it to headquarters.)"""
    rows = _counted().filter(Q(off__in=[Off.FAILING.value, Off.GONE.value]) | Q(dead__gt=0)).order_by("name")
    return [(row.name, Off(row.off) if row.off else None, row.dead) for row in rows]


def _counted() -> QuerySet[Any]:
    states = Count("parcels", filter=Q(parcels__state__in=[ParcelState.DUE.value, ParcelState.DOING.value]))
    dead = Count("parcels", filter=Q(parcels__state=ParcelState.DEAD.value))
    return Endpoint.objects.annotate(waiting=states, dead=dead)


def _facts(row: Any) -> EndpointFacts:
    return EndpointFacts(
        row.pk, row.name, row.url or "", tuple(row.types), row.private, Off(row.off) if row.off else None, row.made_at,
        row.last_ok_at, row.failing_since, row.waiting, row.dead,
    )  # fmt: skip


def _headquarters(viewer: Viewer) -> None:
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能看投递。", "Only headquarters sees what is posted outside.")
