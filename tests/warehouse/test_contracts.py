"""Named queries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlglot import exp

import yutang
from tests.warehouse.clickhouse import assert_equal_on_both_engines
from yutang.kernel.errors import BadInput, NotFound
from yutang.warehouse import dialects
from yutang.warehouse.contracts import load_sql, named, sentence
from yutang.warehouse.versions import uncorrelated

SOURCE = Path(yutang.__file__).parent
KEPT = sorted(
    f"{file.parent.parent.relative_to(SOURCE).as_posix()}/{file.name[:-4]}"
    for file in SOURCE.glob("**/sql/*.sql")
    if not file.name.endswith(".clickhouse.sql")
)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A room of the tests' own with an empty drawer of queries."""
    drawer = tmp_path / "guestroom" / "sql"
    drawer.mkdir(parents=True)
    (tmp_path / "guestroom" / "__init__.py").touch()
    monkeypatch.setattr(yutang, "__path__", [*yutang.__path__, str(tmp_path)])
    load_sql.cache_clear()
    yield drawer
    sys.modules.pop("yutang.guestroom", None)
    load_sql.cache_clear()


def test_a_named_query_is_its_file_and_says_what_it_answers(room: Path) -> None:
    (room / "twice.sql").write_text("-- A number, doubled.\nSELECT $n * 2 AS answer\n")
    assert sentence("guestroom/twice") == "A number, doubled."
    assert assert_equal_on_both_engines(named("guestroom/twice", {"n": 21}), {}).to_pylist() == [{"answer": 42}]


def test_a_clickhouse_text_beside_it_wins_on_clickhouse_only(room: Path) -> None:
    (room / "stamp.sql").write_text("-- Microseconds since 1970.\nSELECT epoch_us($at) AS answer\n")
    (room / "stamp.clickhouse.sql").write_text(
        "-- epoch_us has no like here.\nSELECT toUnixTimestamp64Micro({at:DateTime64(6)}) AS answer\n"
    )
    statement = named("guestroom/stamp", {"at": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)})
    assert assert_equal_on_both_engines(statement, {}).to_pylist() == [{"answer": 1767225601000000}]


def test_an_unknown_query_and_one_without_a_sentence_are_refused(room: Path) -> None:
    (room / "mute.sql").write_text("SELECT 1\n")
    with pytest.raises(BadInput, match="guestroom/mute"):
        named("guestroom/mute")
    for name in ("guestroom/nothing", "no_room/nothing"):
        with pytest.raises(NotFound, match=name):
            named(name)


@pytest.mark.parametrize("name", KEPT)
def test_every_query_of_the_house_has_a_sentence_and_keeps_to_the_allowed_functions(name: str) -> None:
    assert sentence(name)
    if not load_sql(name, "clickhouse"):
        dialects.check_functions(named(name))


@pytest.mark.parametrize("name", KEPT)
def test_no_query_of_the_house_asks_what_a_cluster_refuses(name: str) -> None:
    """ClickHouse takes no correlated subquery over machines: what is no equality is said by a join."""
    tree = uncorrelated(dialects.parse(load_sql(name)))
    for found in tree.find_all(exp.Exists):
        own = {table.alias_or_name for table in found.this.find_all(exp.Table)}
        assert not [one.sql() for one in found.this.find_all(exp.Column) if one.table and one.table not in own]
