"""What is written by HTTP stands in the pond."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import ORDER, Call
from tests.house.world import World, broadcast, built
from yutang.intake.pump import pump_until_empty
from yutang.reach import planning

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]


@pytest.fixture
def world(db: None, tmp_path: Path) -> Iterator[World]:
    """A brand of this test's own."""
    with built(tmp_path) as made:
        yield made


def test_an_event_posted_twice_happened_once(world: World, call: Call) -> None:
    assert call("POST", "/events", {"events": [ORDER]}).json() == {"accepted": 1}
    assert call("POST", "/events", {"events": [ORDER, ORDER]}).status_code == 202
    pump_until_empty(world.warehouse)
    events = call("GET", f"/persons/{world.near.person}/events").json()["items"]
    assert [event["amount"] for event in events if event["id"] == "till/77"] == ["19.90"]
    assert call("GET", "/totals").json()["spend"] == "195.90"


def test_a_plan_is_tried_launched_and_stopped(world: World, call: Call) -> None:
    document = broadcast("by_api", "接口计划").as_data()
    tried = call("POST", "/plans/preview", document).json()
    assert tried["candidates"] == 2
    assert tried["candidates"] == (
        tried["send"] + tried["held_out"] + tried["globally_held_out"] + sum(tried["suppressed"].values())
    )
    launched = call("POST", "/plans", document)
    assert launched.status_code == 201
    number = launched.json()["id"]
    assert call("POST", "/plans", document).status_code == 403
    planning.plan_due(world.warehouse)
    shown = call("GET", f"/plans/{number}").json()
    counts = shown["counts"]
    assert counts["decided"] == 2
    assert counts["decided"] == sum(counts[name] for name in counts if name not in ("decided", "suppressed")) + sum(
        counts["suppressed"].values()
    )
    assert shown["lift"]["verdict"] == "too_small"
    assert call("GET", "/plans").json()["items"][0]["id"] == number
    assert call("POST", f"/plans/{number}/stop").json()["state"] == "stopped"
    assert call("POST", f"/plans/{number}/stop").status_code == 404
