"""The same file of orders twice, and once more after kill -9 in the middle, comes to the same totals as once.

`python -m tests.soak.twice --lines 1000000 --kills 3` prints a JSON line. Each import is a process of its own; a kill
falls at a random instant of one that would have gone through. Must-show 6.
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
from collections.abc import Callable
from pathlib import Path


class Twice:
    """A data directory in which one file is imported again and again."""

    def __init__(self, root: Path, lines: int) -> None:
        self.root, self.data, self.trouble, self.totals = root, root / "data", root / "trouble", root / "totals"
        os.environ["YUTANG_DATA"] = str(self.data)
        os.environ["DJANGO_SETTINGS_MODULE"] = "yutang.app.settings"
        from yutang.kernel import encryption

        self.data.mkdir()
        encryption.install_keyring(encryption.Keyring.load_or_create(root / "secret.key"))
        import django

        django.setup()
        import pyarrow as pa

        import yutang.intake.imports
        import yutang.warehouse.engine  # noqa: F401  # once here, not in each child

        pa.array([0])
        from tests.bench import bench_import

        bench_import.BLOCK = min(bench_import.BLOCK, lines)
        self.file = bench_import.generate(root, lines)[1]
        self._must(self._found)

    def run(self, kills: int, chance: random.Random) -> dict[str, object]:
        """Import, import again, and be killed so often. Raises SystemExit where totals differ."""
        started = time.monotonic()
        self._must(self._import)
        span = time.monotonic() - started
        once = self._said()
        self._must(self._import)
        self._same(once, "the second time")
        for number in range(kills):
            self._killed(chance.uniform(0.1, 0.9) * span)
            self._must(self._take_up)
            self._same(once, f"after kill {number}")
        shutil.rmtree(self.data)  # and where nothing had come before
        self.data.mkdir()
        self._must(self._found)
        self._killed(chance.uniform(0.3, 0.9) * span)
        self._must(self._take_up)
        self._same(once, "after a kill of the first")
        return {"totals": once, "kills": kills + 1, "seconds_once": round(span, 1)}

    def _same(self, once: object, when: str) -> None:
        if (found := self._said()) != once:
            raise SystemExit(f"{when}: {found} instead of {once}")

    def _said(self) -> object:
        return json.loads(self.totals.read_text())

    def _killed(self, after: float) -> None:
        child = self._begun(self._import)
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def _must(self, act: Callable[[], None]) -> None:
        died = os.waitstatus_to_exitcode(os.waitpid(self._begun(act), 0)[1])
        if died:
            raise SystemExit(f"a run that nobody killed ended with {died}: {self.trouble.read_text()[-3000:]}")

    def _begun(self, act: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            try:
                act()
            except BaseException:  # noqa: BLE001  # a child must end here, whatever happened
                self.trouble.write_text(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        return child

    def _found(self) -> None:
        from django.core.management import call_command

        from tests.people.pond import found_pond
        from yutang.intake.mirror import mirror_nodes
        from yutang.warehouse.engine import open_warehouse

        call_command("migrate", verbosity=0)
        found_pond()
        warehouse = open_warehouse(self.data)
        mirror_nodes(warehouse)
        warehouse.close()

    def _import(self) -> None:
        from yutang.intake import imports
        from yutang.warehouse.engine import open_warehouse

        warehouse = open_warehouse(self.data)
        imports.import_file(warehouse, "orders", self.file, source="till")
        self._count(warehouse)
        warehouse.close()

    def _take_up(self) -> None:
        """What the next start does, and then what the sender would do: import it once more."""
        from yutang.intake import imports
        from yutang.warehouse.engine import open_warehouse

        warehouse = open_warehouse(self.data)
        imports.resume(warehouse)
        warehouse.close()
        self._import()
        left = [path.name for path in imports.directory().iterdir()]
        if left:
            raise AssertionError(f"left behind: {left}")

    def _count(self, warehouse: object) -> None:
        from yutang.people.models import Identifier, Person
        from yutang.warehouse.contracts import Statement

        text = (
            "SELECT (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM orders) AS orders, "
            "(SELECT sum(net_amount) FROM orders) AS net, (SELECT count(*) FROM order_lines) AS lines, "
            "(SELECT sum(amount) FROM order_lines) AS charged, (SELECT count(*) FROM facts) AS facts"
        )
        row = warehouse.query(Statement(text)).to_pylist()[0]  # type: ignore[attr-defined]
        people = {"persons": Person.objects.count(), "identifiers": Identifier.objects.count()}
        self.totals.write_text(json.dumps({name: str(value) for name, value in {**row, **people}.items()}))


def main() -> None:
    """Run as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--seed", type=int, default=6)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="yutang-twice-"))
    try:
        print(json.dumps(Twice(root, given.lines).run(given.kills, random.Random(given.seed))))
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("src", ".")]
    main()
