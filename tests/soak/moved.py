"""The demo's pond from DuckDB to ClickHouse and back by `yutang warehouse move`, killed in the middle each way.

`python -m tests.soak.moved [--kills 1]` prints a JSON line. Each move is a process that dies by kill -9 after a
random share of its rows, and is run again until it ends by itself. That the end equals the beginning is told here by
DuckDB alone, table by table, both ways round, and by sums and hashes of each column.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from tests import stores
from yutang.warehouse.engine import FILE

ROOT = Path(__file__).resolve().parents[2]
NOT_MOVED = ("moved", "schema_version")
_SHARE = re.compile(r"moving .*\((\d+) %\)")


def run(root: Path, kills: int, seed: int) -> dict[str, Any]:
    """Move there and back. Raises AssertionError where anything differs."""
    chance = random.Random(seed)
    data, first = root / "data", root / "first"
    there = f"chdb://{root}/ch?database=pond"
    _yutang(data, {}, "demo", "--json")
    began = _seconds()
    _moved(data, {"YUTANG_WAREHOUSE_URL": there}, kills, chance)
    mid = _seconds()
    first.mkdir()
    for part in data.glob(f"{FILE}*"):
        shutil.move(part, first)
    _moved(data, {"YUTANG_WAREHOUSE_FROM": there}, kills, chance)
    rows = _equal(first / FILE, data / FILE)
    return {
        "rows": sum(rows.values()),
        "tables": {name: n for name, n in rows.items() if n},
        "kills": 2 * kills,
        "cpu_there": round(mid - began, 1),
        "cpu_back": round(_seconds() - mid, 1),
    }


def _moved(data: Path, where: dict[str, str], kills: int, chance: random.Random) -> None:
    reached = 0
    for _ in range(kills):
        reached = _killed(data, where, chance.randint(reached + 1, min(99, reached + 80 // kills)))
    told = _yutang(data, where, "warehouse", "move", "--json")
    found = json.loads(told)
    assert found, told
    assert all(one["equal"] and one["rows"] == one["rows_there"] for one in found), told


def _killed(data: Path, where: dict[str, str], share: int) -> int:
    """Move until that share of rows is there, and die."""
    command = [sys.executable, "-m", "yutang.app.main", "warehouse", "move"]
    with subprocess.Popen(
        command, env=_environment(data, where), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as moving:
        assert moving.stderr is not None
        said = []
        for line in moving.stderr:
            said.append(line)
            found = _SHARE.search(line)
            if found and int(found[1]) >= share:
                moving.send_signal(signal.SIGKILL)
                break
        moving.stderr.read()
        assert moving.wait() == -signal.SIGKILL, "".join(said)
        assert found is not None
    return int(found[1])


def _yutang(data: Path, where: dict[str, str], *words: str) -> str:
    command = [sys.executable, "-m", "yutang.app.main", *words]
    done = subprocess.run(command, env=_environment(data, where), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def _environment(data: Path, where: dict[str, str]) -> dict[str, str]:
    ways = f"{ROOT}{os.pathsep}{ROOT / 'src'}"
    return {**os.environ, **stores.environment(data), "PYTHONPATH": ways, "YUTANG_LANG": "en", **where}


def _seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _equal(one: Path, other: Path) -> dict[str, int]:
    """How many rows each table has, the same ones in both files."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{one}' AS one (READ_ONLY); ATTACH '{other}' AS other (READ_ONLY)")
        asked = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'one' ORDER BY table_name"
        names = [name for (name,) in connection.execute(asked).fetchall() if name not in NOT_MOVED]
        return {name: _same(connection, name) for name in names}


def _same(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    for left, right in (("one", "other"), ("other", "one")):
        more = f"SELECT count(*) FROM (SELECT * FROM {left}.{table} EXCEPT ALL SELECT * FROM {right}.{table})"
        assert connection.execute(more).fetchall() == [(0,)], f"{table}: rows of {left} are not in {right}"
    found = [
        connection.execute(f"SELECT count(*), sum(hash(COLUMNS(*))::HUGEINT) FROM {name}.{table}").fetchall()
        for name in ("one", "other")
    ]
    assert found[0] == found[1], f"{table}: {found}"
    return int(found[0][0][0])


def main() -> None:
    """Move and say what was compared."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1, help="each way")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yutang-moved-") as folder:
        print(json.dumps(run(Path(folder).resolve(), asked.kills, asked.seed)))


if __name__ == "__main__":
    main()
