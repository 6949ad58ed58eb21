"""Ids, clocks, money, encryption and calendars."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yutang.kernel import calendars
from yutang.kernel.clock import business_clock, business_now, wall_now
from yutang.kernel.encryption import Keyring
from yutang.kernel.errors import BadInput, WrongKey
from yutang.kernel.ids import draw, draw_array, mix, mix_array, salt, touch_id, touch_ids
from yutang.kernel.money import Money

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64, max_size=20), st.text(max_size=5))
def test_a_column_is_drawn_as_its_elements_are(values: list[int], name: str) -> None:
    column, salted = np.array(values, np.int64), salt(name)
    assert mix_array(column, salted).tolist() == [mix(value, salted) for value in values]
    assert draw_array(column, salted).tolist() == [draw(value, salted) for value in values]
    assert touch_ids(3, name, "person", column, 1).tolist() == [touch_id(3, name, "person", v, 1) for v in values]


def test_draws_are_uniform_and_independent_between_salts() -> None:
    people = np.arange(200_000)
    one, other = draw_array(people, salt("arm", 1)), draw_array(people, salt("arm", 2))
    assert abs(np.histogram(one, 20, (0, 1))[0] / 10_000 - 1).max() < 0.05
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.01


def test_the_business_clock_can_stand_still_and_the_wall_clock_goes_on() -> None:
    instant = datetime(2018, 1, 1, 5, tzinfo=UTC)
    with business_clock(instant):
        assert business_now() == instant
        assert wall_now() > instant
    assert business_now() > instant


def test_currencies_are_not_mixed() -> None:
    assert Money(Decimal(1), "CNY") + Money(Decimal(2), "CNY") == Money(Decimal(3), "CNY")
    with pytest.raises(BadInput, match="USD"):
        Money(Decimal(1), "CNY") - Money(Decimal(1), "USD")


@given(st.text(), st.text(max_size=20))
def test_a_sealed_text_opens_under_its_own_context_only(text: str, context: str) -> None:
    ring = Keyring.generate()
    sealed = ring.encrypt(text, context)
    assert ring.decrypt(sealed, context) == text
    with pytest.raises(WrongKey):
        ring.decrypt(sealed, context + "x")
    with pytest.raises(WrongKey):
        Keyring.generate().decrypt(sealed, context)


def test_an_old_key_still_reads_when_a_new_one_writes() -> None:
    old = Keyring.generate()
    sealed = old.encrypt("张三", "person.name")
    new = Keyring("k2", {**old.keys, "k2": b"2" * 32}, old.lookup, old.signing)
    assert new.decrypt(sealed, "person.name") == "张三"
    assert b"k2" in new.encrypt("张三", "person.name")[:4]


def test_processes_that_start_at_once_share_one_ring(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: Keyring.load_or_create(path), range(16)))
    assert len({ring.fingerprint() for ring in rings}) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_key_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text('{"active": "k1"')
    with pytest.raises(WrongKey, match="damaged"):
        Keyring.load_or_create(path)


def test_make_up_workdays_and_holidays_of_china() -> None:
    assert calendars.is_holiday(date(2026, 10, 1), "CN")
    assert calendars.is_workday(date(2026, 10, 10), "CN")  # a Saturday worked for National Day
    assert not calendars.is_workday(date(2026, 10, 17), "CN")


def test_a_day_starts_where_its_zone_says() -> None:
    assert calendars.day_start(date(2018, 1, 1), "America/New_York") == datetime(2018, 1, 1, 5, tzinfo=UTC)
    assert calendars.local_day(datetime(2018, 1, 1, 4, 59, tzinfo=UTC), "America/New_York") == date(2017, 12, 31)
    assert calendars.days_in_month(date(2024, 2, 10)) == 29
    with pytest.raises(BadInput, match="Mars"):
        calendars.zone("Mars/Olympus")
