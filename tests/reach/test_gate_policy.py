"""The policy document: what people may write, and what the gate gets of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from yutang.kernel.documents import read
from yutang.kernel.errors import BadDocument
from yutang.reach.gate.contracts import ChannelCaps, Hours
from yutang.reach.policy import PolicyDocument

HEAD = """
kind: policy
name: default
schema: 1
title: {zh: 触达规则, en: Touch policy}
"""
NATIONAL_DAY = datetime(2025, 9, 25, 8, tzinfo=UTC)


def written(body: str) -> PolicyDocument:
    document = read(HEAD + body)
    assert isinstance(document, PolicyDocument)
    return document


def test_the_head_alone_is_a_policy_with_the_house_defaults():
    policy = written("").policy("CN", NATIONAL_DAY)
    assert policy.hours == Hours(time(9), time(21, 30))
    assert policy.hours_of("sms") == Hours(time(9), time(21))
    assert (policy.grace, policy.tap_budget, policy.held_buckets) == (timedelta(days=3), 2, 0)
    assert policy.closed_dates == frozenset()


def test_times_may_be_written_without_quotes_though_yaml_reads_a_number():
    assert written("hours: {opens: 10:15, closes: 21:00}").hours.hours() == Hours(time(10, 15), time(21))


def test_what_is_written_reaches_the_gate():
    policy = written(
        "caps: {day: 2, week: null, month: 9}\nchannel_caps: {wecom: {day: 1, month: 4}}\n"
        "closed: {weekdays: [7], dates: [2025-09-30]}\nglobal_hold_out: 0.07\npromotions: {free: 1, per_value: 3}\n"
    ).policy("CN", NATIONAL_DAY)
    assert (policy.day_cap, policy.week_cap, policy.month_cap) == (2, None, 9)
    assert policy.channel_caps == {"wecom": ChannelCaps(1, 4)}
    assert policy.closed(date(2025, 9, 28))  # a Sunday
    assert policy.closed(date(2025, 9, 30))
    assert not policy.closed(date(2025, 9, 29))
    assert policy.held_buckets == 700
    assert (policy.promotions_free, policy.promotions_per_value) == (1, 3)


def test_holidays_close_and_make_up_workdays_open():
    policy = written("closed: {weekdays: [6, 7], holidays: true}").policy("CN", NATIONAL_DAY)
    assert policy.closed(date(2025, 10, 1))  # National Day, a Wednesday
    assert not policy.closed(date(2025, 9, 28))  # a Sunday on which China made up for it
    assert policy.closed(date(2025, 9, 27))  # an ordinary Saturday


def test_the_document_survives_being_stored():
    document = written("hours: {opens: 10:15, closes: 21:00}\nclosed: {dates: [2025-09-30]}\n")
    assert read(document.as_yaml()) == document


@pytest.mark.parametrize(
    ("body", "place", "says"),
    [
        ("hours: {opens: 22:00, closes: 09:00}", "hours", "opens must be before closes"),
        ("global_hold_out: 0.12345", "global_hold_out", "too fine"),
        ("global_hold_out: 0.5", "global_hold_out", "less than or equal to 0.2"),
        ("tap_buget: 3", "tap_buget", "Extra inputs"),
        ("caps: {day: -1}", "caps.day", "greater than or equal to 0"),
        ("closed: {weekdays: [0]}", "closed.weekdays", "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(body: str, place: str, says: str):
    with pytest.raises(BadDocument) as caught:
        written(body)
    problem = caught.value.problems[0]
    assert problem.where.startswith(place)
    assert says in problem.en
    assert problem.zh
