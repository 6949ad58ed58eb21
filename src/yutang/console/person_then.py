"""One person as of a past day: every trait then and now, and why they were in a segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, language, page
from yutang.console.segments import Cell, cell_of
from yutang.console.sentences import rule_said
from yutang.kernel.calendars import day_start
from yutang.kernel.ids import PersonId
from yutang.organisation.queries import nodes
from yutang.people.queries import person_card
from yutang.profiles.contracts import Moment
from yutang.profiles.past import is_a_rank, is_todays, tables_at, traits_at
from yutang.profiles.queries import moment, traits_of
from yutang.profiles.traits import TRAITS
from yutang.segments import queries as segments
from yutang.segments.documents import All, Any_, Not
from yutang.segments.likeness import Weight
from yutang.segments.why import Evidence, Reason, why

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Weighing:
    """A trait that weighs, with its value as it is shown."""

    cell: Cell
    weight: Weight


@dataclass(frozen=True, slots=True)
class Told:
    """A rule of the segment as a line: how deep it stands, what it says, whether it held, and the trait's value."""

    depth: int
    says: str
    reason: Reason
    value: Cell | None
    weights: tuple[Weighing, ...] = ()

    @property
    def evidence(self) -> Evidence | None:
        """What makes them look like others, if the rule asks that."""
        return self.reason.evidence

    @property
    def asked(self) -> str:
        """The traits that weigh and for which the rule of those whom they are compared with asks anyway."""
        asked = self.evidence.model.asked if self.evidence else ()
        titles = [str(one.cell.title) for one in self.weights if one.weight.trait in asked]
        return (", " if language().startswith("en") else "、").join(titles)

    @property
    def indent(self) -> str:
        """Spaces, as wide as it stands deep."""
        return "\u2003" * self.depth


@page
@require_safe
def person_then(request: Page, number: int) -> HttpResponse:
    """`?day=` is a local day, at whose end it is looked (default: a month ago); `?segment=` asks why."""
    card = person_card(request.viewer, PersonId(number))
    now = moment(request.warehouse)
    day, at = past_day(request.GET.get("day", ""), now)
    who, when = [card.person], Moment(at, now.zone)
    tables = tables_at(request.warehouse, who, when)
    then = traits_at(request.warehouse, request.viewer, list(TRAITS), when, who, tables).to_pylist()
    today = traits_of(request.warehouse, request.viewer, card.person)
    stores = {node.id: node.name for node in nodes()}
    offered = segments.segments()
    wanted = next((one for one in offered if one.name == request.GET.get("segment")), None)
    reason = why(request.warehouse, request.viewer, wanted, card.person, at, tables) if wanted else None
    context = {
        "card": card,
        "day": day,
        "last": now.today,
        "rows": [_row(name, then[0][name], today[name], stores) for name in TRAITS] if then else [],
        "segments": offered,
        "wanted": wanted,
        "reason": reason,
        "lines": list(lines(reason, {one.name: one.title.text(language()) for one in offered}, stores, 0))
        if reason
        else [],
    }
    return render(request, "console/person_then.html", context)


def past_day(given: str, now: Moment) -> tuple[date, datetime]:
    """The local day that is asked for (a month ago, if none is), and its last instant; never later than now."""
    try:
        day = min(max(date.fromisoformat(given), date(1990, 1, 1)), now.today)
    except ValueError:
        day = now.today - timedelta(days=30)
    return day, min(day_start(day + timedelta(days=1), now.zone) - MICROSECOND, now.as_of)


def _row(name: str, then: Any, today: Any, stores: Mapping[Any, str]) -> tuple[Cell, Cell, str]:
    known = "unknown" if is_a_rank(name) else "today" if is_todays(name) else ""
    return cell_of(name, then, stores), cell_of(name, today, stores), known


def lines(reason: Reason, titles: Mapping[str, str], stores: Mapping[Any, str], depth: int) -> Iterator[Told]:
    """A reason and those below it, line by line."""
    group = isinstance(reason.rule, All | Any_ | Not)
    trait = getattr(reason.rule, "trait", None)
    value = cell_of(trait, reason.value, stores) if trait else None
    told = reason.evidence.weights if reason.evidence else ()
    weights = tuple(Weighing(cell_of(one.trait, one.value, stores), one) for one in told)
    yield Told(depth, "" if group else rule_said(reason.rule, titles), reason, value, weights)
    for below in reason.below:
        yield from lines(below, titles, stores, depth + 1)


urls = [path("persons/<int:number>/then/", person_then, name="person_then")]
