"""What other rooms see of people.

A *birth person* is what one identifier was born with; a *surviving person* (the survivor) stands for all birth persons
that strong identifiers join. Rows anywhere keep the birth person; facts and cards are keyed by the survivor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.ids import NodeId, PersonId, SenderId

ALL_CHANNELS = "*"
ADDRESSED = {"sms": "phone", "email": "email"}
"""The kind of identifier under which anybody can be written to on a channel. Not here: channels whose ids are an app's
own, where a message takes what the person did there lately."""
TIMESTAMP = pa.timestamp("us")

PERSONS_IN = pa.schema(
    [
        ("member", pa.string()),
        ("born_at", pa.timestamp("us", "UTC")),
        ("home_store", pa.string()),
        ("name", pa.string()),
        ("phone", pa.string()),
        ("external_userid", pa.string()),
        ("silent", pa.bool_()),
        ("blocked", pa.bool_()),
        ("synthetic", pa.bool_()),
    ]
)
RELATIONS_IN = pa.schema(
    [("person", pa.int64()), ("sender", pa.int64()), ("added_at", pa.timestamp("us", "UTC")),
     ("lost_at", pa.timestamp("us", "UTC")), ("last_talk_at", pa.timestamp("us", "UTC"))]
)  # fmt: skip
CONSENTS_IN = pa.schema(
    [("person", pa.int64()), ("purpose", pa.string()), ("channel", pa.string()), ("granted", pa.bool_()),
     ("at", pa.timestamp("us", "UTC")), ("proof", pa.string())]
)  # fmt: skip
TAGS_IN = pa.schema([("person", pa.int64()), ("tag", pa.string()), ("at", pa.timestamp("us", "UTC"))])


class Refusal(StrEnum):
    """Why a person may not be touched by a sender now."""

    BLOCKED = "blocked"
    SILENT = "silent"
    PREFERENCE = "preference"
    RELATION = "relation"
    CONSENT = "consent"


class DecisionKind(StrEnum):
    """What somebody decided of who is who.

    MERGE two persons are one; SPLIT one is two; APART two who were suspected are not the same; LATER not decided yet;
    SHARED an identifier is several people's; SINGLE it is really one person's.
    """

    MERGE = "merge"
    SPLIT = "split"
    APART = "apart"
    LATER = "later"
    SHARED = "shared"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class FactTables:
    """The warehouse's tables of these names, as they should stand for the birth persons in `keys`.

    All but `person_overrides` are keyed by survivor. Whoever writes them first deletes every row whose person (or
    birth) is in `keys`: a person that was merged away has no row of its own any more.

    How to read `fact_consents`: the row of a channel already counts what was said of `*`, so a channel's own row
    decides, where there is none the `*` row does, and where there is neither nothing was consented to. Only words said
    to us are there, and none that was said to a partner.

    `contacts` is no table of the warehouse's: each friendship and each address (`person`, `channel`, `friend`, `live`),
    from which `fact_ways` follows.
    """

    keys: npt.NDArray[np.int64]
    facts: pa.Table
    fact_relations: pa.Table
    fact_consents: pa.Table
    fact_tags: pa.Table
    fact_scopes: pa.Table
    fact_preferences: pa.Table
    person_overrides: pa.Table
    contacts: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        """Every table by its name in the warehouse."""
        return {
            "facts": self.facts,
            "fact_relations": self.fact_relations,
            "fact_consents": self.fact_consents,
            "fact_tags": self.fact_tags,
            "fact_scopes": self.fact_scopes,
            "fact_preferences": self.fact_preferences,
            "person_overrides": self.person_overrides,
        }


@dataclass(frozen=True, slots=True)
class IdentifierShown:
    """An identifier as this viewer may see it: phones and e-mails are masked for those who do not operate.

    `row` is its number, by which decisions name it; `hub`: it is shared by many and joins nobody.
    """

    kind: str
    namespace: str
    shown: str
    row: int = 0
    hub: bool = False


@dataclass(frozen=True, slots=True)
class RelationShown:
    """A friendship with a sender account; live unless it was lost after it was last added."""

    sender: SenderId
    added_at: datetime | None
    lost_at: datetime | None
    last_talk_at: datetime | None
    live: bool


@dataclass(frozen=True, slots=True)
class ConsentShown:
    """One word about one purpose on one channel, to us or to a `partner`, with where it came from and its proof."""

    purpose: str
    channel: str
    granted: bool
    at: datetime
    proof: str
    partner: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which words of the consent ledger are asked for; empty and None: any. `partner`: `us` for what was said to us."""

    purpose: str = ""
    channel: str = ""
    partner: str | None = None
    granted: bool | None = None
    source: str = ""
    persons: tuple[PersonId, ...] | None = None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A word of the consent ledger; `person` is the survivor of whoever said it."""

    at: datetime
    person: PersonId
    purpose: str
    channel: str
    partner: str
    granted: bool
    source: str
    proof: str


CODE_FULL = 200
"""By a code people come into a WeCom group until it has so many; invitations go on to 500 (unverified)."""


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A customer group. `size` counts everybody as the platform does; `persons` those of ours who are in it.

    `owner` is a userid; `node` the store of their account, None where it is unknown. `moved_at`: when somebody last
    came or left. `read_at` None: no platform told of it, only lists or events.
    """

    id: int
    code: str
    corp: str
    name: str
    owner: str
    node: NodeId | None
    state: str
    size: int
    persons: int
    joined: int
    left: int
    made_at: datetime | None
    moved_at: datetime | None
    read_at: datetime | None
    ended_at: datetime | None
    notice: str = ""
    admins: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """Whether nobody comes in by a code any more."""
        return self.size >= CODE_FULL


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are asked for. `silent`: nobody came or left for so many days; `find`: in the name or the id;
    `live` None: also those that were dissolved; `connected`: only those of which a platform tells."""

    owner: str = ""
    node: NodeId | None = None
    least: int | None = None
    most: int | None = None
    full: bool | None = None
    silent: int | None = None
    find: str = ""
    live: bool | None = True
    connected: bool = False
    codes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class GroupMemberShown:
    """Somebody who is or was in a group. `person` None: outside of what the viewer sees."""

    person: PersonId | None
    name: str
    joined_at: datetime | None
    left_at: datetime | None
    scene: int
    inviter: str
    state: str


@dataclass(frozen=True, slots=True)
class GroupOfPerson:
    """A group in which a person is or was. `id` None and no name: it is another store's."""

    id: int | None
    name: str
    joined_at: datetime | None
    left_at: datetime | None
    live: bool


@dataclass(frozen=True, slots=True)
class GroupWeek:
    """How many came into a group and left it in seven days from `start` on, and how many were in it at their end."""

    start: datetime
    joined: int
    left: int
    size: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to be spoken to; empty and None: as the brand does.

    `topics` and `channels` are those refused (`*`: all). `week` and `month`: at most so many messages. They may be
    spoken to between `opens` and `closes`, minutes of their local day; where `opens` is not before `closes`, never.
    """

    topics: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    week: int | None = None
    month: int | None = None
    opens: int | None = None
    closes: int | None = None

    def refuses(self, topic: str | None, channel: str) -> bool:
        """Whether a message about a topic (None: about none in particular) on a channel is unwanted."""
        everything = ALL_CHANNELS in self.topics or ALL_CHANNELS in self.channels
        return everything or topic in self.topics or channel in self.channels


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A surviving person as a viewer may see them. `consents` are all words, newest first."""

    person: PersonId
    births: tuple[PersonId, ...]
    name: str | None
    home_node: NodeId | None
    born_at: datetime
    silent: bool
    blocked: bool
    synthetic: bool
    identifiers: tuple[IdentifierShown, ...]
    relations: tuple[RelationShown, ...]
    consents: tuple[ConsentShown, ...]
    tags: tuple[str, ...]
    wish: Wish = Wish()
