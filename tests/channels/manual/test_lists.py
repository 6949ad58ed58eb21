"""A plan that people carry out by hand: whom each is given, what they write down, and what the plan learns of it."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from tests.channels.manual.conftest import PORTS, START, Hand, stamps
from yutang.channels.contracts import Delivery
from yutang.channels.manual import queries, services
from yutang.channels.manual.contracts import Imported, ListState, Result
from yutang.channels.manual.models import WorkList
from yutang.intake.mirror import mirror_facts
from yutang.intake.rolls import SentFile
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.organisation.queries import OWNER, audit_entries, viewer_named
from yutang.people import services as people
from yutang.people.services import RelationWord
from yutang.reach import services as reach
from yutang.reach.contracts import AT_LARGE, BatchState
from yutang.reach.models import Batch

pytestmark = pytest.mark.django_db


@pytest.mark.long
def test_each_is_given_the_people_of_their_own_store_and_in_equal_parts(hand: Hand) -> None:
    plan = hand.launch(hold_out=0.0)
    told = {one.sender.userid: one for one in hand.lists()}
    assert {userid: one.size for userid, one in told.items()} == {"ann": 12, "bob": 15, "cid": 9}
    assert told["ann"].until == START + timedelta(hours=8)
    decided = hand.decided(plan)
    assert {reason for _, reason, _ in decided.values()} == {None, "consent"}
    assert sum(reason == "consent" for _, reason, _ in decided.values()) == 4
    for one in told.values():
        lines = queries.lines_of(OWNER, one.id)
        assert [line.number for line in lines] == list(range(1, one.size + 1))
        assert {hand.persons.index(line.person) < 30 for line in lines} == {one.sender.userid != "cid"}


@pytest.mark.long
def test_a_friend_goes_before_the_store_and_whoever_has_neither_is_told_so(hand: Hand) -> None:
    hand.launch(hold_out=0.0)
    cid = next(one.sender.id for one in hand.lists() if one.sender.userid == "cid")
    people.apply_relations([RelationWord(hand.persons[0], cid, "added", START - timedelta(days=9))])
    nobody = pa.table({"phone": ["13900139000"], "born_at": stamps(START, 1)})
    (stranger,) = people.load_persons(nobody, source="till", corp="").tolist()
    people.give_consent(PersonId(stranger), "marketing", "*", at=START, proof="form")
    mirror_facts(hand.warehouse)
    plan = hand.launch("second", hold_out=0.0, priority=99, **{"class": "service"})
    assert hand.decided(plan)[hand.persons[0]] == ("send", None, cid)
    assert hand.decided(plan)[stranger] == ("suppressed", "relation", None)


@pytest.mark.long
def test_what_is_written_down_is_told_to_the_plan_once_it_cannot_be_taken_back(hand: Hand) -> None:
    plan = hand.launch(hold_out=0.0)
    ann, *_ = hand.lists()
    assert services.note(OWNER, ann.id, [1, 2], Result.SENT) == 2
    assert services.note(OWNER, ann.id, [1], Result.SENT) == 0, "the same word again"
    assert services.note(OWNER, ann.id, [2], Result.NOT_REACHED) == 1, "a correction"
    assert services.take_back(OWNER, ann.id, [1]) == 1
    assert services.note(OWNER, ann.id, [1], Result.SENT) == 1
    hand.turn(0.1)
    assert (hand.counts(plan).sent, hand.counts(plan).failed) == (0, 0)
    hand.turn(0.4)
    assert (hand.counts(plan).sent, hand.counts(plan).failed) == (1, 1)
    with pytest.raises(Refused, match="10 minutes"):
        services.take_back(OWNER, ann.id, [1])
    assert services.note(OWNER, ann.id, None, Result.SENT) == ann.size - 2
    hand.turn(0.5)
    assert hand.counts(plan).sent == ann.size - 1
    verbs = [entry.verb for entry in audit_entries(OWNER)[1]]
    assert verbs[:5] == ["note_list", "note_list", "take_back_note", "note_list", "note_list"]


@pytest.mark.long
def test_where_a_text_calls_by_name_each_is_called_by_theirs_and_no_name_stands_in_the_list(hand: Hand) -> None:
    hand.launch(hold_out=0.0, message={"text": "{称呼|您}好，会员日，我是{导购|店员}。"})
    ann, *_ = hand.lists()
    assert ann.text == "您好，会员日，我是店员。"
    first, second, *_ = queries.lines_of(OWNER, ann.id)
    people.name_persons({first.person: ("林小雨", START)})
    assert [one.text for one in queries.lines_of(OWNER, ann.id)[:2]] == ["林小雨好，会员日，我是店员。", second.text]
    assert WorkList.objects.get(pk=ann.id).text == "{称呼|您}好，会员日，我是店员。"
    assert second.text == f"{second.name}好，会员日，我是店员。"


def test_at_the_end_the_list_is_called_back_and_whoever_was_not_spoken_to_is_taken_up_again(hand: Hand) -> None:
    plan = hand.launch(hold_out=0.0)
    ann, bob, cid = hand.lists()
    services.note(OWNER, ann.id, [1, 2, 3], Result.SENT)
    hand.turn(8)
    assert [one.state for one in hand.lists() if one.id in (ann.id, bob.id, cid.id)] == [ListState.OVER] * 3
    assert hand.counts(plan).sent == 3, "written down a moment before the end"
    with pytest.raises(Refused, match="called back"):
        services.note(OWNER, ann.id, [4], Result.SENT)
    second = [one for one in hand.lists() if one.state is ListState.OPEN]
    assert sum(one.size for one in second) == 36 - 3
    reached = {line.person for line in queries.lines_of(OWNER, ann.id)[:3]}
    assert not reached & {line.person for one in second for line in queries.lines_of(OWNER, one.id)}


@pytest.mark.long
def test_a_list_that_was_taken_along_follows_the_rules_of_late_taps(hand: Hand) -> None:
    plan = hand.launch(hold_out=0.0, attempts=1)
    ann, bob, cid = hand.lists()
    for one in (ann, bob):
        services.take_along(OWNER, one.id)
    hand.turn(8)
    assert queries.list_of(OWNER, cid.id).state is ListState.OVER
    assert queries.list_of(OWNER, ann.id).late
    assert hand.counts(plan).expired == cid.size, "of the others nobody can say anything yet"
    services.note(OWNER, ann.id, [1, 2], Result.SENT)
    services.hand_in(OWNER, ann.id)
    hand.turn(0.5)
    told = hand.counts(plan)
    assert (told.sent, told.expired) == (2, cid.size + ann.size - 2)
    for _ in range(20):
        hand.turn(6)
    batch = Batch.objects.get(task=bob.task)
    assert (batch.state, batch.trouble) == (BatchState.CLOSED, AT_LARGE)
    assert hand.counts(plan).unknown == bob.size
    services.note(OWNER, bob.id, None, Result.SENT)
    hand.turn(7)
    assert (hand.counts(plan).sent, hand.counts(plan).unknown) == (2 + bob.size, 0)
    hand.turn(24 * 10)
    with pytest.raises(Refused, match="10 days"):
        services.take_back(OWNER, bob.id, [1])


@pytest.mark.long
def test_a_file_is_written_down_whole_or_not_at_all(hand: Hand) -> None:
    hand.launch(hold_out=0.0)
    ann, *_ = hand.lists()
    hand.now[0] += timedelta(hours=3)

    def read(text: str) -> Imported:
        return services.read_results(OWNER, ann.id, SentFile("list.csv", text.encode()))

    wrong = read("序号,结果,时间\n1,已发,\n99,已发,\n2,也许,\n3,已发,昨天\n1,已发,\n4,已发,2026-03-02 23:00\n5,,\n")
    assert (wrong.noted, [(one.row, one.field) for one in wrong.wrong]) == (
        0,
        [(3, "line"), (4, "result"), (5, "at"), (6, "line"), (7, "at")],
    )
    assert queries.list_of(OWNER, ann.id).left == ann.size
    text = "Line,Result,Time\n1,Sent,2026-03-02 12:30\n2,not reached,\n3,,\n"
    assert read(text) == Imported(2, 2, 0)
    assert read(text) == Imported(2, 0, 2), "the same file again changes nothing"
    first, second, third, *_ = queries.lines_of(OWNER, ann.id)
    assert (first.result, first.at) == (Result.SENT, START + timedelta(hours=2, minutes=30))
    assert (second.result, second.at) == (Result.NOT_REACHED, START + timedelta(hours=3))
    assert third.result is None


@pytest.mark.long
def test_a_store_sees_its_own_lists_and_nobody_elses(hand: Hand) -> None:
    hand.launch(hold_out=0.0)
    east = {one.sender.userid: one.id for one in hand.lists("east_manager")}
    west = {one.sender.userid: one.id for one in hand.lists("west_manager")}
    assert (set(east), set(west)) == ({"ann", "bob"}, {"cid"})
    manager = viewer_named("west_manager")
    for act in (
        lambda: queries.list_of(manager, east["ann"]),
        lambda: queries.lines_of(manager, east["ann"]),
        lambda: services.note(manager, east["ann"], [1], Result.SENT),
        lambda: services.take_back(manager, east["ann"], [1]),
        lambda: services.hand_in(manager, east["ann"]),
        lambda: services.take_along(manager, east["ann"]),
    ):
        with pytest.raises(NotFound):
            act()
    line, *_ = queries.lines_of(manager, west["cid"])
    assert line.name.startswith("客")
    assert line.phone.startswith("+86138****")


@pytest.mark.long
def test_whoever_asked_for_silence_since_is_marked_and_whoever_is_erased_is_gone(hand: Hand) -> None:
    plan = hand.launch(hold_out=0.0)
    ann, *_ = hand.lists()
    first, second, *_ = queries.lines_of(OWNER, ann.id)
    people.set_silent(first.person, True)
    assert queries.lines_of(OWNER, ann.id)[0].refusal == "silent"
    services.forget_lines_of([second.person])
    assert [line.number for line in queries.lines_of(OWNER, ann.id)][:2] == [1, 3]
    hand.turn(8)
    assert hand.counts(plan).decided == 40


@pytest.mark.long
def test_an_answer_that_was_lost_is_found_again(hand: Hand) -> None:
    """Killed between the list and the batch: the list is there, and it is bound and not made twice."""
    plan = hand.launch(hold_out=0.0)
    batch = Batch.objects.order_by("pk").first()
    assert batch is not None
    task = batch.task
    Batch.objects.filter(pk=batch.pk).update(state=BatchState.UNKNOWN, task="")
    hand.turn()
    assert Batch.objects.get(pk=batch.pk).task == task
    assert len(hand.lists()) == 3
    assert hand.counts(plan).pending == 36


@pytest.mark.long
def test_the_port_says_only_what_stands(hand: Hand) -> None:
    hand.launch(hold_out=0.0)
    ann, *_ = hand.lists()
    port = PORTS["manual", ""]
    assert not port.read_task(ann.task)[0].sent
    services.note(OWNER, ann.id, [1], Result.NOT_REACHED)
    assert {row.state for row in port.read_results(ann.task, "ann")} == {Delivery.UNSENT}
    services.hand_in(OWNER, ann.id)
    services.hand_in(OWNER, ann.id)
    assert port.read_results(ann.task, "ann")[0].state is Delivery.NOT_REACHED
    port.remind_task(ann.task)
    assert queries.list_of(OWNER, ann.id).reminded_at == START
    port.cancel_task(ann.task)
    port.cancel_task(ann.task)
    reach.turn(hand.warehouse, PORTS)
