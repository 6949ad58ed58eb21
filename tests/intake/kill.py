"""Kill pump, importer and collector at every named place and at random, and see that nothing is lost or doubled.

`python -m tests.intake.kill --random 50 --seed 7` prints a JSON line; `make soak` runs it for longer. Each run works in
a child process on a copy of one small pond, is killed, and is taken up again by another child, which does what a new
start does: resume imports, pump, and import the same files once more as their sender would.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from tests import stores
from yutang.kernel.failpoints import FAILPOINTS

ORDERS = "order_id,member,placed_at,store,sku,quantity,amount,name,phone\n" + "".join(
    f"f{n % 30},m{n % 30},2026-03-01 09:30:00,s1,sku{n},1,1.00,王小明,1380013{n % 30:04}\n" for n in range(90)
)
EVENTS = "type,occurred_at,member,external_userid,purpose,channel,staff\n" + "".join(
    f"consent.given,2026-03-01 10:00:{n:02},m{n},,marketing,*,\n"
    f"relation.added,2026-03-01 10:00:{n:02},m{n},wm{n},,,wang\n"
    for n in range(30)
)
RECORDED = 60
PLACES = tuple(name for name in FAILPOINTS if name.startswith(("pump.", "import.", "mirror.", "collect.")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=50, help="how many kills at random instants")
    parser.add_argument("--places", nargs="*", choices=PLACES, default=PLACES, help="named places (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="yutang-kill-"))
    try:
        print(json.dumps(Ground(root).run(given.random, given.places, random.Random(given.seed))))
    finally:
        shutil.rmtree(root, ignore_errors=True)


class Ground:
    """A data directory that is put back to the same small pond before every run."""

    def __init__(self, root: Path) -> None:
        self.data, self.template, self.acknowledged = root / "data", root / "template", root / "acknowledged"
        self.passed, self.trouble = root / "passed", root / "trouble"
        (root / "orders.csv").write_text(ORDERS)
        (root / "events.csv").write_text(EVENTS)
        self.data.mkdir()
        os.environ.update(stores.environment(self.data))
        os.environ["DJANGO_SETTINGS_MODULE"] = "yutang.app.settings"
        from yutang.kernel import encryption

        encryption.install_keyring(encryption.Keyring.load_or_create(root / "secret.key"))
        import django

        django.setup()
        # Imported once here, not in each child: that took longer than the work.
        import pyarrow as pa

        import yutang.intake.imports
        import yutang.intake.pump
        import yutang.warehouse.engine  # noqa: F401

        pa.array([0])  # pyarrow imports pandas, where there is one, at its first array
        self._must(self._found)
        self.data.rename(self.template)
        stores.copy(self.data, self.template)

    def run(self, kills: int, places: Sequence[str], chance: random.Random) -> dict[str, object]:
        """Every one of `places` once, then so many random kills. Raises SystemExit with what went wrong."""
        hits: Counter[str] = Counter()
        for name in places:
            self._reset()
            died = self._child(lambda name=name: self._work(name))
            if died != -signal.SIGKILL:
                raise SystemExit(f"{name} was never passed: {died} {self._said()}")
            hits[self.passed.read_text().split()[-1]] += 1
            self._recover(name)
        self._reset()
        started = time.monotonic()
        self._must(lambda: self._work(None))
        span = time.monotonic() - started
        for number in range(kills):
            self._reset()
            self._child(lambda: self._work(None), kill_after=chance.uniform(0, span))
            self._recover(f"random kill {number}")
        return {"failpoints": hits, "random": kills, "seconds": round(span, 2)}

    def _recover(self, after: str) -> None:
        died = self._child(self._take_up)
        if died:
            raise SystemExit(f"after {after}: {died} {self._said()}")

    def _reset(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.template, self.data)
        stores.copy(self.template, self.data)
        for file in (self.acknowledged, self.passed, self.trouble):
            file.write_text("")

    def _said(self) -> str:
        return self.trouble.read_text()

    def _must(self, act: Callable[[], None]) -> None:
        if died := self._child(act):
            raise SystemExit(
                f"a run that nobody killed ended with {died} {self._said() if self.trouble.exists() else ''}"
            )

    def _child(self, act: Callable[[], None], kill_after: float | None = None) -> int:
        """Run in a process of its own; returns its exit code, negative for a signal."""
        child = os.fork()
        if child == 0:
            try:
                act()
            except BaseException:  # noqa: BLE001 – a child must end here, whatever happened
                self.trouble.write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _found(self) -> None:
        from django.core.management import call_command

        from tests.people.pond import found_pond
        from yutang.intake.mirror import mirror_nodes
        from yutang.warehouse.engine import open_warehouse

        call_command("migrate", verbosity=0)
        found_pond()
        warehouse = open_warehouse(self.data, threads=1)
        mirror_nodes(warehouse)
        warehouse.close()

    def _work(self, failpoint: str | None) -> None:
        from django.db import transaction

        from yutang.intake import pump
        from yutang.intake.collect.contracts import Lot
        from yutang.intake.collect.writer import write as collect
        from yutang.kernel import failpoints
        from yutang.log.envelopes import row_of
        from yutang.log.services import record
        from yutang.warehouse.engine import open_warehouse

        failpoints.arm(failpoint, str(self.passed))
        warehouse = open_warehouse(self.data, threads=1)
        with self.acknowledged.open("a") as out:
            for start in range(0, RECORDED, 20):
                events = recorded(start, start + 20)
                if start:
                    with transaction.atomic():
                        record(events)
                else:
                    collect([Lot(list(map(row_of, events)), unsure=[], held=[], bytes=0)])
                out.writelines(f"{event.id}\n" for event in events)
                out.flush()
        pump.pump_once(warehouse, limit=30)
        self._import(warehouse)
        pump.pump_until_empty(warehouse)
        from yutang.people import services

        services.mark_all()
        pump.pump_until_empty(warehouse)
        warehouse.close()

    def _import(self, warehouse: object) -> None:
        from yutang.intake import imports, orders

        orders.LINES_PER_CHUNK = 40
        root = self.data.parent
        imports.import_orders(warehouse, root / "orders.csv", source="till")  # type: ignore[arg-type]
        imports.import_events(warehouse, root / "events.csv", source="till", corp="corp")  # type: ignore[arg-type]

    def _take_up(self) -> None:
        from yutang.intake import imports, pump
        from yutang.warehouse.engine import open_warehouse

        warehouse = open_warehouse(self.data, threads=1)
        imports.resume(warehouse)
        pump.pump_until_empty(warehouse)
        self._import(warehouse)
        pump.pump_until_empty(warehouse)
        check(warehouse, self.acknowledged.read_text().split())
        left = [path.name for path in (self.data / "imports").iterdir() if not path.name.endswith("-errors.csv")]
        same(left, [], "chunk files left behind")
        warehouse.close()


def recorded(start: int, end: int) -> list[object]:
    """What arrives through the inbox: orders of persons of the file, and refunds of the file's orders."""
    from tests.people.pond import event, friend, member

    events: list[object] = []
    for n in range(start, end):
        props, money = {"order_id": f"i{n}"}, {"amount": Decimal("2.00"), "currency": "CNY"}
        if n % 3 == 0:
            events.append(
                event("order.placed", member(f"m{n % 30}"), friend(f"wm{n % 30}"), id=f"p{n}", props=props, **money)
            )
        elif n % 3 == 1:
            money["amount"] = Decimal("0.25")
            events.append(
                event("order.refunded", member(f"m{n % 30}"), id=f"r{n}", props={"order_id": f"f{n % 30}"}, **money)
            )
        else:
            events.append(event("tag.added", friend(f"wm{n % 30}"), id=f"t{n}", props={"tag": f"tag{n}"}))
    return events


def check(warehouse: object, acknowledged: Iterable[str]) -> None:
    """Everything acknowledged stands once; what stands adds up; the mirror equals what it mirrors."""
    from tests.intake.tables import told_otherwise
    from yutang.intake import pump
    from yutang.people import queries
    from yutang.warehouse.contracts import Statement

    def rows(text: str) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in warehouse.query(Statement(text)).to_pylist()]  # type: ignore[attr-defined]

    ids = Counter(str(id) for (id,) in rows("SELECT event_id FROM events"))
    same([id for id, count in ids.items() if count > 1], [], "events that stand twice")
    same([id for id in acknowledged if id not in ids], [], "acknowledged events lost")
    same(sum(1 for id in ids if id.startswith("order:till:f")), 30, "orders of the file")
    same(sum(1 for id in ids if id.startswith("row:till:")), 60, "events of the file")
    same(rows("SELECT count(*), count(DISTINCT (order_id, ordinal)) FROM order_lines"), [(90, 90)], "lines")
    same(
        rows("SELECT count(*) FROM (SELECT order_id FROM orders GROUP BY order_id HAVING count(*) > 1)"),
        [(0,)],
        "orders twice",
    )
    same(told_otherwise(warehouse), [], "lines that their orders do not bear out")  # type: ignore[arg-type]
    refunds = Counter(f"f{int(id[1:]) % 30}" for id in ids if id.startswith("r") and not id.startswith("row"))
    for order, net, person in rows("SELECT order_id, net_amount, person FROM orders"):
        file = str(order).startswith("f")
        same(
            net, Decimal("3.00") - refunds[str(order)] * Decimal("0.25") if file else Decimal("2.00"), f"net of {order}"
        )
        same(person is None, False, f"person of {order}")
    if not pump.pumped_to(pump.inbox_head()) or not pump.pump_once(warehouse).idle:  # type: ignore[arg-type]
        raise AssertionError("the inbox is not empty")
    for name, table in queries.fact_tables(None).tables().items():
        columns = ", ".join(f'"{column}"' for column in table.column_names)
        wanted = sorted(map(repr, (tuple(row.values()) for row in table.to_pylist())))
        same(sorted(map(repr, rows(f"SELECT {columns} FROM {name}"))), wanted, name)
    same(rows("SELECT count(*) FROM facts"), [(30,)], "persons")


def same(found: object, wanted: object, what: str) -> None:
    """Raise AssertionError unless equal."""
    if found != wanted:
        raise AssertionError(f"{what}: {found} instead of {wanted}")


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("src", ".")]
    main()
