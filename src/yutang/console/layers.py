"""分层: RFM and the stages of life, the ladder with who moved, and the documents by which they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.figures import bar
from yutang.console.pages import Page, language, page
from yutang.console.tables import PAGE_SIZE, Pager, exported, page_number, wanted_format
from yutang.console.words import FLOW_STEPS, LADDER_STEPS, LIFECYCLES, said
from yutang.documents import queries as documents
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.layers import flow, ladder, next_queries, rfm
from yutang.layers.contracts import LayerCount, Move, MoveCount
from yutang.layers.documents import DEFAULT, LadderDocument, RfmDocument
from yutang.layers.standing import STANDING
from yutang.organisation.contracts import Viewer
from yutang.people.queries import names_of
from yutang.profiles.traits import LADDER

SPAN = timedelta(days=30)
COLOURS = 5
PAIRS = 60
DAYS_SHOWN = 31


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the heat grid. `colour`: 0 for nobody, else 1 to 5."""

    cell: rfm.HeatCell
    colour: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with its share of all, its rule, and who came and went in the last 30 days."""

    layer: LayerCount
    share: float | None
    up: int
    down: int


@page
@require_safe
def layers(request: Page) -> HttpResponseBase:
    """RFM and the stages of life; `?type=` keeps the stores of one type, `?export=` gives the cells as a file."""
    counted = STANDING.answer(request.warehouse)
    standing = counted.value
    if standing is None:
        return render(request, "console/layers.html", {"tab": "layers"})
    document = rfm.rfm_document()
    every = standing.rfm(request.viewer)
    chosen = request.GET.get("type", "*")
    found = [one for one in every if chosen in ("*", one.type)]
    cells = rfm.named_cells(found, document.high)
    if wanted_format(request):
        return _export_cells(request, cells)
    lives = standing.lives(request.viewer)
    context = {
        "tab": "layers",
        "as_of": counted.as_of,
        "document": document,
        "types": [("", _("其他门店")), *((one.name, one.title.text(language())) for one in document.types)],
        "type": chosen,
        "cells": [(cell, cell.en if language().startswith("en") else cell.zh) for cell in cells],
        "grid": [(score, [Field(cell, _colour(cell.heat)) for cell in row]) for score, row in rfm.heat_grid(found)],
        "buyers": sum(cell.persons for cell in cells),
        "lives": [(one, said(LIFECYCLES, one.name), _share(one, lives)) for one in lives],
        "stored": _stored(RfmDocument),
    }
    return render(request, "console/layers.html", context)


def _colour(heat: float) -> int:
    return 0 if heat == 0 else min(COLOURS, 1 + int(heat * COLOURS))


def _share(one: LayerCount, every: Sequence[LayerCount]) -> float | None:
    whole = sum(other.persons for other in every)
    return one.persons / whole if whole else None


def _stored(kind: type[RfmDocument | LadderDocument]) -> object:
    try:
        return documents.find(kind, DEFAULT)
    except NotFound:
        return None


def _export_cells(request: Page, cells: Sequence[rfm.NamedCell]) -> HttpResponseBase:
    head = [_("分层"), _("人数"), _("占比"), _("可触达"), _("近 365 天消费"), _("消费占比")]
    rows = [
        (
            cell.en if language().startswith("en") else cell.zh,
            *(cell.persons, cell.share, cell.reachable, cell.spend, cell.spend_share),
        )
        for cell in cells
    ]
    return exported(request, "rfm", head, rows)


@page
@require_safe
def climbing(request: Page) -> HttpResponseBase:
    """The ladder, and who moved in the last 30 days: `?way=up` or `down`; `?export=` gives the moves as a file."""
    since = business_now() - SPAN
    way = request.GET.get("way", "")
    up, down = way != "down", way != "up"
    warehouse, viewer = request.warehouse, request.viewer
    if wanted_format(request):
        _total, every = ladder.moves(warehouse, viewer, since, up=up, down=down, limit=1_000_000)
        return _export_moves(request, every)
    counted = STANDING.answer(warehouse)
    number = page_number(request)
    total, found = ladder.moves(
        warehouse, viewer, since, up=up, down=down, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE
    )
    counts = ladder.move_counts(warehouse, viewer, since, request.brand.zone)
    context = {
        "tab": "ladder",
        "as_of": counted.as_of if counted.value is not None else None,
        "steps": _steps(counted.value.steps(viewer) if counted.value is not None else [], counts),
        "flows": _flows(counts),
        "days": SPAN.days,
        "way": way,
        "pager": Pager(number, total),
        "rows": _named(viewer, found),
        "stored": _stored(LadderDocument),
    }
    return render(request, "console/layers_ladder.html", context)


def _steps(found: Sequence[LayerCount], counts: Sequence[MoveCount]) -> list[StepRow]:
    return [
        StepRow(
            one,
            _share(one, found),
            sum(move.persons for move in counts if move.step == one.name and _is_up(move)),
            sum(move.persons for move in counts if move.step == one.name and not _is_up(move)),
        )
        for one in found
    ]


def _is_up(move: MoveCount | Move) -> bool:
    return LADDER.index(move.step) > LADDER.index(move.before)


def _flows(counts: Sequence[MoveCount]) -> list[tuple[str, str, int, float, bool]]:
    """From, to, how many in the span, how many a day, and whether it is upwards; the most first."""
    sums: dict[tuple[str, str], int] = {}
    for one in counts:
        sums[one.before, one.step] = sums.get((one.before, one.step), 0) + one.persons
    rows = [
        (before, step, persons, persons / SPAN.days, LADDER.index(step) > LADDER.index(before))
        for (before, step), persons in sums.items()
    ]
    return sorted(rows, key=lambda row: -row[2])


def _named(viewer: Viewer, found: Sequence[Move]) -> list[tuple[Move, str | None, bool]]:
    names = names_of(viewer, [one.person for one in found])
    return [(one, names.get(one.person), _is_up(one)) for one in found]


def _export_moves(request: Page, found: Sequence[Move]) -> HttpResponseBase:
    head = [_("编号"), _("从"), _("到"), _("时间")]
    rows = (
        (int(one.person), said(LADDER_STEPS, one.before), said(LADDER_STEPS, one.step), one.at.isoformat())
        for one in found
    )
    return exported(request, "ladder-moves", head, rows)


@page
@require_safe
def next_category(request: Page) -> HttpResponseBase:
    """What leads to what, and how well it would have told the last three months; `?export=` gives the pairs."""
    counted = next_queries.known(request.warehouse)
    model, tested = counted.value.model, counted.value.tested
    pairs = model.pairs(PAIRS) if model else []
    if wanted_format(request):
        head = [_("买过的品类"), _("接着买的品类"), _("人数"), _("其中接着买的"), _("提升倍数"), _("下限"), _("上限")]
        rows = [(p.has, p.next, p.support, p.confidence, p.lift, p.low, p.high) for p in pairs]
        return exported(request, "next-category", head, rows)
    best = max((max(one.lifts, one.popular) for one in tested.measures), default=0.0) if tested else 0.0
    measures = (
        [(one, bar(one.lifts, best), bar(one.popular, best, "quiet")) for one in tested.measures] if tested else []
    )
    context = {
        "tab": "next",
        "as_of": counted.as_of,
        "model": model,
        "tested": tested,
        "measures": measures,
        "pairs": pairs,
    }
    return render(request, "console/layers_next.html", context)


@page
@require_safe
def flowing(request: Page) -> HttpResponseBase:
    """The loop day by day; `?export=` gives the days as a file."""
    counted = flow.flow(request.warehouse, request.viewer)
    if wanted_format(request):
        head = [_("日期"), _("没买过"), _("买过一次"), _("再买过"), _("买过别的品类")]
        head += [_("新认识"), _("首购"), _("再买"), _("买别的品类"), _("带来朋友")]
        rows = [(one.day.isoformat(), *one.standing, *one.taken) for one in counted.value]
        return exported(request, "flow", head, rows)
    standing, taken = flow.over(counted.value)
    stages = [
        (FLOW_STEPS[step], stood, came, moved, moved / (stood + came) if stood + came else None)
        for step, stood, came, moved in zip(flow.STEPS[1:], standing, taken, taken[1:], strict=False)
    ]
    most = max((sum(one.taken[1:]) for one in counted.value[:DAYS_SHOWN]), default=0)
    days = [(one, bar(sum(one.taken[1:]), most)) for one in counted.value[:DAYS_SHOWN]]
    context = {
        "tab": "flow",
        "as_of": counted.as_of if counted.value else None,
        "stages": stages,
        "met": taken[0],
        "days": days,
        "span": SPAN.days,
    }
    return render(request, "console/layers_flow.html", context)


urls = [
    path("layers/flow/", flowing, name="layers_flow"),
    path("layers/next/", next_category, name="layers_next"),
    path("layers/", layers, name="layers"),
    path("layers/ladder/", climbing, name="layers_ladder"),
]
