"""Reading customer service, answering in it, and telling what the platform says afterwards.

A callback only rings: what was said is read from where we stood, page by page; each page is kept, with its events and
the cursor behind it, in one transaction. Killed anywhere, or done by two at once, each word is there once, in order.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import models, transaction

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.kf import desk
from yutang.channels.kf.contracts import KF, AnswerState, ServicePorts
from yutang.channels.kf.models import Account, Conversation, Message
from yutang.channels.ports.service import ServiceClosed, ServiceContent, ServiceMessage, ServicePort, Speaker
from yutang.intake.lease import me
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.database import lock
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import EventId, PersonId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import corps
from yutang.people.bulk import chunks
from yutang.people.queries import all_identifiers_of, find_values, person_card

WECOM = "wecom"
EXTERNAL = "external_userid"
TEXT_BYTES = 2_048
CLAIM = timedelta(minutes=2)
A_TURN = 20
MOST_TRIES = 8
MOST_PAGES = 1_000
HOUSE = "house"
_CONTEXT = "kf.message"
_RATE_US: Mapping[str, object] = {
    "head_content": "这次服务您满意吗？",
    "list": [
        {"type": "click", "click": {"id": "yt_rate_3", "content": "满意"}},
        {"type": "click", "click": {"id": "yt_rate_2", "content": "一般"}},
        {"type": "click", "click": {"id": "yt_rate_1", "content": "不满意"}},
    ],
}
_STALE_TOKEN = 95007
_OPEN = (AnswerState.DUE.value, AnswerState.DOING.value, AnswerState.UNKNOWN.value)
_log = structlog.get_logger(__name__)

#: What the platform says afterwards of a message that did not arrive (WeCom doc 94670), in Chinese and in English.
FAILURES: Mapping[int, tuple[str, str]] = {
    0: ("未知原因", "for an unknown reason"),
    1: ("客服账号已删除", "the account was deleted"),
    2: ("应用已关闭", "the app is closed"),
    4: ("会话已超过 48 小时", "the conversation is older than 48 hours"),
    5: ("会话已关闭", "the conversation is closed"),
    6: ("超过 5 条限制", "more than five were sent"),
    7: ("没有绑定视频号", "no Channels account is bound"),
    8: ("主体未认证", "the subject is not verified"),
    9: ("没有绑定视频号，且主体未认证", "no Channels account is bound, and the subject is not verified"),
    10: ("客户拒收", "the customer refuses messages"),
    11: ("企业没有成员登录过企业微信", "nobody of the corp ever logged in to WeCom"),
    12: ("客服组件禁发这种消息", "the service component forbids this type"),
    13: ("平台安全限制", "the platform's security limit"),
}


@dataclass(frozen=True, slots=True)
class Read:
    """What reading an account came to: how many messages were read, and how many of them were new."""

    read: int = 0
    new: int = 0

    def __add__(self, other: Read) -> Read:
        return Read(self.read + other.read, self.new + other.new)


# Reading -----------------------------------------------------------------------------------------------------------


def meet_accounts(corp: str, port: ServicePort) -> list[str]:
    """Know the accounts that the platform names, and that others are gone; returns their ids."""
    found = port.accounts()
    with transaction.atomic():
        for one in found:
            Account.objects.update_or_create(corp=corp, kfid=one.id, defaults={"name": one.name[:64], "gone": False})
        Account.objects.filter(corp=corp).exclude(kfid__in=[one.id for one in found]).update(gone=True)
    return [one.id for one in found]


def read_account(corp: str, port: ServicePort, kfid: str, token: str = "", *, synthetic: bool = False) -> Read:
    """Read an account from where we stood to its end. Raises what the port raises; what was read until then is kept."""
    account, _ = Account.objects.get_or_create(corp=corp, kfid=kfid)
    done = Read()
    for _ in range(MOST_PAGES):
        cursor = Account.objects.values_list("cursor", flat=True).get(pk=account.pk)
        try:
            page = port.read(kfid, cursor, token)
        except RefusedByPlatform as refused:
            if refused.errcode == _STALE_TOKEN and token:  # the bell is older than ten minutes
                token = ""
                continue
            Account.objects.filter(pk=account.pk).update(trouble=f"{refused.zh} / {refused.en}"[:400])
            raise
        with transaction.atomic():
            lock(desk.LOCK)
            new = _keep(account, page.messages, synthetic=synthetic)
            failpoint("kf.kept")
            moved = Account.objects.filter(pk=account.pk, cursor=cursor).update(
                cursor=page.cursor, read_at=wall_now(), trouble="", gone=False
            )
        failpoint("kf.page")
        done += Read(len(page.messages), new)
        if not page.more or not moved:  # another has read on meanwhile: it goes to the end
            return done
    raise UnexpectedAnswer("kf/sync_msg", "消息没有尽头", "its messages have no end")


def _keep(account: Account, messages: Sequence[ServiceMessage], *, synthetic: bool) -> int:
    """Keep what is new of a page, with its events; returns how many were new."""
    ids = [one.message_id for one in messages]
    known = set(Message.objects.filter(account=account, message_id__in=ids).values_list("message_id", flat=True))
    fresh = [one for one in {one.message_id: one for one in messages}.values() if one.message_id not in known]
    ring = keyring()
    Message.objects.bulk_create(
        [
            Message(
                account=account,
                message_id=one.message_id[:64],
                who=ring.lookup_hash(EXTERNAL, account.corp, one.customer),
                customer=one.customer,
                at=one.at,
                origin=one.origin.value,
                servicer=one.servicer[:64],
                kind=_kind(one)[:24],
                sealed=_seal(one.fields),
            )
            for one in fresh
        ],
        ignore_conflicts=True,
    )
    for one in fresh:
        if _kind(one) == "msg_send_fail":
            _fail(account, one)
    desk.follow(
        account, [(one, ring.lookup_hash(EXTERNAL, account.corp, one.customer)) for one in fresh if one.customer]
    )
    events = [event for one in fresh if (event := _event(account, one, synthetic)) is not None]
    if events:
        record(events)
    return len(fresh)


def _kind(message: ServiceMessage) -> str:
    """The type of a message; of an event, which event."""
    return str(message.fields.get("event_type") or "event") if message.kind == "event" else message.kind


def _fail(account: Account, message: ServiceMessage) -> None:
    """The platform says that something of ours did not arrive."""
    failed, why = str(message.fields.get("fail_msgid") or ""), message.fields.get("fail_type")
    zh, en = FAILURES.get(why if isinstance(why, int) else 0, FAILURES[0])
    Message.objects.filter(account=account, message_id=failed, origin=HOUSE).update(
        state=AnswerState.FAILED, reason=f"{zh} / {en}"
    )


def _event(account: Account, message: ServiceMessage, synthetic: bool) -> Event | None:
    """What the log is told: that a customer came, that a customer wrote. Never what they wrote."""
    kind = _kind(message)
    entered = message.origin is Speaker.SYSTEM and kind == "enter_session"
    if not message.customer or not (entered or message.origin is Speaker.CUSTOMER):
        return None
    props: dict[str, object] = {"account": account.kfid, "synthetic": True} if synthetic else {"account": account.kfid}
    scene = str(message.fields.get("scene") or "")[:32]
    said = ({"scene": scene} if scene else {}) if entered else {"kind": kind[:24]}
    return Event(
        EventId(f"kf:{account.kfid}:{message.message_id}"[:128]),
        "service.entered" if entered else "message.received",
        message.at,
        (IdentifierValue(EXTERNAL, account.corp, message.customer[:256]),),
        source=f"kf:{account.kfid}",
        channel=KF,
        props=props | said,
    )


def _seal(fields: Mapping[str, object]) -> bytes:
    return keyring().encrypt(json.dumps(dict(fields), ensure_ascii=False), _CONTEXT)


def unseal(sealed: bytes) -> Mapping[str, object]:
    """What a message said, as it was read or is to be sent."""
    said = json.loads(keyring().decrypt(bytes(sealed), _CONTEXT))
    return said if isinstance(said, dict) else {}


# Answering ---------------------------------------------------------------------------------------------------------


def answer(viewer: Viewer, person: PersonId, text: str, account: str = "") -> str:
    """Have a text sent to a person who wrote to an account of ours: that account, or the one they wrote to last.

    Returns the message's id. Raises NotFound for whom the viewer does not see or who never wrote, BadInput, Refused.
    """
    if viewer.role is RoleName.ANALYST:
        raise Refused("你的角色不能回复客户。", "Your role may not answer customers.")
    card = person_card(viewer, person)
    if card.blocked:
        raise Refused("这位客户不能再联系。", "This customer is not to be contacted.")
    said = _checked(text)
    rows = Message.objects.filter(who__in=lookups_of_person(person), origin=Speaker.CUSTOMER.value)
    if account:
        rows = rows.filter(account__kfid=account)
    last = rows.select_related("account").order_by("-at", "-pk").first()
    if last is None:
        raise NotFound("这位客户没有来咨询过。", "This customer has never written to customer service.")
    message_id = f"yt_{secrets.token_hex(12)}"
    with transaction.atomic():
        Message.objects.create(
            account=last.account,
            message_id=message_id,
            who=last.who,
            customer=last.customer,
            at=business_now(),
            origin=HOUSE,
            kind="text",
            sealed=_seal({"content": said}),
            state=AnswerState.DUE,
            by=viewer.name[:80],
        )
        organisation.audit(viewer, "answer", f"person {person}", account=last.account.kfid)
    return message_id


def _checked(text: str) -> str:
    said = text.strip()
    if not said or len(said.encode()) > TEXT_BYTES:
        raise BadInput(
            f"回复应有内容，且不超过 {TEXT_BYTES} 字节（约 680 个汉字）。",
            f"An answer has some text, and at most {TEXT_BYTES} bytes in UTF-8.",
        )
    return said


def answer_conversation(viewer: Viewer, number: int, text: str, uid: str) -> str:
    """Have a text sent in a conversation, once for each `uid` of a form; returns the message's id. Raises NotFound for
    one that the viewer does not see, Refused while another writes or nothing can be sent, BadInput."""
    row, person = conversation_seen(viewer, number)
    said = _checked(text)
    if person is not None and person_card(viewer, person).blocked:
        raise Refused("这位客户不能再联系。", "This customer is not to be contacted.")

    def keep(message_id: str) -> str:
        _queue(row, message_id, "text", {"content": said}, viewer.name)
        organisation.audit(viewer, "answer", f"conversation {row.pk}", account=row.account.kfid)
        return message_id

    return desk.answer_in(viewer, row, uid, keep)


def close_conversation(viewer: Viewer, number: int, *, solved: bool, ask: bool) -> None:
    """Close a conversation; with `ask` the customer is asked, by a menu, how they were served, as long as the platform
    takes a message. Raises as `answer_conversation`."""
    row, _person = conversation_seen(viewer, number)
    with transaction.atomic():
        lock(desk.LOCK)
        desk.close(viewer, row, solved=solved)
        if ask:
            _queue(row, f"yt_{secrets.token_hex(12)}", "msgmenu", _RATE_US, viewer.name)


def conversation_seen(viewer: Viewer, number: int) -> tuple[Conversation, PersonId | None]:
    """A conversation with its person, where they are known. Raises NotFound where the viewer does not see them: whom
    nobody knows yet, only headquarters sees."""
    row = Conversation.objects.filter(pk=number).select_related("account").first()
    person = None if row is None else find_values(viewer, EXTERNAL, [row.customer or ""]).get(row.customer or "")
    if row is None or (person is None and not viewer.sees_all):
        raise NotFound("没有这个会话。", "There is no such conversation.")
    return row, person


def _queue(row: Conversation, message_id: str, kind: str, fields: Mapping[str, object], by: str) -> None:
    Message.objects.create(
        account=row.account, message_id=message_id, who=row.who, customer=row.customer, at=business_now(), origin=HOUSE,
        kind=kind, sealed=_seal(fields), state=AnswerState.DUE, by=by[:80],
    )  # fmt: skip


def lookups_of_person(person: PersonId) -> list[bytes]:
    """The lasting look-up hashes of a person's ids in each corp."""
    ring = keyring()
    found = {one.corp: all_identifiers_of([person], EXTERNAL, one.corp) for one in corps() if one.channel == WECOM}
    return [
        ring.lookup_hash(EXTERNAL, corp, one) for corp, ids in found.items() for mine in ids.values() for one in mine
    ]


def hand_out(ports: ServicePorts) -> int:
    """Give what waits to whoever is on duty, move conversations, and send what is due, oldest first; returns how many
    calls were made. A claim that ran out is sent again under the same id, so that it arrives once."""
    now = wall_now()
    lost = Message.objects.filter(state=AnswerState.DOING, claim_until__lt=now)
    lost.update(state=AnswerState.UNKNOWN)
    due = Message.objects.filter(
        models.Q(not_before=None) | models.Q(not_before__lte=now), state__in=(AnswerState.DUE, AnswerState.UNKNOWN)
    )
    desk.share_out(lambda viewer, customer: viewer.sees_all or bool(find_values(viewer, EXTERNAL, [customer])))
    calls = desk.move_wished(ports)
    for message in due.select_related("account").order_by("pk")[:A_TURN]:
        port = ports.get((message.account.channel, message.account.corp))
        if port is None:
            continue
        holder = me()
        claimed = Message.objects.filter(pk=message.pk, state=message.state).update(
            state=AnswerState.DOING, claimed_by=holder, claim_until=now + CLAIM, tries=message.tries + 1
        )
        if claimed:
            calls += 1
            failpoint("kf.claimed")
            _send(port, message, holder)
    return calls


def _send(port: ServicePort, message: Message, holder: str) -> None:
    mine = Message.objects.filter(pk=message.pk, state=AnswerState.DOING, claimed_by=holder)
    again = message.state == AnswerState.UNKNOWN
    content = ServiceContent(message.kind, unseal(message.sealed))
    try:
        port.send(message.account.kfid, message.customer or "", message.message_id, content, again=again)
        failpoint("kf.sent")
    except AnswerLost as error:
        _later(mine, AnswerState.UNKNOWN, message.tries, error)
    except (TryLater, UnexpectedAnswer) as error:
        _later(mine, AnswerState.UNKNOWN if again else AnswerState.DUE, message.tries, error)
    except (ServiceClosed, RefusedByPlatform, BadInput) as error:
        mine.update(state=AnswerState.REFUSED, reason=f"{error.zh} / {error.en}"[:400], claim_until=None)
    else:
        if mine.update(state=AnswerState.SENT, reason="", claim_until=None):
            desk.note_sent(message)


def _later(mine: models.QuerySet[Message], state: AnswerState, tries: int, error: YutangError) -> None:
    """Try again after a while that grows; given up after MOST_TRIES."""
    if tries + 1 >= MOST_TRIES:
        state = AnswerState.REFUSED
    until = error.until if isinstance(error, TryLater) else wall_now() + timedelta(seconds=2**tries)
    mine.update(state=state, not_before=until, reason=f"{error.zh} / {error.en}"[:400], claim_until=None)


def forget_conversations(lookups: Sequence[bytes]) -> int:
    """Forget what was said with these customers, by the look-up hashes of their ids; returns how many messages."""
    forgotten = 0
    for part in chunks(lookups, 500):
        desk.forget_desk(part)
        forgotten += Message.objects.filter(who__in=part).delete()[0]
    return forgotten
