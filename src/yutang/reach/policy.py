"""The policy document: the brand's numbers behind the gate's rules."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from yutang.kernel.calendars import is_holiday, is_workday
from yutang.kernel.documents import NAME, Document, Part, Title, register
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import BUCKETS
from yutang.reach.gate.contracts import ChannelCaps, Hours, Policy

AHEAD = timedelta(days=62)  # holidays are looked up this far: no plan waits that long for a tap

Channel = Annotated[str, Field(pattern=NAME)]
Cap = Annotated[int, Field(ge=0, le=10_000)]


def _clock_time(value: object) -> object:
    """YAML 1.1 reads a bare 21:30 as the number 1290 = 21 × 60 + 30, and leaves 09:00 a text; both mean a time."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    return value


ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class OpenHours(Part):
    """From `opens` up to, not including, `closes`, in the person's local time."""

    opens: ClockTime = time(9)
    closes: ClockTime = time(21, 30)

    @model_validator(mode="after")
    def _opens_first(self) -> Self:
        if self.opens >= self.closes or self.opens.tzinfo or self.closes.tzinfo:
            raise BadInput(
                f"opens 要早于 closes，且不带时区，例如 09:00 和 21:30，而不是 {self.opens} 和 {self.closes}。",
                f"opens must be before closes and carry no zone, such as 09:00 and 21:30; "
                f"not {self.opens} and {self.closes}.",
            )
        return self

    def hours(self) -> Hours:
        """The same for the gate."""
        return Hours(self.opens, self.closes)


class ClosedDays(Part):
    """Local days without open hours. Weekdays count from 1, Monday, to 7.

    With `holidays`, the brand's country's public holidays are closed, and its make-up workdays (调休) open even where
    their weekday is closed; what a country has not yet published for a year is not known here either.
    """

    weekdays: frozenset[Annotated[int, Field(ge=1, le=7)]] = frozenset()
    dates: frozenset[date] = frozenset()
    holidays: bool = False


DEFAULT_TOPICS = {
    "offers": Title(zh="优惠活动", en="Offers"),
    "new_goods": Title(zh="新品到店", en="New goods"),
    "tips": Title(zh="实用内容", en="Tips"),
    "events": Title(zh="线下活动", en="Events"),
}


class Promotions(Part):
    """In 30 days a person may get `free` promotions, and `per_value` more for each touch that gave value."""

    free: Cap = 2
    per_value: Cap = 2


class PersonCaps(Part):
    """Marketing touches that one person may get through all channels; null is no cap."""

    day: Cap | None = 1
    week: Cap | None = 3
    month: Cap | None = 8


class OneChannelCaps(Part):
    """Touches of any class but replies that one person may get through one channel; null is no cap."""

    day: Cap | None = None
    month: Cap | None = None


class Chasing(Part):
    """How often one guide may be asked after (催办) tasks that wait: `a_day` times on a local day, `pause_hours` apart,
    and only within `hours` of the zone of their store."""

    a_day: int = Field(default=2, ge=1, le=10)
    pause_hours: int = Field(default=3, ge=0, le=72)
    hours: OpenHours = OpenHours(opens=time(9), closes=time(20))


@register
class PolicyDocument(Document):
    """What the gate allows. Everything has a default; a policy names what it changes.

    `topics` are what messages can be about: customers refuse them one by one on their preference page.
    """

    KIND: ClassVar[str] = "policy"

    hours: OpenHours = OpenHours()
    channel_hours: dict[Channel, OpenHours] = Field(default_factory=lambda: {"sms": OpenHours(closes=time(21))})
    closed: ClosedDays = ClosedDays()
    max_risk: int = Field(default=1, ge=0, le=100)
    grace_days: int = Field(default=3, ge=0, le=90)
    promotions: Promotions = Promotions()
    caps: PersonCaps = PersonCaps()
    channel_caps: dict[Channel, OneChannelCaps] = Field(default_factory=dict)
    tap_budget: int = Field(default=2, ge=1, le=20)
    chase: Chasing = Chasing()
    global_hold_out: float = Field(default=0.0, ge=0, le=0.2)
    topics: dict[Channel, Title] = Field(default_factory=lambda: dict(DEFAULT_TOPICS), max_length=20)

    @field_validator("global_hold_out")
    @classmethod
    def _whole_buckets(cls, share: float) -> float:
        if abs(share * BUCKETS - round(share * BUCKETS)) > 1e-6:
            raise BadInput(
                f"global_hold_out {share} 太细，最多四位小数，例如 0.05。",
                f"global_hold_out {share} is too fine; write at most four decimals, such as 0.05.",
            )
        return share

    def policy(self, country: str, now: datetime) -> Policy:
        """What the gate is to apply to plans that start around `now`; `country` (ISO 3166) gives the holidays."""
        days = (
            [now.date() + timedelta(days=ahead) for ahead in range(-1, AHEAD.days + 1)] if self.closed.holidays else []
        )
        weekdays = frozenset(day - 1 for day in self.closed.weekdays)
        return Policy(
            hours=self.hours.hours(),
            channel_hours={channel: open_hours.hours() for channel, open_hours in self.channel_hours.items()},
            closed_weekdays=weekdays,
            closed_dates=self.closed.dates | {day for day in days if is_holiday(day, country)},
            open_dates=frozenset(day for day in days if day.weekday() >= 5 and is_workday(day, country)),
            max_risk=self.max_risk,
            grace=timedelta(days=self.grace_days),
            promotions_free=self.promotions.free,
            promotions_per_value=self.promotions.per_value,
            day_cap=self.caps.day,
            week_cap=self.caps.week,
            month_cap=self.caps.month,
            channel_caps={name: ChannelCaps(caps.day, caps.month) for name, caps in self.channel_caps.items()},
            tap_budget=self.tap_budget,
            global_hold_out=self.global_hold_out,
        )
