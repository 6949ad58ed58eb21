"""The lane itself: what arrives is noted with its acts in one transaction; each act is claimed, done and settled once.

An act that changes only our own books is done in the transaction that settles it, so it is done exactly once. A
welcome leaves the house between claim and settlement: the platform's own code lets it be said once at most, and where
nobody can say whether it was, the act is unknown. What misses its deadline is missed, never late.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet

from yutang.channels.contracts import (
    AnswerLost,
    CodeSpent,
    MessageContent,
    RefusedByPlatform,
    TryLater,
    UnexpectedAnswer,
    WelcomePort,
)
from yutang.connect.documents import ContactWay
from yutang.connect.routing import led, nearest, next_in_turn
from yutang.content.checking import check, require_clean
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.intake.lease import lives, me
from yutang.kernel.calendars import day_start, local_day, zone
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.database import lock
from yutang.kernel.documents import Note
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import EventId, NodeId, PersonId, RunId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record, seal, unseal
from yutang.log.vocabulary import VOCABULARY
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeFacts, NodeKind, Viewer
from yutang.organisation.queries import accounts, brand, nodes
from yutang.people import queries as people
from yutang.people import services as people_services
from yutang.people.links import VARIABLE, link_of
from yutang.reach.planning import rulebook
from yutang.reflex.contracts import ActState, WelcomePorts, Worked
from yutang.reflex.documents import SEGMENT_ENTERED, Assign, FollowUp, ReflexRule, Tag, Welcome
from yutang.reflex.judging import Wish, judge
from yutang.reflex.models import Act, Assignment, SegmentCursor, Stimulus
from yutang.reflex.models import FollowUp as FollowUpRow
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument
from yutang.segments.services import record_changes
from yutang.warehouse.contracts import Statement, Warehouse

CLAIM = 32  # acts that one worker takes at a time: few, so that the first is not kept waiting by the last
PARALLEL = 5  # calls of one API that WeCom lets be under way at once
HOLD = timedelta(seconds=60)  # after which a claim is given up, whoever made it
SOON = timedelta(milliseconds=500)
MOST_LATE = timedelta(days=7)
OWN = "reflex"  # the source of this lane's own events; they set off no rule, or two rules could answer each other
CODE = "welcome_code"
_log = structlog.get_logger(__name__)
_woken = threading.Event()

OPEN_STATES = (ActState.DUE.value, ActState.DOING.value)


def keep_rule(document: ReflexRule, viewer: Viewer) -> StoredDocument:
    """Keep a rule as the next version of its name; it holds for what arrives from now on. Raises BadInput, Refused."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("反应规则对整个品牌生效，请找总部运营。", "Reflex rules bind the whole brand; ask headquarters.")
    check_rule(document)
    stored = save_document(document, viewer.name)
    organisation.audit(viewer, "keep", f"reflex {document.name}", version=stored.version)
    return stored


def check_rule(document: ReflexRule) -> None:
    """Raise BadInput where the rule waits for an event or a segment, or names a store, that is not there."""
    for name in document.on:
        if name != SEGMENT_ENTERED and name not in VOCABULARY:
            raise BadInput(f"on：没有「{name}」这种事件。", f"on: there is no event type “{name}”.")
    if document.segment is not None:
        segments.segment_named(document.segment)
    codes = {node.code for node in nodes()}
    for code in document.where.store or ():
        if code not in codes:
            raise BadInput(f"where.store：没有门店「{code}」。", f"where.store: there is no store “{code}”.")
    for index, act in enumerate(document.acts):
        if isinstance(act, Welcome) and act.text is not None:
            require_clean(act.text, rulebook().rules, at=f"acts.{index}.text")


# What arrives ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rules:
    """The current rules by event type; `mark` tells whether they have changed since."""

    mark: object
    by_type: Mapping[str, tuple[tuple[ReflexRule, int], ...]]
    bodies: Mapping[str, tuple[dict[str, object], ...]]


_rules = _Rules(None, {}, {})


def _current_rules() -> _Rules:
    global _rules
    mark = documents.latest_mark(ReflexRule)
    if mark != _rules.mark:
        by_type: dict[str, list[tuple[ReflexRule, int]]] = defaultdict(list)
        bodies: dict[str, tuple[dict[str, object], ...]] = {}
        for stored in documents.current(ReflexRule):
            rule = stored.document
            assert isinstance(rule, ReflexRule)
            bodies[rule.name] = tuple(
                act.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"do": act.do} for act in rule.acts
            )
            for name in rule.on if rule.active else ():
                by_type[name].append((rule, stored.version))
        _rules = _Rules(mark, {name: tuple(found) for name, found in by_type.items()}, bodies)
    return _rules


def waited_for() -> Collection[str]:
    """The types of event that rules wait for. One query."""
    return _current_rules().by_type.keys()


def notice(events: Sequence[Event]) -> None:
    """Note the acts that rules want on these events; runs in the transaction in which they arrive.

    An event that arrives again changes nothing, also where rules have changed meanwhile.
    """
    rules = _current_rules().by_type
    if not rules:
        return
    wanted = [
        (event, rule, version)
        for event in events
        if event.source != OWN
        for rule, version in rules.get(event.type, ())
        if rule.where.holds(event)
    ]
    if wanted:
        _keep(wanted)


def _keep(wanted: Sequence[tuple[Event, ReflexRule, int]]) -> int:
    by_id = {event.id: event for event, _, _ in wanted}
    known = set(Stimulus.objects.filter(pk__in=by_id).values_list("pk", flat=True))
    fresh = {key: event for key, event in by_id.items() if key not in known}
    if not fresh:
        return 0
    received, business = wall_now(), business_now()
    Stimulus.objects.bulk_create(
        (Stimulus(event_id=key, type=event.type, sealed=seal([event]), received_at=received)
         for key, event in fresh.items()),
        ignore_conflicts=True,
    )  # fmt: skip
    saying = _who_welcomes((event, rule) for event, rule, _ in wanted)
    acts = [
        Act(
            **_opening(act, saying.get(event.id) == (rule.name, ordinal), received),
            stimulus_id=event.id,
            rule=rule.name,
            version=version,
            ordinal=ordinal,
            kind=act.do,
            body=_rules.bodies[rule.name][ordinal],
            deadline=received - _late(event, business) + timedelta(seconds=act.within_seconds),
        )
        for event, rule, version in wanted
        if event.id in fresh
        for ordinal, act in enumerate(rule.acts)
    ]
    Act.objects.bulk_create(acts, ignore_conflicts=True)
    transaction.on_commit(wake)
    return len(acts)


def _who_welcomes(wanted: Iterable[tuple[Event, ReflexRule]]) -> dict[str, tuple[str, int]]:
    """Of each event, which act says the one welcome that its code allows: the narrowest rule's first."""
    found: dict[str, tuple[int, str, int]] = {}
    for event, rule in wanted:
        for ordinal, act in enumerate(rule.acts):
            if isinstance(act, Welcome):
                rank = (-rule.where.narrowness, rule.name, ordinal)
                found[event.id] = min(rank, found.get(event.id, rank))
    return {event: (rule, ordinal) for event, (_, rule, ordinal) in found.items()}


def _opening(act: object, welcomes: bool, now: datetime) -> dict[str, object]:
    """The state in which an act begins."""
    if isinstance(act, Welcome) and not welcomes:
        return {"state": ActState.REFUSED.value, "reason": "another_rule", "settled_at": now}
    return {}


def _late(event: Event, now: datetime) -> timedelta:
    """How long ago the event was when it arrived, by the business clock; an event from the future is now."""
    return min(max(now - event.occurred_at, timedelta(0)), MOST_LATE)


def wake() -> None:
    """Let the lane of this process look at once."""
    _woken.set()


def wait(seconds: float) -> None:
    """Wait until something arrives in this process, or so many seconds: other processes wake nobody here."""
    _woken.wait(seconds)
    _woken.clear()


def notice_entered(warehouse: Warehouse) -> int:
    """Note the acts on whoever entered a segment that a rule waits for, since the last look; returns how many acts.

    The first look at a segment only notes who is in it: they have not entered. Killed anywhere, the next look goes on
    with the same run, so that nobody's entry is lost or told twice.
    """
    rules = _current_rules().by_type.get(SEGMENT_ENTERED, ())
    kept = 0
    for name in sorted({rule.segment for rule, _ in rules if rule.segment is not None}):
        try:
            stored = documents.find(SegmentDocument, name)
        except NotFound:
            continue  # retired since the rule was kept: nobody enters it any more
        cursor, first = SegmentCursor.objects.get_or_create(segment=name)
        run = cursor.run + 1
        changes = record_changes(warehouse, stored, RunId(run))
        if not changes.entered and not changes.left and not first:
            continue
        failpoint("reflex.entries_recorded")
        entered = [] if run == 1 else _entered(warehouse, name, run)
        with transaction.atomic():
            if SegmentCursor.objects.filter(segment=name, run=cursor.run).update(run=run):
                kept += _note_entries(name, run, entered, rules)
    return kept


def segments_waited_for() -> frozenset[str]:
    """The segments whose entries rules wait for: `notice_entered` records who enters and leaves them."""
    rules = _current_rules().by_type.get(SEGMENT_ENTERED, ())
    return frozenset(rule.segment for rule, _ in rules if rule.segment is not None)


def _entered(warehouse: Warehouse, segment: str, run: int) -> list[int]:
    sql = "SELECT DISTINCT person FROM segment_changes WHERE segment = $segment AND run = $run AND entered"
    return sorted(warehouse.query(Statement(sql, {"segment": segment, "run": run}))["person"].to_pylist())


def _note_entries(segment: str, run: int, persons: Sequence[int], rules: Iterable[tuple[ReflexRule, int]]) -> int:
    events = [
        Event(
            EventId(f"{SEGMENT_ENTERED}:{segment}:{run}:{person}"), SEGMENT_ENTERED, business_now(),
            person=PersonId(person), source=segment,
        )
        for person in persons
    ]  # fmt: skip
    mine = [(rule, version) for rule, version in rules if rule.segment == segment]
    wanted = [(event, rule, version) for event in events for rule, version in mine if rule.where.holds(event)]
    return _keep(wanted) if wanted else 0


# What is done ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Task:
    """One claimed act with what it is about."""

    act: Act
    event: Event
    person: PersonId | None
    outcome: ActState | None = None
    reason: str = ""

    def settle(self, outcome: ActState, reason: str = "") -> None:
        self.outcome, self.reason = outcome, reason


def work(ports: WelcomePorts, limit: int = CLAIM) -> Worked:
    """Claim what is due, do it, and settle it. Any number of workers may do so at once."""
    if not Act.objects.filter(state__in=OPEN_STATES).exists():  # asked four times a second: no lock, one question
        return Worked()
    missed = _give_up_late()
    holder = me()
    tasks = _claim(holder, limit)
    if not tasks:
        return Worked(missed=missed)
    failpoint("reflex.claimed")
    _name_persons(tasks)
    _say_welcomes([task for task in tasks if task.act.kind == "welcome"], ports)
    failpoint("reflex.said")
    _settle_all(tasks, holder)
    states = Counter(task.outcome for task in tasks)
    done = states[ActState.DONE]
    late = states[ActState.MISSED]
    return Worked(len(tasks), done, missed + late, len(tasks) - done - late)


def _give_up_late() -> int:
    """Note what passed its deadline undone as missed; what was begun by a worker who died, as unknown if it speaks.

    An act on our own books that was begun and not settled was not done: it is missed too. Claims that are held for too
    long, or by the dead, are given up.
    """
    now = wall_now()
    open_acts = Act.objects.filter(state__in=OPEN_STATES)
    for claimed_by in open_acts.filter(state=ActState.DOING).values_list("claimed_by", flat=True).distinct():
        held = Act.objects.filter(state=ActState.DOING, claimed_by=claimed_by)
        if not lives(claimed_by):
            held.update(state=ActState.DUE)
    Act.objects.filter(state=ActState.DOING, claim_until__lt=now).update(state=ActState.DUE)
    late = Act.objects.filter(state=ActState.DUE, deadline__lt=now)
    if not late.exists():
        return 0
    begun = late.filter(kind="welcome", tries__gt=0)
    begun.update(state=ActState.UNKNOWN, reason="interrupted", settled_at=now)
    silent = late.exclude(kind="welcome", tries__gt=0)  # one may have been given up by another worker just now
    missed = silent.update(state=ActState.MISSED, reason="deadline", settled_at=now)
    _empty_finished(None)
    return missed


def _claim(holder: str, limit: int) -> list[_Task]:
    now = wall_now()
    with my_turn(), transaction.atomic():
        due = Act.objects.filter(Q(not_before=None) | Q(not_before__lte=now), state=ActState.DUE, deadline__gte=now)
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        ordered = due.order_by("deadline", "pk")
        # words to people first, and alone: what is written into our own books can wait a moment
        chosen = [act.pk for act in ordered.filter(kind="welcome")[:limit]] or [act.pk for act in ordered[:limit]]
        if not chosen:
            return []
        Act.objects.filter(pk__in=chosen, state=ActState.DUE).update(
            state=ActState.DOING, claimed_by=holder, claim_until=now + HOLD, tries=F("tries") + 1
        )
        acts = list(
            Act.objects.filter(pk__in=chosen, claimed_by=holder, state=ActState.DOING)
            .select_related("stimulus")
            .order_by("deadline", "pk")
        )
    events = {act.stimulus_id: unseal(bytes(act.stimulus.sealed))[0] for act in acts}
    return [_Task(act, events[act.stimulus_id], events[act.stimulus_id].person) for act in acts]


def _name_persons(tasks: Sequence[_Task]) -> None:
    """Who each event is about, as the operational store knows them now; who is new becomes a person."""
    unnamed = {task.event.id: task.event for task in tasks if task.person is None and task.event.identifiers}
    found: dict[str, PersonId] = {}
    for made_up in (False, True):
        events = [one for one in unnamed.values() if bool(one.props.get("synthetic")) == made_up]
        if events:
            with my_turn():
                persons = people_services.resolve(
                    [one.identifiers for one in events], seen_at=[one.occurred_at for one in events], synthetic=made_up
                )
            found |= {event.id: person for event, person in zip(events, persons, strict=True) if person}
    for task in tasks:
        if task.person is None:
            task.person = found.get(task.event.id)
        if task.person is None:
            task.settle(ActState.REFUSED, "no_person")


# The welcome -------------------------------------------------------------------------------------------------------


def _say_welcomes(tasks: Sequence[_Task], ports: WelcomePorts) -> None:
    """Ask the gate, then hand what it lets through to the channel, a few at a time, in the order of their deadlines."""
    open_tasks = [task for task in tasks if task.outcome is None]
    if not open_tasks:
        return
    bodies = {task.act.pk: Welcome.model_validate(task.act.body) for task in open_tasks}
    ways = _Ways()
    texts = {task.act.pk: _said_to(task, _text_of(bodies[task.act.pk], ways.of(task.event))) for task in open_tasks}
    for task in open_tasks:
        if not texts[task.act.pk]:
            task.settle(ActState.REFUSED, "no_text")
        elif not task.event.props.get(CODE):
            task.settle(ActState.REFUSED, "no_code")
        elif _port(task, ports) is None:
            task.settle(ActState.REFUSED, "no_channel")
    asked = [task for task in open_tasks if task.outcome is None]
    for task, reason in zip(asked, _judged(asked, bodies, texts), strict=True):
        if reason is not None:
            task.settle(ActState.REFUSED, reason)
    sayable = [task for task in asked if task.outcome is None]
    if len(sayable) == 1:
        _say(sayable[0], ports, texts[sayable[0].act.pk])
    elif sayable:
        with ThreadPoolExecutor(min(PARALLEL, len(sayable))) as pool:
            list(pool.map(lambda task: _say(task, ports, texts[task.act.pk]), sayable))


class _Ways:
    """The contact ways by which events came, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, ContactWay | None] = {}

    def of(self, event: Event) -> ContactWay | None:
        """The way of an event; None where it came by none, or by one that is gone."""
        name = event.props.get("way")
        if not isinstance(name, str) or not name:
            return None
        if name not in self._known:
            try:
                found = documents.find(ContactWay, name).document
            except NotFound:
                found = None
            self._known[name] = found if isinstance(found, ContactWay) else None
        return self._known[name]


def _said_to(task: _Task, text: str) -> str:
    """The text with the person's own link to their preferences in place of its variable: a welcome goes to one."""
    return text.replace(VARIABLE, link_of(task.person)) if task.person is not None and VARIABLE in text else text


def _text_of(act: Welcome, way: ContactWay | None) -> str:
    return (way.welcome if way is not None else None) or act.text or ""


def _port(task: _Task, ports: WelcomePorts) -> WelcomePort | None:
    corp = next((one.namespace for one in task.event.identifiers if one.kind == "external_userid"), "")
    return ports.get((task.event.channel or "", corp))


def _judged(tasks: Sequence[_Task], bodies: Mapping[int, Welcome], texts: Mapping[int, str]) -> list[str | None]:
    if not tasks:
        return []
    book, facts, now = rulebook(), brand(), business_now()
    refusals: dict[tuple[str, str], dict[PersonId, None]] = defaultdict(dict)
    for task in tasks:
        assert task.person is not None
        refusals[bodies[task.act.pk].purpose, task.event.channel or ""][task.person] = None
    said = {key: people.may_be_touched(persons, *key) for key, persons in refusals.items()}
    zones = {node.code: node.zone for node in nodes()} if any(task.event.store for task in tasks) else {}
    wishes = []
    for task in tasks:
        body, channel = bodies[task.act.pk], task.event.channel or ""
        broken = check(texts[task.act.pk], book.rules)
        assert task.person is not None
        wishes.append(
            Wish(
                task.person,
                body.kind,
                body.purpose,
                channel,
                zones.get(task.event.store or "", facts.zone),
                said[body.purpose, channel][task.person],
                broken[0].rule if broken else None,
            )
        )
    return judge(wishes, book.policy.policy(facts.country, now), now)


def _say(task: _Task, ports: WelcomePorts, text: str) -> None:
    """One call. Runs in a thread of its own and touches no database."""
    port = _port(task, ports)
    assert port is not None
    if wall_now() > task.act.deadline:
        again = task.act.tries > 1
        task.settle(ActState.UNKNOWN if again else ActState.MISSED, "interrupted" if again else "deadline")
        return
    try:
        port.send_welcome(str(task.event.props[CODE]), MessageContent(text))
        task.settle(ActState.DONE)
    except AnswerLost:
        task.settle(ActState.DUE, "answer_lost")  # the code works once: trying it again tells, and doubles nothing
    except TryLater:
        task.settle(ActState.DUE, "busy")
    except CodeSpent as spent:
        if spent.elsewhere:
            task.settle(ActState.REFUSED, "elsewhere")
        elif task.act.tries > 1:
            task.settle(ActState.UNKNOWN, "code_spent")  # by an earlier try, or by time: nobody can say
        else:
            task.settle(ActState.FAILED, "code_spent")
    except RefusedByPlatform as refused:
        task.settle(ActState.FAILED, f"platform_{refused.errcode}")
    except UnexpectedAnswer:
        task.settle(ActState.UNKNOWN, "unexpected_answer")
    except YutangError as error:
        _log.warning("a welcome could not be said", rule=task.act.rule, reason=error.en)
        task.settle(ActState.FAILED, type(error).__name__[:64].lower())


# Settlement --------------------------------------------------------------------------------------------------------


def _settle_all(tasks: Sequence[_Task], holder: str) -> None:
    """Settle all at once; where that fails, those of each event alone, so that one event holds up no other.

    What fails alone too is FAILED. An error of ours (a busy house) and one of the database leave all as claimed: they
    are given up after a while and come again.
    """
    before = [(task.outcome, task.reason) for task in tasks]
    try:
        _settle(tasks, holder)
    except (YutangError, DatabaseError):
        raise
    except Exception:  # noqa: BLE001  # whatever one event brought, the others' acts are done
        _log.exception("acts could not be settled together")
        for task, (outcome, reason) in zip(tasks, before, strict=True):
            task.outcome, task.reason = outcome, reason
        events = {task.act.stimulus_id for task in tasks}
        if len(events) > 1:
            for event in events:
                _settle_all([task for task in tasks if task.act.stimulus_id == event], holder)
            return
        for task in tasks:
            if task.outcome is None:
                task.settle(ActState.FAILED, "error")
        _settle(tasks, holder)


def _settle(tasks: Sequence[_Task], holder: str) -> None:
    """Do the acts on our own books and write down what became of all, in one transaction.

    A claim that was given up meanwhile (this worker slept) changes nothing any more.
    """
    with my_turn(), transaction.atomic():
        lock("reflex")  # of one event's acts the last to be settled must see that it is; and shifts count those before
        held = set(
            Act.objects.select_for_update()
            .filter(pk__in=[task.act.pk for task in tasks], claimed_by=holder, state=ActState.DOING)
            .values_list("pk", flat=True)
        )
        mine = [task for task in tasks if task.act.pk in held]
        events: list[Event] = []
        books = _Books()
        for task in sorted(mine, key=lambda task: (task.act.stimulus_id, task.act.rule, task.act.ordinal)):
            if task.outcome is None:
                events += books.do(task)
            elif task.outcome is ActState.DONE:
                events.append(_sent(task))
        books.keep()
        if events:
            record(events)
        _write_outcomes(mine)
        _empty_finished({task.act.stimulus_id for task in mine})


def _write_outcomes(tasks: Sequence[_Task]) -> None:
    """One prepared statement for all: Django's own bulk update takes longer to build than everything else here."""
    now = connection.ops.adapt_datetimefield_value(wall_now())
    soon = connection.ops.adapt_datetimefield_value(wall_now() + SOON)
    rows = []
    for task in tasks:
        assert task.outcome is not None
        again = task.outcome is ActState.DUE
        times = (soon, None) if again else (None, now)
        rows.append((task.outcome.value, task.reason[:64], task.person, *times, task.act.pk))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE reflex_act SET state = %s, reason = %s, person = %s, not_before = %s, settled_at = %s"
            " WHERE id = %s",
            rows,
        )


def _empty_finished(stimuli: set[str] | None) -> None:
    """Forget what finished events said (codes, identifiers): only that they were noticed is kept."""
    rows = Stimulus.objects.exclude(sealed=b"")
    rows = rows if stimuli is None else rows.filter(pk__in=stimuli)
    waiting = Act.objects.filter(state__in=OPEN_STATES).values("stimulus_id")
    rows.exclude(pk__in=waiting).update(sealed=b"")


def _own_id(task: _Task, *more: str) -> EventId:
    key = "\x1f".join([task.act.stimulus_id, task.act.rule, str(task.act.ordinal), *more])
    return EventId(f"reflex:{hashlib.sha256(key.encode()).hexdigest()[:40]}")


def _sent(task: _Task) -> Event:
    event = task.event
    return Event(
        _own_id(task), "message.sent", max(business_now(), event.occurred_at), person=task.person, store=event.store,
        staff=event.staff, source=OWN, channel=event.channel, props={"rule": task.act.rule},
    )  # fmt: skip


def _on_earth(latitude: float, longitude: float) -> bool:
    return abs(latitude) <= 90 and abs(longitude) <= 180


class _Books:
    """The acts on our own books, within one settlement: what one decides, the next of the same rule sees."""

    def __init__(self) -> None:
        self._tree: list[NodeFacts] | None = None
        self._ways = _Ways()
        self._homes: dict[PersonId, NodeId] = {}
        self._assigned: dict[tuple[str, str], str] = {}  # by (event, rule): whom an assign act chose
        self._assignments: list[Assignment] = []
        self._follow_ups: list[FollowUpRow] = []

    def do(self, task: _Task) -> list[Event]:
        """Do one act, and say the events that it comes to."""
        match task.act.kind:
            case "tag":
                return self._tag(task, Tag.model_validate(task.act.body))
            case "assign":
                self._assign(task, Assign.model_validate(task.act.body))
            case "follow_up":
                self._follow_up(task, FollowUp.model_validate(task.act.body))
            case other:
                raise ValueError(other)
        return []

    def keep(self) -> None:
        """Write down what was decided."""
        if self._homes:
            people_services.assign_home(self._homes)
        Assignment.objects.bulk_create(self._assignments)
        FollowUpRow.objects.bulk_create(self._follow_ups)

    def _nodes(self) -> list[NodeFacts]:
        if self._tree is None:
            self._tree = nodes()
        return self._tree

    def _tag(self, task: _Task, act: Tag) -> list[Event]:
        tags = list(act.tags)
        way = self._ways.of(task.event) if act.of_way else None
        tags += way.tags if way is not None else ()
        task.settle(ActState.DONE if tags else ActState.REFUSED, "" if tags else "no_tags")
        at = max(business_now(), task.event.occurred_at)
        return [
            Event(_own_id(task, tag), "tag.added", at, person=task.person, source=OWN, props={"tag": tag})
            for tag in dict.fromkeys(tags)
        ]

    def _assign(self, task: _Task, act: Assign) -> None:
        assert task.person is not None
        userid = self._on_shift(act) if act.to == "shift" else ""
        node = self._store_of_staff(userid) if userid else None if act.to == "shift" else self._nearest(task.event)
        if node is None:
            task.settle(ActState.REFUSED, "nobody_on_shift" if act.to == "shift" else "no_store")
            return
        self._homes[task.person] = node
        self._assigned[task.act.stimulus_id, task.act.rule] = userid
        row = Assignment(act=task.act, person=task.person, node=node, userid=userid, at=business_now())
        self._assignments.append(row)
        task.settle(ActState.DONE)

    def _nearest(self, event: Event) -> NodeId | None:
        stores = [node for node in self._nodes() if node.kind is NodeKind.STORE]
        latitude, longitude = event.props.get("latitude"), event.props.get("longitude")
        if isinstance(latitude, float | int) and isinstance(longitude, float | int) and _on_earth(latitude, longitude):
            found = nearest((float(latitude), float(longitude)), [(node, node.place) for node in stores])
            if found is not None:
                return found.id
        return next((node.id for node in stores if node.code == event.store), None)

    def _on_shift(self, act: Assign) -> str:
        facts, now = brand(), business_now()
        start = day_start(local_day(now, facts.zone), facts.zone)
        rows = Assignment.objects.filter(userid__in=act.everyone(), at__gte=start, at__lte=now)
        taken = Counter(rows.values_list("userid", flat=True)) + Counter(row.userid for row in self._assignments)
        return next_in_turn(led(act, (), now.astimezone(zone(facts.zone)), taken), taken) or ""

    def _store_of_staff(self, userid: str) -> NodeId | None:
        found = accounts("wecom", None, [userid])
        return found[0].store if found else None

    def _follow_up(self, task: _Task, act: FollowUp) -> None:
        assert task.person is not None
        userid = self._assigned.get((task.act.stimulus_id, task.act.rule)) or task.event.staff or ""
        node = (self._store_of_staff(userid) if userid else None) or self._home_of(task)
        if node is None:
            task.settle(ActState.REFUSED, "no_store")
            return
        due = business_now() + timedelta(hours=act.in_hours)
        note = act.note.model_dump()
        row = FollowUpRow(act=task.act, person=task.person, userid=userid, node=node, note=note, due_at=due)
        self._follow_ups.append(row)
        task.settle(ActState.DONE)

    def _home_of(self, task: _Task) -> NodeId | None:
        """Where the person is at home, else the event's store, else the brand: somebody must see it."""
        assert task.person is not None
        if task.person in self._homes:
            return self._homes[task.person]
        home = people.homes_of([task.person]).get(task.person)
        store = next((node.id for node in self._nodes() if task.event.store and node.code == task.event.store), None)
        return home or store or next((node.id for node in self._nodes() if node.parent is None), None)


def finish_follow_up(viewer: Viewer, number: int, outcome: str = "", userids: Collection[str] | None = None) -> None:
    """Note that somebody was followed up, and what came of it, in a word. `userids`: only one of these accounts' own.
    Raises NotFound outside the viewer's scope."""
    rows = _follow_ups_seen(viewer, number, userids)
    rows.filter(done_at=None).update(done_at=business_now(), done_by=viewer.name, outcome=outcome[:16])


def postpone_follow_up(viewer: Viewer, number: int, due_at: datetime, userids: Collection[str] | None = None) -> None:
    """Let somebody be followed up later; one that is done stays so. Raises as `finish_follow_up`."""
    _follow_ups_seen(viewer, number, userids).filter(done_at=None).update(due_at=due_at)


def begin_follow_up(person: PersonId, userid: str, node: NodeId, note: Note, due_at: datetime) -> int:
    """Keep that a member of staff will follow somebody up, as they said themselves; returns its number. A follow-up of
    theirs of the same person that is still open is put to that time instead."""
    with transaction.atomic():
        lock("reflex")
        row = FollowUpRow.objects.filter(person=person, userid=userid, act=None, done_at=None).first()
        if row is None:
            said = note.model_dump()
            row = FollowUpRow.objects.create(person=person, userid=userid, node=node, note=said, due_at=due_at)
        else:
            row.due_at, row.note = due_at, note.model_dump()
            row.save(update_fields=["due_at", "note"])
        return row.pk


def _follow_ups_seen(viewer: Viewer, number: int, userids: Collection[str] | None) -> QuerySet[FollowUpRow]:
    rows = FollowUpRow.objects.filter(pk=number)
    rows = rows if viewer.nodes is None else rows.filter(node__in=viewer.nodes)
    rows = rows if userids is None else rows.filter(userid__in=list(userids))
    if not rows.exists():
        raise NotFound(f"没有编号为 {number} 的跟进。", f"There is no follow-up with the number {number}.")
    return rows


def forget_persons(births: frozenset[int], identifiers: frozenset[IdentifierValue]) -> int:
    """Delete the stimuli, acts and follow-ups of persons, in the caller's transaction; returns how many stimuli.

    An act that is being done at this moment settles into nothing. Identifiers are compared as their senders wrote them
    and as they are kept.
    """
    theirs = set(Act.objects.filter(person__in=births).values_list("stimulus_id", flat=True))
    theirs |= {
        key
        for key, sealed in Stimulus.objects.exclude(sealed=b"").values_list("pk", "sealed").iterator()
        if any(_is_of(event, births, identifiers) for event in unseal(bytes(sealed)))
    }
    FollowUpRow.objects.filter(Q(person__in=births) | Q(act__stimulus_id__in=theirs)).delete()
    Assignment.objects.filter(Q(person__in=births) | Q(act__stimulus_id__in=theirs)).delete()
    Act.objects.filter(stimulus_id__in=theirs).delete()
    return Stimulus.objects.filter(pk__in=theirs).delete()[0]


def _is_of(event: Event, births: frozenset[int], identifiers: frozenset[IdentifierValue]) -> bool:
    return (
        event.person in births
        or bool(people.erased_among(event.identifiers))
        or not identifiers.isdisjoint(event.identifiers)
    )
