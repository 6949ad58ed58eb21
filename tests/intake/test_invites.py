"""Who brought whom: by the pump and by a list, once, and not at all of who is nobody's number any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake.tables import one, rows
from tests.people.pond import T0, event, member, phone
from yutang.intake import imports, pump
from yutang.intake.invites import inviter_of
from yutang.intake.turned_away import forget_in_inbox
from yutang.kernel.errors import BadInput
from yutang.log.contracts import IdentifierValue
from yutang.log.services import record
from yutang.people import erasing, services, shunned
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1024", ("member", "till", "1024")),
        ("member:shop:1024", ("member", "shop", "1024")),
        ("phone:+86 138 0013 8000", ("phone", "", "+86 138 0013 8000")),
        ("external_userid:ww1:wm9", ("external_userid", "ww1", "wm9")),
        ("unionid:u:1", ("unionid", "u", "1")),
        ("a:b", ("member", "till", "a:b")),
    ],
)
def test_an_inviter_is_named_by_an_identifier(said: str, meant: tuple[str, str, str]) -> None:
    assert inviter_of({"inviter": said}, "till") == IdentifierValue(*meant)


def test_nobody_is_meant_by_what_names_nobody() -> None:
    assert [inviter_of({"inviter": said}, "till") for said in ("", "  ", "member:", "x" * 300, None, "a\x1fb")] == [
        None
    ] * 6


def test_an_invitation_stands_once_and_its_inviter_in_no_file(warehouse: Warehouse) -> None:
    joined = event("invite.joined", member("new"), props={"inviter": "phone:13800138000", "by": "card"}, id="i1")
    record([joined, event("invite.joined", member("self"), props={"inviter": "self"}, id="i2")])
    pump.pump_until_empty(warehouse)
    record([joined])
    pump.pump_until_empty(warehouse)
    new, inviter = services.birth_persons([[member("new")], [phone("13800138000")]], seen_at=T0)
    found = rows(warehouse, "SELECT event_id, person, inviter FROM invites")
    assert found == [("i1", int(new), int(inviter))]
    assert one(warehouse, "SELECT props FROM events WHERE event_id = 'i1'") == '{"by":"card"}'
    assert one(warehouse, f"SELECT count(*) FROM facts WHERE person = {inviter}") == 1


def test_an_invitation_needs_its_inviter() -> None:
    with pytest.raises(BadInput, match=r"props\.inviter: it is missing"):
        record([event("invite.joined", member("new"))])


def test_a_list_of_invitations_comes_to_the_same(warehouse: Warehouse, data: Path) -> None:
    file = data / "invites.csv"
    file.write_text("会员号,推荐人,邀请日期\nm2,m1,2026-03-01\nm3,m1,2026-03-02\n", encoding="utf-8")
    for _ in range(2):
        imports.import_file(warehouse, "invites", file, source="till")
    births = services.birth_persons([[member("m1")], [member("m2")], [member("m3")]], seen_at=T0)
    found = rows(warehouse, 'SELECT person, inviter FROM invites ORDER BY "at"')
    assert found == [(int(births[1]), int(births[0])), (int(births[2]), int(births[0]))]


def test_an_invitation_of_who_was_erased_goes_with_them(warehouse: Warehouse) -> None:
    (inviter,) = services.birth_persons([[member("gone")]], seen_at=T0)
    joined = event("invite.joined", member("new"), props={"inviter": "member:till:gone"}, id="i1")
    kept = event("invite.joined", member("newer"), props={"inviter": "member:till:stays"}, id="i2")
    erasing.block([inviter])
    shunned.write_list()
    record([joined, kept])
    forget_in_inbox(frozenset(), 0, 10**9)
    pump.pump_until_empty(warehouse)
    assert rows(warehouse, "SELECT event_id FROM events") == [("i2",)]
    assert rows(warehouse, "SELECT event_id FROM invites") == [("i2",)]
