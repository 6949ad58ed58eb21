"""同步: what is read from platforms anew, how far it is, and how much callbacks had missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.channels.sync import queries, registry, services
from yutang.channels.sync.contracts import DAILY, HintCount, Kind, RunFacts, RunState
from yutang.console.pages import Page, language, page
from yutang.organisation.queries import corps

SHOWN = 20


@dataclass(frozen=True, slots=True)
class KindShown:
    """A kind of sync of one corp: its last run, and the hints that wait. `minutes`: between two; 0: each night."""

    kind: Kind
    title: str
    last: RunFacts | None
    minutes: int

    @property
    def busy(self) -> bool:
        """Whether a run is open."""
        return self.last is not None and self.last.state in (RunState.WAITING, RunState.DOING)


@dataclass(frozen=True, slots=True)
class RunShown:
    """An ended run as the list shows it."""

    run: RunFacts
    title: str
    seconds: float | None
    error: str
    note: str


@page
@require_safe
def syncs(request: Page) -> HttpResponse:
    """The kinds by corp, and the last runs."""
    return render(request, "console/syncs.html", _context(request))


@page
@require_safe
def syncs_now(request: Page) -> HttpResponse:
    """The kinds by corp alone: the page asks for it while anything is under way."""
    return render(request, "console/_syncs_kinds.html", _context(request))


def _context(request: Page) -> dict[str, object]:
    viewer = request.viewer
    last = {(run.channel, run.corp, run.kind): run for run in queries.last_runs(viewer)}
    by_corp = [
        (
            corp.corp,
            corp.sandboxed,
            [
                KindShown(kind, _title(kind), last.get((corp.channel, corp.corp, kind.name)), _minutes(kind))
                for kind in registry.KINDS
                if kind.channel == corp.channel
            ],
        )
        for corp in corps()
    ]
    return {
        "corps": by_corp,
        "busy": any(one.busy for _, _, kinds in by_corp for one in kinds),
        "runs": [_shown(run) for run in queries.runs(viewer, limit=SHOWN)],
        "hints": _hints(queries.hints_waiting(viewer)),
        "night": services.NIGHT,
    }


def _title(kind: Kind) -> str:
    return kind.en.capitalize() if language().startswith("en") else kind.zh


def _minutes(kind: Kind) -> int:
    return 0 if kind.every >= DAILY else round(kind.every.total_seconds() / 60)


def _shown(run: RunFacts) -> RunShown:
    title = next((_title(kind) for kind in registry.KINDS if kind.name == run.kind), run.kind)
    seconds = (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None
    english = language().startswith("en")
    return RunShown(run, title, seconds, run.error[english], run.found.note[english])


def _hints(counts: Sequence[HintCount]) -> tuple[int, int]:
    return sum(one.waiting for one in counts), sum(one.failing for one in counts)


@page
@require_POST
def syncs_begin(request: Page) -> HttpResponseBase:
    """Ask for a kind, or for all, of a corp now."""
    begun = services.ask(request.viewer, request.POST.get("kind", ""), request.POST.get("corp", ""))
    messages.success(request, _("已安排 %(n)d 项同步，完成后这里会更新。") % {"n": len(begun)})
    return redirect("syncs")


urls = [
    path("settings/syncs/", syncs, name="syncs"),
    path("settings/syncs/now/", syncs_now, name="syncs_now"),
    path("settings/syncs/begin/", syncs_begin, name="syncs_begin"),
]
