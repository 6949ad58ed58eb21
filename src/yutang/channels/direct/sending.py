"""The lane that sends letters: claims a call's worth of one mailing, looks once more, calls the provider, settles.

One worker at a time sends for an account (`database.mine`), so that rates hold; what must not be done twice hangs on
states. A letter whose worker died between the call and our commit may have left. Where the provider knows our uid it is
sent again under it; where it can be asked it is looked up; else it is `unknown` for good, and never sent again.

Looked at just before the call: consent, preferences and whether the person was blocked meanwhile; the deadline, which
is also the end of the recipient's own open hours; and the hours outside of which a channel takes no marketing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from yutang.channels.contracts import AnswerLost, CannotCarry
from yutang.channels.direct.accounts import adapter_of, new_uid
from yutang.channels.direct.addresses import allowances, dead_among, note_dead, used
from yutang.channels.direct.contracts import (
    HOLD,
    KEPT,
    LOOKED_UP,
    MOST_TRIES,
    Adapter,
    Answer,
    Kind,
    Letter,
    LetterState,
    Lost,
    Outcome,
    Pause,
    Size,
)
from yutang.channels.direct.outbox import WITHDRAWN, settle_unsent, unpacked
from yutang.channels.direct.registry import kind_named, kinds
from yutang.channels.models import HeardOnce, Mailing, Outlet
from yutang.channels.models import Letter as Row
from yutang.intake.lease import lives, me
from yutang.kernel import calendars, database
from yutang.kernel.clock import business_now, monotonic, wall_now
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId
from yutang.kernel.turns import my_turn
from yutang.organisation.contracts import ChannelAccountFacts
from yutang.organisation.queries import OWNER, brand, channel_accounts
from yutang.people.calling import called, is_personal
from yutang.people.links import link_of
from yutang.people.queries import may_be_touched, names_of

FIRST_WAIT, LONGEST_WAIT = 60.0, 6 * 3_600.0
ASK_AGAIN = timedelta(minutes=2)
"""Between two looks at a provider for a letter whose answer was lost."""
NOBODY_ASKS = timedelta(days=3)
"""After a letter left nothing more is told of it, and its recipient is forgotten."""
_log = structlog.get_logger(__name__)
_next: dict[tuple[str, str], float] = {}
"""When each account may send again, by this process's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What a look at the outbox did: letters that left, and that came to something else."""

    sent: int = 0
    others: int = 0

    @property
    def idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.sent or self.others)

    def __add__(self, other: Worked) -> Worked:
        return Worked(self.sent + other.sent, self.others + other.others)


def work() -> Worked:
    """One call for each account that has something to send and may; any number of workers may do so at once."""
    done = Worked()
    for account in channel_accounts():
        if account.kind not in kinds() or not _concerned(account):
            continue
        with database.mine(f"outlet {account.channel} {account.corp}") as free:
            if free:
                done += _work(account, kind_named(account.kind))
    return done


def _open(account: ChannelAccountFacts) -> QuerySet[Row]:
    states = (LetterState.QUEUED.value, LetterState.SENDING.value, LetterState.UNKNOWN.value)
    return Row.objects.filter(mailing__channel=account.channel, mailing__corp=account.corp, state__in=states)


def _concerned(account: ChannelAccountFacts) -> bool:
    return _open(account).exclude(state=LetterState.UNKNOWN.value, settled_at__isnull=False).exists()


def _work(account: ChannelAccountFacts, kind: Kind) -> Worked:
    _give_up(account, kind)
    cancelled = _cancel_late(account)
    if not account.on:
        return Worked(0, cancelled)
    adapter = adapter_of(account)
    found = _look_up(account, kind, adapter)
    if _paused(account) or monotonic() < _next.get((account.channel, account.corp), 0.0):
        return Worked(0, cancelled + found)
    claimed, silent = _claim(account, kind)
    if not claimed:
        return Worked(0, cancelled + found + silent)
    failpoint("letters.claimed")
    sent = _call(account, kind, adapter, claimed)
    if account.per_second:
        _next[account.channel, account.corp] = monotonic() + len(claimed) / account.per_second
    return Worked(sent, cancelled + found + silent + len(claimed) - sent)


def _paused(account: ChannelAccountFacts) -> bool:
    return Outlet.objects.filter(channel=account.channel, corp=account.corp, paused_until__gt=wall_now()).exists()


# What nobody sends any more ------------------------------------------------------------------------------------------


def _give_up(account: ChannelAccountFacts, kind: Kind) -> None:
    """Letters whose worker is dead, or has had them for too long: they may have left."""
    sending = _open(account).filter(state=LetterState.SENDING.value)
    now = wall_now()
    dead = [one for one in sending.values_list("claimed_by", flat=True).distinct() if not lives(one)]
    lost = list(sending.filter(Q(claimed_by__in=dead) | Q(claim_until__lt=now)).values_list("pk", flat=True))
    if not lost:
        return
    same = Row.objects.filter(pk__in=lost, state=LetterState.SENDING.value)
    with my_turn(), transaction.atomic():
        if kind.lost is Lost.REPEAT:
            same.update(state=LetterState.QUEUED.value)
        else:
            same.update(state=LetterState.UNKNOWN.value, reason="answer_lost", **_as_unknown(kind, now))


def _as_unknown(kind: Kind, now: datetime) -> dict[str, Any]:
    """What holds of a letter that may have left: it is asked about, or nothing more can be told of it."""
    if kind.lost is Lost.LOOK_UP:
        return {"not_before": now + ASK_AGAIN, "settled_at": None}
    return {"not_before": None, "settled_at": now}


def _cancel_late(account: ChannelAccountFacts) -> int:
    """What is not out by its deadline is not sent, nor what came back into the queue after its task was withdrawn."""
    over = Q(until__lte=business_now()) | Q(withdrawn=True)
    late = Mailing.objects.filter(
        over, channel=account.channel, corp=account.corp, letters__state=LetterState.QUEUED.value
    ).distinct()
    count = 0
    for mailing in late:
        with my_turn(), transaction.atomic():
            count += settle_unsent(mailing, "cancelled" if mailing.withdrawn else "deadline")
    return count


def _look_up(account: ChannelAccountFacts, kind: Kind, adapter: Adapter) -> int:
    """Ask the provider about letters whose answer was lost. One that is certainly not there waits again."""
    if kind.lost is not Lost.LOOK_UP:
        return 0
    now = wall_now()
    unknown = _open(account).filter(state=LetterState.UNKNOWN.value, settled_at=None)
    unknown.filter(called_at__lt=now - LOOKED_UP).update(settled_at=now, recipient=None)
    rows = list(unknown.filter(not_before__lte=now).select_related("mailing").order_by("pk")[:20])
    if not rows:
        return 0
    try:
        answers = {one.uid: one for one in adapter.find([_letter(row, row.called_at) for row in rows])}
    except (Pause, AnswerLost) as trouble:
        _log.info("letters not looked up", account=account.corp, reason=trouble.en)
        answers = {}
    changed = 0
    with my_turn(), transaction.atomic():
        for row in rows:
            answer = answers.get(row.uid, Answer(row.uid, Outcome.UNKNOWN))
            same = Row.objects.filter(pk=row.pk, state=LetterState.UNKNOWN.value, call=row.call)
            if answer.outcome is Outcome.TAKEN:
                size = adapter.size(unpacked(row.mailing))
                changed += same.update(
                    state=LetterState.SENT.value, reason="", sent_at=business_now(), settled_at=now,
                    provider_id=answer.provider_id or row.provider_id, cost=account.cost * size.pieces,
                )  # fmt: skip
            elif answer.outcome is Outcome.LATER:
                changed += same.update(state=LetterState.QUEUED.value, reason="", not_before=None)
            else:
                same.update(not_before=now + ASK_AGAIN)
    return changed


# Sending -------------------------------------------------------------------------------------------------------------


def _claim(account: ChannelAccountFacts, kind: Kind) -> tuple[list[Row], int]:
    """A call's worth of letters of one mailing that may leave now; and how many were cancelled, since their recipients
    said stop, or are not reached any more at their addresses."""
    now = wall_now()
    due = _open(account).filter(Q(not_before=None) | Q(not_before__lte=now), state=LetterState.QUEUED.value)
    stands = Q(mailing__until=None) | Q(mailing__until__gt=business_now())
    due = due.filter(stands, mailing__withdrawn=False)
    if not _may_market(kind):
        due = due.filter(mailing__marketing=False)
    first = due.order_by("mailing", "pk").values_list("mailing", flat=True).first()
    if first is None:
        return [], 0
    call, holder = new_uid(), me()
    with my_turn(), transaction.atomic():
        chosen = Row.objects.filter(
            Q(not_before=None) | Q(not_before__lte=now),
            mailing__in=Mailing.objects.filter(pk=first, withdrawn=False),
            state=LetterState.QUEUED.value,
        ).order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            chosen = chosen.select_for_update(skip_locked=True)
        most = 1 if kind.one_text and _is_personal(first) else kind.capabilities.recipients
        keys = list(chosen.values_list("pk", flat=True)[:most])
        rows = list(Row.objects.filter(pk__in=keys).select_related("mailing").order_by("pk"))
        refused = _refusals(kind, account, rows)
        for pk, (state, reason) in refused.items():
            Row.objects.filter(pk=pk).update(state=state.value, reason=reason[:60], recipient=None, settled_at=now)
        Row.objects.filter(pk__in=[key for key in keys if key not in refused], state=LetterState.QUEUED.value).update(
            state=LetterState.SENDING.value, call=call, called_at=now, claimed_by=holder, claim_until=now + HOLD,
            tries=F("tries") + 1,
        )  # fmt: skip
    mine = Row.objects.filter(call=call, state=LetterState.SENDING.value)
    return list(mine.select_related("mailing").order_by("pk")), len(refused)


def _is_personal(mailing: int) -> bool:
    found = Mailing.objects.filter(pk=mailing).first()
    return found is not None and is_personal(unpacked(found).text)


def _may_market(kind: Kind) -> bool:
    """Whether the channel takes marketing at this hour of the brand's day."""
    if kind.capabilities.hours is None:
        return True
    opens, closes = kind.capabilities.hours
    return opens <= business_now().astimezone(calendars.zone(brand().zone)).time() < closes


def _refusals(kind: Kind, account: ChannelAccountFacts, rows: Sequence[Row]) -> dict[int, tuple[LetterState, str]]:
    """Why letters may not leave any more, by row."""
    if not rows:
        return {}
    permit = unpacked(rows[0].mailing).permit
    found: dict[int, tuple[LetterState, str]] = {}
    if permit is not None and permit.purpose:
        asked = {PersonId(row.person): None for row in rows if row.person is not None}
        words = may_be_touched(asked, permit.purpose, account.channel, permit.topic)
        for row in rows:
            word = words.get(PersonId(row.person or 0))
            if word is not None:
                found[row.pk] = (LetterState.CANCELLED, f"{WITHDRAWN}{word.value}")
    capabilities = kind.capabilities
    namespace = account.corp if capabilities.namespaced else ""
    dead = dead_among(capabilities.addressed_by or "", namespace, [row.recipient or "" for row in rows])
    return found | {row.pk: (LetterState.REFUSED, "bounced") for row in rows if row.recipient in dead}


def _letter(row: Row, called_at: datetime | None = None, name: str = "") -> Letter:
    """A letter as its recipient reads it, who is called by that name."""
    link = link_of(PersonId(row.person)) if row.person is not None else ""
    content = unpacked(row.mailing)
    content = replace(content, text=called(content.text, name))
    return Letter(row.uid, row.call, row.recipient or "", content, link, called_at)


def _letters(rows: Sequence[Row]) -> list[Letter]:
    persons = [PersonId(row.person) for row in rows if row.person is not None]
    personal = any(is_personal(unpacked(row.mailing).text) for row in rows[:1])  # they are of one mailing
    names = names_of(OWNER, persons) if personal else {}
    return [_letter(row, name=names.get(PersonId(row.person or 0), "")) for row in rows]


def _call(account: ChannelAccountFacts, kind: Kind, adapter: Adapter, rows: Sequence[Row]) -> int:
    """Call the provider for these letters and settle them; returns how many left."""
    capabilities = kind.capabilities
    addressed_by, namespace = capabilities.addressed_by or "", account.corp if capabilities.namespaced else ""
    letters = _letters(rows)
    known = allowances(addressed_by, namespace, [one.recipient for one in letters])
    answers: dict[str, Answer] = {}
    pause: Pause | None = None
    size = Size()
    try:
        size = adapter.size(letters[0].content)
        for answer in adapter.send(letters, known):
            answers[answer.uid] = answer
    except Pause as said:
        pause = said
    except CannotCarry as no:  # the templates were changed since it was written
        _log.warning("letters cannot be carried", account=account.corp, reason=no.en)
        answers = {one.uid: Answer(one.uid, Outcome.REFUSED, "cannot_carry") for one in letters}
    except AnswerLost as lost:
        _log.warning("an answer was lost", account=account.corp, reason=lost.en)
    except Exception:  # noqa: BLE001  # whatever an adapter met, what it was given may have left
        _log.exception("an adapter failed", account=account.corp)
    failpoint("letters.answered")
    rest = Outcome.LATER if pause is not None else Outcome.UNKNOWN
    for one in letters:
        answers.setdefault(one.uid, Answer(one.uid, rest, "paused" if pause else "answer_lost"))
    _settle(account, kind, rows, answers, size, pause)
    return sum(answer.outcome is Outcome.TAKEN for answer in answers.values())


def _settle(
    account: ChannelAccountFacts, kind: Kind, rows: Sequence[Row], answers: Mapping[str, Answer], size: Size,
    pause: Pause | None,
) -> None:  # fmt: skip
    """Keep what became of a call. A letter that was given up meanwhile hears of it all the same: by the call's id."""
    now = wall_now()
    capabilities = kind.capabilities
    addressed_by, namespace = capabilities.addressed_by or "", account.corp if capabilities.namespaced else ""
    groups: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    for row in rows:
        groups[tuple(_changes(account, kind, row, answers[row.uid], size, now).items())].append(row.pk)
    taken = [row.recipient or "" for row in rows if answers[row.uid].outcome is Outcome.TAKEN]
    dead = {row.recipient: answers[row.uid].reason for row in rows if answers[row.uid].bad_address and row.recipient}
    reachable = (LetterState.SENDING.value, LetterState.UNKNOWN.value)
    with my_turn(), transaction.atomic():
        for changes, keys in groups.items():
            Row.objects.filter(pk__in=keys, call=rows[0].call, state__in=reachable).update(**dict(changes))
        if taken and (size.answer or size.template):
            used(addressed_by, namespace, taken, size.template)
        for recipient, reason in dead.items():
            note_dead(addressed_by, namespace, recipient, reason)
        _note(account, pause, now)


def _changes(
    account: ChannelAccountFacts, kind: Kind, row: Row, answer: Answer, size: Size, now: datetime
) -> dict[str, Any]:
    if answer.outcome is Outcome.TAKEN:
        return {
            "state": LetterState.SENT.value, "reason": "", "provider_id": answer.provider_id[:128],
            "sent_at": business_now(), "settled_at": now, "cost": account.cost * size.pieces,
        }  # fmt: skip
    if answer.outcome is Outcome.UNKNOWN and (kind.lost is not Lost.REPEAT or row.tries >= MOST_TRIES):
        return {"state": LetterState.UNKNOWN.value, "reason": answer.reason[:60], **_as_unknown(kind, now)}
    if answer.reason == "paused":
        return {"state": LetterState.QUEUED.value, "tries": row.tries - 1, "not_before": None}
    if answer.outcome is Outcome.REFUSED or row.tries >= MOST_TRIES:
        over = {"state": LetterState.REFUSED.value, "recipient": None, "settled_at": now}
        return {**over, "reason": answer.reason[:60]}
    wait = answer.wait if answer.wait is not None else _backoff(row.tries)
    later = {"state": LetterState.QUEUED.value, "not_before": now + timedelta(seconds=wait)}
    return {**later, "reason": answer.reason[:60]}


def _backoff(tries: int) -> float:
    """Seconds: a minute, four, sixteen … up to six hours, a random part of it taken off."""
    return min(FIRST_WAIT * 4.0 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def _note(account: ChannelAccountFacts, pause: Pause | None, now: datetime) -> None:
    said: dict[str, Any] = {"paused_until": None, "trouble_zh": "", "trouble_en": ""}
    if pause is not None:
        until = now + timedelta(seconds=pause.wait)
        said = {"paused_until": until, "trouble_zh": pause.zh[:200], "trouble_en": pause.en[:200]}
    if pause is not None or Outlet.objects.filter(channel=account.channel, corp=account.corp).exists():
        Outlet.objects.update_or_create(channel=account.channel, corp=account.corp, defaults=said)


# Forgetting ----------------------------------------------------------------------------------------------------------


def forget_old_letters() -> int:
    """Empty letters of which nothing more will be told, and forget those that settled long ago; returns how many."""
    now = wall_now()
    quiet = Row.objects.filter(settled_at__lt=now - NOBODY_ASKS).exclude(recipient=None)
    quiet.update(recipient=None)
    open_states = (LetterState.QUEUED.value, LetterState.SENDING.value)
    told = Mailing.objects.filter(made_at__lt=now - NOBODY_ASKS).exclude(content=None)
    told.exclude(letters__state__in=open_states).exclude(letters__settled_at=None).update(content=None)
    HeardOnce.objects.filter(at__lt=now - KEPT).delete()
    old = Mailing.objects.filter(made_at__lt=now - KEPT).exclude(letters__state__in=open_states)
    gone = Row.objects.filter(mailing__in=old).delete()[0]
    old.delete()
    return gone


def forget_letters_to(persons: Iterable[int]) -> int:
    """Forget the letters to somebody who is erased, sent or not; returns how many. In the caller's transaction."""
    return Row.objects.filter(person__in=sorted(persons)).delete()[0]
