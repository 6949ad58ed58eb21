"""Asking after tasks: never more often than the policy allows, whatever is clicked twice, dies or gets lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta

import pytest

from tests.execution.chain import CORP, DAY, HOUR, NOW, batch, chain, plan, run_of
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater
from yutang.channels.ports.staff import StaffMessage, StaffSent
from yutang.execution import queries, services
from yutang.execution.board import below
from yutang.execution.chasing import Before, Guide, LeftOut, decide
from yutang.execution.contracts import Reason
from yutang.execution.models import Chase, Errand, Nudge
from yutang.execution.services import ChaseScope, chase, give_reason, preview_chase, turn
from yutang.kernel.clock import business_clock, wall_now
from yutang.kernel.errors import NotFound, Refused
from yutang.kernel.ids import BatchId, NodeId, PlanId, SenderId, StaffId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.models import Node
from yutang.organisation.queries import OWNER, homes
from yutang.organisation.services import connect_corp
from yutang.playbooks.services import keep_shipped
from yutang.reach.contracts import BatchState, PlanState
from yutang.reach.models import Batch
from yutang.reach.policy import Chasing, OpenHours
from yutang.reach.tallies import Open, Wanted, waiting

pytestmark = pytest.mark.django_db
PLACES = ("chase.kept", "chase.claimed", "chase.answered")
BOTH = ChaseScope(remind=True)


class Platform:
    """Takes messages and reminders and counts what each person heard; does what a test wants at the next call."""

    def __init__(self) -> None:
        self.heard: dict[str, list[StaffMessage]] = {}
        self.reminded: list[str] = []
        self.calls: list[frozenset[str]] = []
        self.faults: list[Exception] = []
        self.away: frozenset[str] = frozenset()

    def tell(self, members: Sequence[str], message: StaffMessage) -> StaffSent:
        if self.faults and not isinstance(self.faults[0], AnswerLost):
            raise self.faults.pop(0)
        if (frozenset(members), message) not in [(call, said) for call, said in self._shown()]:
            for member in members:
                if member not in self.away:
                    self.heard.setdefault(member, []).append(message)
        self.calls.append(frozenset(members))
        self._said.append(message)
        if self.faults:
            raise self.faults.pop(0)
        return StaffSent(("1",), tuple(one for one in members if one in self.away))

    _said: list[StaffMessage]

    def __new__(cls) -> Platform:
        made = super().__new__(cls)
        made._said = []
        return made

    def _shown(self) -> list[tuple[frozenset[str], StaffMessage]]:
        """The same words to the same people within half an hour are shown once."""
        return list(zip(self.calls, self._said, strict=True))

    def remind_task(self, task: str) -> None:
        if self.faults and not isinstance(self.faults[0], AnswerLost):
            raise self.faults.pop(0)
        self.reminded.append(task)
        if self.faults:
            raise self.faults.pop(0)

    def take_back(self, sent: StaffSent) -> None:
        raise NotImplementedError

    def settle(self, code: str, members: Sequence[str], text: str) -> None:
        raise NotImplementedError


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def tasks() -> Iterator[dict[str, Batch]]:
    """Each guide of the chain has one task that waits, but for the one of store s5, who has tapped; NOW, at ten."""
    chain()
    keep_shipped()
    guide = {home.userid: home.sender for home in below(OWNER).homes}
    run = run_of(plan("weekly"))
    made = {name: batch(run, sender) for name, sender in guide.items() if name.startswith("guide")}
    tapped = {"tapped_at": NOW, "tapped_hour": 10, "state": BatchState.CLOSED, "closed_at": NOW}
    Batch.objects.filter(pk__in=[made["guide-4"].pk, made["guide-9"].pk]).update(**tapped)
    with business_clock(NOW):
        yield made


def turned(platform: Platform, at: datetime = NOW) -> int:
    ports: Mapping[tuple[str, str], Platform] = {("wecom", CORP): platform}
    with business_clock(at):
        return turn(lambda: ports, lambda: ports)  # type: ignore[arg-type, return-value]


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Errand.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def test_a_preview_says_who_would_be_asked_and_sends_nothing(tasks: dict[str, Batch], platform: Platform) -> None:
    found = preview_chase(OWNER, BOTH)
    assert (found.guides, found.tasks, found.people) == (10, 10, 100)
    assert found.stores == 6  # four stores, the region's and headquarters' own guides
    assert found.messages == found.reminders == 10
    assert found.left_out == {}
    assert turned(platform) == 0
    assert not Chase.objects.exists()
    only = preview_chase(OWNER, ChaseScope(at="s1"))
    assert (only.guides, only.messages, only.reminders) == (2, 2, 0)


def test_what_is_asked_is_sent_once_and_its_results_are_told(tasks: dict[str, Batch], platform: Platform) -> None:
    platform.away = frozenset({"guide-2"})
    number = chase(OWNER, "a-first-click", BOTH)
    assert chase(OWNER, "a-first-click", BOTH) == number  # clicked twice
    turned(platform)
    turned(platform)
    assert {len(said) for said in platform.heard.values()} == {1}
    assert set(platform.heard) == {f"guide-{n}" for n in range(12)} - {"guide-2", "guide-4", "guide-9"}
    assert sorted(platform.reminded) == sorted(
        row.task for name, row in tasks.items() if name not in ("guide-4", "guide-9")
    )
    assert states() == {"done": 19, "refused": 1}
    calls = queries.calls_of(OWNER, number)
    assert (calls[0].state, calls[0].name) == ("refused", "导购2")
    assert queries.chases(OWNER)[0].states == {"done": 19, "refused": 1}


def test_nobody_is_asked_again_before_the_pause_nor_more_often_than_a_day_allows(
    tasks: dict[str, Batch], platform: Platform
) -> None:
    chase(OWNER, "the-first-one", ChaseScope())
    with pytest.raises(Refused):
        chase(OWNER, "another-click", ChaseScope())
    assert preview_chase(OWNER, ChaseScope()).left_out == {"pause": 10}
    with business_clock(NOW + 3 * HOUR):
        chase(OWNER, "after-a-pause", ChaseScope())
    with business_clock(NOW + 6 * HOUR):
        assert preview_chase(OWNER, ChaseScope()).left_out == {"often": 10}
    assert Nudge.objects.count() == 20


@pytest.mark.parametrize("place", PLACES)
def test_a_kill_anywhere_asks_nobody_twice(
    tasks: dict[str, Batch], platform: Platform, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(name: str) -> None:
        if name == place:
            raise KeyboardInterrupt

    monkeypatch.setattr(services, "failpoint", die)

    def ask() -> None:
        chase(OWNER, "a-first-click", BOTH)
        turned(platform)

    with pytest.raises(KeyboardInterrupt):
        ask()
    monkeypatch.setattr(services, "failpoint", lambda name: None)
    chase(OWNER, "a-first-click", BOTH)  # whoever asked does not know that it was kept
    turned(platform)
    Errand.objects.filter(state="calling").update(claim_until=wall_now() - timedelta(minutes=5))
    Errand.objects.filter(state="calling").update(claimed_by="elsewhere:1:dead")
    for _ in range(2):
        turned(platform)
    assert {len(said) for said in platform.heard.values()} == {1}
    assert len(platform.heard) == 10
    assert len(platform.reminded) == len(set(platform.reminded)) >= 9
    assert Chase.objects.count() == 1
    assert states().get("due", 0) + states().get("calling", 0) == 0


def test_a_lost_answer_is_asked_again_for_messages_and_never_for_reminders(
    tasks: dict[str, Batch], platform: Platform
) -> None:
    platform.faults = [AnswerLost("message/send", "cut")]
    chase(OWNER, "a-first-click", ChaseScope(at="s1"))
    turned(platform)
    assert states() == {"due": 2}
    Errand.objects.update(not_before=None)
    turned(platform)
    assert states() == {"done": 2}
    assert {len(said) for said in platform.heard.values()} == {1}
    platform.faults = [AnswerLost("remind", "cut")]
    chase(OWNER, "another-click", ChaseScope(at="s2", message=False, remind=True))
    turned(platform)
    turned(platform)
    assert len(platform.reminded) == len(set(platform.reminded)) == 2
    assert states() == {"done": 3, "unknown": 1}


def test_what_the_platform_refuses_or_puts_off_is_said(tasks: dict[str, Batch], platform: Platform) -> None:
    platform.faults = [TryLater("message/send", wall_now() - timedelta(seconds=1), "太快", "too fast")]
    chase(OWNER, "a-first-click", ChaseScope(at="s1"))
    turned(platform)
    assert states() == {"due": 2}
    platform.faults = [RefusedByPlatform("message/send", 60020, "不在可信 IP 里", "not from a trusted address")]
    turned(platform)
    assert states() == {"refused": 2}
    assert "60020" in queries.calls_of(OWNER, Chase.objects.get().pk)[0].zh


def test_whoever_taps_before_the_call_is_not_asked_and_old_or_late_calls_are_dropped(
    tasks: dict[str, Batch], platform: Platform
) -> None:
    chase(OWNER, "a-first-click", ChaseScope(at="s1"))
    Batch.objects.filter(pk=tasks["guide-0"].pk).update(tapped_at=NOW, state=BatchState.CLOSED, closed_at=NOW)
    turned(platform)
    assert list(platform.heard) == ["guide-5"]
    chase(OWNER, "another-click", ChaseScope(at="s2"))
    turned(platform, NOW + HOUR)  # the house was down for an hour
    assert list(platform.heard) == ["guide-5"]
    assert states() == {"done": 1, "dropped": 3}


def test_a_reason_excuses_and_leave_lasts_until_its_day(tasks: dict[str, Batch], platform: Platform) -> None:
    manager = Viewer("keeper", RoleName.MANAGER, frozenset({NodeId(Node.objects.get(code="s1").pk)}))
    assert give_reason(manager, "made-by-phone", Reason.TOO_MANY, batch=tasks["guide-0"].pk)
    assert not give_reason(manager, "made-by-phone", Reason.TOO_MANY, batch=tasks["guide-0"].pk)  # sent twice
    away = SenderId(tasks["guide-5"].sender)
    give_reason(manager, "made-by-phone-2", Reason.ON_LEAVE, account=away, until=(NOW + DAY).date())
    assert preview_chase(manager, ChaseScope()).left_out == {"excused": 2}
    with pytest.raises(Refused):
        chase(manager, "a-first-click", ChaseScope())
    with pytest.raises(NotFound):
        give_reason(manager, "made-by-phone-3", Reason.TOO_MANY, batch=tasks["guide-1"].pk)
    with pytest.raises(NotFound):
        give_reason(OWNER, "made-by-phone-4", Reason.TOO_MANY, batch=tasks["guide-0"].pk, mine=[away])
    told = queries.reasons(OWNER, below(OWNER, "north"))
    assert dict(told.counts) == {Reason.TOO_MANY: 1, Reason.ON_LEAVE: 1}
    assert queries.reasons_of(OWNER, [BatchId(tasks["guide-0"].pk)])[BatchId(tasks["guide-0"].pk)][0] is Reason.TOO_MANY
    south = Viewer("south", RoleName.MANAGER, frozenset({NodeId(Node.objects.get(code="s4").pk)}))
    assert queries.reasons(south, below(south)).counts == ()


def test_an_id_belongs_to_who_made_it_and_for_what(tasks: dict[str, Batch], platform: Platform) -> None:
    manager = Viewer("keeper", RoleName.MANAGER, frozenset({NodeId(Node.objects.get(code="s1").pk)}))
    give_reason(OWNER, "morning-1127", Reason.TOO_MANY, batch=tasks["guide-1"].pk)
    for viewer, name in ((manager, "guide-0"), (OWNER, "guide-2")):
        with pytest.raises(Refused, match="used"):  # what they said would be lost without a word
            give_reason(viewer, "morning-1127", Reason.TOO_MANY, batch=tasks[name].pk)
    chase(OWNER, "morning-1127", ChaseScope(at="s2"))
    with pytest.raises(Refused, match="used"):
        chase(manager, "morning-1127", ChaseScope())


def test_a_stores_manager_asks_and_sees_their_own_only(tasks: dict[str, Batch], platform: Platform) -> None:
    manager = Viewer("keeper", RoleName.MANAGER, frozenset({NodeId(Node.objects.get(code="s1").pk)}))
    whole = chase(OWNER, "of-headquarters", ChaseScope(remind=True))
    mine = queries.chases(manager)
    assert [(one.id, one.guides, sum(one.states.values()), one.left_out) for one in mine] == [(whole, 2, 4, {})]
    assert {call.name for call in queries.calls_of(manager, whole)} == {"导购0", "导购5"}
    south = Viewer("south", RoleName.MANAGER, frozenset({NodeId(Node.objects.get(code="s5").pk)}))
    assert queries.chases(south) == []
    for refused in (lambda: queries.calls_of(south, whole), lambda: preview_chase(manager, ChaseScope(at="s2"))):
        with pytest.raises(NotFound):
            refused()
    for role in (RoleName.GUIDE, RoleName.ANALYST):
        with pytest.raises(Refused):
            preview_chase(Viewer("somebody", role, manager.nodes), ChaseScope())


def test_staff_of_a_corp_without_an_agent_are_left_out_and_the_corp_is_named(tasks: dict[str, Batch]) -> None:
    connect_corp("wecom", CORP, "real-secret-of-it", "https://qyapi.weixin.qq.com")
    found = preview_chase(OWNER, ChaseScope())
    assert found.left_out == {"no_agent": 10}
    assert found.unnamed_corps == (CORP,)
    assert preview_chase(OWNER, BOTH).reminders == 10  # the platform's reminder needs none
    connect_corp("wecom", CORP, "real-secret-of-it", "https://qyapi.weixin.qq.com", agent=1000077)
    assert preview_chase(OWNER, ChaseScope()).guides == 10


def test_a_preview_in_sum_is_that_of_every_task(
    tasks: dict[str, Batch], platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [row.sender for row in tasks.values()]
    extra = run_of(plan("another"))
    more = [batch(extra, sender, ordinal=nth, asked=3 + nth, done=nth) for sender in accounts[:6] for nth in range(2)]
    for row in (tasks["guide-0"], more[0], more[1], more[2]):  # all of one guide's, and one of another's
        give_reason(OWNER, f"excused-{row.pk}", Reason.TOO_MANY, batch=row.pk)
    give_reason(OWNER, "somebody-away", Reason.ON_LEAVE, account=SenderId(accounts[5]), until=(NOW + DAY).date())
    chase(OWNER, "first-chase", ChaseScope(staff=StaffId(homes(OWNER)[1].staff), message=False, remind=True))
    nudge = Nudge.objects.get()
    asked = [Errand(nudge=nudge, kind="remind", account=row.sender, batch=row.pk, at=NOW) for row in more[6:8] * 3]
    Errand.objects.bulk_create(asked)
    ways = ((True, False), (False, True), (True, True))
    scopes = [ChaseScope(at=at, message=tell, remind=ask) for at in ("", "north", "s1") for tell, ask in ways]
    in_sum = [preview_chase(OWNER, scope) for scope in scopes]
    assert in_sum[0].tasks > in_sum[0].guides + 2
    assert in_sum[0].left_out["excused"] >= 2
    monkeypatch.setattr(services, "waiting_in_sum", lambda *asked, apart, **how: waiting(*asked, **how))
    assert [preview_chase(OWNER, scope) for scope in scopes] == in_sum


def guide(**changes: object) -> Guide:
    task = Open(BatchId(1), SenderId(7), PlanId(1), NOW + HOUR, 10, "task-1")
    return Guide(**{"staff": StaffId(1), "zone": "Asia/Shanghai", "tasks": (task,), "account": SenderId(7),
                    "agent": True, **changes})  # type: ignore[arg-type]  # fmt: skip


TODAY = NOW.date()
NOTHING = Before({}, {}, {}, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("who", "before", "at", "ways", "why"),
    [
        (guide(), NOTHING, NOW, (True, False), None),
        (guide(zone="America/New_York"), NOTHING, NOW, (True, True), LeftOut.QUIET),  # there it is nine in the evening
        (guide(active=False), NOTHING, NOW, (True, True), LeftOut.AWAY),
        (guide(account=None), NOTHING, NOW, (True, False), LeftOut.NO_ACCOUNT),
        (guide(account=None), NOTHING, NOW, (True, True), None),
        (guide(agent=False), NOTHING, NOW, (True, False), LeftOut.NO_AGENT),
        (guide(), Before({}, {}, {BatchId(1): 3}, frozenset(), frozenset()), NOW, (False, True), LeftOut.REMINDED),
        (guide(), Before({}, {}, {BatchId(1): 3}, frozenset(), frozenset()), NOW, (True, True), None),
        (guide(), Before({}, {}, {BatchId(1): 2}, frozenset(), frozenset()), NOW, (False, True), None),
        (guide(), Before({(StaffId(1), TODAY): 2}, {}, {}, frozenset(), frozenset()), NOW, (True, True), LeftOut.OFTEN),
        (guide(), Before({}, {StaffId(1): NOW - HOUR}, {}, frozenset(), frozenset()), NOW, (True, True), LeftOut.PAUSE),
        (guide(), Before({}, {StaffId(1): NOW - 3 * HOUR}, {}, frozenset(), frozenset()), NOW, (True, True), None),
    ],
)  # fmt: skip
def test_the_policy_decides(
    who: Guide, before: Before, at: datetime, ways: tuple[bool, bool], why: LeftOut | None
) -> None:
    policy = Chasing(a_day=2, pause_hours=3, hours=OpenHours(closes=time(20)))
    found = decide(policy, [who], before, at, message=ways[0], remind=ways[1])
    assert found.left_out == ({StaffId(1): why} if why else {})
    assert len(found.chosen) == (why is None)


def test_a_plan_that_was_stopped_is_not_asked_after(tasks: dict[str, Batch]) -> None:
    row = tasks["guide-0"].run.plan
    row.state = PlanState.STOPPED
    row.save()
    assert preview_chase(OWNER, ChaseScope(Wanted(plan=PlanId(row.pk)))).guides == 0
