"""The contact way as people write it: where it hangs, what it costs, to whom it leads, what is said first."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput
from yutang.reach.limits import check_text
from yutang.reach.policy import ClockTime

SOURCES = ("package_card", "poster", "store", "ad", "live_room", "partner", "inviter", "other")
MOST_STAFF = 100

Userid = Annotated[str, Field(min_length=1, max_length=64)]
Money = Annotated[Decimal, Field(ge=0, lt=10**10, max_digits=12, decimal_places=2)]
TagName = Annotated[str, Field(min_length=1, max_length=64)]


class Shift(Part):
    """Who is on duty on these weekdays (1, Monday, to 7) from `opens` up to, not including, `closes`, local time."""

    days: frozenset[Annotated[int, Field(ge=1, le=7)]] = frozenset(range(1, 8))
    opens: ClockTime
    closes: ClockTime
    staff: tuple[Userid, ...] = Field(min_length=1, max_length=MOST_STAFF)

    @model_validator(mode="after")
    def _opens_first(self) -> Self:
        if self.opens >= self.closes or self.opens.tzinfo or self.closes.tzinfo:
            raise BadInput(
                f"班次的 opens 要早于 closes，且不带时区，而不是 {self.opens} 和 {self.closes}。",
                f"a shift opens before it closes, without a zone; not {self.opens} and {self.closes}.",
            )
        return self


class Duty(Part):
    """Who takes new people: always these `staff`, or whoever is on `shifts`.

    Nobody is given more than `daily_limit` a local day while somebody else is free; when everyone is full, `overflow`
    takes over.
    """

    staff: tuple[Userid, ...] = Field(default=(), max_length=MOST_STAFF)
    shifts: tuple[Shift, ...] = Field(default=(), max_length=50)
    daily_limit: int | None = Field(default=None, ge=1, le=1000)
    overflow: tuple[Userid, ...] = Field(default=(), max_length=MOST_STAFF)

    def everyone(self) -> tuple[str, ...]:
        """All who are named, each once."""
        named = (*self.staff, *(one for shift in self.shifts for one in shift.staff), *self.overflow)
        return tuple(dict.fromkeys(named))


class Routing(Duty):
    """To whom a way leads: `by` staff, by shift, or to the `nearest` store's own staff (the visitor chooses or says
    where they are; the stores are those below the way's place). An acquisition link may lead to whole `departments`,
    by their numbers at the platform, beside or instead of staff."""

    by: Literal["staff", "shift", "nearest"] = "staff"
    departments: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(), max_length=20)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.by == "staff" and not (self.staff or self.departments):
            raise BadInput("按员工分配要写 staff。", "routing by staff needs staff.")
        if self.by == "shift" and not self.shifts:
            raise BadInput("按班次分配要写 shifts。", "routing by shift needs shifts.")
        if self.departments and self.by != "staff":
            raise BadInput("部门只能用于按员工分配。", "departments go with routing by staff.")
        if self.by == "nearest" and (self.staff or self.shifts):
            raise BadInput(
                "按最近门店分配时用门店自己的员工，不写 staff 和 shifts。",
                "routing to the nearest store uses the store's own staff; leave staff and shifts out.",
            )
        if len(self.everyone()) > MOST_STAFF:
            raise BadInput(f"一个活码至多 {MOST_STAFF} 位员工。", f"a way names {MOST_STAFF} staff at most.")
        return self


class Cost(Part):
    """What a way costs, in the brand's currency: once (printing, a stand), and for each person who joins by it."""

    fixed: Money = Decimal(0)
    per_head: Money = Decimal(0)


@register
class ContactWay(Document):
    """A contact way (渠道活码). `at` is the code of the store, region or brand (`brand`) that it belongs to.

    `channel: manual` works without any API: the landing page shows the `link` as a QR code, or the picture that was
    uploaded. `channel: acquisition` is an acquisition link (获客链接): it opens the profile of one of the staff inside
    WeChat, and each new friend uses up one of the corp's quota. `corp`: whose staff, where there is more than one corp.
    `welcome` and `tags` are carried out by reflex rules that say so. `closed`: it no longer works at the platform.
    """

    KIND: ClassVar[str] = "contact_way"

    source: Literal["package_card", "poster", "store", "ad", "live_room", "partner", "inviter", "other"]
    at: str = Field(default="brand", min_length=1, max_length=64)
    channel: Literal["wecom", "acquisition", "manual"] = "wecom"
    corp: str | None = Field(default=None, max_length=64)
    cost: Cost = Cost()
    routing: Routing | None = None
    tags: tuple[TagName, ...] = Field(default=(), max_length=20)
    welcome: str | None = None
    skip_verify: bool = True
    closed: bool = False
    link: str | None = Field(default=None, max_length=2048)

    @field_validator("welcome")
    @classmethod
    def _fits(cls, welcome: str | None) -> str | None:
        if welcome is not None:
            check_text("wecom", welcome, marketing=False)
        return welcome

    @field_validator("link")
    @classmethod
    def _web(cls, link: str | None) -> str | None:
        if link is not None and not link.startswith(("https://", "http://", "weixin://")):
            raise BadInput("link 应以 https:// 开头。", "a link begins with https://.")
        return link

    @model_validator(mode="after")
    def _fits_channel(self) -> Self:
        if self.channel != "manual" and (self.routing is None or self.link is not None):
            raise BadInput(
                "企业微信活码要写 routing，不写 link。", "a way at WeCom needs routing, and has no link of its own."
            )
        if self.channel == "manual" and self.routing is not None:
            raise BadInput(
                "没有接口的活码（manual）不写 routing：谁来加由二维码本身决定。",
                "a manual way has no routing: its own QR code decides who is added.",
            )
        if self.channel != "acquisition" and self.routing is not None and self.routing.departments:
            raise BadInput(
                "只有获客链接能写 departments；活码请写员工。",
                "only an acquisition link leads to departments; name staff for a code.",
            )
        if self.channel == "manual" and self.closed:
            raise BadInput(
                "没有接口的活码不能在平台上关闭；请换下海报。",
                "a manual way cannot be closed at the platform; take its poster down.",
            )
        return self
