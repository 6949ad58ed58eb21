"""上次活动真有用吗: every campaign of the data with its verdict, one campaign, and a list of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from yutang.console.figures import bar, interval_figure
from yutang.console.pages import Page, page
from yutang.console.tables import exported, wanted_format
from yutang.console.templatetags.console import signed_money
from yutang.kernel.errors import BadInput, Problem
from yutang.kernel.ids import PersonId
from yutang.organisation.services import audit
from yutang.people.identifiers import masked
from yutang.people.queries import find_values
from yutang.reach.lift import Verdict
from yutang.review.contracts import DEFAULT_DAYS, PastCampaign, Readiness
from yutang.review.lists import TargetList, read_list
from yutang.review.queries import judge_list, past_campaign, past_campaigns

SHOWN = 20  # bad rows and unknown persons listed by name


@dataclass(frozen=True, slots=True)
class Bar:
    """One mean of the figure: whose, when, how much per person."""

    during: bool
    targeted: bool
    persons: int
    mean: float
    figure: SafeString


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of an uploaded list. Only this is shown; the list itself is not kept."""

    rows: int
    found: int
    twice: int
    unknown: tuple[tuple[int, str], ...]
    problems: tuple[Problem, ...]
    earliest: date
    latest: date

    @property
    def problems_shown(self) -> tuple[Problem, ...]:
        """The first bad rows."""
        return self.problems[:SHOWN]

    @property
    def unknown_shown(self) -> tuple[tuple[int, str], ...]:
        """The first rows whose person we do not know."""
        return self.unknown[:SHOWN]


@page
@require_safe
def campaigns(request: Page) -> HttpResponseBase:
    """All campaigns; `?verdict=` keeps those of one verdict, `?export=` (csv, xlsx, parquet) gives them as a file."""
    found = past_campaigns(request.warehouse, request.viewer)
    wanted = request.GET.get("verdict", "")
    shown = [campaign for campaign in found if wanted in ("", verdict_of(campaign))]
    if wanted_format(request):
        return _export(request, shown)
    told = [campaign for campaign in found if verdict_of(campaign) in ("better", "worse", "not_visible")]
    context = {
        "campaigns": [(campaign, verdict_of(campaign)) for campaign in shown],
        "all": len(found),
        "wanted": wanted,
        "verdicts": ("better", "worse", "not_visible", "cannot"),
        "told": len(told),
        "by_chance": round(len(told) * 0.05, 1),
        "clear": sum(verdict_of(campaign) in ("better", "worse") for campaign in found),
        "default_days": DEFAULT_DAYS,
    }
    return render(request, "console/campaigns.html", context)


def verdict_of(campaign: PastCampaign) -> str:
    """`better`, `worse`, `not_visible`, or `cannot` where no difference can be given at all."""
    difference = campaign.difference
    if difference is None or difference.change is None:
        return "cannot"
    if difference.verdict is Verdict.VISIBLE:
        return "better" if difference.change.value > 0 else "worse"
    return "not_visible"


@page
@require_safe
def campaign(request: Page) -> HttpResponseBase:
    """One campaign of the data: `?name=`, and `?days=` for another window than its own."""
    days = _days(request.GET["days"]) if request.GET.get("days") else None
    found = past_campaign(request.warehouse, request.viewer, request.GET.get("name", ""), days)
    return render(request, "console/campaigns_one.html", _result(found))


@page
@require_POST
def campaign_upload(request: Page) -> HttpResponseBase:
    """Judge an uploaded list. The file is read once, and neither it nor who is in it is kept."""
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        raise BadInput("请选择名单文件（CSV，20 MB 以内）。", "Choose the list's file (CSV, at most 20 MB).")
    listed = read_list(file.read())
    persons = find_values(request.viewer, listed.kind, [row.value for row in listed.rows])
    upload = _uploaded(request, listed, persons)
    ids = [persons[row.value] for row in listed.rows if row.value in persons]
    if not ids:
        raise BadInput(
            "名单里没有一位是我们认识的客户，请检查会员号或手机号这一列。",
            "None of the persons on the list is known here; check the column of member or phone numbers.",
        )
    days = _days(request.POST.get("days") or str(DEFAULT_DAYS))
    title = _("上传的名单")
    found = judge_list(request.warehouse, request.viewer, title, ids, upload.earliest, days)
    audit(request.viewer, "judge_list", "campaign", rows=upload.rows, found=upload.found)
    return render(request, "console/campaigns_one.html", {**_result(found), "upload": upload})


def _uploaded(request: HttpRequest, listed: TargetList, persons: Mapping[str, PersonId]) -> Upload:
    dates = [row.day for row in listed.rows if row.day is not None] or [_first(request)]
    values = [row.value for row in listed.rows]
    unknown = [(row.row, masked(listed.kind, row.value)) for row in listed.rows if row.value not in persons]
    return Upload(
        rows=len(listed.rows) + len(listed.problems),
        found=len({persons[value] for value in values if value in persons}),
        twice=len(values) - len(set(values)),
        unknown=tuple(unknown),
        problems=listed.problems,
        earliest=min(dates),
        latest=max(dates),
    )


def _first(request: HttpRequest) -> date:
    try:
        return date.fromisoformat(request.POST.get("first", ""))
    except ValueError:
        raise BadInput(
            "名单里没有日期一列，请在表单里填写活动的第一天。",
            "The list has no column of dates; say the campaign's first day in the form.",
        ) from None


def _days(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise BadInput(f"「{text[:20]}」不是天数。", f"“{text[:20]}” is not a number of days.")
    return int(text)


def _result(found: PastCampaign) -> dict[str, object]:
    difference = found.difference
    context: dict[str, object] = {"campaign": found, "verdict": verdict_of(found), "readiness": Readiness}
    if difference is None:
        return context
    context["bars"] = _bars(found)
    if difference.change is not None:
        context["figure"] = interval_figure(difference.change, signed_money, _("差值的差与 95% 区间"))
        context["half"] = (difference.change.high - difference.change.low) / 2
    return context


def _bars(found: PastCampaign) -> Sequence[Bar]:
    difference = found.difference
    assert difference is not None
    means = (
        (False, True, difference.targeted, difference.before.targeted),
        (False, False, difference.others, difference.before.others),
        (True, True, difference.targeted, difference.during.targeted),
        (True, False, difference.others, difference.during.others),
    )
    largest = max(mean for *_rest, mean in means)
    return [
        Bar(during, targeted, persons, mean, bar(mean, largest, "mine" if targeted else "rest"))
        for during, targeted, persons, mean in means
    ]


def _export(request: Page, shown: Sequence[PastCampaign]) -> HttpResponseBase:
    head = [_("活动"), _("第一天"), _("最后一天"), _("投放人数"), _("结论")]
    head += [_("每人差值的差"), _("区间下限"), _("区间上限")]
    rows = []
    for one in shown:
        change = one.difference.change if one.difference else None
        interval = (None, None, None) if change is None else (change.value, change.low, change.high)
        rounded = (None if value is None else round(value, 2) for value in interval)
        rows.append((one.name, one.window.first, one.window.last, one.targeted, verdict_of(one), *rounded))
    return exported(request, "campaigns", head, rows)


urls = [
    path("campaigns/", campaigns, name="campaigns"),
    path("campaigns/one/", campaign, name="campaign"),
    path("campaigns/list/", campaign_upload, name="campaign_upload"),
]
