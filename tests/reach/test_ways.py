"""By which channels marketing may reach a person: friends, addresses, consent and wishes, as asked before a send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.people.pond import T0, found_pond, friend, member
from yutang.kernel.ids import PersonId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewSender, add_senders
from yutang.people import services
from yutang.people.contracts import Wish
from yutang.people.queries import person_card
from yutang.people.services import RelationWord
from yutang.reach.ways import ways_to

pytestmark = pytest.mark.django_db


def ways(person: PersonId) -> dict[str, str | None]:
    return {one.channel: one.reason for one in ways_to(person_card(OWNER, person))}


def test_each_channel_is_told_as_it_is_asked_before_a_send() -> None:
    guide = found_pond()["wang"]
    mail = NewSender("brand", "会员邮箱", "email", "hello", "hello")
    person = services.resolve([[member("m1"), friend("wm1")]], seen_at=T0)[0]
    assert ways(person) == {"wecom": "consent"}, "a channel without an account of ours is none"
    add_senders([mail])
    services.give_consent(person, "marketing", "*", at=T0, proof="card")
    assert ways(person) == {"wecom": "relation", "email": "no_address"}
    services.apply_relations([RelationWord(person, guide, "added", T0)])
    services.resolve([[member("m1"), IdentifierValue("email", "", "wang@example.com")]], seen_at=T0)
    assert ways(person) == {"wecom": None, "email": None}
    services.withdraw_consent(person, "marketing", "email", at=T0 + timedelta(days=1), proof="link")
    assert ways(person) == {"wecom": None, "email": "consent"}, "a channel's own word decides"
    services.prefer(person, Wish(channels=frozenset({"wecom"})), at=T0)
    assert ways(person) == {"wecom": "preference", "email": "consent"}
    services.prefer(person, Wish(), at=T0 + timedelta(hours=1))
    services.apply_relations([RelationWord(person, guide, "lost", T0 + timedelta(days=2))])
    assert ways(person) == {"wecom": "relation", "email": "consent"}
    services.set_silent(person, True)
    assert set(ways(person).values()) == {"silent"}
