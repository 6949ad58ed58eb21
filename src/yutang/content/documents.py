"""What is said, and the rules of what may not be said, as documents."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from yutang.content.patterns import pattern, spellings
from yutang.content.rendering import check_variables
from yutang.files.contracts import KEPT, FileKind, digest_in
from yutang.kernel.documents import NAME, Document, Note, Part, Title, register
from yutang.kernel.errors import BadInput

MOST_ATTACHED = 9  # WeCom doc 92135


class Place(StrEnum):
    """Where something is said: to one person, in a group, or in Moments (朋友圈), where all friends see it."""

    CHAT = "chat"
    GROUP = "group"
    MOMENTS = "moments"


class Voice(StrEnum):
    """Who seems to speak: the guide, the store, or the brand."""

    GUIDE = "guide"
    STORE = "store"
    BRAND = "brand"


class Step(StrEnum):
    """The step of the ladder (客户阶段) for whose people it was written."""

    PROSPECT = "prospect"
    CUSTOMER = "customer"
    FAN = "fan"
    LOYALIST = "loyalist"
    AGENT = "agent"
    PARTNER = "partner"


def _on_the_web(address: str) -> str:
    if address and not address.startswith("https://"):
        raise BadInput("地址应以 https:// 开头。", "an address begins with https://.")
    return address


Address = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_on_the_web)]


def _kept_or_on_the_web(address: str) -> str:
    if not digest_in(address) and not address.startswith("https://"):
        raise BadInput(
            "应是上传的文件（file:…），或以 https:// 开头的网址。",
            "this is an uploaded file (file:…), or an address that begins with https://.",
        )
    return address


Source = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_kept_or_on_the_web)]
"""Where a picture or a video is: a kept file, or an address. WeCom sends kept files alone: its upload wants bytes."""


class Picture(Part):
    """A picture; `says` is what it shows, for whoever cannot see it."""

    url: Source
    says: str = Field(default="", max_length=200)


class LinkCard(Part):
    """A card that opens a page. In UTF-8 bytes: title ≤ 128, summary ≤ 512 (WeCom doc 92135)."""

    title: str = Field(min_length=1, max_length=128)
    url: Address
    summary: str = Field(default="", max_length=512)
    picture: str = Field(default="", max_length=2048)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _on_the_web(self.picture)
        for what, text, most in (("title", self.title, 128), ("summary", self.summary, 512)):
            if len(text.encode()) > most:
                raise BadInput(
                    f"{what} 至多 {most} 字节（约 {most // 3} 个汉字）。", f"{what} has at most {most} bytes of UTF-8."
                )
        return self


class MiniProgram(Part):
    """A card that opens a page of a mini program. Title ≤ 64 bytes (WeCom doc 92135); `picture` is its cover."""

    title: str = Field(min_length=1, max_length=64)
    appid: str = Field(pattern=r"^wx[0-9a-z]{16}$")
    page: str = Field(min_length=1, max_length=1024)
    picture: Source

    @field_validator("title")
    @classmethod
    def _fits(cls, title: str) -> str:
        if len(title.encode()) > 64:
            raise BadInput("小程序标题至多 64 字节（约 21 个汉字）。", "a mini program's title has at most 64 bytes.")
        return title


class Video(Part):
    """A video."""

    url: Source
    title: str = Field(default="", max_length=60)


class Paper(Part):
    """A file to be opened or kept, such as a catalogue; `name` is what customers read."""

    url: str = Field(pattern=rf"^{KEPT}$")
    name: str = Field(min_length=1, max_length=100)


class Said(Part):
    """A text, and what stands beside it: pictures, a card, a mini program's card, a video, a file; nine at most."""

    text: str = ""
    pictures: tuple[Picture, ...] = Field(default=(), max_length=9)
    link: LinkCard | None = None
    mini_program: MiniProgram | None = None
    video: Video | None = None
    file: Paper | None = None

    @model_validator(mode="after")
    def _nine(self) -> Self:
        if (count := self.attached) > MOST_ATTACHED:
            raise BadInput(
                f"图片、卡片、视频和文件一共至多 {MOST_ATTACHED} 个，现有 {count} 个。",
                f"There are at most {MOST_ATTACHED} pictures, cards, videos and files together, and here are {count}.",
            )
        return self

    @property
    def attached(self) -> int:
        """How many messages they are to whoever gets them."""
        return len(self.pictures) + sum(
            one is not None for one in (self.link, self.mini_program, self.video, self.file)
        )

    def parts(self) -> dict[str, Any]:
        """Those of them that are there, by name."""
        every = {name: getattr(self, name) for name in Said.model_fields if name != "text"}
        return {name: part for name, part in every.items() if part}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it is made of: text, pictures, link, mini_program, video, file."""
        return (("text",) if self.text else ()) + tuple(self.parts())

    def sources(self) -> dict[str, tuple[FileKind, str]]:
        """Where each is that platforms want the bytes of, by the field that says so, and what kind of file it is."""
        found = {f"pictures.{index}": (FileKind.IMAGE, one.url) for index, one in enumerate(self.pictures)}
        if self.mini_program is not None:
            found["mini_program"] = (FileKind.IMAGE, self.mini_program.picture)
        if self.video is not None:
            found["video"] = (FileKind.VIDEO, self.video.url)
        if self.file is not None:
            found["file"] = (FileKind.FILE, self.file.url)
        return found

    @property
    def uploaded(self) -> bool:
        """Whether we hold the bytes of all of it, so that a platform can be given them."""
        return all(digest_in(address) for _kind, address in self.sources().values())

    def said(self) -> dict[str, str]:
        """Everything in it that customers read, by field."""
        fields = (
            {"text": self.text}
            | {f"pictures.{index}": one.says for index, one in enumerate(self.pictures)}
            | {
                "link.title": self.link.title if self.link else "",
                "link.summary": self.link.summary if self.link else "",
                "mini_program.title": self.mini_program.title if self.mini_program else "",
                "video.title": self.video.title if self.video else "",
                "file.name": self.file.name if self.file else "",
            }
        )
        return {name: text for name, text in fields.items() if text}


@register
class Content(Said, Document):
    """Something that can be said, kept once and used by many plans: a text, pictures, cards, a video, a file.

    In the text `{导购|我}` (or `{guide|I}`) is a variable and what is said where it is not known: 称呼 name, 导购
    guide, 门店 store, 品牌 brand. `{{preferences}}` becomes the address at which customers refuse. `voice`: who seems
    to speak; `persona` and `steps`: for whom it was written; `place`: where it is to be said. A file that was uploaded
    is named by what is in it, as `file:` and 64 digits.
    """

    KIND: ClassVar[str] = "content"

    text: str = Field(default="", max_length=4000)
    voice: Voice = Voice.BRAND
    persona: str = Field(default="", max_length=40)
    steps: tuple[Step, ...] = Field(default=(), max_length=6)
    place: Place = Place.CHAT

    @field_validator("text")
    @classmethod
    def _known(cls, text: str) -> str:
        check_variables(text)
        return text.strip()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.text and not self.attached:
            raise BadInput(
                "内容是空的：写一段文案，或放一张图、一张卡片。",
                "the content is empty: write a text, or add a picture or a card.",
            )
        return self


class Excuses(Part):
    """What makes a find harmless: `unless`, where it covers it, as 最佳赏味期 covers 最佳; `unless_before` and
    `unless_behind`, where it stands right there, as 请勿; `unless_beside`, anywhere in the same sentence."""

    unless: tuple[str, ...] = Field(default=(), max_length=400)
    unless_before: tuple[str, ...] = Field(default=(), max_length=400)
    unless_behind: tuple[str, ...] = Field(default=(), max_length=400)
    unless_beside: tuple[str, ...] = Field(default=(), max_length=400)

    def excuses(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.unless, *self.unless_before, *self.unless_behind, *self.unless_beside)


class Clause(Excuses):
    """One way of breaking a rule: any of `say` stands in the text, and, where `needs` is given, one of those in it too.

    `beside`: each of these stands in the same sentence, before or behind, at most 30 characters away, and no excuse of
    the rule holds for it: who, does, gets, in any order. `places`: it holds there only.
    """

    say: tuple[str, ...] = Field(min_length=1, max_length=400)
    beside: tuple[str, ...] = Field(default=(), max_length=5)
    needs: tuple[str, ...] = Field(default=(), max_length=400)
    places: tuple[Place, ...] = ()


class ContentRule(Excuses):
    """What may not be said, and the law that says so. `words` is a clause of its own, without any condition; the rule's
    excuses hold for all of its clauses."""

    name: str = Field(pattern=NAME)
    title: Title
    law: Note
    words: tuple[str, ...] = Field(default=(), max_length=400)
    clauses: tuple[Clause, ...] = Field(default=(), max_length=60)

    @field_validator("title", "law", mode="before")
    @classmethod
    def _both(cls, given: Any) -> Any:
        """One text stands for both languages: so rules of before there were two are still read."""
        return {"zh": given, "en": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.words and not self.clauses:
            raise BadInput("规则要写 words 或 clauses。", "a rule needs words or clauses.")
        return self

    def every_clause(self) -> tuple[Clause, ...]:
        """Its clauses, that of its words first."""
        return (*((Clause(say=self.words),) if self.words else ()), *self.clauses)


Spelling = Annotated[str, Field(min_length=1, max_length=12)]


@register
class ContentRules(Document):
    """What may not be said, rule by rule, each with the law that it stands on.

    `groups` are words that patterns name as `{group}`. `names` are names of brands, goods and places that may contain
    such words. `spellings` are other ways of writing a word (好评: [好坪, 好ping]). `approval`: a content is used only
    once somebody other than its author has approved it.

    A pattern is words and gaps, with spaces between: `转发|分享 .. 领|得` is one of the first, up to 8 characters, and
    one of the others within the clause; `...` is up to 24 within the sentence; `了?` may be missing; `{number}`,
    `{money}`, `{money>50000}` and `{link}` are known. Spaces, dots, full width and characters that nobody sees hide
    nothing.
    """

    KIND: ClassVar[str] = "content_rules"

    rules: tuple[ContentRule, ...] = Field(max_length=50)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict, max_length=100)
    names: tuple[str, ...] = Field(default=(), max_length=1000)
    spellings: dict[Spelling, tuple[Spelling, ...]] = Field(default_factory=dict, max_length=300)
    approval: bool = False

    @model_validator(mode="after")
    def _readable(self) -> Self:
        """Every pattern is read once, so that a mistake is told when it is written and not when it is used."""
        groups = self.vocabulary()
        spellings(self.spellings)
        for name in self.names:
            pattern(name.replace("|", " "), groups)
        for rule in self.rules:
            patterns = [*rule.excuses()]
            for clause in rule.every_clause():
                patterns += [*clause.say, *clause.beside, *clause.needs, *clause.excuses()]
            for text in patterns:
                pattern(text, groups)
        return self

    def vocabulary(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Its groups, as something that can be remembered."""
        return _frozen(self.groups)


def _frozen(groups: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return _known(tuple(sorted(groups.items())))


@lru_cache(maxsize=64)
def _known(groups: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The very tuple that is equal to it: patterns are remembered by it, and it is not compared word by word then."""
    return groups
