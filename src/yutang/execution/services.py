"""Saying why a task was not carried out, and asking after those that wait (催办).

A chase is decided by the policy and written down whole, in one transaction under one lock, before anybody is written
to; the turn of the clock then makes its calls. So neither a kill nor a second click asks once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.db.models.functions import Coalesce

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TaskNotReady, TryLater, UnexpectedAnswer
from yutang.channels.ports.staff import StaffCard, StaffMessagePort
from yutang.execution.board import Below, below
from yutang.execution.chasing import DAY, Before, Chosen, Decided, Guide, decide, within
from yutang.execution.contracts import Reason, Spot
from yutang.execution.models import Chase, Errand, GivenReason, Nudge
from yutang.intake.lease import lives, me
from yutang.kernel.calendars import local_day, zone
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import BatchId, NodeId, SenderId, StaffId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, Home, brand, corps, homes, places
from yutang.organisation.services import audit
from yutang.reach.issuing import Ports
from yutang.reach.planning import rulebook
from yutang.reach.tallies import Open, Wanted, batches_numbered, still_waiting, waiting, waiting_in_sum

StaffPorts = Mapping[tuple[str, str], StaffMessagePort]
LOCK = "execution"
WECOM = "wecom"
MESSAGE, REMIND = "message", "remind"
TEXT = 300  # characters of a reason in one's own words
STALE = timedelta(minutes=30)  # business time after which what was decided is not sent any more
REPEATABLE = timedelta(minutes=25)  # wall time; the platform shows the same message once within half an hour
CLAIM = timedelta(minutes=2)
AGAIN = timedelta(minutes=1)
A_TURN = 1_000  # messages that one turn looks at
REMINDERS = 100  # of the platform's own, each a call, that one turn makes
A_CALL = 1_000
RUNNING = Wanted(running=True)
_MAY_CHASE = (RoleName.OWNER, RoleName.OPERATOR, RoleName.MANAGER)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChaseScope:
    """Whose tasks are asked after: below the node with the code `at` (empty: all that the viewer sees), of one guide,
    of the batches that are `wanted`. By a `message` of the app, by the platform's own reminder (`remind`), or both."""

    wanted: Wanted = RUNNING
    at: str = ""
    staff: StaffId | None = None
    channel: str = ""
    message: bool = True
    remind: bool = False


@dataclass(frozen=True, slots=True)
class ChasePreview:
    """Who would be asked now, of how many tasks for how many customers, and how many are left out, by why.

    `unnamed_corps`: corps whose app has no AgentId, so that nobody of theirs can be written to.
    """

    guides: int
    stores: int
    tasks: int
    people: int
    left_out: Mapping[str, int]
    messages: int
    reminders: int
    unnamed_corps: tuple[str, ...]
    named: tuple[StaffId, ...]
    at: Spot | None = None


# Reasons ------------------------------------------------------------------------------------------------------------


def give_reason(
    viewer: Viewer,
    uid: str,
    reason: Reason,
    *,
    batch: int | None = None,
    account: SenderId | None = None,
    text: str = "",
    until: date | None = None,
    mine: Collection[SenderId] | None = None,
) -> bool:
    """Keep why a batch (or all that an account has) is not carried out; whether it is new. `uid` is the client's own:
    the same again changes nothing. `mine` narrows to these accounts what the viewer may speak of.

    Raises BadInput; NotFound for a batch or account that the viewer does not see; Refused for a role that only looks,
    and for a `uid` under which something else was said.
    """
    if viewer.role is RoleName.ANALYST:
        raise Refused("你的角色只能查看。", "Your role may only look.")
    if not 8 <= len(uid) <= 64:
        raise BadInput("编号应为 8–64 个字符。", "The client's id has 8 to 64 characters.")
    if len(text) > TEXT:
        raise BadInput(f"说明最多 {TEXT} 个字。", f"The words have at most {TEXT} characters.")
    if reason is Reason.OTHER and not text.strip():
        raise BadInput("选「其他」时请写一句话。", "With “other”, say it in a few words.")
    sender = _sender_of(viewer, batch, account, mine)
    with transaction.atomic():
        lock(LOCK)
        known = GivenReason.objects.filter(uid=uid).first()
        if known is not None:
            if (known.by, known.sender, known.batch) != (viewer.name[:80], sender, batch):
                raise _taken()
            return False
        GivenReason.objects.create(
            uid=uid, sender=sender, batch=batch, reason=reason.value, text=text.strip() or None, until=until,
            by=viewer.name[:80], at=business_now(),
        )  # fmt: skip
        audit(viewer, "give_reason", f"batch {batch}" if batch else f"account {sender}", reason=reason.value)
    return True


def _taken() -> Refused:
    return Refused("这个编号已经用过，请换一个。", "This id was used for something else; make another one.")


def _sender_of(
    viewer: Viewer, batch: int | None, account: SenderId | None, mine: Collection[SenderId] | None
) -> SenderId:
    """The account that a reason is about. Raises NotFound."""
    allowed = {home.sender for home in homes(viewer)}
    allowed = allowed if mine is None else allowed & set(mine)
    if batch is not None:
        found = batches_numbered(viewer, [batch]).get(BatchId(batch))
        account = found.sender if found is not None else None
    if account is None or account not in allowed:
        raise NotFound("没有这个任务。", "There is no such task.")
    return account


# Chasing: deciding --------------------------------------------------------------------------------------------------


def may_chase(viewer: Viewer) -> bool:
    """Whether a viewer may ask after tasks."""
    return viewer.role in _MAY_CHASE


def preview_chase(viewer: Viewer, scope: ChaseScope) -> ChasePreview:
    """Who would be asked now, and who not and why. Raises Refused, NotFound."""
    decided, tree = _decided(viewer, scope, counting=True)
    stores = {home.staff: home.node for home in tree.homes}
    unnamed = tuple(sorted(corp.corp for corp in corps() if corp.channel == WECOM and corp.agent is None))
    return ChasePreview(
        guides=len(decided.chosen),
        stores=len({stores[one.staff] for one in decided.chosen}),
        tasks=sum(task.batches for one in decided.chosen for task in one.tasks),
        people=sum(task.people for one in decided.chosen for task in one.tasks),
        left_out=decided.counts,
        messages=sum(one.account is not None for one in decided.chosen),
        reminders=sum(task.batches for one in decided.chosen for task in one.remind),
        unnamed_corps=unnamed,
        named=tuple(one.staff for one in decided.chosen[:20]),
        at=tree.at,
    )


def chase(viewer: Viewer, uid: str, scope: ChaseScope) -> int:
    """Ask after the tasks that wait; returns the chase's number. `uid` is made by whoever asks: the same again is the
    same chase. Nobody is written to before it is all kept; the turn of the clock does that.

    Raises Refused for a role that may not, for a `uid` of somebody else's, and where nobody is left to be asked;
    BadInput, NotFound.
    """
    _allowed(viewer, scope)
    if not 8 <= len(uid) <= 64:
        raise BadInput("编号应为 8–64 个字符。", "The client's id has 8 to 64 characters.")
    with transaction.atomic():
        lock(LOCK)
        known = Chase.objects.filter(uid=uid).first()
        if known is not None:
            if known.by != viewer.name[:80]:
                raise _taken()
            return int(known.pk)
        decided, _tree = _decided(viewer, scope)
        if not decided.chosen:
            raise Refused(
                "按催办规则，现在没有可以催的人：看预览里各人的原因。",
                "By the policy nobody can be asked now; the preview says why of each.",
            )
        number = _kept(viewer, uid, scope, decided)
        audit(viewer, "chase", f"chase {number}", guides=len(decided.chosen), left_out=len(decided.left_out),
              at=scope.at, plan=scope.wanted.plan, message=scope.message, remind=scope.remind)  # fmt: skip
    failpoint("chase.kept")
    return number


def _allowed(viewer: Viewer, scope: ChaseScope) -> None:
    if not may_chase(viewer):
        raise Refused("你的角色不能催办，请找店长或总部运营。", "Your role may not ask after tasks; ask a manager.")
    if not scope.message and not scope.remind:
        raise BadInput("请至少选一种催办方式。", "Choose at least one way of asking.")


def _decided(viewer: Viewer, scope: ChaseScope, *, counting: bool = False) -> tuple[Decided, Below]:
    """Who is asked now, of which tasks; where we are only `counting`, tasks that are alike are told in sum."""
    _allowed(viewer, scope)
    now = business_now()
    tree = below(viewer, scope.at, scope.channel)
    mine = [home for home in tree.homes if scope.staff is None or home.staff == scope.staff]
    if scope.staff is not None and not mine:
        raise NotFound("没有这位导购。", "There is no such guide.")
    accounts = tree.accounts if scope.staff is None else [home.sender for home in mine]
    without = tree.without if accounts is None else ()
    said = _said(now)
    if counting:
        apart = said.excused | said.reminded.keys()
        tasks = waiting_in_sum(viewer, scope.wanted, accounts, now, without=without, apart=apart)
    else:
        tasks = waiting(viewer, scope.wanted, accounts, now, without=without)
    guides = _guides(mine, homes(viewer) if scope.channel else mine, tasks, tree.zones)
    policy = rulebook().policy.chase
    before = _before(said, guides, now)
    return decide(policy, guides, before, now, message=scope.message, remind=scope.remind), tree


def _guides(
    mine: Sequence[Home], theirs: Sequence[Home], tasks: Sequence[Open], zones: Mapping[NodeId, str]
) -> list[Guide]:
    """Those of whom tasks wait, with the one of `theirs`, their accounts, by which the app writes to them."""
    home_of = {home.sender: home for home in mine}
    by_staff: dict[StaffId, list[Open]] = defaultdict(list)
    staff_of = {home.sender: home.staff for home in mine}
    for task in tasks:
        staff = staff_of.get(task.sender)
        if staff is not None:
            by_staff[staff].append(task)
    accounts: dict[StaffId, Home] = {}
    for home in theirs:
        if home.channel == WECOM and home.active and home.staff in by_staff:
            accounts.setdefault(home.staff, home)
    agents = {corp.corp for corp in corps() if corp.channel == WECOM and corp.agent is not None}
    found = []
    for staff, owed in by_staff.items():
        home = home_of[owed[0].sender]
        account = accounts.get(staff)
        found.append(
            Guide(
                staff,
                zones[home.node],
                tuple(owed),
                None if account is None else account.sender,
                account is not None and account.corp in agents,
                any(home_of[task.sender].active for task in owed),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of batches and accounts: how often the platform reminded of late, what is excused, who is away."""

    reminded: Mapping[BatchId, int]
    excused: frozenset[BatchId]
    away: frozenset[SenderId]


def _said(now: datetime) -> _Said:
    reminded: dict[BatchId, int] = defaultdict(int)
    asked = Errand.objects.filter(kind=REMIND, at__gt=now - DAY, batch__isnull=False).exclude(state="dropped")
    for batch in asked.values_list("batch", flat=True):
        reminded[BatchId(batch or 0)] += 1
    given = GivenReason.objects.filter(at__gt=now - timedelta(days=30))
    excused = {BatchId(one) for one in given.exclude(batch=None).values_list("batch", flat=True) if one is not None}
    today = local_day(now, brand().zone)
    leave = given.filter(batch=None, reason=Reason.ON_LEAVE.value, until__gte=today)
    away = {SenderId(one) for one in leave.values_list("sender", flat=True)}
    return _Said(reminded, frozenset(excused), frozenset(away))


def _before(said: _Said, guides: Sequence[Guide], now: datetime) -> Before:
    staff = [guide.staff for guide in guides]
    recent = Nudge.objects.filter(at__gt=now - timedelta(days=4))  # longer than any pause
    if len(staff) <= A_CALL:
        recent = recent.filter(staff__in=staff)
    counted = recent.values_list("staff", "day").annotate(n=Count("pk"))
    times = {(StaffId(who), day): count for who, day, count in counted}
    last = {StaffId(who): at for who, at in recent.values_list("staff").annotate(last=Max("at"))}
    excused = said.excused and said.excused.intersection(task.batch for guide in guides for task in guide.tasks)
    return Before(times, last, said.reminded, excused, said.away)


def _kept(viewer: Viewer, uid: str, scope: ChaseScope, decided: Decided) -> int:
    now = business_now()
    made = Chase.objects.create(
        uid=uid, by=viewer.name[:80], at=now, place=scope.at, staff=scope.staff, plan=scope.wanted.plan,
        guides=len(decided.chosen), tasks=sum(len(one.tasks) for one in decided.chosen), left_out=decided.counts,
    )  # fmt: skip
    try:
        nudges = Nudge.objects.bulk_create(
            [
                Nudge(
                    chase=made, staff=one.staff, day=one.day, nth=one.nth, at=now,
                    batches=[task.batch for task in one.tasks],
                )
                for one in decided.chosen
            ],
            batch_size=500,
        )  # fmt: skip
    except IntegrityError as error:
        raise Refused(
            "刚刚有人催过同一批人，请看催办记录。", "Somebody has just asked the same people; see what was asked."
        ) from error
    Errand.objects.bulk_create(
        [errand for nudge, one in zip(nudges, decided.chosen, strict=True) for errand in _errands(nudge, one, now)],
        batch_size=500,
    )
    return int(made.pk)


def _errands(nudge: Nudge, one: Chosen, now: datetime) -> list[Errand]:
    found = []
    if one.account is not None:
        found.append(Errand(nudge=nudge, kind=MESSAGE, account=one.account, at=now))
    found += [Errand(nudge=nudge, kind=REMIND, account=task.sender, batch=task.batch, at=now) for task in one.remind]
    return found


# Chasing: the turn --------------------------------------------------------------------------------------------------


def turn(ports_now: Callable[[], Ports], staff_now: Callable[[], StaffPorts] | None) -> int:
    """Make the calls of what was decided; returns how many were made. What waited too long, whose guide has tapped
    meanwhile, or whose hours have closed is dropped instead."""
    if not Errand.objects.filter(state__in=("due", "calling")).exists():
        return 0
    ports, staff_ports = ports_now(), staff_now() if staff_now is not None else {}
    _give_back()
    now = business_now()
    due = _still_right(_due(), now)
    home_of = {home.sender: home for home in homes(OWNER)} if due else {}
    calls = 0
    for part in _messages(due, home_of):
        calls += _tell(staff_ports, part, home_of)
    for errand in due:
        if errand.kind == REMIND:
            calls += _remind(ports, errand, home_of)
    return calls


def _due() -> list[Errand]:
    """What is to be called now. Messages whose call was lost come all together, as they were called: only the same
    words to the same people are shown once."""
    ready = Errand.objects.filter(state="due").exclude(not_before__gt=wall_now()).select_related("nudge__chase")
    found = {one.pk: one for one in ready.filter(kind=MESSAGE).order_by("pk")[:A_TURN]}
    lost = {one.claimed_by for one in found.values() if one.first_at is not None}
    found |= {one.pk: one for one in ready.filter(claimed_by__in=lost)} if lost else {}
    return [*found.values(), *ready.filter(kind=REMIND).order_by("pk")[:REMINDERS]]


def _give_back() -> None:
    """End the calls of those who died making them: a message may be called again soon after, a reminder never."""
    for errand in Errand.objects.filter(state="calling"):
        if errand.claim_until is not None and errand.claim_until > wall_now() and lives(errand.claimed_by):
            continue
        again = errand.kind == MESSAGE and errand.first_at is not None and wall_now() - errand.first_at < REPEATABLE
        mine = Errand.objects.filter(pk=errand.pk, state="calling", claimed_by=errand.claimed_by)
        if again:
            mine.update(state="due", not_before=None)
        else:
            mine.update(state="unknown", reason_zh=_LOST[0], reason_en=_LOST[1])


_UNSEEN = ("平台找不到这位成员，或他不在应用的可见范围里", "not there, or outside of what the app sees")
_LOST = ("没有收到答复，不再重发", "no answer came, and it is not said again")
_DROPPED = {
    "tapped": ("已经执行了", "was carried out meanwhile"),
    "late": ("耽搁太久，没有发", "it waited too long and was not sent"),
    "quiet": ("已到员工的休息时间，没有发", "staff hours had closed; it was not sent"),
}


def _still_right(due: Sequence[Errand], now: datetime) -> list[Errand]:
    """Those that are still to be sent; the others are dropped."""
    open_now = still_waiting({batch for errand in due for batch in errand.nudge.batches}, now)
    policy = rulebook().policy.chase
    zones = _zones()
    kept = []
    for errand in due:
        wanted = [errand.batch] if errand.batch is not None else errand.nudge.batches
        why = None
        if errand.first_at is None and not any(batch in open_now for batch in wanted):
            why = "tapped"
        elif now - errand.nudge.chase.at > STALE:
            why = "late"
        elif not within(policy, zones.get(SenderId(errand.account), "UTC"), now):
            why = "quiet"
        if why is None:
            kept.append(errand)
        else:
            _end([errand.pk], "due", "dropped", _DROPPED[why])
    return kept


def _zones() -> dict[SenderId, str]:
    zone_at = {place.id: place.zone for place in places()}
    return {home.sender: zone_at[home.node] for home in homes(OWNER)}


def _end(errands: Sequence[int], before: str, state: str, why: tuple[str, str] = ("", "")) -> None:
    Errand.objects.filter(pk__in=list(errands), state=before).update(
        state=state, reason_zh=why[0][:240], reason_en=why[1][:240]
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Messages of one wording to accounts of one corp."""

    corp: tuple[str, str]
    card: StaffCard
    errands: tuple[Errand, ...]


def _messages(due: Sequence[Errand], home_of: Mapping[SenderId, Home]) -> list[_Part]:
    """The messages, those of the same words to people of one corp together."""
    zones = _zones()
    numbers = {batch for errand in due if errand.kind == MESSAGE for batch in errand.nudge.batches}
    batches = batches_numbered(OWNER, numbers)
    found: dict[tuple[str, str, str, str], list[Errand]] = defaultdict(list)
    cards: dict[str, StaffCard] = {}
    for errand in due:
        home = home_of.get(SenderId(errand.account))
        if errand.kind != MESSAGE or home is None:
            continue
        mine = [batches[BatchId(number)] for number in errand.nudge.batches if BatchId(number) in batches]
        first = min((one.deadline for one in mine), default=errand.at).astimezone(zone(zones[home.sender]))
        card = card_for(len(mine), first)
        cards[card.text] = card
        lost = errand.claimed_by if errand.first_at is not None else ""
        found[home.channel, home.corp, card.text, lost].append(errand)
    return [
        _Part((channel, corp), cards[text], tuple(rows[at : at + A_CALL]))
        for (channel, corp, text, _lost), rows in found.items()
        for at in range(0, len(rows), A_CALL)
    ]


def card_for(tasks: int, first: datetime) -> StaffCard:
    """What a guide reads. It says a count and a time, and names no customer; `first` is local."""
    return StaffCard(
        title="有群发任务等你发送 · Tasks wait for you",
        text=(
            f"还有 {tasks} 个任务没有发送，最早 {first:%m-%d %H:%M} 截止，过时自动取消。\n"
            f"{tasks} to send; the first ends {first:%m-%d %H:%M}. 有困难请在工作台说明原因。"
        ),
        url=f"{settings.PUBLIC_ADDRESS}/m/",
        button="去发送",
    )


def _claimed(errands: Sequence[Errand]) -> list[Errand]:
    """Those of the errands that this call now has; of which it is known before the platform is called."""
    holder, wall = me(), wall_now()
    Errand.objects.filter(pk__in=[one.pk for one in errands], state="due").update(
        state="calling", claimed_by=holder, claim_until=wall + CLAIM, first_at=Coalesce("first_at", wall)
    )
    return list(Errand.objects.filter(state="calling", claimed_by=holder).select_related("nudge"))


def _tell(ports: StaffPorts, part: _Part, home_of: Mapping[SenderId, Home]) -> int:
    held = _claimed(part.errands)
    if not held:
        return 0
    failpoint("chase.claimed")
    members = {home_of[SenderId(one.account)].userid: one.pk for one in held}
    port = ports.get(part.corp)
    ids = list(members.values())
    if port is None:
        _end(ids, "calling", "refused", ("这个企业没有连接", "that corp is not connected"))
        return 0
    try:
        sent = port.tell(list(members), part.card)
    except TryLater as later:
        Errand.objects.filter(pk__in=ids, state="calling").update(
            state="due", not_before=later.until, first_at=None, claimed_by=""
        )
        return 0
    except (AnswerLost, UnexpectedAnswer):  # it may be called again: the platform shows the same words once
        Errand.objects.filter(pk__in=ids, state="calling").update(state="due", not_before=wall_now() + AGAIN)
        return 1
    except (RefusedByPlatform, Refused) as refusal:
        _end(ids, "calling", "refused", (refusal.zh, refusal.en))
        return 1
    failpoint("chase.answered")
    lower = {one.casefold() for one in sent.refused}
    refused = [pk for member, pk in members.items() if member.casefold() in lower]
    _end(refused, "calling", "refused", _UNSEEN)
    _end([pk for pk in ids if pk not in set(refused)], "calling", "done")
    return 1


def _remind(ports: Ports, errand: Errand, home_of: Mapping[SenderId, Home]) -> int:
    held = _claimed([errand])
    home = home_of.get(SenderId(errand.account))
    if not held or errand.batch is None:
        return 0
    failpoint("chase.claimed")
    port = ports.get((home.channel, home.corp)) if home is not None else None
    task = still_waiting([errand.batch], business_now()).get(BatchId(errand.batch), "")
    if port is None or not task:
        why = _DROPPED["tapped"] if port is not None else ("这个企业没有连接", "that corp is not connected")
        _end([errand.pk], "calling", "dropped", why)
        return 0
    try:
        port.remind_task(task)
    except (TryLater, TaskNotReady) as later:
        until = later.until if isinstance(later, TryLater) else wall_now() + AGAIN
        Errand.objects.filter(pk=errand.pk, state="calling").update(state="due", not_before=until, first_at=None)
        return 0
    except (AnswerLost, UnexpectedAnswer):
        _end([errand.pk], "calling", "unknown", _LOST)
    except YutangError as refusal:
        _end([errand.pk], "calling", "refused", (refusal.zh, refusal.en))
    else:
        failpoint("chase.answered")
        _end([errand.pk], "calling", "done")
    return 1
