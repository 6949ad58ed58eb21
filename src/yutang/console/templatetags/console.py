"""Numbers, money, times and marks as the console shows them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from yutang.kernel.calendars import zone
from yutang.kernel.documents import Title
from yutang.organisation.queries import brand

register = template.Library()
_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}


@register.filter
def number(value: float | Decimal | None) -> str:
    """Whole numbers with separators; a dash where there is none."""
    return "–" if value is None else f"{value:,.0f}"


@register.filter
def money(value: float | Decimal | None, digits: int = 2) -> str:
    """An amount in the brand's currency."""
    if value is None:
        return "–"
    currency = brand().currency
    sign = _SIGNS.get(currency, f"{currency} ")
    return f"{'−' if value < 0 else ''}{sign}{abs(value):,.{digits}f}"


@register.filter
def signed_money(value: float | Decimal | None) -> str:
    """An amount that says its sign."""
    return "–" if value is None else ("+" if value > 0 else "") + money(value)


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{value * 100:,.{digits}f} %"


@register.filter
def moment(value: datetime | None) -> str:
    """An instant in the brand's zone, to the minute."""
    return "–" if value is None else f"{value.astimezone(zone(brand().zone)):%Y-%m-%d %H:%M}"


@register.filter
def day(value: datetime | None) -> str:
    """A day in the brand's zone."""
    return "–" if value is None else f"{value.astimezone(zone(brand().zone)):%Y-%m-%d}"


@register.filter
def titled(value: Title) -> str:
    """A title in the reader's language."""
    return value.text(get_language() or "zh")


@register.simple_tag(takes_context=True)
def here(context: template.Context, name: str) -> SafeString:
    """`aria-current` for the entry of the page that is open."""
    match = context["request"].resolver_match
    current = match is not None and (match.url_name or "").startswith(name)
    return format_html('aria-current="page"') if current else SafeString("")


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """This page's query string with some values changed; empty values are left out."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query[name] = "" if value is None else str(value)
    for name in [name for name, value in query.items() if value == ""]:
        del query[name]
    return "?" + str(query.urlencode())
