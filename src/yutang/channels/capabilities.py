"""Every way of reaching customers, by name, as its connector declares it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from yutang.channels.contracts import Capabilities
from yutang.channels.direct.registry import kinds

WECOM = Capabilities(
    "wecom", "wecom", "企业微信", "WeCom", text=4_000, links=9, pictures=9, mini_programs=9, videos=9, files=9,
    recipients=10_000, taps=True, uploads=True,
)  # fmt: skip  # WeCom docs 92135 and 97610
MANUAL = Capabilities(
    "manual", "manual", "导购联系", "By hand", by_home=True, text=4_000, links=9, pictures=9, mini_programs=9, videos=9,
    files=9, recipients=500, taps=True,
)  # fmt: skip
"""A member of staff calls, or talks to the customer, and says afterwards that it was done."""


@cache
def capabilities() -> Mapping[str, Capabilities]:
    """By name: those by relation first, then those by which the brand speaks itself."""
    own = [kind.capabilities for kind in kinds().values()]
    return {one.name: one for one in (WECOM, MANUAL, *own)}


def of_channel(channel: str) -> tuple[Capabilities, ...]:
    """The ways that serve a channel: one, or as many as there are providers of it."""
    return tuple(one for one in capabilities().values() if one.channel == channel)
