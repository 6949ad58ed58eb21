"""What a segment says, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from yutang.console.pages import language
from yutang.console.templatetags.console import moment
from yutang.console.words import LIFECYCLES, POOLS, PURPOSES, said
from yutang.console.words import unit as worded_unit
from yutang.kernel.documents import Part
from yutang.log.vocabulary import VOCABULARY
from yutang.profiles.shapes import Bounds, Windowed
from yutang.profiles.traits import TRAITS
from yutang.segments.documents import (
    SHARE,
    USUALLY,
    All,
    Any_,
    BoughtRule,
    ConsentRule,
    EventRule,
    InGroupRule,
    LooksLikeRule,
    Not,
    PoolRule,
    RecordedRule,
    RegionRule,
    SegmentDocument,
    SegmentRule,
    StoreRule,
    TagRule,
    TraitRule,
)

OPERATORS: dict[str, Promise | str] = {
    "is": "=",
    "is_not": "≠",
    "at_least": "≥",
    "at_most": "≤",
    "more_than": ">",
    "less_than": "<",
    "between": gettext_lazy("在两者之间"),
    "in": gettext_lazy("是其中之一"),
    "known": gettext_lazy("有没有值"),
}
Titles = Mapping[str, str]
"""Titles of segments by name."""


def sentence(document: SegmentDocument, titles: Titles) -> str:
    """The whole rule in the reader's language."""
    return _said(document.where, titles, outermost=True)


def rule_said(rule: Part, titles: Titles) -> str:
    """One rule in the reader's language."""
    return _said(rule, titles, outermost=True)


def trait_title(name: str) -> str:
    """What a trait is called in the reader's language."""
    trait = TRAITS[name]
    return trait.en if language().startswith("en") else trait.zh


def event_title(name: str) -> str:
    """What a type of event is called in the reader's language."""
    return name if language().startswith("en") else VOCABULARY[name].zh


def _said(rule: Part, titles: Titles, *, outermost: bool = False) -> str:
    match rule:
        case All():
            return _joined([_said(branch, titles) for branch in rule.all_], _("，且 "), outermost)
        case Any_():
            return _joined([_said(branch, titles) for branch in rule.any_], _("，或 "), outermost)
        case Not():
            return _("不是：%s") % _said(rule.not_, titles)
    return _leaf(rule, titles)


def _joined(parts: list[str], word: str, outermost: bool) -> str:
    text = word.join(parts)
    return text if outermost or len(parts) == 1 else _("（%s）") % text


def _leaf(rule: Part, titles: Titles) -> str:
    match rule:
        case TraitRule():
            if rule.trait not in TRAITS:
                return _("已删除的属性 %s") % rule.trait
            unit = worded_unit(TRAITS[rule.trait], _last_number(rule))
            return f"{trait_title(rule.trait)} {_bounds(rule, _worded(rule.trait), unit)}"
        case BoughtRule():
            goods = _list((*(rule.bought.categories or ()), *(rule.bought.skus or ())))
            more = [
                _("%s 单") % _bounds(rule.baskets) if rule.baskets else "",
                _("消费 %s") % _bounds(rule.spend) if rule.spend else "",
                _window(rule),
            ]
            return _("买过 %s") % goods + _aside(more)
        case EventRule():
            more = [_window(rule), *(f"{name}: {_list(values)}" for name, values in rule.where.props.items())]
            return _("%(event)s %(count)s 次") % {
                "event": event_title(rule.event),
                "count": _bounds(rule.count),
            } + _aside(more)
        case TagRule():
            return _("有标签 %s") % _list(rule.tag)
        case StoreRule():
            text = _("常去门店是 %s") if rule.by == "home" else _("归属门店是 %s")
            return text % _list(rule.store)
        case RegionRule():
            text = _("常去的门店在 %s") if rule.by == "home" else _("归属 %s")
            return text % _list(rule.region)
        case ConsentRule():
            return _("同意%s") % said(PURPOSES, rule.consent.purpose)
        case SegmentRule():
            return _("在分群「%s」里") % titles.get(rule.segment, rule.segment)
        case InGroupRule():
            return _("在客户群 %s 里") % _list(rule.in_group)
        case LooksLikeRule():
            return _likeness(rule, titles)
        case RecordedRule():
            return _("%(at)s 时在分群「%(segment)s」里") % {
                "at": moment(rule.recorded.at),
                "segment": titles.get(rule.recorded.segment, rule.recorded.segment),
            }
        case PoolRule():
            return _("在%s") % said(POOLS, rule.pool)
    raise TypeError(type(rule).__name__)


def _likeness(rule: LooksLikeRule, titles: Titles) -> str:
    asked = rule.looks_like
    most = (
        _("前 %s 人") % f"{asked.top:,}" if asked.top else _("前 %s%%") % f"{round((asked.share or SHARE) * 100, 4):g}"
    )
    by = "" if asked.traits == USUALLY else _("，按 %s") % _list(tuple(trait_title(name) for name in asked.traits))
    return _("像分群「%(segment)s」里的人，最像的%(most)s%(by)s") % {
        "segment": titles.get(asked.segment, asked.segment),
        "most": most,
        "by": by,
    }


def _bounds(rule: Bounds | TraitRule, word: Callable[[object], str] = str, unit: str = "") -> str:
    told = []
    for name, operator in OPERATORS.items():
        value = _value(rule, name)
        if value is None:
            continue
        match name:
            case "between":
                told.append(_("在 %(low)s 与 %(high)s 之间") % {"low": word(value[0]), "high": word(value[1])})
            case "in":
                told.append(_("是 %s 之一") % _list(tuple(word(one) for one in value)))
            case "known":
                told.append(_("有值") if value else _("没有值"))
            case _:
                told.append(f"{operator} {word(value)}")
    return _(" 且 ").join(told) + (f" {unit}" if unit else "")


def _last_number(rule: TraitRule) -> float | None:
    """The number that the unit of a trait stands after."""
    said_last = [value for name in OPERATORS if isinstance(value := _value(rule, name), int | float)]
    return said_last[-1] if said_last else None


def _value(rule: Bounds | TraitRule, operator: str) -> Any:
    return getattr(rule, {"is": "is_", "in": "in_"}.get(operator, operator), None)


def _worded(trait: str) -> Callable[[object], str]:
    def word(value: object) -> str:
        if isinstance(value, bool):
            return _("是") if value else _("否")
        if isinstance(value, int | float):
            return f"{value:,}"
        return said({**LIFECYCLES, **POOLS}, value) if TRAITS[trait].choices else str(value)

    return word


def _window(rule: Windowed) -> str:
    if rule.within:
        count, unit = rule.within[:-1], rule.within[-1]
        said_in = {
            "d": ngettext("近 %s 天", "近 %s 天", int(count)),
            "h": ngettext("近 %s 小时", "近 %s 小时", int(count)),
            "w": ngettext("近 %s 周", "近 %s 周", int(count)),
        }
        return said_in[unit] % count
    if rule.since and rule.until:
        return _("%(since)s 至 %(until)s") % {"since": rule.since, "until": rule.until}
    if rule.since:
        return _("%s 起") % rule.since
    return _("到 %s 为止") % rule.until if rule.until else ""


def _list(values: tuple[str, ...]) -> str:
    shown = _("、").join(values[:4])
    return shown if len(values) <= 4 else _("%(some)s 等 %(n)s 项") % {"some": shown, "n": len(values)}


def _aside(parts: list[str]) -> str:
    said_too = [part for part in parts if part]
    return _("（%s）") % _("，").join(said_too) if said_too else ""
