"""What an adapter is, and what passes between it and the outbox.

The outbox holds a letter for each recipient and sends it through the adapter of its account by an id of our own. What
an adapter is asked it is asked in a worker's lane, never in a request, except for a test and for callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from yutang.channels.contracts import Capabilities, MessageContent
from yutang.kernel.errors import YutangError

MOST_TRIES = 8
HOLD = timedelta(seconds=120)
"""How long a call may take, before whoever made it counts as dead."""
KEPT = timedelta(days=90)
"""How long what became of a letter is kept, long after the letter itself was emptied."""
LOOKED_UP = timedelta(hours=72)
"""How long a provider is asked about a letter whose answer was lost; then it stays unknown."""


class LetterState(StrEnum):
    """QUEUED → SENDING → SENT → DELIVERED or BOUNCED; or REFUSED, CANCELLED before it left, or UNKNOWN."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


OPEN = (LetterState.QUEUED, LetterState.SENDING)
LEFT = (LetterState.SENT, LetterState.DELIVERED, LetterState.BOUNCED)
"""The states of letters that left the house."""


class Outcome(StrEnum):
    """What a provider said of one letter: TAKEN; REFUSED for good; LATER, and nothing was sent; UNKNOWN: it may have
    been sent."""

    TAKEN = "taken"
    REFUSED = "refused"
    LATER = "later"
    UNKNOWN = "unknown"


class Lost(StrEnum):
    """What is done about a call whose answer was lost. REPEAT it: the provider sends a letter of one uid once. LOOK_UP
    what became of it. NEVER: the letter stays unknown and is not sent again."""

    REPEAT = "repeat"
    LOOK_UP = "look_up"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one recipient. `uid` is ours, and the provider's key of idempotency where it has one; `call` is
    the same for the letters of one call; `link` is the recipient's own page of preferences (empty: nobody we know)."""

    uid: str
    call: str
    recipient: str = field(repr=False)
    content: MessageContent = field(repr=False)
    link: str = field(default="", repr=False)
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a letter. `reason` is a word of the provider's, with nothing personal in it; `bad_address`: nobody
    will ever be reached there; `wait`: the seconds after which it may be tried again."""

    uid: str
    outcome: Outcome
    reason: str = ""
    provider_id: str = ""
    bad_address: bool = False
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider told later of a letter, which it names by our uid, or by our call or its own id and the
    recipient.

    `state`: DELIVERED or BOUNCED. `bad_address`: the address is dead. `complaint`: the recipient called it spam.
    """

    state: LetterState
    uid: str = ""
    call: str = ""
    provider_id: str = ""
    recipient: str = field(default="", repr=False)
    reason: str = ""
    bad_address: bool = False
    complaint: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a recipient wrote back. `key` names it: told twice, it is one reply."""

    recipient: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A recipient did something after which the brand may answer: within `lasts`, at most `messages` times."""

    recipient: str = field(repr=False)
    at: datetime
    lasts: timedelta
    messages: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A recipient allowed `more` messages of a template (None: they refuse them from now on)."""

    recipient: str = field(repr=False)
    template: str
    more: int | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was posted, or asked, at an account's address for callbacks, after its secret part was found right."""

    method: str
    query: Mapping[str, str] = field(repr=False)
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a callback said, and what is to be answered once it is kept. The same may be told twice; `key` names it
    where being told twice would count twice."""

    reports: tuple[Report, ...] = ()
    replies: tuple[Reply, ...] = ()
    opened: tuple[Opened, ...] = ()
    subscribed: tuple[Subscribed, ...] = ()
    answer: str = ""
    content_type: str = "application/json"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is known of an address for channels that may not speak whenever they like: how many answers are left in a
    window that is open now, and how many messages of each template were allowed (a template that is not named: nobody
    told us)."""

    answers: int = 0
    templates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Size:
    """How a content is counted: of how many pieces it costs the price, and which template carries it (empty: none).
    `answer`: it is one, of which an open window allows so many."""

    pieces: int = 1
    template: str = ""
    answer: bool = False


class Adapter(Protocol):
    """The account of a provider."""

    def size(self, content: MessageContent) -> Size:
        """How the content would be counted. Raises CannotCarry for one that this account cannot send."""
        ...

    def send(self, letters: Sequence[Letter], allowances: Mapping[str, Allowance]) -> Iterable[Answer]:
        """Send letters of one content, at most `capabilities.recipients`; an answer for each, as they come.

        `allowances`: by recipient. Raises Pause where nothing was sent of those not answered yet.
        """
        ...

    def find(self, letters: Sequence[Letter]) -> Sequence[Answer]:
        """What the provider knows of letters whose answer was lost: TAKEN; LATER where it is certainly not there, so
        that it may be sent; UNKNOWN where it cannot tell yet."""
        ...

    def hear(self, heard: Heard) -> Told:
        """Read a callback. Raises BadInput for one that the provider does not write."""
        ...


@dataclass(frozen=True, slots=True)
class Field:
    """A setting of an account. `secret` ones are shown to nobody again; `lines`: a text of several lines; `choices`:
    one of these."""

    name: str
    zh: str
    en: str
    secret: bool = False
    lines: bool = False
    needed: bool = True
    default: str = ""
    hint_zh: str = ""
    hint_en: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What an adapter is made of: the account's key (`corp`) and its settings, by the names of the fields."""

    corp: str
    settings: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.settings.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of account. `key_zh` and `key_en` say what its key is; `connect` makes an adapter of an account, and
    raises BadInput for settings that cannot be right. `one_text`: a call says the same to all its recipients, so a text
    that calls each by name is a call for each."""

    capabilities: Capabilities
    fields: tuple[Field, ...]
    connect: Callable[[Given], Adapter]
    lost: Lost
    key_zh: str = "账号代号"
    key_en: str = "Name of the account"
    callbacks_zh: str = ""
    callbacks_en: str = ""
    one_text: bool = False

    @property
    def name(self) -> str:
        """Such as `sms.aliyun`."""
        return self.capabilities.name


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account as it is shown: never with what is secret. `cost` is of one message, or one segment of it.

    `trouble`: why nothing leaves by it now, in both languages.
    """

    kind: str
    channel: str
    corp: str
    title: str
    on: bool
    cost: Decimal
    per_second: float
    node: str
    trouble: tuple[str, str]
    paused_until: datetime | None
    waiting: int
    left: int
    bounced: int
    unknown: int
    spent: Decimal


class Pause(YutangError):
    """The account cannot send now, nothing of what is not answered was sent: wrong keys, no money, too fast. The
    sentence says what to do; `wait` is in seconds."""

    def __init__(self, zh: str, en: str, wait: float = 600.0) -> None:
        super().__init__(zh, en)
        self.wait = wait
