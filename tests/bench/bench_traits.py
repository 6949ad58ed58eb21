"""What the brand's own traits add to profiles: rebuild, a refresh after new events, an hour passed, nothing to do (B6).

Run: python -m tests.bench.bench_traits [--persons 100000] [--events 1000000] [--new 20000]

CPU seconds of the process, since machines are shared. The documents are those that ship.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.bench import environment  # noqa: F401
from tests.bench.generator import AS_OF, ZONE, _chunk, fill
from tests.profiles.worlds import naive
from tests.warehouse.fixtures import fresh_duckdb, insert
from yutang.kernel.documents import read
from yutang.playbooks.services import shipped_files
from yutang.profiles.contracts import ProfileReport
from yutang.profiles.documents import TraitDocument
from yutang.profiles.queries import number
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild, refresh
from yutang.warehouse.contracts import Warehouse


def shipped() -> list[TraitDocument]:
    """The trait documents that ship."""
    files = [path for path in shipped_files() if path.parent.name == "traits"]
    return [one for one in (read(path.read_bytes()) for path in files) if isinstance(one, TraitDocument)]


def measured(what: str, run: Callable[[], ProfileReport]) -> float:
    """Run it and print what it took."""
    start = time.process_time()
    report = run()
    took = time.process_time() - start
    rows = f"{report.recomputed:,} of {report.persons:,} rows of profiles"
    print(f"  {what}: {took:.2f} s of CPU, {report.seconds:.2f} s by the wall, {report.mode}, {rows}", flush=True)
    return took


def tell(warehouse: Warehouse, first: int, size: int, persons: int, at: datetime, slice_: int) -> None:
    """So many new events within the hour before an instant."""
    random = np.random.default_rng(slice_)
    ids = np.arange(first, first + size)
    ago = (random.random(size) * 3_600_000_000).astype(np.int64)
    ats = pa.array(int(at.timestamp() * 1e6) - ago, pa.int64()).cast(pa.timestamp("us"))
    statements = _chunk(random, ids, random.integers(1, persons, size), ats)
    slices = sorted({int(one) // 50_000 for one in ids})
    known = number(warehouse, "SELECT max(slice) FROM slices")
    applied = [{"slice": one, "applied_at": naive(at)} for one in slices if one > known]
    warehouse.write([*statements, *([insert("slices", applied)] if applied else [])])


def run(warehouse: Warehouse, persons: int, first: int, new: int, start: datetime) -> dict[str, float]:
    """The four figures, from a rebuild on."""
    found = {"rebuild": measured("rebuild", lambda: rebuild(warehouse, start, zone=ZONE))}
    at = start + timedelta(hours=1)
    tell(warehouse, first, new, persons, at, first)
    found["new events"] = measured(f"{new:,} new events", lambda: refresh(warehouse, at, zone=ZONE))
    later = at + timedelta(hours=1)
    found["an hour"] = measured("an hour passed", lambda: refresh(warehouse, later, zone=ZONE))
    found["nothing"] = measured("nothing to do", lambda: refresh(warehouse, later, zone=ZONE))
    return found


def main() -> None:
    """Print each figure without documents and with them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        warehouse = fresh_duckdb(Path(folder))
        fill(warehouse, asked.persons, asked.events)
        print(f"{asked.persons:,} persons, {asked.events:,} events")
        start, first = AS_OF - timedelta(days=3), (asked.events // 50_000 + 1) * 50_000
        learn_these(())
        print("without documents:")
        without = run(warehouse, asked.persons, first, asked.new, start)
        documents = shipped()
        learn_these(documents)
        print(f"with the {len(documents)} documents that ship:")
        after = (first // 50_000 + asked.new // 50_000 + 2) * 50_000
        found = run(warehouse, asked.persons, after, asked.new, start + timedelta(days=1))
        print(f"  {number(warehouse, 'SELECT count(*) FROM profile_more'):,} rows of profile_more")
        for name, took in found.items():
            print(f"{name}: {without[name]:.2f} → {took:.2f} s ({took / max(without[name], 1e-9):.2f} ×)")
        warehouse.close()


if __name__ == "__main__":
    main()
