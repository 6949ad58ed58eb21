"""Customer Moments at a platform: asked for as a job, published by members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from yutang.kernel.errors import YutangError


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


class MomentNotReady(YutangError):
    """The platform is still handing the moment out; nothing can be read of it yet."""

    def __init__(self, moment_id: str) -> None:
        super().__init__(
            f"朋友圈 {moment_id} 正在下发，请过几分钟再查看。",
            f"Moment {moment_id} is still being handed out; look again in a few minutes.",
        )
        self.moment_id = moment_id
