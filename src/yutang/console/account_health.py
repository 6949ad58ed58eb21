"""人设与账号健康: what customers see of each account and what is missing, and which accounts are not well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import PAGE_SIZE, Pager, exported, page_number, sorting, wanted_format
from yutang.console.words import LEVELS, PERSONA, SIGNS, WHO_FILLS, said
from yutang.guard.accounts.contracts import Account, Level, Sign
from yutang.guard.accounts.queries import account_rules, accounts, friends_at_most
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import nodes, staff_names
from yutang.review.growth_queries import inside

Key = Callable[[Account], float]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account with whose it is and where."""

    one: Account
    name: str
    store: NodeFacts | None

    @property
    def first(self) -> str:
        """The worst of what is wrong with it; empty where nothing is."""
        return self.one.signs[0].value if self.one.signs else ""


@dataclass(frozen=True, slots=True)
class PartRow:
    """A wanted part of the card: of how many accounts it is missing, and of how many the platform does not tell."""

    part: str
    missing: int
    untold: int


SORTS: dict[str, Key] = {
    "signs": lambda one: [2, 1, 0][list(Level).index(one.level)] * 100 + len(one.signs),
    "friends": lambda one: one.usage.friends,
    "deleted": lambda one: one.usage.deleted,
    "sent": lambda one: one.usage.sent_30,
    "open": lambda one: one.usage.open,
    "missing": lambda one: len(one.missing),
}


@page
@require_safe
def persona(request: Page) -> HttpResponseBase:
    """The accounts; `?level=`, `?sign=`, `?part=` (missing) and `?region=` keep some, `?sort=` orders, `?export=` (csv,
    xlsx, parquet) makes a file."""
    tree = {node.id: node for node in nodes()}
    regions = [node for node in tree.values() if node.kind is NodeKind.REGION and request.viewer.sees(node.id)]
    given = {name: request.GET.get(name, "") for name in ("level", "sign", "part", "region")}
    region = next((node for node in regions if node.code == given["region"]), None)
    below = inside(list(tree.values()), region)
    seen = [one for one in accounts(request.warehouse, request.viewer) if one.state.store in below]
    found = [
        one
        for one in seen
        if given["level"] in ("", one.level.value)
        and given["sign"] in ("", *one.signs)
        and (not given["part"] or given["part"] in one.missing)
    ]
    order = sorting(request, SORTS, "-signs")
    found.sort(key=SORTS[order.removeprefix("-")], reverse=order.startswith("-"))
    rules = account_rules()
    if wanted_format(request):
        return _export(request, _rows(request, found, tree))
    pager = Pager(page_number(request), len(found))
    context = {
        "rows": _rows(request, found[pager.offset : pager.offset + PAGE_SIZE], tree),
        "pager": pager,
        "any": bool(seen),
        "given": given,
        "filtered": any(given.values()),
        "levels": [(level.value, sum(one.level is level for one in seen)) for level in Level],
        "signs": [(sign.value, count) for sign in Sign if (count := sum(sign in one.signs for one in seen))],
        "parts": _parts(seen, rules.persona),
        "unread": sum(not one.known for one in seen),
        "regions": regions,
        "region": region,
        "rules": rules,
        "room": friends_at_most(),
    }
    return render(request, "console/account_health.html", context)


def _parts(seen: Sequence[Account], wanted: Sequence[str]) -> list[PartRow]:
    """Of the accounts that a directory told of, the wanted parts, the one missing most first."""
    known = [one for one in seen if one.known and one.state.on]
    missing = Counter(part for one in known for part in one.missing)
    untold = Counter(part for one in known for part in one.untold)
    return sorted((PartRow(part, missing[part], untold[part]) for part in wanted), key=lambda row: -row.missing)


def _rows(request: Page, found: Sequence[Account], tree: Mapping[NodeId, NodeFacts]) -> list[AccountRow]:
    names = staff_names(request.viewer, [one.state.staff for one in found])
    return [AccountRow(one, names.get(one.state.staff, ""), tree.get(one.state.store)) for one in found]


def _export(request: Page, rows: Sequence[AccountRow]) -> HttpResponseBase:
    head = [_("员工"), _("门店"), _("企业"), _("成员账号"), _("健康"), _("问题"), _("已填"), _("应填"), _("缺什么")]
    head += [_("谁来填"), _("好友"), _("30 天被删"), _("同等好友应被删"), _("今天发了"), _("每天额度"), _("30 天发了")]
    head += [_("待点任务"), _("30 天结束的任务"), _("其中没点")]
    table = []
    for row in rows:
        one, usage, state = row.one, row.one.usage, row.one.state
        filled, wanted = one.filled
        table.append(
            (
                *(row.name, row.store.code if row.store else "", state.corp, state.userid),
                said(LEVELS, one.level.value),
                _listed(said(SIGNS, sign.value) for sign in one.signs),
                *((filled, wanted) if one.known else (None, None)),
                _listed(said(PERSONA, part) for part in one.missing),
                _listed(dict.fromkeys(said(WHO_FILLS, part) for part in one.missing)),
                *(usage.friends, usage.deleted, round(usage.expected, 1), usage.sent_today, state.daily_quota),
                *(usage.sent_30, usage.open, usage.closed, usage.untapped),
            )
        )
    return exported(request, "account_health", head, table)


def _listed(words: Iterable[str]) -> str:
    return "；".join(words)


urls = [path("guard/accounts/", persona, name="health")]
