"""An import of order lines with its persons, from Parquet and from CSV (aim ≥ 200,000 lines/s).

Lines of a till over two years: baskets of 1 to 9 lines, a member for every 50 lines (as in the pools of B5 and B7), 2 %
refunds; all members are new to the pond, and one in 20 gives a phone too. Beside it DuckDB's own read of the same file,
appended to a table: no persons, no orders, nothing checked.

Run: python -m tests.bench.bench_import [lines]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from yutang.app import house

LINES = 10_000_000
AIM = 200_000
BLOCK = 1_000_000


def main(lines: int = LINES) -> None:
    """Print both rates for both kinds of file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        house.configure(root)
        start = time.perf_counter()
        paths = generate(root, lines)
        print(f"{lines:,} lines written as Parquet and CSV in {time.perf_counter() - start:.1f} s")
        for path in paths:  # each in a process of its own: Django knows one data directory
            command = [sys.executable, "-m", "tests.bench.bench_import", str(lines), str(path)]
            subprocess.run(command, check=True)


def generate(root: Path, lines: int) -> list[Path]:
    """The same lines as a Parquet file and as CSV."""
    parquet, csv = root / "lines.parquet", root / "lines.csv"
    chance = np.random.default_rng(5)
    writers: list[pq.ParquetWriter | pa.csv.CSVWriter] = []
    order = 0
    for first in range(0, lines, BLOCK):
        table = _block(chance, min(BLOCK, lines - first), order, lines // 50)
        order += table.num_rows
        if not writers:
            writers = [pq.ParquetWriter(parquet, table.schema), pa.csv.CSVWriter(csv, table.schema)]
        for writer in writers:
            writer.write_table(table)
    for writer in writers:
        writer.close()
    return [parquet, csv]


def _block(chance: np.random.Generator, count: int, base: int, members: int) -> pa.Table:
    from yutang.intake.parsing import decimals

    sizes = chance.integers(1, 10, count)
    order = np.repeat(np.arange(count), sizes)[:count]
    orders = int(order[-1]) + 1
    member = chance.integers(0, members, orders)
    second = chance.integers(0, 2 * 365 * 86_400, orders)
    at = np.datetime64("2024-01-01T00:00:00") + second.astype("timedelta64[s]")
    cents = chance.integers(50, 20_000, count)
    refund = chance.random(count) < 0.02
    store = np.char.add("s", (member % 2 + 1).astype(str))
    phone = np.where(member % 20 == 0, np.char.add("139", np.char.zfill(member.astype(str), 8)), "")
    return pa.table(
        {
            "order_id": np.char.add("o", (base + order).astype(str)),
            "member": np.char.add("m", member.astype(str))[order],
            "phone": phone[order],
            "placed_at": pa.array((at[order] + (refund * 86_400).astype("timedelta64[s]")).astype("datetime64[s]")),
            "store": store[order],
            "sku": np.char.add("sku", chance.integers(0, 5_000, count).astype(str)),
            "category": np.char.add("c", chance.integers(0, 40, count).astype(str)),
            "quantity": np.where(refund, -1, 1),
            "amount": decimals(np.where(refund, -cents, cents), 2),
            "discount": decimals(np.where(cents % 7 == 0, cents // 10, 0), 2),
        }
    )


def measure(directory: Path, path: Path, lines: int) -> None:
    """Print DuckDB's rate and ours for one file, in a new pond."""
    import duckdb

    directory.mkdir()
    start = time.perf_counter()
    with duckdb.connect(directory / "bare.duckdb") as bare:
        read = "read_csv" if path.suffix == ".csv" else "read_parquet"
        bare.execute(f"CREATE TABLE lines AS SELECT * FROM {read}(?)", [str(path)])
    alone = time.perf_counter() - start
    opened = house.open_house(directory)
    try:
        from tests.people.pond import found_pond
        from yutang.intake import imports

        found_pond()
        start, processor = time.perf_counter(), time.process_time()
        report = imports.import_orders(opened.warehouse, path, source="till", synthetic=True)
        took = time.perf_counter() - start
        if report.accepted != lines:
            raise SystemExit(f"{report.accepted} lines instead of {lines}")
        print(
            f"{path.suffix[1:]}: {took:.1f} s, {lines / took:,.0f} lines/s (aim ≥ {AIM:,}), processor "
            f"{time.process_time() - processor:.1f} s; {report.events:,} orders and refunds, "
            f"{report.persons:,} persons; DuckDB's own read and append: {alone:.1f} s, {lines / alone:,.0f} lines/s"
        )
    finally:
        opened.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        given = Path(sys.argv[2])
        measure(given.with_suffix(f".{given.suffix[1:]}.pond"), given, int(sys.argv[1]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
