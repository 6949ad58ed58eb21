"""The operational store by its address, and what is said of one that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import stores
from tests.cli.shell import Said, environment, run
from yutang.kernel import database
from yutang.kernel.errors import BadInput

SECRET = "geheim-x7"


def said(directory: Path, address: str) -> Said:
    """What a command says with that address."""
    env = {**environment(directory), "YUTANG_DATABASE": address}
    command = [sys.executable, "-m", "yutang.app.main", "doctor"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=directory.parent)
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def test_an_address_is_taken_apart_and_a_path_is_sqlite(tmp_path: Path) -> None:
    found = database.settings_of("postgresql://me:p%40ss@db.example:6543/pond?sslmode=require", tmp_path)
    assert [found[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "pond", "me", "p@ss", "db.example", 6543,
    ]  # fmt: skip
    assert found["OPTIONS"]["sslmode"] == "require"
    assert "synchronous_commit=on" in found["OPTIONS"]["options"]
    assert database.settings_of("", tmp_path)["NAME"] == tmp_path / "yutang.sqlite3"
    assert database.settings_of(str(tmp_path / "x.db"), tmp_path)["NAME"] == tmp_path / "x.db"


@pytest.mark.parametrize("address", ["mysql://me:geheim-x7@h/d", "postgresql://me:geheim-x7@h", "postgres://h:port/d"])
def test_what_is_no_address_is_refused_without_repeating_it(address: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="postgresql://user@host/database") as caught:
        database.settings_of(address, tmp_path)
    assert SECRET not in caught.value.en + caught.value.zh


@pytest.mark.long
def test_a_server_that_is_away_is_said_in_one_sentence(tmp_path: Path) -> None:
    answer = said(tmp_path / "data", f"postgresql://me:{SECRET}@127.0.0.1:1/pond")
    assert answer.code == 1
    assert answer.err.strip() == (
        "PostgreSQL 127.0.0.1:1/pond does not answer; check that it runs and that its address is right."
    )


@pytest.mark.skipif(not stores.on_postgres(), reason="needs a PostgreSQL server")
def test_a_database_or_a_user_that_is_not_there_is_said(tmp_path: Path) -> None:
    server = urlsplit(stores.SERVER)
    missing = said(tmp_path / "data", server._replace(path="/nowhere").geturl())
    assert "There is no database" in missing.err
    assert "createdb nowhere" in missing.err
    stranger = said(tmp_path / "data", server._replace(netloc=f"stranger:{SECRET}@").geturl())
    assert "does not let us in" in stranger.err
    assert missing.code == stranger.code == 1


@pytest.mark.skipif(not stores.on_postgres(), reason="needs a PostgreSQL server")
def test_a_database_of_another_key_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    env = {**os.environ, **environment(tmp_path / "data")}
    (tmp_path / "orders.csv").write_text(
        "order_id,placed_at,sku,quantity,amount,member\n1,2026-03-01 10:00:00,a,1,9,m\n"
    )
    command = [sys.executable, "-m", "yutang.app.main", "import", "orders", str(tmp_path / "orders.csv")]
    assert subprocess.run(command, env=env, capture_output=True, cwd=tmp_path).returncode == 0
    stores.rows(tmp_path / "data", "DELETE FROM django_migrations WHERE name = '0004_pulse' RETURNING id")
    answer = said(tmp_path / "other", stores.address(tmp_path / "data"))
    assert answer.code == 1
    assert "encrypted with another key" in answer.err
    assert stores.rows(tmp_path / "data", "SELECT 1 FROM django_migrations WHERE name = '0004_pulse'") == []


@pytest.mark.long
@pytest.mark.skipif(stores.on_postgres(), reason="there they run apart")
def test_apart_they_need_postgresql_and_say_so(tmp_path: Path) -> None:
    for answer in run(tmp_path / "data", ["web"], ["worker"], ["clock"]):
        assert (answer.code, answer.out) == (1, "")
        assert "SQLite lets one process write at a time" in answer.err
    assert not (tmp_path / "data").exists()
