"""The port by which a mass send leaves the house, and what comes back through it.

A mass send is asked for, not done: the platform hands the sender a task, and only the sender's tap sends it. So the
port speaks of tasks, senders and results; `reach` decides, and any connector can stand behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from yutang.kernel.errors import Unavailable, YutangError


@dataclass(frozen=True, slots=True)
class Window:
    """On this channel the brand may only answer: within `lasts` of what the customer did, at most `messages` times."""

    lasts: timedelta
    messages: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a way of reaching customers can do. Every one is declared in the code of its connector.

    `channel` is what consent, preferences and caps speak of, and the channel of its sender accounts; `name` tells
    connectors of one channel apart (`sms.aliyun`, `sms.tencent`). `addressed_by`: the kind of identifier it is
    addressed by; None: by relation, since one of our people speaks to a friend of theirs. `namespaced`: such an
    identifier belongs to one account (the openid of an app), whose `corp` is its namespace; phones and e-mails have
    none.

    `text` counts UTF-8 bytes, or characters where `characters`; `links` to `files`: how many of each stand beside it.
    `uploads`: files are handed over as bytes, so an address elsewhere does not do. `recipients` is the most that one
    call takes, `per_second` the most messages that leave an account in a second (0: no limit of ours). `cost` is what
    one message (of short messages: one segment) costs, in the brand's currency, until somebody says otherwise for an
    account.
    `by_home`: whoever is nobody's friend there is spoken to by the people of their home store.
    `marketing`: whether the platform lets it carry marketing at all. `hours`: of the brand's local day, outside of
    which the platform takes no marketing. `taps`: nothing is sent before one of our people has tapped.
    """

    name: str
    channel: str
    zh: str
    en: str
    addressed_by: str | None = None
    namespaced: bool = False
    by_home: bool = False
    text: int = 4_000
    characters: bool = False
    links: int = 0
    pictures: int = 0
    mini_programs: int = 0
    videos: int = 0
    files: int = 0
    recipients: int = 1
    per_second: float = 0.0
    cost: Decimal = Decimal(0)
    marketing: bool = True
    window: Window | None = None
    hours: tuple[time, time] | None = None
    taps: bool = False
    uploads: bool = False


@dataclass(frozen=True, slots=True)
class MassSendLimits:
    """What one task may carry. Text is counted in UTF-8 bytes, not characters; `links` counts all that stands beside
    it. Defaults: WeCom docs 92135 and 97610."""

    recipients: int = 10_000
    text_bytes: int = 4_000
    links: int = 9
    reminders_per_day: int = 3


@dataclass(frozen=True, slots=True)
class Link:
    """A card that opens a page. In UTF-8 bytes: title ≤ 128, summary ≤ 512, addresses ≤ 2048 (WeCom doc 92135)."""

    title: str
    url: str
    summary: str = ""
    picture_url: str = ""


class AttachedKind(StrEnum):
    """What stands beside a text and is no link card. Platforms name them alike."""

    IMAGE = "image"
    MINI_PROGRAM = "miniprogram"
    VIDEO = "video"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Attached:
    """A picture, video or file, or a card that opens `page` of the mini program `appid`, with a picture as its cover.

    `file` is the digest of the kept file, and of what a platform lists again empty: its own id for it is another every
    few days. `address` is where it is instead, for channels that take no bytes. `title` is what people read of it.
    """

    kind: AttachedKind
    file: str = ""
    title: str = ""
    appid: str = ""
    page: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """What a message was let through for: its purpose and topic, whether it is marketing, and until when (aware,
    business time; None: for good). Whoever sends later than at once looks at it again."""

    purpose: str
    topic: str | None = None
    marketing: bool = True
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What the recipient reads: a text, and what stands beside it; never neither. `permit` is for channels that send by
    themselves, in their own time."""

    text: str
    links: tuple[Link, ...] = ()
    permit: Permit | None = None
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatedTask:
    """A task that the platform took. `refused` maps the recipients it left out to a reason's name."""

    task_id: str
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlatformTask:
    """A task as the platform lists it: what an attempt whose answer was lost is matched against.

    `senders` is empty while the platform is still handing the task out: not known yet, ask again later.
    """

    task_id: str
    created_at: datetime
    text: str
    senders: tuple[str, ...]
    links: tuple[Link, ...] = ()
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class SenderState:
    """Whether a sender has tapped. Compare senders with `casefold()`: WeCom ignores case in member ids."""

    sender: str
    sent: bool
    sent_at: datetime | None


class Delivery(StrEnum):
    """What became of one recipient. CAPPED: other mass sends had used up what this recipient may be sent.

    Of channels by which the brand speaks itself: REFUSED by the provider, BOUNCED off the address, WITHDRAWN because
    the customer said stop before it left, UNKNOWN because nobody can say whether it left: it is never sent again.
    NOT_REACHED: one of our people tried, and met nobody.
    """

    UNSENT = "unsent"
    SENT = "sent"
    NOT_FRIEND = "not_friend"
    CAPPED = "capped"
    REFUSED = "refused"
    BOUNCED = "bounced"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """The platform's word on one recipient; `sender` is who really spoke, which may be another than was asked."""

    recipient: str
    sender: str
    state: Delivery
    sent_at: datetime | None


class MassSendPort(Protocol):
    """A platform that sends one content from one sender account to many persons, once the sender taps.

    Every call may raise `TryLater` (nothing was done) or `RefusedByPlatform`.
    """

    @property
    def limits(self) -> MassSendLimits: ...

    def make_ready(self, content: MessageContent) -> None:
        """Bring to the platform what must lie there before a task can name it: its files. May take minutes, again is no
        error, and nobody is asked for anything yet. May raise `AnswerLost` too, which then means no more than that."""
        ...

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        """Ask `sender` to send. Not idempotent: on `AnswerLost` look with `find_tasks` before ever asking again.
        `TryLater` where `make_ready` has not been called, or too long ago."""
        ...

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """The tasks that software created in the span (both ends included), oldest first; not those made by people."""
        ...

    def cancel_task(self, task_id: str) -> None:
        """Stop what is unsent; what was sent stays sent. Cancelling again is no error. May raise `TaskNotReady`."""
        ...

    def remind_task(self, task_id: str) -> None:
        """Nudge the senders who have not tapped; at most `limits.reminders_per_day` a day and task."""
        ...

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """Who was asked and who has tapped. `TaskNotReady` while the task is being handed out."""
        ...

    def read_results(self, task_id: str, sender: str) -> Sequence[RecipientResult]:
        """What became of the recipients whom `sender` was to reach. `TaskNotReady` as for `read_task`."""
        ...


@dataclass(frozen=True, slots=True)
class Customer:
    """One live relation as the platform tells it: a customer and the member who follows. Names are kept out of repr.

    `kind` is 1 for a WeChat user, 2 for a WeCom user, who alone has a `corp`; `add_way` and `state` say by which door
    the customer came (WeCom doc 92114). `unionid` comes only where the corp has bound a WeChat developer account.
    `tag_ids` are the corp's tags; `personal_tags` the member's own, which only some calls tell (None: not told).
    `remark`, `description`, `company` and `mobiles` are what the member wrote: nobody verified any of it.
    """

    external_userid: str
    member: str
    kind: int
    unionid: str | None
    added_at: datetime
    add_way: int
    state: str | None
    tag_ids: tuple[str, ...]
    name: str = field(repr=False)
    remark: str = field(repr=False)
    description: str = field(default="", repr=False)
    company: str = field(default="", repr=False)
    mobiles: tuple[str, ...] = field(default=(), repr=False)
    personal_tags: tuple[str, ...] | None = field(default=None, repr=False)
    corp: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Customers:
    """Relations read for some members. Of `unlicensed` members the platform tells nothing: not the same as none."""

    relations: tuple[Customer, ...]
    unlicensed: tuple[str, ...]


class WelcomePort(Protocol):
    """A platform that lets one message be sent to somebody who has just come, by a code that works once, and briefly.

    May raise `AnswerLost` (trying the same code again is safe: it works once), `TryLater`, `CodeSpent` or
    `RefusedByPlatform`.
    """

    def send_welcome(self, code: str, content: MessageContent) -> None:
        """Send now; returns once the platform has taken it."""
        ...


@dataclass(frozen=True, slots=True)
class WaySpec:
    """A contact way as the platform is to have it. `state` (≤ 30 characters) comes back with everyone who scans it.

    `departments` (their numbers at the platform) stand beside `users` for acquisition links only.
    """

    state: str
    remark: str
    users: tuple[str, ...]
    skip_verify: bool = True
    departments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformWay:
    """A contact way as the platform has it. `qr_code` is the address of its picture, or an acquisition link's own."""

    config_id: str
    qr_code: str
    state: str
    users: tuple[str, ...]


class ContactWayPort(Protocol):
    """A platform on which software makes QR codes that lead to staff. May raise as `MassSendPort` does."""

    def create_way(self, spec: WaySpec) -> PlatformWay:
        """Not idempotent: on `AnswerLost` look with `find_ways` for the state before ever asking again."""
        ...

    def update_way(self, config_id: str, spec: WaySpec) -> None:
        """Make it so; again is no error."""
        ...

    def delete_way(self, config_id: str) -> None:
        """Its QR stops working at once; friendships stay. Deleting again is no error."""
        ...

    def find_ways(self, since: datetime, until: datetime) -> Sequence[PlatformWay]:
        """The ways made by this app in the span. Costs a call per way found."""
        ...


class CodeSpent(YutangError):
    """The code of a welcome (or of another event's one message) works no more: used, expired, or used by another app
    (`elsewhere`)."""

    def __init__(self, elsewhere: bool) -> None:
        super().__init__(
            "这次添加的欢迎语已由别的应用发出。" if elsewhere else "欢迎语凭证已用过，或已过 20 秒。",
            "Another app has sent the welcome." if elsewhere else "The welcome's code was used, or is older than 20 s.",
        )
        self.elsewhere = elsewhere


class AnswerLost(YutangError):
    """The request may have been carried out; nobody can say. The task is unknown: look for it, never repeat blindly."""

    def __init__(self, api: str, cause: str) -> None:
        super().__init__(
            f"「{api}」已发出，但没有收到可用的答复（{cause}）。它可能已经生效：请先到平台上核对，不要直接重发。",
            f"“{api}” was sent but no usable answer came back ({cause}). It may have taken effect: look for it on the "
            "platform first, and do not send it again before.",
        )
        self.api = api


class TryLater(Unavailable):
    """Nothing was done; asking again from `until` (aware, UTC) on is right, earlier is useless or harmful."""

    def __init__(self, api: str, until: datetime, zh: str, en: str) -> None:
        moment = f"{until:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(
            f"「{api}」暂时无法调用：{zh}。请在 {moment} 之后再试。",
            f"“{api}” cannot be called now: {en}. Try again after {moment}.",
        )
        self.api = api
        self.until = until


class RefusedByPlatform(YutangError):
    """The platform said no and will say no again until somebody changes something; the sentence says what.

    `hint` is the platform's own id of the request, for its support; the platform's message is not kept, since it may
    name recipients.
    """

    def __init__(self, api: str, errcode: int, zh: str, en: str, hint: str = "") -> None:
        trace_zh, trace_en = (f"，请求编号 {hint}", f", request {hint}") if hint else ("", "")
        super().__init__(f"{zh}（{api}，错误码 {errcode}{trace_zh}）", f"{en} ({api}, error {errcode}{trace_en})")
        self.api = api
        self.errcode = errcode
        self.hint = hint


class CannotCarry(YutangError):
    """This content cannot leave by this account as it stands; the sentence says what to change. Nothing was done."""


class TaskNotReady(YutangError):
    """The platform is still handing the task out; its results cannot be read yet."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"群发任务 {task_id} 正在下发，请过几分钟再查看结果。",
            f"Task {task_id} is still being handed out; read its results in a few minutes.",
        )
        self.task_id = task_id


class UnexpectedAnswer(YutangError):
    """Something answered, but not as the platform's documents say; nothing of the answer was used."""

    def __init__(self, api: str, what_zh: str, what_en: str) -> None:
        super().__init__(
            f"「{api}」的答复与平台文档不符：{what_zh}。请检查接口地址和代理设置；如果都对，请把这句话告诉我们。",
            f"“{api}” did not answer as the platform's documents say: {what_en}. Check the address and the proxy; if "
            "both are right, report this sentence to us.",
        )
        self.api = api
