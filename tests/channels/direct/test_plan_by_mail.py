"""A plan on e-mail from the gate to a real mail server, and one click that stops the next one at the gate."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from tests.channels.direct.provider import Mailbox, over_smtp
from tests.channels.manual.conftest import Hand
from tests.channels.manual.conftest import hand as hand
from yutang.channels.contracts import CannotCarry
from yutang.channels.direct import accounts, sending
from yutang.channels.direct.outbox import Outbox
from yutang.channels.models import Letter
from yutang.intake.mirror import mirror_facts
from yutang.intake.pump import pump_until_empty
from yutang.kernel.documents import parse
from yutang.kernel.ids import PlanId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER, channel_accounts
from yutang.people import services as people
from yutang.reach import services as reach
from yutang.reach.documents import BroadcastDocument

pytestmark = pytest.mark.django_db


def launched(name: str, text: str = "会员日\n\n奶粉今日 8 折。") -> PlanId:
    data = {
        "kind": "broadcast", "name": name, "title": {"zh": name, "en": name}, "audience": {"everyone": True},
        "purpose": "marketing", "channel": "email", "message": {"text": text}, "hold_out": 0.0, "within_hours": 8,
    }  # fmt: skip
    return reach.launch(parse(BroadcastDocument, data), OWNER)


def with_mail(hand: Hand) -> dict[str, int]:
    """The first five have an address each, by which they are known from now on."""
    found = {}
    for index, person in enumerate(hand.persons[:5]):
        address = f"c{index}@example.com"
        phone = IdentifierValue("phone", "", f"138001380{index:02}")
        people.resolve([[phone, IdentifierValue("email", "", address)]], seen_at=hand.now[0])
        found[address] = int(person)
    mirror_facts(hand.warehouse)
    return found


@pytest.mark.long
def test_a_plan_reaches_a_mail_server_and_one_click_stops_the_next_at_the_gate(
    hand: Hand, client: Client, settings: Settings
) -> None:
    settings.PUBLIC_ADDRESS = "https://pond.example"
    sending._next.clear()
    with over_smtp() as box:
        given = {"host": box.host, "port": str(box.port), "security": "none", "from": "hello@pond.example",
                 "name": "鱼塘", "identity": "鱼塘母婴"}  # fmt: skip
        accounts.keep_account(OWNER, "email", "main", given, per_second="10000", cost="0.002")
        ports = {("email", "main"): Outbox(channel_accounts()[0])}
        persons = with_mail(hand)
        with pytest.raises(CannotCarry):
            launched("no_subject", "没有主题")

        first = launched("first")
        reach.turn(hand.warehouse, ports)
        assert Letter.objects.count() == 5
        assert box.taken == []
        while not sending.work().idle:
            pass
        assert sorted(to for _, (to,), _ in box.taken) == sorted(persons)
        hand.now[0] += timedelta(hours=1)
        reach.turn(hand.warehouse, ports)
        counts = hand.counts(first)
        assert (counts.sent, counts.suppressed) == (5, {"no_address": 35})

        stopped = "c3@example.com"
        answer = client.post(one_click(box, stopped), {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        pump_until_empty(hand.warehouse)
        mirror_facts(hand.warehouse)
        hand.now[0] += timedelta(days=10)  # caps are free again
        second = launched("second")
        reach.turn(hand.warehouse, ports)
        assert hand.decided(second)[persons[stopped]][:2] == ("suppressed", "consent")
        while not sending.work().idle:
            pass
        assert stopped not in [to for _, (to,), _ in box.taken[5:]]
        assert len(box.taken) == 9


def one_click(box: Mailbox, address: str) -> str:
    """Where a mail program posts to for the letter to an address; both fields are there as RFC 8058 wants them."""
    lines = next(raw for _, (to,), raw in box.taken if to == address).split(b"\r\n")
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    (field,) = [line.decode() for line in lines if line.startswith(b"List-Unsubscribe: ")]
    return field.removeprefix("List-Unsubscribe: <https://pond.example").removesuffix(">")
