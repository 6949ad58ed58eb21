"""The shell contract that others script against."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import ROOT, Said, alone, run

ORDERS = """order_id,placed_at,artnr,quantity,amount,member,store,category,name,phone
1,2026-03-01 10:00:00,a,1,19.90,m1,s1,milk,张三,13800138000
1,2026-03-01 10:00:00,b,2,0,m1,s1,milk,张三,13800138000
2,2026-03-02 10:00:00,a,1,29.90,m2,s1,milk,李四,13900139000
"""
WHOLE = str(ROOT / "playbooks" / "broadcasts" / "whole_pool.yaml")
COMMANDS = {
    "tried": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--dry-run", "--json"],
    "imported": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--json"],
    "again": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--json"],
    "spoken": ["segments", "count", "one_time_buyers"],
    "list": ["segments", "list", "--json"],
    "count": ["segments", "count", "one_time_buyers", "--json"],
    "members": ["segments", "members", "one_time_buyers", "--limit", "1", "--json"],
    "plan": ["plan", WHOLE, "--json"],
    "apply": ["apply", WHOLE, "--json"],
    "twice": ["apply", WHOLE, "--json"],
    "plans": ["plans", "list", "--json"],
    "show": ["plans", "show", "1", "--json"],
    "stop": ["plans", "stop", "1", "--json"],
    "user": ["users", "add", "nobody", "--role", "analyst", "--json"],
    "token": ["tokens", "issue", "notebook", "--scope", "read", "--json"],
    "as_user": ["segments", "count", "one_time_buyers", "--as", "nobody", "--json"],
    "forbidden": ["rebuild", "profiles", "--as", "nobody", "--json"],
    "rebuild": ["rebuild", "profiles", "--json"],
    "doctor": ["doctor", "--json"],
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """What each command answered, run in this order on an empty data directory."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return dict(zip(COMMANDS, run(folder / "data", *COMMANDS.values()), strict=True))


def test_every_command_but_the_refused_ends_well_and_speaks_json(said: dict[str, Said]) -> None:
    refused = {"twice", "forbidden"}
    assert {name for name, answer in said.items() if answer.code} == refused
    for name, answer in said.items():
        if name != "spoken":
            assert answer.data, name
    for name in refused:
        assert set(said[name].data["error"]) == {"zh", "en"}


def test_an_import_on_an_empty_directory_sets_it_up_and_says_so(said: dict[str, Said]) -> None:
    assert "CNY" in said["tried"].err
    assert "默认" in said["tried"].err
    assert said["imported"].err == ""


def test_a_dry_run_keeps_nothing_and_an_import_twice_counts_once(said: dict[str, Said]) -> None:
    assert (said["tried"].data["accepted"], said["tried"].data["dry_run"]) == (3, True)
    assert (said["imported"].data["events"], said["imported"].data["already_there"]) == (2, 0)
    assert (said["again"].data["events"], said["again"].data["already_there"]) == (2, 2)
    assert said["doctor"].data["totals"] == {"persons": 2, "orders": 2, "lines": 3, "spend": 49.8}


def test_segments_are_counted_and_listed(said: dict[str, Said]) -> None:
    assert said["count"].data == {"name": "one_time_buyers", "count": 2}
    assert said["spoken"].out == "One-time buyers 2\n"
    assert len(said["members"].data["members"]) == 1
    assert {"name": "one_time_buyers", "count": 2} in [
        {key: row[key] for key in ("name", "count")} for row in said["list"].data
    ]
    assert said["as_user"].data["count"] == 2


def test_a_dry_run_of_a_plan_accounts_for_every_candidate(said: dict[str, Said]) -> None:
    plan = said["plan"].data
    assert plan["candidates"] == 2
    parts = plan["send"] + plan["held_out"] + plan["globally_held_out"] + sum(plan["suppressed"].values())
    assert plan["candidates"] == parts
    assert "smallest_effect" in plan


def test_the_ledger_of_a_plan_balances_and_its_lift_has_its_four_parts(said: dict[str, Said]) -> None:
    shown = said["show"].data
    names = ("sent", "failed", "expired", "unknown", "held_out", "globally_held_out", "pending")
    assert shown["decided"] == 2 == sum(shown[name] for name in names) + sum(shown["suppressed"].values())
    assert set(shown["lift"]) == {"estimate", "low", "high", "verdict", "preliminary"}
    assert [plan["id"] for plan in said["plans"].data] == [said["apply"].data["id"]] == [1]
    assert said["stop"].data["state"] == "stopped"


def test_looking_at_the_help_makes_no_data_directory(tmp_path: Path) -> None:
    answer = alone(tmp_path / "data", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert list(tmp_path.iterdir()) == []
