"""Ten segments beside one hand-written pass (aim ≤ 1.5 ×), and what profiles cost.

Run: python -m tests.bench.bench_segments
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import yaml

from tests.bench import environment  # noqa: F401
from tests.bench.generator import AS_OF, ZONE, fill
from tests.warehouse.fixtures import fresh_warehouse
from yutang.kernel.documents import from_data
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import NodeFacts, NodeKind
from yutang.organisation.queries import OWNER
from yutang.profiles.contracts import Moment
from yutang.profiles.services import rebuild, refresh
from yutang.segments.compile import compile_segment
from yutang.segments.contracts import Context, Nodes, unfitted
from yutang.segments.documents import SegmentDocument
from yutang.segments.queries import count_statement
from yutang.warehouse.contracts import Statement, Warehouse

HERE = Path(__file__).parent
RUNS = 7


def documents() -> list[SegmentDocument]:
    """The ten segments of the committed file."""
    found = [from_data(data) for data in yaml.safe_load((HERE / "segments.yaml").read_text(encoding="utf-8"))]
    return [document for document in found if isinstance(document, SegmentDocument)]


def context(ten: list[SegmentDocument]) -> Context:
    north = NodeFacts(NodeId(11), None, NodeKind.REGION, "north", "north", ZONE, False)
    named = {document.name: document for document in ten}
    return Context(Moment(AS_OF, ZONE), Nodes(lambda: (north,)), named.__getitem__, unfitted)


def run(warehouse: Warehouse, runs: int = RUNS) -> tuple[float, float]:
    """Seconds of ours and of the hand-written pass, medians of runs taken in turns; both must count the same."""
    ten = documents()
    text = (HERE / "hand_written.sql").read_text(encoding="utf-8")
    by_hand = Statement(text, {"as_of": AS_OF, "zone": ZONE}, name="hand_written")
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(runs):
        start = time.perf_counter()
        answer = warehouse.query(count_statement(ten, OWNER, context(ten))).to_pylist()[0]
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = warehouse.query(by_hand).to_pylist()[0]
        theirs.append(time.perf_counter() - start)
        if list(answer.values()) != [expected[document.name] for document in ten]:
            raise SystemExit(f"the two passes disagree: {answer} {expected}")
    print("  " + ", ".join(f"{name} {count:,}" for name, count in expected.items()))
    return median(ours), median(theirs)


def main() -> None:
    """Print every figure beside its baseline."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = fresh_warehouse(Path(folder))
        start = time.perf_counter()
        fill(warehouse)
        print(f"100,000 persons, 5,000,000 events generated and stored in {time.perf_counter() - start:.1f} s")
        print(f"profiles: rebuild {rebuild(warehouse, AS_OF - timedelta(hours=1), zone=ZONE).seconds:.2f} s", end="")
        hour = refresh(warehouse, AS_OF, zone=ZONE)
        again = refresh(warehouse, AS_OF, zone=ZONE)
        print(
            f"; an hour later {hour.seconds:.2f} s ({hour.recomputed:,} persons); nothing to do {again.seconds:.3f} s"
        )
        ours, theirs = run(warehouse)
        print(
            f"ten segments: {ours:.3f} s; one hand-written pass: {theirs:.3f} s; ratio {ours / theirs:.2f} (aim ≤ 1.5)"
        )
        for document in documents():
            start = time.perf_counter()
            members = warehouse.query(Statement(compile_segment(document, context(documents())))).num_rows
            print(f"  {document.name} alone: {members:,} members in {time.perf_counter() - start:.3f} s")
        warehouse.close()


if __name__ == "__main__":
    main()
