"""Numbers, money, times and marks as the console shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from yutang.console import words
from yutang.console.entrance import FORWARD
from yutang.console.shown import shown_brand
from yutang.files.contracts import digest_in
from yutang.intake.kinds.fields import field
from yutang.kernel.calendars import aware, zone
from yutang.kernel.documents import Title
from yutang.organisation.clock import clock_state
from yutang.organisation.contracts import NodeFacts, StoreName

register = template.Library()
_SELECTED = mark_safe(" selected")
_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£"}


@register.filter
def number(value: float | Decimal | None, digits: int = 0) -> str:
    """A number with separators; a dash where there is none."""
    return "–" if value is None else f"{value:z,.{digits}f}".replace("-", "−")


@register.filter
def signed(value: float | None, digits: int = 0) -> str:
    """A number that says its sign."""
    return "–" if value is None else ("+" if value > 0 else "") + number(value, digits)


@register.filter
def money(value: float | Decimal | None, digits: int = 2) -> str:
    """An amount in the brand's currency."""
    if value is None:
        return "–"
    currency = shown_brand().currency
    sign = _SIGNS.get(currency, f"{currency} ")
    return f"{'−' if f'{value:z.{digits}f}'.startswith('-') else ''}{sign}{abs(value):,.{digits}f}"


@register.filter
def signed_money(value: float | Decimal | None, digits: int = 2) -> str:
    """An amount that says its sign."""
    return "–" if value is None else ("+" if value > 0 else "") + money(value, digits)


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return "–" if value is None else f"{value * 100:z,.{digits}f} %".replace("-", "−")


@register.filter
def signed_percent(value: float | None, digits: int = 1) -> str:
    """A change as a percentage that says its sign."""
    return "–" if value is None else ("+" if value > 0 else "") + percent(value, digits)


@register.filter
def moment(value: datetime | None) -> str:
    """An instant in the brand's zone, to the minute."""
    return "–" if value is None else f"{_local(value):%Y-%m-%d %H:%M}"


def _local(value: datetime) -> datetime:
    """In the brand's zone; what has no zone comes from the warehouse and is UTC."""
    return aware(value).astimezone(zone(shown_brand().zone))


@register.filter
def span(value: timedelta | None) -> str:
    """A length of time in its largest two units, such as 3 h 05 min."""
    if value is None:
        return "–"
    minutes = max(int(value.total_seconds()), 0) // 60
    english = (get_language() or "zh").startswith("en")
    day_word, hour_word, minute_word = (" d", " h", " min") if english else (" 天", " 小时", " 分")
    if minutes < 60:
        return f"{minutes}{minute_word}"
    if minutes < 60 * 24:
        return f"{minutes // 60}{hour_word} {minutes % 60:02}{minute_word}"
    return f"{minutes // 1440}{day_word} {minutes % 1440 // 60}{hour_word}"


@register.filter
def from_hundred(value: float) -> float:
    """Where a column of that height begins, in a figure that is a hundred high."""
    return round(100 - value, 1)


@register.filter
def day(value: datetime | date | None) -> str:
    """A day: of an instant, in the brand's zone."""
    if isinstance(value, datetime):
        value = _local(value)
    return "–" if value is None else f"{value:%Y-%m-%d}"


@register.filter
def kept(address: str) -> str:
    """The digest of the kept file that an address names; empty for an address elsewhere."""
    return digest_in(address)


@register.filter
def titled(value: Title) -> str:
    """A title in the reader's language."""
    return value.text(get_language() or "zh")


@register.filter
def said(code: object, table: str) -> str:
    """The word of a code, from one of the tables of `words`."""
    return words.said(getattr(words, table), code)


@register.filter
def worded(value: object) -> str:
    """What has `zh` and `en`, in the reader's language."""
    return str(getattr(value, "en" if (get_language() or "zh").startswith("en") else "zh"))


@register.filter
def either(value: tuple[str, str]) -> str:
    """Of a text in Chinese and in English, the one that the reader reads."""
    return value[1 if (get_language() or "zh").startswith("en") else 0]


@register.filter
def under(figures: Mapping[str, int], name: str) -> int:
    """The figure that stands under a name; 0 where none does."""
    return figures.get(name, 0)


@register.filter
def field_titled(name: str) -> str:
    """What an import's field is called, in the reader's language."""
    return worded(field(name))


@register.simple_tag(takes_context=True)
def here(context: template.Context, *names: str) -> SafeString:
    """`aria-current` for the entry of the page that is open."""
    request = context.get("request")
    match = request.resolver_match if request else None
    current = match is not None and (match.url_name or "").startswith(names)
    return SafeString('aria-current="page"' if current else "")


@register.simple_tag(takes_context=True)
def within(context: template.Context, *addresses: str) -> bool:
    """Whether the open page lies below one of these addresses."""
    request = context.get("request")
    return request is not None and request.path.startswith(addresses)


@register.simple_tag(takes_context=True)
def here_only(context: template.Context, name: str) -> SafeString:
    """`aria-current` for the page of this very name."""
    match = context["request"].resolver_match
    return SafeString('aria-current="page"' if match is not None and match.url_name == name else "")


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """This page's query string with some values changed; empty values are left out."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query[name] = "" if value is None else str(value)
    for name in [name for name, value in query.items() if value == ""]:
        del query[name]
    return "?" + str(query.urlencode())


@register.simple_tag(takes_context=True)
def sorted_by(context: template.Context, name: str, default: str = "") -> SafeString:
    """The address and mark of a column's head: the largest first, then the other way round."""
    current = context["request"].GET.get("sort", default)
    down = current == f"-{name}"
    mark = "descending" if down else "ascending" if current == name else "none"
    address = with_query(context, sort=name if down else f"-{name}", page="")
    return format_html('href="{}" data-sort="{}"', address, mark)


@register.simple_tag
def store_options(stores: Iterable[NodeFacts | StoreName], chosen: str = "") -> SafeString:
    """The options of a choice of stores; a loop in the template takes 60 ms for three thousand."""
    return format_html_join(
        "", '<option value="{}"{}>{}</option>',
        ((one.code, _SELECTED if one.code == chosen else "", one.name) for one in stores),
    )  # fmt: skip


@register.simple_tag
def share_bar(share: float | None, low: float | None = None, high: float | None = None, tone: str = "") -> SafeString:
    """A share as a bar, with its interval as a line over it; `tone` is a class of the bar."""
    if share is None:
        return SafeString("")
    whisker = SafeString("")
    if low is not None and high is not None:
        whisker = format_html(
            '<line x1="{}" x2="{}" y1="5" y2="5"/>', round(100 * low, 1), round(100 * high, 1)
        )  # the interval's ends, in the units of the view box
    return format_html(
        '<svg class="share {}" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" width="100" height="10" rx="2"/><rect class="part" width="{}" height="10" rx="2"/>{}</svg>',
        tone,
        round(100 * min(max(share, 0.0), 1.0), 1),
        whisker,
    )


@register.inclusion_tag("console/_banner.html", takes_context=True)
def banner(context: template.Context) -> dict[str, object]:
    """Whose data these are, where the clock stands, and whether the password is still the printed one."""
    request = context["request"]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "brand": getattr(request, "brand", None),
        "viewer": getattr(request, "viewer", None),
        "clock": clock_state(),
        "forward": FORWARD,
        "one_time": getattr(request.user, "one_time", False),
    }
