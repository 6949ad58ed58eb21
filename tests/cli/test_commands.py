"""The shell contract that others script against."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shell import ROOT, Said, alone, run
from yutang.console import words
from yutang.reach.contracts import REASONS
from yutang.reach.gate.contracts import RuleName

ORDERS = """order_id,placed_at,artnr,quantity,amount,member,store,category,name,phone
1,2026-03-01 10:00:00,a,1,19.90,m1,s1,milk,张三,13800138000
1,2026-03-01 10:00:00,b,2,0,m1,s1,milk,张三,13800138000
2,2026-03-02 10:00:00,a,1,29.90,m2,s1,milk,李四,13900139000
"""
BAD = "order_id,placed_at,sku,quantity,amount,member\n2,2026-03-02 10:00:00,a,one,9,m1\n"
WHOLE = str(ROOT / "playbooks" / "broadcasts" / "whole_pool.yaml")
COMMANDS = {
    "unwell": ["doctor", "--json"],
    "nothing": ["segments", "list", "--json"],
    "unplanned": ["plan", WHOLE, "--json"],
    "mistyped": ["import", "orders", "odrers.csv", "--json"],
    "tried": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--dry-run", "--json"],
    "imported": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--json"],
    "again": ["import", "orders", "orders.csv", "--map", "sku=artnr", "--json"],
    "doubtful": ["import", "orders", "bad.csv", "--dry-run", "--json"],
    "refused": ["import", "orders", "bad.csv", "--json"],
    "waved": ["import", "orders", "bad.csv", "--dry-run", "--skip-bad", "--json"],
    "skipped": ["import", "orders", "bad.csv", "--skip-bad", "--json"],
    "misused": ["import", "orders", "--colour", "blue"],
    "spoken": ["segments", "count", "one_time_buyers"],
    "list": ["segments", "list", "--json"],
    "count": ["segments", "count", "one_time_buyers", "--json"],
    "members": ["segments", "members", "one_time_buyers", "--limit", "1", "--json"],
    "plan": ["plan", WHOLE, "--json"],
    "said": ["plan", WHOLE],
    "apply": ["apply", WHOLE, "--json"],
    "twice": ["apply", WHOLE, "--json"],
    "plans": ["plans", "list", "--json"],
    "show": ["plans", "show", "1", "--json"],
    "stop": ["plans", "stop", "1", "--json"],
    "merge": ["persons", "merge", "1", "3", "--reason", "asked by phone", "--json"],
    "merged": ["persons", "history", "3", "--json"],
    "split": ["persons", "split", "1", "--out", "phone=139 0013 9000", "--reason", "a till's number", "--json"],
    "stranger": ["persons", "split", "1", "--out", "phone=13700137000", "--reason", "wrong", "--json"],
    "undo": ["persons", "undo", "1", "--reason", "it was not", "--json"],
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
    (folder / "bad.csv").write_text(BAD, encoding="utf-8")
    return dict(zip(COMMANDS, run(folder / "data", *COMMANDS.values()), strict=True))


def test_every_command_but_the_refused_ends_well_and_speaks_json(said: dict[str, Said]) -> None:
    refused = {"nothing", "unplanned", "mistyped", "refused", "twice", "forbidden", "stranger"}
    unwell = {"unwell", "doubtful"}  # these answer, and what they answer is not all well
    assert {name for name, answer in said.items() if answer.code == 1} == refused | unwell
    assert {name for name, answer in said.items() if answer.code == 2} == {"misused"}
    for name, answer in said.items():
        if name not in ("spoken", "said", "misused"):
            assert answer.data, name
    for name in refused:
        assert set(said[name].data["error"]) == {"zh", "en"}


def test_on_an_empty_directory_looking_decides_nothing_and_importing_says_what_it_presumed(
    said: dict[str, Said],
) -> None:
    """A dry run or a list set the brand up in CNY for good, and the set-up page never showed."""
    for name in ("nothing", "unplanned"):
        assert "not set up" in said[name].data["error"]["en"]
    for name in ("unwell", "nothing", "unplanned", "mistyped", "tried"):
        assert "默认设置" not in said[name].err
    assert "checked as if it were CNY, Asia/Shanghai" in said["tried"].err
    assert "set up with defaults (CNY, Asia/Shanghai)" in said["imported"].err
    assert "/set-up/" in said["imported"].err
    assert said["again"].err == ""


def test_the_doctor_ends_with_one_where_anything_is_wrong(said: dict[str, Said]) -> None:
    for name, ok in (("unwell", False), ("doctor", True)):
        assert said[name].data["ok"] is ok
        assert all(finding["ok"] for finding in said[name].data["findings"]) is ok
    assert "set_up" in {finding["name"] for finding in said["unwell"].data["findings"] if not finding["ok"]}


def test_a_dry_run_ends_as_the_import_would_and_names_the_error_file(said: dict[str, Said]) -> None:
    for dry, real in (("doubtful", "refused"), ("waved", "skipped")):
        assert said[dry].code == said[real].code
        report = said[real].data.get("report", said[real].data)
        assert said[dry].data["refused"] == report["refused"] == 1
        assert all(Path(found["error_file"]).is_file() for found in (said[dry].data, report))
    assert (said["doubtful"].data["dry_run"], said["doubtful"].data["persons"]) == (True, 0)


def test_a_dry_run_keeps_nothing_and_an_import_twice_counts_once(said: dict[str, Said]) -> None:
    assert (said["tried"].data["accepted"], said["tried"].data["dry_run"]) == (3, True)
    people = [
        tuple(said[name].data[field] for field in ("persons", "persons_new", "persons_known"))
        for name in ("tried", "imported", "again")
    ]
    assert people == [(2, 2, 0), (2, 2, 0), (2, 0, 2)]
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


def test_a_plan_is_told_in_words_and_scripts_get_the_codes(said: dict[str, Said]) -> None:
    (reason,) = said["plan"].data["suppressed"]
    assert reason == "relation"
    assert f"− 2 {REASONS[reason][1]}\n" in said["said"].out
    assert reason not in said["said"].out.split()
    assert set(REASONS) == set(words.REASONS) >= set(RuleName)


def test_the_ledger_of_a_plan_balances_and_its_lift_has_its_four_parts(said: dict[str, Said]) -> None:
    shown = said["show"].data
    names = ("sent", "failed", "expired", "unknown", "held_out", "globally_held_out", "pending")
    assert shown["decided"] == 2 == sum(shown[name] for name in names) + sum(shown["suppressed"].values())
    assert set(shown["lift"]) == {"estimate", "low", "high", "verdict", "preliminary"}
    assert [plan["id"] for plan in said["plans"].data] == [said["apply"].data["id"]] == [1]
    assert said["stop"].data["state"] == "stopped"


@pytest.mark.long
def test_looking_at_the_help_makes_no_data_directory(tmp_path: Path) -> None:
    answer = alone(tmp_path / "data", "--help")
    assert (answer.code, answer.err) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_merge_in_the_shell_is_kept_with_its_reason_and_undone(said: dict[str, Said]) -> None:
    assert said["merge"].data == {"decision": 1}
    (decision,) = said["merged"].data["decisions"]
    assert (decision["kind"], decision["reason"], decision["by"]) == ("merge", "asked by phone", "owner")
    assert said["split"].data == {"decision": 2}
    assert said["stranger"].data["error"]["en"] == "Person 1 has no phone +86137****7000."
    assert said["undo"].data == {"decision": 1}
