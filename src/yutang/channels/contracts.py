"""The port by which a mass send leaves the house, and what comes back through it.

A mass send is asked for, not done: the platform hands the sender a task, and only the sender's tap sends it. So the
port speaks of tasks, senders and results; `reach` decides, and any connector can stand behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Protocol, runtime_checkable

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

    `text` counts UTF-8 bytes, or characters where `characters`. `recipients` is the most that one call takes,
    `per_second` the most messages that leave an account in a second (0: no limit of ours). `cost` is what one message
    (of short messages: one segment) costs, in the brand's currency, until somebody says otherwise for an account.
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
    recipients: int = 1
    per_second: float = 0.0
    cost: Decimal = Decimal(0)
    marketing: bool = True
    window: Window | None = None
    hours: tuple[time, time] | None = None
    taps: bool = False


@dataclass(frozen=True, slots=True)
class MassSendLimits:
    """What one task may carry. Text is counted in UTF-8 bytes, not characters. Defaults: WeCom docs 92135 and 97610."""

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
    """What the recipient reads: a text, link cards, or both; never neither. `permit` is for channels that send by
    themselves, in their own time."""

    text: str
    links: tuple[Link, ...] = ()
    permit: Permit | None = None


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

    def create_task(self, sender: str, recipients: Sequence[str], content: MessageContent) -> CreatedTask:
        """Ask `sender` to send. Not idempotent: on `AnswerLost` look with `find_tasks` before ever asking again."""
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
class GroupResult:
    """A group into which a message was sent, by whom and when."""

    group: str
    sender: str
    sent_at: datetime | None


class GroupSendPort(Protocol):
    """As `MassSendPort`, but what is sent goes into groups: asked of the one account that owns them all.

    The limits are its own: `limits.recipients` is how many groups a task takes. May raise as `MassSendPort` does.
    """

    @property
    def limits(self) -> MassSendLimits: ...

    def create_task(self, owner: str, groups: Sequence[str], content: MessageContent) -> CreatedTask:
        """Ask `owner` to send. Not idempotent: on `AnswerLost` look with `find_tasks` before ever asking again."""
        ...

    def find_tasks(self, since: datetime, until: datetime) -> Sequence[PlatformTask]:
        """The tasks to groups that software created in the span (both ends included), oldest first."""
        ...

    def cancel_task(self, task_id: str) -> None:
        """Stop what is unsent. Cancelling again is no error. May raise `TaskNotReady`."""
        ...

    def remind_task(self, task_id: str) -> None:
        """Nudge the owner who has not tapped; at most `limits.reminders_per_day` a day and task."""
        ...

    def read_task(self, task_id: str) -> Sequence[SenderState]:
        """Whether the owner has tapped. `TaskNotReady` while the task is being handed out."""
        ...

    def read_results(self, task_id: str, owner: str) -> Sequence[GroupResult]:
        """The groups that got it. Of the others the platform says nothing: the owner may have left some out."""
        ...


class GroupState(StrEnum):
    """How a group stands with its owner."""

    FOLLOWED = "followed"
    OWNER_LEFT = "owner_left"
    HANDING_OVER = "handing_over"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class GroupMember:
    """Somebody in a group: one of the corp (`ours`), or an outsider by external id.

    `scene` is 1 for invited, 2 for by a link, 3 for by a code; other numbers may come. `inviter` is known only where
    one of the corp invited, `state` only of those who came by a join way. Of an outsider who is nobody's friend there
    may be no name.
    """

    id: str
    ours: bool
    joined_at: datetime
    scene: int
    inviter: str
    state: str
    unionid: str | None = None
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GroupChat:
    """A group with all who are in it. `version` changes with the membership, and is empty where none is told."""

    id: str
    name: str = field(repr=False)
    owner: str
    created_at: datetime
    notice: str = field(repr=False)
    admins: tuple[str, ...]
    version: str
    members: tuple[GroupMember, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class JoinWaySpec:
    """A join way as the platform is to have it: up to five groups, filled one after another.

    With `room_name` a new group of that name and a number (from `room_number` on) follows once all are full. `state`
    (≤ 30 characters) comes back with everyone who joins by it.
    """

    state: str
    remark: str
    groups: tuple[str, ...]
    room_name: str = ""
    room_number: int = 1


@dataclass(frozen=True, slots=True)
class PlatformJoinWay:
    """A join way as the platform has it. Groups that it created by itself stand in `groups` too."""

    config_id: str
    qr_code: str
    state: str
    groups: tuple[str, ...]


class JoinWayPort(Protocol):
    """A platform on which software makes QR codes that lead into groups. May raise as `MassSendPort` does."""

    def create_join_way(self, spec: JoinWaySpec) -> str:
        """Returns its config id. Not idempotent, and nothing lists join ways: on `AnswerLost` one may exist that
        nobody will ever see the code of, so asking again is right and costs one of the corp's 500,000."""
        ...

    def read_join_way(self, config_id: str) -> PlatformJoinWay | None:
        """None where the platform has it no more."""
        ...

    def update_join_way(self, config_id: str, spec: JoinWaySpec) -> None:
        """Make it so, groups created by itself included; again is no error."""
        ...

    def delete_join_way(self, config_id: str) -> None:
        """Its QR stops working at once. Deleting again is no error."""
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


@dataclass(frozen=True, slots=True)
class StaffText:
    """A text for staff: at most 2,048 bytes of UTF-8, beyond which the platform cuts it. Links as HTML anchors."""

    text: str


@dataclass(frozen=True, slots=True)
class StaffCard:
    """A card that opens a page of ours. Characters: title ≤ 128, text ≤ 512, button ≤ 4 (WeCom doc 90236)."""

    title: str
    text: str
    url: str
    button: str = ""


@dataclass(frozen=True, slots=True)
class CardButton:
    """A button that is told to us when it is pressed, by its key; with an address, one that opens a page."""

    text: str
    key: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class StaffTask:
    """A card with facts (≤ 6) and buttons (≤ 6). `task` names it to whoever hears of a button: letters, digits and
    `_-@`, ≤ 128, never used twice for one app. Without buttons it opens `url`."""

    task: str
    title: str
    text: str = ""
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[CardButton, ...] = ()


StaffMessage = StaffText | StaffCard | StaffTask


@dataclass(frozen=True, slots=True)
class StaffSent:
    """What the platform took. `refused`: members who are not there, or outside of what the app sees, in lower case.

    The platform drops what is beyond a member's cap without a word: taken is not read. `ids`: by which it can be taken
    back; `codes`: by which the cards can be settled, once each.
    """

    ids: tuple[str, ...]
    refused: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class StaffMessagePort(Protocol):
    """Messages to our own staff, by their account. Every call may raise `TryLater` or `RefusedByPlatform`."""

    def tell(self, members: Sequence[str], message: StaffMessage) -> StaffSent:
        """Tell these members. The same message to the same members within half an hour is shown once, so a call whose
        answer was lost may be made again. No member that can be told: nothing is raised, all are `refused`."""
        ...

    def take_back(self, sent: StaffSent) -> None:
        """Within 24 hours; again is no error."""
        ...

    def settle(self, code: str, members: Sequence[str], text: str) -> None:
        """Make a card's buttons into this one text that nobody can press. Within 72 hours, once for each code."""
        ...


@dataclass(frozen=True, slots=True)
class PageSignature:
    """What a page hands to `wx.config` (`agent` None) or `wx.agentConfig`, so that the client lets it act."""

    corp: str
    agent: int | None
    timestamp: int
    nonce: str
    signature: str


@dataclass(frozen=True, slots=True)
class MomentLink:
    """The card of a moment, with its cover. `title` ≤ 64 characters, `url` ≤ 2048 bytes (WeCom doc 95094)."""

    title: str
    url: str
    cover: str


@dataclass(frozen=True, slots=True)
class MomentContent:
    """What a moment shows: a text of ≤ 2,000 characters and ≤ 4,000 UTF-8 bytes, and one of ≤ 9 pictures, a video, a
    link; never nothing.

    Pictures, videos and covers are ids of uploads made for Moments, which live three days.
    """

    text: str = ""
    pictures: tuple[str, ...] = ()
    video: str = ""
    link: MomentLink | None = None


@dataclass(frozen=True, slots=True)
class MomentRange:
    """Who is asked to publish (none named: every member), for customers with one of these tags (none: all friends).

    Tags are the corp's own; those of a rule group are not taken.
    """

    members: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()


class JobState(StrEnum):
    """How far a job of the platform's is. GONE: it is older than the platform remembers, 24 hours."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class MomentJob:
    """What became of asking for a moment. `moment_id` once it is DONE; `errcode` and a sentence where it FAILED.

    What was named and is not there is left out: members, departments and tags.
    """

    job: str
    state: JobState
    moment_id: str = ""
    errcode: int = 0
    no_members: tuple[str, ...] = ()
    no_departments: tuple[int, ...] = ()
    no_tags: tuple[str, ...] = ()


class Origin(StrEnum):
    """Who made a thing that the platform lists: software or an administrator for the corp, or a member alone."""

    CORP = "corp"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class PlatformMoment:
    """A moment as the platform lists it. `creator` is the member who made it, empty where software did.

    Of a member's own (`origin` MEMBER) the house knew nothing: it is a touch beside the gate.
    """

    moment_id: str
    origin: Origin
    creator: str
    created_at: datetime
    public: bool
    content: MomentContent


@dataclass(frozen=True, slots=True)
class Publishing:
    """Whether a member who was asked has published."""

    member: str
    published: bool


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody liked or commented; never what was written. `member`: it was a colleague, not a customer."""

    who: str
    at: datetime
    member: bool = False


@dataclass(frozen=True, slots=True)
class Reactions:
    """What a moment drew from those who saw it at one member's."""

    likes: tuple[Reaction, ...]
    comments: tuple[Reaction, ...]


class MomentsPort(Protocol):
    """A platform on which members publish, once each has confirmed, what the corp asks them to, to all their friends.

    May raise as `MassSendPort` does; `MomentNotReady` of everything that is asked about a moment being handed out.
    """

    def ask(self, content: MomentContent, among: MomentRange) -> str:
        """Ask for a moment; the job's id. Not idempotent: on `AnswerLost` look with `find_moments` before asking again,
        not before a minute has passed."""
        ...

    def read_job(self, job: str) -> MomentJob:
        """What became of it; asked again while it is RUNNING."""
        ...

    def cancel(self, moment_id: str) -> None:
        """Stop those who have not published; what was published stays. Cancelling again is no error."""
        ...

    def find_moments(self, since: datetime, until: datetime, origin: Origin | None = None) -> Sequence[PlatformMoment]:
        """The moments made in the span (both ends included), oldest first: the corp's, members' own, or both."""
        ...

    def read_publishing(self, moment_id: str) -> Sequence[Publishing]:
        """Who was asked, and who has published. Only of the corp's."""
        ...

    def read_audience(self, moment_id: str, member: str) -> Sequence[str]:
        """For whom a member published it; nobody while it is not published."""
        ...

    def read_shown(self, moment_id: str, member: str) -> Sequence[str]:
        """Who of them can see it: without those who had been shown enough of the corp's. Nobody before it is
        published."""
        ...

    def read_reactions(self, moment_id: str, member: str) -> Reactions:
        """Likes and comments at that member's so far; none before it is published."""
        ...


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the album. `price` in the brand's currency, to the cent; `code` ≤ 128 letters and digits; 1–9
    `pictures` by the ids of uploads made for albums; `description` ≤ 300 characters."""

    description: str
    price: Decimal
    pictures: tuple[str, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class PlatformProduct:
    """A product as the platform has it. The list does not say when it was made."""

    product_id: str
    product: Product
    created_at: datetime | None = None


class AlbumPort(Protocol):
    """A platform with an album of products that members send in chats. May raise as `MassSendPort` does."""

    def add_product(self, product: Product) -> str:
        """Its id. Not idempotent: on `AnswerLost` look with `find_products` for the code before ever adding again."""
        ...

    def read_product(self, product_id: str) -> PlatformProduct | None:
        """None for one that is not there, or no more."""
        ...

    def find_products(self) -> Sequence[PlatformProduct]:
        """All of them, by id."""
        ...

    def change_product(self, product_id: str, product: Product) -> None:
        """Make it so; again is no error."""
        ...

    def delete_product(self, product_id: str) -> None:
        """Deleting again is no error."""
        ...


class Semantics(IntEnum):
    """What a rule finds by its meaning, beside its words."""

    PHONE = 1
    EMAIL = 2
    RED_PACKET = 3


@dataclass(frozen=True, slots=True)
class InterceptRule:
    """Words that members may not write to customers. `block`: the message is not sent; otherwise they are only warned.

    `name` (≤ 20 characters) is unique in the corp; ≤ 300 words of ≤ 32 characters; some member or department.
    """

    name: str
    words: tuple[str, ...]
    block: bool
    members: tuple[str, ...] = ()
    departments: tuple[int, ...] = ()
    semantics: frozenset[Semantics] = frozenset()


class InterceptionPort(Protocol):
    """A platform that watches what members write to customers. May raise as `MassSendPort` does."""

    def add_rule(self, rule: InterceptRule) -> str:
        """Its id. Not idempotent: on `AnswerLost` look with `find_rules` for the name before ever adding again."""
        ...

    def find_rules(self) -> Mapping[str, str]:
        """The names of the corp's rules by id."""
        ...

    def read_rule(self, rule_id: str) -> InterceptRule | None:
        """None for one that is not there, or no more."""
        ...

    def change_rule(self, rule_id: str, rule: InterceptRule) -> None:
        """Make it so; again is no error. Reads it first, since the platform takes ranges as differences."""
        ...

    def delete_rule(self, rule_id: str) -> None:
        """Deleting again is no error."""
        ...


ACQUISITION = "acquisition"
"""How acquisition links are called among the channels of contact ways."""


@dataclass(frozen=True, slots=True)
class AcquisitionQuota:
    """How many new friends may still come by acquisition links. `expiring`: how many of them until which day begins."""

    total: int
    balance: int
    expiring: tuple[tuple[datetime, int], ...]


@dataclass(frozen=True, slots=True)
class CameByLink:
    """Somebody who came by an acquisition link. `wrote` None: not known."""

    external_userid: str
    member: str
    state: str
    wrote: bool | None


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """How many opened a link and how many came by it, as the platform counts."""

    opened: int
    came: int


@runtime_checkable
class AcquisitionPort(ContactWayPort, Protocol):
    """A platform where links lead to staff, each new friend using up one of a quota that was bought."""

    def quota(self) -> AcquisitionQuota:
        """What is left of it."""
        ...

    def came_by(self, link_id: str) -> Sequence[CameByLink]:
        """Whoever came by a link."""
        ...


class TransferStatus(StrEnum):
    """How a transfer stands. FULL: the taker has as many customers as allowed; NONE: the platform knows of none."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How it stands with one customer; `at`: when it was done, or will be of itself."""

    status: TransferStatus
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A customer of a member who left, whom nobody has taken over."""

    handover: str
    external_userid: str
    left_at: datetime | None


class TransferPort(Protocol):
    """A platform on which a member's customers can be given to another. May raise as `MassSendPort` does."""

    def unassigned(self) -> Sequence[Unassigned]:
        """The customers of members who left that wait for somebody."""
        ...

    def transfer(
        self, handover: str, takeover: str, customers: Sequence[str], *, resigned: bool, message: str = ""
    ) -> Mapping[str, int]:
        """Begin for at most a hundred; each one's code, 0 where it has begun. On `AnswerLost` read `results` first."""
        ...

    def results(self, handover: str, takeover: str, *, resigned: bool) -> Mapping[str, HandedOver]:
        """How it stands with every customer between these two."""
        ...


class Speaker(StrEnum):
    """Who said something in customer service: the customer, somebody who serves, or the platform of itself."""

    CUSTOMER = "customer"
    SERVICER = "servicer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class ServiceContent:
    """One message of customer service as the platform takes it: its type, and the fields of that type."""

    kind: str
    fields: Mapping[str, object] = field(repr=False)

    @staticmethod
    def said(text: str) -> ServiceContent:
        """A plain text. WeCom cuts off what exceeds 2,048 UTF-8 bytes (doc 94677)."""
        return ServiceContent("text", {"content": text})


@dataclass(frozen=True, slots=True)
class ServiceMessage:
    """Something that was said or happened in customer service, as it is read. What `fields` hold is personal.

    `servicer` is named where somebody of the staff spoke; `customer` is empty where it concerns none.
    """

    message_id: str
    account: str
    customer: str
    at: datetime
    origin: Speaker
    servicer: str
    kind: str
    fields: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServicePage:
    """What was read, in order. `more`: ask again from `cursor` at once, even where nothing was read."""

    messages: tuple[ServiceMessage, ...]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An account of customer service, as customers see it."""

    id: str
    name: str


class ServicePort(Protocol):
    """A platform where customers ask first, and are answered within a window. May raise as `MassSendPort` does."""

    def accounts(self) -> Sequence[ServiceAccount]:
        """The accounts that software may speak for."""
        ...

    def read(self, account: str, cursor: str, token: str = "") -> ServicePage:
        """What came after a cursor ("" from the oldest that is kept). With a callback's token it may be asked often."""
        ...

    def send(
        self, account: str, customer: str, message_id: str, content: ServiceContent, *, again: bool = False
    ) -> None:
        """Send under an id of ours, which is good once in an account: so after `AnswerLost` the same may be sent
        `again`, and arrives once. Taken is not delivered: a failure may be read later. Raises `ServiceClosed`."""
        ...

    def answer_event(self, code: str, message_id: str, content: ServiceContent) -> None:
        """Send the one message that an event allows (a welcome, a word while one waits). Raises `CodeSpent`."""
        ...


class Closed(StrEnum):
    """Why a customer cannot be written to now."""

    COUNT = "count"
    TIME = "time"
    STATE = "state"
    ENDED = "ended"


_CLOSED: Mapping[Closed, tuple[str, str]] = {
    Closed.COUNT: ("客户上次发言后已发过 5 条", "five were sent since the customer last wrote"),
    Closed.TIME: ("客户上次发言已过 48 小时", "the customer last wrote more than 48 hours ago"),
    Closed.STATE: ("会话在待接入池或由人工接待", "the conversation waits for staff, or staff have it"),
    Closed.ENDED: ("会话已经结束", "the conversation has ended"),
}


class ServiceClosed(YutangError):
    """The customer must write first, or somebody else has the conversation; nothing was sent."""

    def __init__(self, why: Closed) -> None:
        zh, en = _CLOSED[why]
        super().__init__(f"现在不能给这位客户发消息：{zh}。", f"This customer cannot be written to now: {en}.")
        self.why = why


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


class MomentNotReady(YutangError):
    """The platform is still handing the moment out; nothing can be read of it yet."""

    def __init__(self, moment_id: str) -> None:
        super().__init__(
            f"朋友圈 {moment_id} 正在下发，请过几分钟再查看。",
            f"Moment {moment_id} is still being handed out; look again in a few minutes.",
        )
        self.moment_id = moment_id


class UnexpectedAnswer(YutangError):
    """Something answered, but not as the platform's documents say; nothing of the answer was used."""

    def __init__(self, api: str, what_zh: str, what_en: str) -> None:
        super().__init__(
            f"「{api}」的答复与平台文档不符：{what_zh}。请检查接口地址和代理设置；如果都对，请把这句话告诉我们。",
            f"“{api}” did not answer as the platform's documents say: {what_en}. Check the address and the proxy; if "
            "both are right, report this sentence to us.",
        )
        self.api = api
