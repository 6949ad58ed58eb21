"""The console's addresses. A file of pages keeps its own in `urls`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.urls import URLPattern, path

from yutang.console import entrance, persons, pool, settings, today
from yutang.console.settings import Checked
from yutang.warehouse.contracts import Warehouse


def _theirs() -> list[URLPattern]:  # until segments.py, plans.py and campaigns.py stand
    import importlib
    import importlib.util

    found = []
    for name, extra in (("segments", ()), ("plans", ("plan", "plan_new")), ("campaigns", ())):
        if importlib.util.find_spec(f"yutang.console.{name}"):
            found += importlib.import_module(f"yutang.console.{name}").urls
        else:
            found.append(path(f"{name}/", today.today, name=name))
            found += [path(f"{name}/new/", today.today, name=e) for e in extra if e == "plan_new"]
            found += [path(f"{name}/<int:number>/", today.today, name=e) for e in extra if e == "plan"]
    return found


def pages(doctor: Callable[[Warehouse], Sequence[Checked]]) -> list[URLPattern]:
    """Every page; `doctor` is what the settings page asks what is wrong."""
    return [
        path("set-up/", entrance.set_up, name="set_up"),
        path("password/", entrance.choose_password, name="choose_password"),
        path("clock/", entrance.clock, name="clock"),
        *today.urls,
        *pool.urls,
        *persons.urls,
        *_theirs(),
        *settings.urls(doctor),
    ]
