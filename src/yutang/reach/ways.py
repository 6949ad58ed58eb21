"""By which channels marketing may reach one person today, and why not by the others.

The same facts by the same functions as what is asked once more before a batch is issued: what they consented to and do
not want (`people.queries.may_be_touched`), whose friend they are, and under which address a channel knows them
(`approach.addresses_of`). Caps, quiet hours and risk are a plan's and not told here.
"""

from __future__ import annotations

from dataclasses import dataclass

from yutang.channels.capabilities import capabilities
from yutang.organisation.queries import accounts_of_channels
from yutang.people.contracts import PersonCard
from yutang.people.queries import may_be_touched
from yutang.reach.approach import addresses_of, friends_only, without_address
from yutang.reach.limits import way_of

PURPOSE = "marketing"
WECOM = "wecom"


@dataclass(frozen=True, slots=True)
class Way:
    """A channel to a person. `reason`: why marketing may not go there, a name of `REASONS`; None if it may."""

    channel: str
    reason: str | None

    @property
    def open(self) -> bool:
        """Whether they may be reached there."""
        return self.reason is None


def ways_to(card: PersonCard) -> list[Way]:
    """Of the channels by which anybody of ours could speak or the brand could write. What goes by the home store (a
    call, a talk) needs neither friend nor address and is not among them.

    (Unscoped because the caller has the person's card.)"""
    accounts = accounts_of_channels()
    found = []
    for channel in dict.fromkeys(one.channel for one in capabilities().values()):
        way, mine = way_of(channel), [account for name, account in accounts if name == channel]
        if way.by_home or not way.marketing or not (mine or channel == WECOM):
            continue
        if friends_only(channel):
            live = {relation.sender for relation in card.relations if relation.live}
            known = any(account.id in live for account in mine)
        else:
            corps = sorted({account.corp for account in mine})
            known = any(card.person in addresses_of([card.person], channel, corp) for corp in corps)
        refusal = may_be_touched({card.person: None}, PURPOSE, channel)[card.person]
        reason = refusal.value if refusal else None if known else without_address(channel)
        found.append(Way(channel, reason))
    return found
