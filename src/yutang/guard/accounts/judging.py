"""What is wrong with an account, by its state, what it did and the rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from yutang.guard.accounts.contracts import Account, Sign, Usage
from yutang.guard.accounts.documents import AccountRules
from yutang.organisation.contracts import AccountState

DISABLED, NOT_ACTIVATED, LEFT, GONE = 2, 4, 5, 0
ONE_IN_A_HUNDRED = 2.326


def judged(state: AccountState, usage: Usage, rules: AccountRules) -> Account:
    """The account with its signs, the worst first. Of who has left and has no friend any more nothing is said."""
    untold = tuple(part for part in rules.persona if part not in state.told)
    missing = tuple(part for part in rules.persona if part in state.told and part not in state.has)
    signs = tuple(dict.fromkeys(_signs(state, usage, rules, incomplete=bool(missing))))
    return Account(state, usage, signs, rules.persona, missing, untold)


def _signs(state: AccountState, usage: Usage, rules: AccountRules, *, incomplete: bool) -> Iterator[Sign]:
    if not state.on or state.standing in (DISABLED, NOT_ACTIVATED):
        yield from _off(state, usage)
        return
    share = usage.full
    if share >= rules.capacity.risk:
        yield Sign.FULL
    if deleted_too_often(usage, rules):
        yield Sign.DELETED
    if rules.capacity.watch <= share < rules.capacity.risk:
        yield Sign.NEARLY_FULL
    if usage.closed >= rules.tasks.fewest and usage.untapped >= rules.tasks.untapped * usage.closed:
        yield Sign.UNTAPPED
    if usage.open >= rules.tasks.open:
        yield Sign.OWING
    if usage.sent_today >= rules.sends.spent * state.daily_quota:
        yield Sign.SPENT
    if (usage.per_friend or 0) >= rules.sends.per_friend:
        yield Sign.MUCH
    if usage.friends and (usage.quiet_days is None or usage.quiet_days >= rules.idle_days):
        yield Sign.IDLE
    if incomplete:
        yield Sign.INCOMPLETE


def _off(state: AccountState, usage: Usage) -> Iterator[Sign]:
    """Of an account that cannot speak: whether the platform stopped it, the member went, or nobody began."""
    if state.standing == DISABLED:
        yield Sign.DISABLED
    elif state.standing == NOT_ACTIVATED:
        yield Sign.NOT_ACTIVATED
    elif usage.friends:
        yield Sign.LEFT if state.standing in (LEFT, GONE) else Sign.SWITCHED_OFF


def deleted_too_often(usage: Usage, rules: AccountRules) -> bool:
    """Whether customers delete more than of others, and more than chance: for counts, 2 (√(x + ⅜) − √(e + ⅜)) is nearly
    a standard normal (Anscombe 1948, Biometrika 35)."""
    rule = rules.deletions
    if usage.deleted < rule.fewest or usage.deleted < rule.times * usage.expected:
        return False
    return 2 * (sqrt(usage.deleted + 0.375) - sqrt(usage.expected + 0.375)) >= ONE_IN_A_HUNDRED
