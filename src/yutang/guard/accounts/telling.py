"""Accounts as the API and the shell tell them."""

from __future__ import annotations

from collections.abc import Mapping

from yutang.guard.accounts.contracts import Account
from yutang.kernel.ids import NodeId


def told_account(one: Account, codes: Mapping[NodeId, str]) -> dict[str, object]:
    """An account as plain data: how it is and by which signs, what its card lacks, and what it did."""
    state, usage = one.state, one.usage
    return {
        "corp": state.corp,
        "userid": state.userid,
        "store": codes.get(state.store),
        "level": one.level.value,
        "signs": [sign.value for sign in one.signs],
        "missing": list(one.missing),
        "untold": list(one.untold),
        "friends": usage.friends,
        "deleted": usage.deleted,
        "expected": round(usage.expected, 1),
        "sent_today": usage.sent_today,
        "daily_quota": state.daily_quota,
        "sent_30": usage.sent_30,
        "open": usage.open,
        "closed": usage.closed,
        "untapped": usage.untapped,
    }
