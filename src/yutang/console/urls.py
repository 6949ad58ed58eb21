"""The console's addresses. A file of pages keeps its own in `urls`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.urls import URLPattern, path

from yutang.console import (
    account,
    account_health,
    audit,
    campaigns,
    channels,
    connect,
    corps,
    departments,
    desk,
    drill,
    entrance,
    execution,
    group_ways,
    groups,
    growth,
    guard,
    hooks,
    imports,
    keys,
    landing,
    leads,
    league,
    lists,
    offgate,
    organisation,
    outgoing,
    persons,
    plans,
    pool,
    quality,
    radar,
    sameness,
    segments,
    settings,
    syncs,
    today,
    transfers,
)
from yutang.console.settings import Checked
from yutang.warehouse.contracts import Warehouse


def pages(doctor: Callable[[Warehouse], Sequence[Checked]], counter: corps.Desk) -> list[URLPattern]:
    """Every page; `doctor` is what the settings page asks what is wrong, `counter` what the corps' pages ask."""
    return [
        path("set-up/", entrance.set_up, name="set_up"),
        path("password/", entrance.choose_password, name="choose_password"),
        path("clock/", entrance.clock, name="clock"),
        *today.urls,
        *connect.urls,
        *transfers.urls,
        *group_ways.urls,
        *groups.urls,
        *imports.urls,
        *landing.urls,
        *pool.urls,
        *persons.urls,
        *sameness.urls,
        *segments.urls,
        *plans.urls,
        *lists.urls,
        *execution.urls,
        *offgate.urls,
        *campaigns.urls,
        *growth.urls,
        *league.urls,
        *account_health.urls,
        *guard.urls,
        *drill.urls,
        *radar.urls,
        *desk.urls,
        *settings.urls(doctor),
        *corps.urls(counter),
        *organisation.urls,
        *departments.urls,
        *keys.urls,
        *account.urls,
        *hooks.urls,
        *audit.urls,
        *leads.urls,
        *outgoing.urls,
        *channels.urls,
        *syncs.urls,
        *quality.urls,
    ]
