"""The service desk: whose a conversation is, who writes in it, how it ends.

A conversation is opened by what is read and follows it, in the transaction that keeps the messages (`follow`). One
writes at a time: a claim of a few minutes on the row says who, and a second answer from another is refused before
anything is kept. A form bears an id of its own, under which its answer is kept and sent, so sending it twice is once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.kf.contracts import KF, AnswerState, ConversationFacts, ServicePorts
from yutang.channels.kf.models import Account, Conversation, Message, OnDuty
from yutang.channels.ports.service import ServiceMessage, ServicePort, Speaker
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, NotFound, Refused, Unavailable
from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import viewer_named
from yutang.organisation.services import audit

EXTERNAL = "external_userid"
LOCK = "desk"
"""Under it messages are kept and answered, so that a word is followed once."""
WRITING = timedelta(minutes=3)
"""How long a conversation is somebody's who writes in it and does nothing (wall clock)."""
UNTREATED, BOT, WAITING, HUMAN, ENDED = range(5)
RATINGS: Mapping[str, int] = {"yt_rate_3": 3, "yt_rate_2": 2, "yt_rate_1": 1}
REASONS = ("order", "goods", "visit", "complaint", "other")
"""Why a conversation is handed to a guide; a code, since what was said never enters the log."""
MOST_TRIES = 6
A_TURN = 20
_UID = re.compile(r"[0-9a-z]{16,24}")
_FOLLOWED = (
    "asked_at", "waiting_since", "first_answer_at", "answered_by", "hand", "servicer", "closed_at", "closed_by",
)  # fmt: skip
_CHANGED_IN, _CHANGED_HANDS, _CHANGED_END, _CHANGED_AGAIN = 1, 2, 3, 4
_log = structlog.get_logger(__name__)


# What is read ------------------------------------------------------------------------------------------------------


def follow(account: Account, fresh: Sequence[tuple[ServiceMessage, bytes]]) -> None:
    """Let conversations follow what was just read, in its order, within the reader's transaction and under the lock of
    the desk. `fresh`: messages with whom they are with (`who`)."""
    if not fresh:
        return
    standing = {
        bytes(row.who): row
        for row in Conversation.objects.select_for_update().filter(
            account=account, closed_at=None, who__in={who for _, who in fresh}
        )
    }
    changed: dict[bytes, Conversation] = {}
    for message, who in fresh:
        row = standing.get(who)
        if message.origin is Speaker.CUSTOMER and not _rated(account, message, who):
            row = _asked(account, row, message, who)
        elif row is not None and message.origin is Speaker.SERVICER:
            _answered(row, message.at, message.servicer)
        elif row is not None and message.fields.get("event_type") == "session_status_change":
            _moved(row, message)
        if row is not None:
            standing[who] = changed[who] = row
            if row.closed_at is not None:
                row.save(update_fields=_FOLLOWED)
                standing.pop(who)
                changed.pop(who)
    for row in changed.values():
        row.save(update_fields=_FOLLOWED)


def _asked(account: Account, row: Conversation | None, message: ServiceMessage, who: bytes) -> Conversation:
    if row is None:
        row = Conversation.objects.create(
            account=account, who=who, customer=message.customer, opened_at=message.at, asked_at=message.at,
            waiting_since=message.at,
        )  # fmt: skip
    row.asked_at = max(row.asked_at, message.at)
    row.waiting_since = row.waiting_since or message.at
    return row


def _answered(row: Conversation, at: datetime, by: str) -> None:
    row.first_answer_at = row.first_answer_at or max(at, row.opened_at)
    row.answered_by = row.answered_by or by
    row.waiting_since = None


def _moved(row: Conversation, message: ServiceMessage) -> None:
    change = message.fields.get("change_type")
    if change == _CHANGED_END:
        row.hand, row.servicer = ENDED, ""
        row.closed_at, row.closed_by, row.waiting_since = message.at, "platform", None
    elif change in (_CHANGED_IN, _CHANGED_HANDS, _CHANGED_AGAIN):
        row.hand, row.servicer = HUMAN, str(message.fields.get("new_servicer_userid") or "")[:64]


def _rated(account: Account, message: ServiceMessage, who: bytes) -> bool:
    """Whether a message is the customer's word on how they were served; it opens nothing."""
    rating = RATINGS.get(str(message.fields.get("menu_id") or ""))
    if rating is None:
        return False
    last = Conversation.objects.filter(account=account, who=who).order_by("-opened_at", "-pk").first()
    if last is not None:
        Conversation.objects.filter(pk=last.pk).update(rating=rating)
    return True


def note_sent(message: Message) -> None:
    """The platform took a message of ours: whoever waited is answered."""
    mine = Conversation.objects.filter(account=message.account, who=message.who, opened_at__lte=message.at)
    row = mine.order_by("-opened_at", "-pk").first()
    if row is None:
        return
    answered = Conversation.objects.filter(pk=row.pk)
    answered.filter(first_answer_at=None).update(first_answer_at=message.at, answered_by=message.by)
    answered.filter(waiting_since__lte=message.at, asked_at__lte=message.at).update(waiting_since=None)


# Who writes --------------------------------------------------------------------------------------------------------


def may_serve(viewer: Viewer) -> None:
    """Raise Refused for whoever may only look."""
    if viewer.role is RoleName.ANALYST:
        raise Refused("你的角色不能回复客户。", "Your role may not answer customers.")


def claim(viewer: Viewer, row: Conversation) -> None:
    """Be the one who writes in a conversation, for WRITING from now. Raises Refused where another is."""
    may_serve(viewer)
    now = wall_now()
    free = Q(holder__in=("", viewer.name)) | Q(held_until=None) | Q(held_until__lt=now)
    taken = Conversation.objects.filter(free, pk=row.pk, closed_at=None).update(
        holder=viewer.name, held_until=now + WRITING
    )
    if not taken:
        row.refresh_from_db()
        if row.closed_at is not None:
            raise Refused(
                "会话已经关闭；客户再来消息会开一个新的。",
                "The conversation is closed; another opens once the customer writes again.",
            )
        raise Refused(
            f"{row.holder} 正在回复这位客户，请等一等，或先和对方说好。",
            f"{row.holder} is answering this customer; wait, or settle it between you.",
        )


def let_go(viewer: Viewer, row: Conversation) -> None:
    """Write in it no more."""
    Conversation.objects.filter(pk=row.pk, holder=viewer.name).update(holder="", held_until=None)


def answer_in(viewer: Viewer, row: Conversation, uid: str, keep: Callable[[str], str]) -> str:
    """Keep an answer for a conversation that the viewer may see, once for each `uid` of a form; `keep` writes the
    message under the id that it is given. Raises Refused where another writes, BadInput for a form without an id."""
    if not _UID.fullmatch(uid):
        raise BadInput("页面过期了，请刷新再发。", "The page is out of date; open it again and send once more.")
    message_id = f"yt_{uid}"
    with transaction.atomic():
        lock(LOCK)
        if Message.objects.filter(account=row.account_id, message_id=message_id).exists():
            return message_id
        claim(viewer, row)
        sent = keep(message_id)
        mine = Conversation.objects.filter(pk=row.pk)
        mine.filter(assigned="").update(assigned=viewer.name, assigned_at=business_now())
    return sent


# Whose it is -------------------------------------------------------------------------------------------------------


def assign(viewer: Viewer, row: Conversation, username: str, sees: Callable[[Viewer], bool]) -> None:
    """Give a conversation to a user, or (empty) to nobody. Raises NotFound for a user who is not there, Refused for one
    who may not serve or does not see the customer."""
    may_serve(viewer)
    if username:
        other = viewer_named(username)
        may_serve(other)
        if not sees(other):
            raise Refused(
                f"{username} 看不到这位客户，不能接。", f"{username} does not see this customer and cannot serve them."
            )
    Conversation.objects.filter(pk=row.pk, closed_at=None).update(
        assigned=username, assigned_at=business_now() if username else None
    )
    audit(viewer, "desk_assign", f"conversation {row.pk}", to=username)


def set_duty(viewer: Viewer, *, on: bool) -> None:
    """Take conversations from now on, or no more; what one has stays."""
    may_serve(viewer)
    if on:
        OnDuty.objects.get_or_create(username=viewer.name)
    else:
        OnDuty.objects.filter(username=viewer.name).delete()


def share_out(sees: Callable[[Viewer, str], bool]) -> int:
    """Give what waits and is nobody's to whoever is on duty, may see the customer and has the fewest, the longest idle
    first; returns how many were given. (`sees` says whether a viewer sees a customer by their id.)"""
    waiting = list(
        Conversation.objects.filter(closed_at=None, assigned="", waiting_since__isnull=False).order_by("waiting_since")[
            :A_TURN
        ]
    )
    if not waiting:
        return 0
    duty = {row.username: row.given_at for row in OnDuty.objects.all()}
    viewers = {name: viewer for name in duty if (viewer := _viewer(name)) is not None}
    if not viewers:
        return 0
    load = dict.fromkeys(viewers, 0) | dict(
        Conversation.objects.filter(closed_at=None, assigned__in=viewers)
        .values_list("assigned")
        .annotate(count=Count("pk"))
    )
    given = 0
    long_ago = datetime.min.replace(tzinfo=wall_now().tzinfo)
    for row in waiting:
        able = [name for name, viewer in viewers.items() if sees(viewer, row.customer or "")]
        if not able:
            continue
        name = min(able, key=lambda one: (load[one], duty[one] or long_ago, one))
        taken = Conversation.objects.filter(pk=row.pk, closed_at=None, assigned="").update(
            assigned=name, assigned_at=business_now()
        )
        if taken:
            duty[name] = wall_now()
            load[name] += 1
            OnDuty.objects.filter(username=name).update(given_at=duty[name])
            given += 1
    return given


def _viewer(name: str) -> Viewer | None:
    """Who is on duty, if they may serve still: users are closed, and roles taken away, while they are on."""
    try:
        viewer = viewer_named(name)
        may_serve(viewer)
    except (NotFound, Refused):
        return None
    return viewer


# How it ends -------------------------------------------------------------------------------------------------------


def close(viewer: Viewer, row: Conversation, *, solved: bool) -> None:
    """Close a conversation: done, or not. The platform follows. Raises Refused where another is writing."""
    claim(viewer, row)
    closed = Conversation.objects.filter(pk=row.pk, closed_at=None).update(
        closed_at=business_now(), closed_by=viewer.name, solved=solved, waiting_since=None, wish=ENDED, wished="",
        wish_tries=0, wish_after=None, holder="", held_until=None,
    )  # fmt: skip
    if closed:
        audit(viewer, "desk_close", f"conversation {row.pk}", solved=solved)


def hand_to_guide(
    viewer: Viewer, row: Conversation, person: PersonId, userid: str, reason: str, *, serve: bool, store: str
) -> None:
    """Hand a conversation to the person's guide: an event, by which a rule makes a follow-up of theirs; and, to
    `serve`, the conversation itself, at the platform. Raises BadInput, Refused."""
    if reason not in REASONS:
        raise BadInput("请选择转给导购的原因。", "Choose why it is handed to the guide.")
    with transaction.atomic():
        lock(LOCK)  # closed meanwhile, it would begin again at the platform
        claim(viewer, row)
        event = Event(
            EventId(f"desk:{row.pk}:{userid}"[:128]), "service.handed_over", business_now(),
            (IdentifierValue(EXTERNAL, row.account.corp, (row.customer or "")[:256]),), store=store or None,
            staff=userid, source=f"kf:{row.account.kfid}", channel=KF,
            props={"account": row.account.kfid, "reason": reason},
        )  # fmt: skip
        record([event])
        if serve:
            Conversation.objects.filter(pk=row.pk).update(
                wish=HUMAN, wished=userid, wish_tries=0, wish_after=None, trouble=""
            )
        audit(viewer, "desk_hand_over", f"person {person}", to=userid, reason=reason)


def move_wished(ports: ServicePorts) -> int:
    """Let the platform have conversations where the house wants them; returns how many calls that took. A call whose
    answer is lost is looked up before it is made again."""
    now, calls = wall_now(), 0
    due = Conversation.objects.filter(Q(wish_after=None) | Q(wish_after__lte=now), wish__isnull=False)
    for row in due.select_related("account").order_by("pk")[:A_TURN]:
        port = ports.get((row.account.channel, row.account.corp))
        held = Conversation.objects.filter(pk=row.pk, wish=row.wish, wish_tries=row.wish_tries)
        if port is None or not held.update(wish_tries=F("wish_tries") + 1, wish_after=now + WRITING):
            continue
        calls += 1
        _move(port, row, Conversation.objects.filter(pk=row.pk, wish=row.wish))
    return calls


def _move(port: ServicePort, row: Conversation, mine: QuerySet[Conversation]) -> None:
    done = {"wish": None, "wished": "", "trouble": ""}
    wanted, customer = row.wish or 0, row.customer or ""
    try:
        state, servicer = port.state(row.account.kfid, customer)
        there = state == wanted and (wanted != HUMAN or servicer.casefold() == row.wished.casefold())
        if not there and not (wanted == ENDED and state in (UNTREATED, BOT)):
            port.move(row.account.kfid, customer, wanted, row.wished)
        mine.update(**done, hand=wanted, servicer=row.wished)
    except (AnswerLost, TryLater, UnexpectedAnswer, Unavailable) as error:
        wait = wall_now() + timedelta(seconds=2**row.wish_tries)
        after = error.until if isinstance(error, TryLater) else wait
        given_up = row.wish_tries + 1 >= MOST_TRIES
        mine.update(trouble=_said(error), wish_after=after, **({"wish": None} if given_up else {}))
    except RefusedByPlatform as error:
        _log.info("a conversation stays where it is", conversation=row.pk, reason=error.en)
        mine.update(wish=None, wished="", trouble="" if wanted == ENDED else _said(error))


def _said(error: AnswerLost | TryLater | UnexpectedAnswer | Unavailable | RefusedByPlatform) -> str:
    return f"{error.zh} / {error.en}"[:400]


def forget_desk(lookups: Iterable[bytes]) -> int:
    """Forget the conversations with these customers; returns how many."""
    return Conversation.objects.filter(who__in=list(lookups)).delete()[0]


def facts_of(row: Conversation, sent: int) -> ConversationFacts:
    """A row as others see it; `sent`: messages of ours since the customer last wrote."""
    return ConversationFacts(
        row.pk, row.account.kfid, row.account.name, row.opened_at, row.asked_at, row.waiting_since,
        row.first_answer_at, row.answered_by, row.assigned, row.holder, row.held_until, row.hand, row.servicer,
        row.wish, row.trouble, row.closed_at, row.closed_by, row.solved, row.rating, sent,
    )  # fmt: skip


OUR_SENT = (AnswerState.DUE.value, AnswerState.DOING.value, AnswerState.UNKNOWN.value, AnswerState.SENT.value)
"""States of ours that use up one of the five messages."""
