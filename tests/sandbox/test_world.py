"""Seeding: twice is once, bad specs are refused by name, another world is refused."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox.conftest import DAY, START, Client, small_world
from yutang.kernel.errors import BadInput, Refused
from yutang.sandbox.contracts import Customer, Member, Relation, Spec, read_spec, spec_json
from yutang.sandbox.store import FILE
from yutang.sandbox.world import seed


def dump(directory: Path) -> list[str]:
    with sqlite3.connect(directory / FILE) as con:
        return list(con.iterdump())


def test_a_spec_survives_json() -> None:
    spec = small_world(members=(Member("a", "导购 01", {"late": 1.0, "never": 2}), Member("b", "导购 02", "night")))
    assert read_spec(spec_json(spec)) == spec


def test_seeding_the_same_spec_twice_changes_nothing(tmp_path: Path) -> None:
    assert seed(tmp_path, small_world())
    once = dump(tmp_path)
    assert not seed(tmp_path, small_world())
    assert dump(tmp_path) == once


def test_another_spec_of_the_same_world_keeps_clock_and_tasks(sandbox: Client) -> None:
    msgid = sandbox.send("wmc0")["msgid"]
    sandbox.advance(START + DAY)
    more = small_world()
    more = replace(
        more,
        customers=(*more.customers, Customer("wmnew", "顾客 new")),
        relations=(*more.relations, Relation("a", "wmnew", START)),
    )
    seeded = sandbox.seed(more)
    assert (seeded["changed"], seeded["now"]) == (True, (START + DAY).isoformat())
    assert sandbox.results(msgid) == {"wmc0": 1}
    assert sandbox.send("wmnew")["errcode"] == 0


@pytest.mark.parametrize("change", [{"corp_id": "ww-other"}, {"seed": 8}, {"zone": "America/New_York"}])
def test_another_world_needs_another_directory(tmp_path: Path, change: dict) -> None:
    seed(tmp_path, small_world())
    once = dump(tmp_path)
    with pytest.raises(Refused, match="use another directory"):
        seed(tmp_path, small_world(**change))
    assert dump(tmp_path) == once


@pytest.mark.parametrize(
    ("named", "spoil"),
    [
        ("start_at", {"start_at": "2026-03-02T09:00:00"}),
        ("start_at", {"start_at": None}),
        ("zone", {"zone": "Mars/Base"}),
        ("cap", {"cap": "yearly"}),
        ("members\\[0\\]", {"members": [{"userid": "a"}]}),
        ("members.a.habit", {"members": [{"userid": "a", "name": "导购", "habit": "sometimes"}], "relations": []}),
        ("customers\\[0\\].daily_rate", {"customers": [{"external_userid": "w", "name": "顾客", "daily_rate": "1"}]}),
        ("customers.w", {"customers": [{"external_userid": "w", "name": "顾客", "lift": -0.1}]}),
        (
            "relations.a.wmzz",
            {"relations": [{"userid": "a", "external_userid": "wmzz", "added_at": "2026-01-01T00:00:00Z"}]},
        ),
        ("spec.colour", {"colour": "blue"}),
        ("seed", {"seed": "seven"}),
    ],
)
def test_a_bad_spec_is_refused_by_name_and_nothing_is_kept(
    open_sandbox: Callable[..., Client], named: str, spoil: dict
) -> None:
    empty = open_sandbox()
    answer = empty.http.post("/control/seed", json={**spec_json(small_world()), **spoil})
    assert answer.status_code == 400
    assert set(answer.json()) == {"zh", "en"}
    assert empty.http.get("/control/state").status_code == 404
    with pytest.raises(BadInput, match=named if named != "zone" else "no zone"):
        read_spec({**spec_json(small_world()), **spoil})


def test_control_doors_take_json_objects_only(sandbox: Client) -> None:
    bodies = {"{": 400, "[]": 400, "{}": 400, '{"to": "yesterday"}': 400, '{"to": "2026-03-02T09:00:00"}': 400}
    for body, status in bodies.items():
        answer = sandbox.http.post("/control/advance", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status
    assert sandbox.http.post("/control/advance", content='{"to": "2026-03-03T00:00:00Z"}').status_code == 400
    faults = sandbox.http.post("/control/faults", json={"faults": [{"api": "*", "kind": "explode"}]})
    assert faults.status_code == 400
    assert "drop_answer" in faults.json()["en"]
    assert sandbox.state()["now"] == START.isoformat()


def test_ten_thousand_customers_are_seeded_in_a_moment(tmp_path: Path) -> None:
    customers = tuple(Customer(f"wm{n:05d}", f"顾客 {n:05d}", daily_rate=0.2) for n in range(10_000))
    spec: Spec = small_world(
        customers=customers, relations=tuple(Relation("a", one.external_userid, START) for one in customers)
    )
    began = time.process_time()
    assert seed(tmp_path, spec)
    assert time.process_time() - began < 10  # a third of a second where nothing else runs


@pytest.mark.parametrize("name", ["rebound.example", "rebound.example:8000", "127.0.0.1.rebound.example"])
def test_a_page_whose_name_was_made_to_point_here_finds_the_control_doors_shut(sandbox: Client, name: str) -> None:
    answer = sandbox.http.get("/control/state", headers={"host": name})
    assert answer.status_code == 409
    moved = sandbox.http.post("/control/advance", json={"to": "2026-03-03T00:00:00Z"}, headers={"host": name})
    assert moved.status_code == 409
    assert sandbox.state()["now"] == START.isoformat()
