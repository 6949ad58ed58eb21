"""What staff sent on their own is read back once, whoever reads it and however often it is killed, and is not ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.channels.sync.conftest import CORP, Shore
from yutang.channels.contracts import MessageContent
from yutang.channels.ports.sent import ListedSend, SendKind
from yutang.channels.sync import offgate
from yutang.channels.sync.doors import install_counted, install_ours
from yutang.channels.sync.models import SendsListed, StaffSend
from yutang.channels.wecom.mass_send import WeComMassSend
from yutang.channels.wecom.moments import WeComMoments
from yutang.kernel import failpoints
from yutang.kernel.clock import business_clock
from yutang.organisation.queries import OWNER, senders
from yutang.people import groups
from yutang.people.queries import identifiers_of
from yutang.warehouse.contracts import Statement

pytestmark = pytest.mark.django_db


PLACES = ("offgate.listed", "offgate.portion")


class Died(Exception):
    """The process was killed here."""


@pytest.fixture(autouse=True)
def _nobody_elses() -> Iterator[None]:
    yield
    install_ours()
    install_counted()


def said(shore: Shore) -> list[tuple[str, str, str]]:
    """(kind, external_userid, member) of every event that stands in the warehouse."""
    shore.pump()
    rows = shore.warehouse.query(
        Statement(
            "SELECT json_extract_string(props, '$.kind') AS kind, person, staff FROM events "
            "WHERE type = 'offgate.sent' ORDER BY 1, 2"
        )
    )
    names = {one.staff: one.userid for one in senders(OWNER)}
    found = rows.to_pylist()
    ids = identifiers_of([row["person"] for row in found], "external_userid", CORP)
    return sorted((row["kind"], ids[row["person"]], names[row["staff"]]) for row in found)


def own(shore: Shore, member: str, *to: str, text: str = "只此一家", chats: list[str] | None = None) -> str:
    shore.move(60)
    body = {"userid": member, "text": text, **({"chats": chats} if chats else {"to": list(to)})}
    return str(shore.sandbox.control("sends", **body)["msgid"])


def test_each_person_of_each_send_is_one_event_however_often_it_is_read(shore: Shore) -> None:
    own(shore, "a", "wmc0", "wmc1")
    own(shore, "b", "wmc2", text="晚安")
    shore.move()
    found = shore.run("offgate").found
    assert (found.read, "2 sends" in found.note[1], "3 persons" in found.note[1]) == (2, True, True)
    expected = [("mass", "wmc0", "a"), ("mass", "wmc1", "a"), ("mass", "wmc2", "b")]
    assert said(shore) == expected
    assert shore.run("offgate").found.read == 0
    StaffSend.objects.all().delete()  # as if all were read once more from the beginning
    SendsListed.objects.all().delete()
    shore.run("offgate")
    assert said(shore) == expected
    own(shore, "a", "wmc0")
    with business_clock(shore.at):
        offgate.overhear(shore.corp, shore.connection.client)
    assert said(shore) == sorted([*expected, ("mass", "wmc0", "a")])


def test_its_words_are_nowhere(shore: Shore) -> None:
    own(shore, "a", "wmc0", text="天机不可泄露")
    own(shore, "b", "wmc2", text="天机不可泄露")
    shore.run("offgate")
    assert len(set(StaffSend.objects.values_list("said", flat=True))) == 1, "the same words bear the same mark"
    said(shore)
    rows = shore.warehouse.query(Statement("SELECT * FROM events WHERE type = 'offgate.sent'")).to_pylist()
    assert "天机" not in repr(rows) + repr(list(StaffSend.objects.values()))


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_goes_on_and_nothing_counts_twice(
    shore: Shore, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        own(shore, "a", "wmc0", "wmc1")
    monkeypatch.setattr(offgate, "SENDS", 1)
    monkeypatch.setattr(offgate, "PORTION", 1)
    left = iter(range(2))

    def die(name: str) -> None:
        if name == place and next(left, None) == 1:
            raise Died

    monkeypatch.setattr(offgate, "failpoint", die)
    with business_clock(shore.at), pytest.raises(Died):
        offgate.overhear(shore.corp, shore.connection.client)
    monkeypatch.setattr(offgate, "failpoint", failpoints.failpoint)
    shore.run("offgate")
    shore.run("offgate")
    assert len(said(shore)) == 6


def test_what_left_through_the_gate_is_ours_and_what_others_made_by_software_is_not(shore: Shore) -> None:
    port = WeComMassSend(shore.connection.client)
    ours = port.create_task("a", ["wmc0"], MessageContent("新品到店")).task_id
    port.create_task("a", ["wmc1"], MessageContent("别家软件发的"))
    seen: list[ListedSend] = []

    def asked(corp: object, sends: object) -> list[str]:
        seen.extend(sends)  # type: ignore[arg-type]
        return [ours]

    install_ours(asked)
    shore.run("offgate")
    assert {(one.creator, one.personal, one.kind) for one in seen} == {("", False, SendKind.MASS)}
    assert said(shore) == [], "nobody has tapped yet"
    shore.move(3600)
    shore.run("offgate")
    assert said(shore) == [("mass", "wmc1", "a")]


def test_whom_we_had_asked_the_member_to_contact_is_counted_by_us_already(shore: Shore) -> None:
    asked: list[object] = []

    def counted(corp: object, member: str, reached: object) -> list[str]:
        asked.append((member, reached))
        return ["wmc0"]

    install_counted(counted)
    own(shore, "a", "wmc0", "wmc1")
    shore.run("offgate")
    assert said(shore) == [("mass", "wmc1", "a")]
    assert asked == [("a", [("wmc0", shore.at), ("wmc1", shore.at)])]


def test_a_late_tap_is_read_for_a_week_and_then_no_more(shore: Shore) -> None:
    port = WeComMassSend(shore.connection.client)
    port.create_task("a", ["wmc2"], MessageContent("管理员发的"))  # b talked last, and is asked
    shore.run("offgate")
    assert StaffSend.objects.get().done is False
    shore.at += offgate.WATCHED + timedelta(hours=1)
    shore.sandbox.advance(shore.at)
    shore.run("offgate")
    assert said(shore) == [("mass", "wmc2", "b")], "the tap came, and is read at the last look"
    assert not StaffSend.objects.filter(done=False).exists()


def test_moments_and_groups_say_who_could_have_seen_them(shore: Shore) -> None:
    shore.move(60)
    shore.sandbox.control("moment", userid="b", text="今日好天气")
    shore.sandbox.control("groups", do="rules", detail_lag=0)
    shore.sandbox.control("groups", do="create", owner="a", name="会员群", chat_id="wr1", members=["wmc0", "wmc1"])
    shore.run("groups")
    shore.pump()
    own(shore, "a", chats=["wr1"])
    shore.run("offgate")
    assert said(shore) == [("group", "wmc0", "a"), ("group", "wmc1", "a"), ("moments", "wmc2", "b")]
    assert groups.members_at(["wr1"], shore.at - timedelta(days=30)) == {}


def test_a_moment_that_its_member_took_down_tells_no_more_and_stops_nothing(shore: Shore) -> None:
    shore.move(60)
    moment = str(shore.sandbox.control("moment", userid="b", text="手滑")["moment_id"])
    with business_clock(shore.at):
        assert [
            one.ref for one in WeComMoments(shore.connection.client).listed(shore.at - timedelta(hours=2), shore.at)
        ]
    StaffSend.objects.create(
        channel="wecom", corp=CORP, kind="moments", ref=moment, member="b", said="0", made_at=shore.at
    )
    shore.sandbox.control("moment", moment_id=moment, userid="b", do="delete")
    own(shore, "a", "wmc0")
    shore.run("offgate")
    assert said(shore) == [("mass", "wmc0", "a")]
    assert not StaffSend.objects.filter(done=False).exists()
