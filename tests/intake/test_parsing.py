"""Times and amounts as people and spreadsheets write them; what may mean two things is bad, and said to be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yutang.intake.parsing import amount_trouble, scaled, scientific, time_trouble, times

ZONE = "Asia/Shanghai"
EARLY = datetime(2026, 11, 27, 1, 5, tzinfo=UTC)  # 09:05 in Shanghai
MIDNIGHT = datetime(2026, 11, 26, 16, tzinfo=UTC)
TIMES = {
    "2026-11-27 09:05:00": EARLY,
    "2026-11-27T09:05": EARLY,
    "2026年11月27日 9时05分": EARLY,
    "2026年11月27日9时05分00秒": EARLY,
    "2026年11月27日 上午9点05分": EARLY,
    "２０２６年１１月２７日　９：０５": EARLY,
    "2026/11/27 9:05": EARLY,
    "2026.11.27 09:05:00": EARLY,
    "2026/11/27 上午 9:05": EARLY,
    "2026-11-27 9:05 PM": EARLY + timedelta(hours=12),
    "2026/11/27 下午9:05:00": EARLY + timedelta(hours=12),
    "20261127090500": EARLY,
    "20261127": MIDNIGHT,
    "2026年11月27日": MIDNIGHT,
    "2026年11月27号": MIDNIGHT,
    "2026/11/27": MIDNIGHT,
    "2026.11.27": MIDNIGHT,
    "2026-1-7": datetime(2026, 1, 6, 16, tzinfo=UTC),
    "46353": MIDNIGHT,
    "46353.378472222": EARLY,
    "2026-11-27T01:05:00Z": EARLY,
    "2026-11-27 09:05:00+08:00": EARLY,
    "2026/11/26 20:05 -0500": EARLY,
    "2026-11-27T09:05:00.250": EARLY + timedelta(milliseconds=250),
}
NO_TIMES = (
    "11/27/2026", "27.11.2026", "03/04/2026", "26-11-27", "2026-02-30", "2026-13-01", "2026-11-27 25:00", "昨天", "",
    "2026年11月", "1767225600", "99999", "2026-11-27 9点半", "1889-01-01", "2126-01-01", "13800138000",
)  # fmt: skip
AMOUNTS = {
    "1234.5": "1234.5", "￥1,234.50": "1234.50", "¥1234": "1234", "１２３４．５０元": "1234.50", "12.5元": "12.5",
    "1.2万": "12000", "1.25 万元": "12500", "3千": "3000", "0.5亿": "50000000", "1 234,50": "1234.50",
    "1.234,50": "1234.50", "1,234,567.8": "1234567.8", "-5": "-5", "−5.00": "-5", "(5.00)": "-5", "（5.00）": "-5",
    "¥-5": "-5", "-¥5": "-5", "CNY 12": "12", "12 CNY": "12", "人民币12元整": "12", ".5": "0.5", "+7": "7",
}  # fmt: skip
NO_AMOUNTS = (
    "1234,50", "1,23", "1,2345", "12,34,567", "1.23456", "9.005", "two", "$3", "€3", "12 USD", "1E+05", "1e5", "--5",
    "(-5)", "5%", "1.2.3", "1000000000000", "NaN", "Infinity", "1 2", "12元3",
)  # fmt: skip


def instants(values: list[str]) -> list[datetime | None]:
    found, bad = times(pa.array(values, pa.string()), ZONE)
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return [None if wrong else start + timedelta(microseconds=int(at)) for at, wrong in zip(found, bad, strict=True)]


def amounts(values: list[str], digits: int = 2) -> list[Decimal | None]:
    found, bad = scaled(pa.array(values, pa.string()), digits, currency="CNY")
    return [None if wrong else Decimal(int(one)).scaleb(-digits) for one, wrong in zip(found, bad, strict=True)]


def test_times_are_read_in_every_form_alone_and_among_others() -> None:
    assert instants([*TIMES, *NO_TIMES]) == [*TIMES.values(), *[None] * len(NO_TIMES)]
    for text, at in TIMES.items():
        assert instants([text]) == [at], text
    for text in NO_TIMES:
        assert instants([text]) == [None], text


def test_amounts_are_read_in_every_form_alone_and_among_others() -> None:
    wanted = [Decimal(one) for one in AMOUNTS.values()]
    assert amounts([*AMOUNTS, *NO_AMOUNTS]) == [*wanted, *[None] * len(NO_AMOUNTS)]
    for text in (*AMOUNTS, *NO_AMOUNTS):
        assert amounts([text]) == amounts([text, "1"])[:1], text


@settings(max_examples=30)
@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)))
def test_every_second_reads_the_same_in_every_form(at: datetime) -> None:
    at = at.replace(microsecond=0)
    days = (at.date() - date(1899, 12, 30)).days
    serial = Decimal(days) + Decimal((at - datetime.combine(at.date(), datetime.min.time())).seconds) / 86_400
    forms = [
        at.isoformat(" "),
        at.isoformat(),
        f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02}:{at.second:02}",
        f"{at.year}年{at.month}月{at.day}日 {at.hour}时{at.minute:02}分{at.second:02}秒",
        f"{at:%Y%m%d%H%M%S}",
        f"{serial:.9f}",
    ]
    assert len(set(instants(forms))) == 1
    assert instants(forms)[0] is not None


@settings(max_examples=30)
@given(st.decimals(-(10**11), 10**11, places=2))
def test_every_amount_reads_the_same_in_every_form(amount: Decimal) -> None:
    forms = [f"{amount}", f"{amount:,}", f"￥{amount:,}", f"{amount}元", f"{amount:,}".translate(FULL)]
    assert amounts(forms) == [amount] * len(forms)


FULL = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


@pytest.mark.parametrize(("text", "says"), [("1234,50", "comma"), ("two", "no amount"), ("1.38E+10", "shortened")])
def test_why_it_is_no_amount_is_said(text: str, says: str) -> None:
    assert says in amount_trouble(text)[1]


def test_why_it_is_no_time_is_said_and_what_excel_shortened_is_known() -> None:
    assert "which is the year" in time_trouble("11/27/2026")[1]
    assert "no time" in time_trouble("昨天")[1]
    assert scientific(pa.array(["1.38E+10", "E+5", "m1", "2E+09"])).tolist() == [True, False, False, True]


def test_quantities_bear_no_currency() -> None:
    found, bad = scaled(pa.array(["2", "0.350", "1,000", "¥2", "2元"]), 3)
    assert (found[:3].tolist(), bad.tolist()) == ([2_000, 350, 1_000_000], [False, False, False, True, True])
