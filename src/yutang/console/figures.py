"""Small figures as inline SVG. Places are percentages of the width, so that text keeps its size on a phone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from yutang.reach.lift import Interval

Written = Callable[[float], str]


def interval_figure(shown: Interval, written: Written, label: str) -> SafeString:
    """An interval against zero. What lies wholly on one side of zero is drawn in the pond's colour."""
    low, high = min(shown.low, 0.0), max(shown.high, 0.0)
    width = (high - low) or 1.0

    def at(value: float) -> float:
        return round(8 + 84 * (value - low) / width, 2)

    return format_html(
        '<svg class="interval {}" width="100%" height="76" role="img" aria-label="{}">'
        '<line class="zero" x1="{zero}%" x2="{zero}%" y1="18" y2="54"/>'
        '<text x="{zero}%" y="12" text-anchor="middle">0</text>'
        '<line class="span" x1="{low}%" x2="{high}%" y1="36" y2="36"/>'
        '<line class="end" x1="{low}%" x2="{low}%" y1="29" y2="43"/>'
        '<line class="end" x1="{high}%" x2="{high}%" y1="29" y2="43"/>'
        '<circle cx="{value}%" cy="36" r="5"/>'
        '<text x="{low}%" y="70" text-anchor="{first}">{}</text><text x="{high}%" y="70" text-anchor="{last}">{}</text>'
        "</svg>",
        "tells" if shown.low > 0 or shown.high < 0 else "",
        label,
        written(shown.low),
        written(shown.high),
        zero=at(0.0),
        low=at(shown.low),
        high=at(shown.high),
        value=at(shown.value),
        first="start" if at(shown.low) < 15 else "middle",
        last="end" if at(shown.high) > 85 else "middle",
    )


def bar(value: float, largest: float, kind: str = "") -> SafeString:
    """A horizontal bar, as long as its share of the largest."""
    share = round(100 * max(value, 0.0) / largest, 2) if largest > 0 else 0
    return format_html(
        '<svg class="bar-figure {}" width="100%" height="14" aria-hidden="true">'
        '<rect width="{}%" height="14" rx="3"/></svg>',
        kind,
        share,
    )


COLUMNS = 120  # the height of a chart of columns, in pixels


def columns(points: Sequence[tuple[str, float]], written: Written, label: str) -> SafeString:
    """Upright bars from one zero line, each with its name below; of what is below zero, below it. The table beside it
    says the numbers, the chart only the largest and the smallest."""
    top, bottom = (pick((value for _, value in points), default=0.0) for pick in (max, min))
    high, low = max(top, 0.0), min(bottom, 0.0)
    whole = (high - low) or 1.0
    width = 100 / max(len(points), 1)
    zero = round(16 + COLUMNS * high / whole, 1)
    every = -(-len(points) // 8)  # names of more than eight would run into each other on a phone

    def one(place: int, name: str, value: float) -> SafeString:
        tall = round(COLUMNS * abs(value) / whole, 1)
        return format_html(
            '<rect class="{}" x="{}%" width="{}%" y="{}" height="{}" rx="2"/>'
            '<text x="{}%" y="{}" text-anchor="middle">{}</text>',
            "lost" if value < 0 else "",
            round((place + 0.18) * width, 2),
            round(0.64 * width, 2),
            zero if value < 0 else round(zero - tall, 1),
            tall,
            round((place + 0.5) * width, 2),
            COLUMNS + 34,
            name if (len(points) - 1 - place) % every == 0 else "",
        )

    bars = format_html_join("", "{}", ((one(place, *point),) for place, point in enumerate(points)))
    return format_html(
        '<svg class="quarters" width="100%" height="{}" role="img" aria-label="{}"><text x="0" y="11">{}</text>{}'
        '<line class="axis" x1="0" x2="100%" y1="{zero}" y2="{zero}"/></svg>',
        COLUMNS + 40,
        label,
        written(top) if low == 0 else f"{written(top)} … {written(bottom)}",
        bars,
        zero=zero,
    )


def curve(points: Sequence[tuple[float, float]], label: str) -> SafeString:
    """A falling curve of (share, relative effect); the page's script moves the marker with the id `curve-mark`."""
    if len(points) < 2:
        return SafeString("")
    top = max(value for _, value in points)
    reach = points[-1][0]
    line = format_html_join(
        " ", "{},{}", ((round(100 * share / reach, 2), round(100 - 100 * value / top, 2)) for share, value in points)
    )
    return format_html(
        '<svg class="curve" width="100%" height="132" role="img" aria-label="{}" data-top="{}" data-reach="{}">'
        '<svg y="10" width="100%" height="100" viewBox="0 0 100 100" preserveAspectRatio="none">'
        '<polyline points="{}"/></svg>'
        '<line class="axis" x1="0" x2="100%" y1="110" y2="110"/>'
        '<text x="0" y="12">{} %</text><text x="0" y="127">0 %</text>'
        '<text x="100%" y="127" text-anchor="end">{} %</text>'
        '<circle id="curve-mark" r="5" cx="-10" cy="-10"/></svg>',
        label,
        top,
        reach,
        line,
        f"{top * 100:.0f}",
        round(reach * 100),
    )
