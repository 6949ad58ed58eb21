"""Profiles and segments as the pond grows (B5, B6, B7): 0.1 M persons with 5 M events, ten and a hundred times that.

Run: python -m tests.bench.bench_scale [--sizes 1,10,100] [--new 1000000] [--folder FOLDER]

Each size is measured in a process of its own, whose peak of memory is printed, beside hand-written DuckDB SQL in the
same run. A larger pond is smaller ones side by side, each with its own persons, orders and slices. A hundred times that
needs 60 GB of disk.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from tests.bench import environment  # noqa: F401
from tests.bench.bench_segments import context, documents
from tests.bench.bench_segments import run as ten_segments
from tests.bench.bench_traits import run as four_figures
from tests.bench.bench_traits import shipped
from tests.bench.generator import AS_OF, ZONE, fill
from yutang.kernel.documents import from_data
from yutang.organisation.queries import OWNER
from yutang.profiles.queries import number
from yutang.profiles.registry import learn_these
from yutang.profiles.services import rebuild, refresh
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import count_statement
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.engine import open_warehouse

T = TypeVar("T")
HERE = Path(__file__).parent
PERSONS, EVENTS = 100_000, 5_000_000
SPREAD = ("orders_30d", "spend_365d", "visit_days_90d", "categories_365d", "median_gap_days", "home_store")
OF_TRAITS = {
    "kind": "segment", "name": "of_traits", "title": {"zh": "属性", "en": "Of traits"},
    "where": {"all": [{"trait": "orders_365d", "at_least": 3}, {"trait": "spend_90d", "less_than": 50}]},
}  # fmt: skip


def opened(folder: Path) -> Warehouse:
    """The pond, as a house of 16 GiB opens it."""
    return open_warehouse(folder, threads=2, memory_limit="12GB")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds by the wall, and what came of it."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def grow(warehouse: Warehouse, persons: int, events: int, times: int) -> None:
    """So many ponds side by side where there was one of so many persons and events."""
    slices = number(warehouse, "SELECT max(slice) + 1 FROM slices")
    for copy in range(1, times):
        person = f"person + {copy * persons} AS person"
        event = f"CAST(CAST(event_id AS BIGINT) + {copy * events} AS VARCHAR)"
        props = f"""if(type = 'order.placed', '{{"order_id": "' || {event} || '"}}', props)"""
        slice_ = f"slice + {copy * slices} AS slice"
        later = copy * events
        order = f"CAST(CAST(order_id AS BIGINT) + {later} AS VARCHAR) AS order_id, arrival + {later} AS arrival"
        survivor = f"birth + {copy * persons} AS birth, survivor + {copy * persons} AS survivor"
        one = f"person <= {persons}"
        changes = {
            "events": (f"{event} AS event_id, {person}, {slice_}, {props} AS props", f"slice < {slices}"),
            "orders": (f"{order}, {person}", one),
            "order_lines": (f"{order}, {person}", one),
            **dict.fromkeys(
                ("facts", "fact_scopes", "fact_consents", "fact_relations", "fact_tags", "fact_ways"), (person, one)
            ),
            "person_overrides": (survivor, f"birth <= {persons}"),
            "slices": (slice_, f"slice < {slices}"),
        }
        for table, (change, where) in changes.items():
            text = f"INSERT INTO {table} SELECT * REPLACE ({change}) FROM {table} WHERE {where}"
            warehouse.write([Statement(text)])


def make(folder: Path, sizes: list[int], new: int) -> None:
    """Grow the pond from size to size, and measure each."""
    warehouse = opened(folder)
    fill(warehouse, PERSONS, EVENTS)
    before = 1
    for size in sizes:
        took, _ = timed(lambda: grow(warehouse, PERSONS * before, EVENTS * before, size // before))  # noqa: B023  # called here
        warehouse.close()
        disk = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e9
        print(f"— {PERSONS * size:,} persons, {EVENTS * size:,} events, {disk:.1f} GB on disk, {took:.0f} s to make")
        options = ["--measure", str(size), "--folder", str(folder), "--new", str(new)]
        subprocess.run([sys.executable, "-m", "tests.bench.bench_scale", *options], check=True)
        before, warehouse = size, opened(folder)
    warehouse.close()


def measure(folder: Path, size: int, new: int) -> None:
    """Print the figures of the pond as it stands; what was told to it meanwhile is taken away again."""
    warehouse = opened(folder)
    persons, events = PERSONS * size, EVENTS * size
    start = AS_OF - timedelta(days=3)
    rebuilding(warehouse, start)
    first = (events // 50_000 + 1) * 50_000
    new = min(new, events // 50)
    learn_these(())
    print(f"shipped traits, {new:,} new events:", flush=True)
    four_figures(warehouse, persons, first, new, start)
    learn_these(shipped())
    print(f"and with the {len(shipped())} documents that ship:", flush=True)
    four_figures(warehouse, persons, first + 2 * new, new, start + timedelta(hours=3))
    segments(warehouse, 5 if size <= 10 else 1)
    warehouse.write([Statement(f"DELETE FROM {table} WHERE {where}") for table, where in told_since(events).items()])
    warehouse.close()
    print(f"peak of memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB", flush=True)


def told_since(events: int) -> dict[str, str]:
    """Where the rows stand that came after the pond was made."""
    later = f"CAST(order_id AS BIGINT) >= {events}"
    return {
        "events": f"slice >= {events // 50_000}",
        "slices": f"slice >= {events // 50_000}",
        "orders": later,
        "order_lines": later,
    }


def rebuilding(warehouse: Warehouse, at: datetime) -> None:
    """B5: the rebuild beside one hand-written query, which must say the same."""
    by_hand = Statement((HERE / "profiles_by_hand.sql").read_text(encoding="utf-8"), {"as_of": at, "zone": ZONE})
    theirs, _ = timed(lambda: warehouse.write([by_hand]))
    learn_these(())
    ours, _ = timed(lambda: rebuild(warehouse, at, zone=ZONE))
    print(
        f"rebuild: {ours:.2f} s, one hand-written query {theirs:.2f} s: {ours / theirs:.2f} × (B5: ≤ 1.5)", flush=True
    )
    sums = ", ".join(f"sum(coalesce({name}, 0))" for name in SPREAD)
    told = [warehouse.query(Statement(f"SELECT {sums} FROM {table}")).to_pylist() for table in ("profiles", "by_hand")]
    if told[0] != told[1]:
        raise SystemExit(f"the two disagree: {told}")
    warehouse.write([Statement("DROP TABLE by_hand")])


def segments(warehouse: Warehouse, runs: int) -> None:
    """B7: ten segments in one pass, each by itself, and the live count of a rule of traits."""
    refresh(warehouse, AS_OF, zone=ZONE)
    ours, theirs = ten_segments(warehouse, runs)
    print(f"ten segments: {ours:.2f} s, one hand-written pass {theirs:.2f} s: {ours / theirs:.2f} × (B7: ≤ 1.3)")
    ten = documents()
    for document in [*ten, from_data(OF_TRAITS)]:
        assert isinstance(document, SegmentDocument)
        wanted = count_statement([document], OWNER, context(ten))
        times = sorted(timed(lambda: warehouse.query(wanted))[0] for _ in range(min(runs, 3)))  # noqa: B023  # called here
        print(f"  {document.name} alone: {times[len(times) // 2]:.3f} s", flush=True)


def main() -> None:
    """Make the ponds and measure them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="1,10")
    parser.add_argument("--new", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", type=int)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.folder, asked.measure, asked.new)
    else:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            make(Path(folder), [int(size) for size in asked.sizes.split(",")], asked.new)


if __name__ == "__main__":
    main()
