"""A till's export "from Excel": GB18030, titles above a header merged over two rows, dates in every form, bad rows.

`python -m tests.bench.exported FILE BYTES` writes one; what is bad in it is known.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

TITLE = "青石超市 2026 年销售明细,,,,,,,,,\r\n"
UPPER = "订单,,买家,,商品,,,,门店编码,备注\r\n"
LOWER = "订单号,下单时间,会员号,手机号,货号,数量,实付金额,应付金额,,\r\n"
HEADER = 3
BAD_SHARE = 100
"""One row in so many is bad."""
FORMS = (
    lambda at: f"{at.year}年{at.month}月{at.day}日 {at.hour}时{at.minute:02}分",
    lambda at: f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02}",
    lambda at: f"{at:%Y.%m.%d %H:%M:%S}",
    lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    lambda at: f"{(at - datetime(1899, 12, 30)).total_seconds() / 86_400:.9f}",
    lambda at: f"{at:%Y-%m-%dT%H:%M:%S}+08:00",
)
MONEY = (
    lambda amount: f"{amount}",
    lambda amount: f'"￥{amount:,}"',
    lambda amount: f"{amount}元",
    lambda amount: f"{amount}".translate(str.maketrans("0123456789.", "０１２３４５６７８９．")),
)
FAULTS = ("date", "amount", "nobody", "product", "columns")


@dataclass(frozen=True, slots=True)
class Export:
    """A file that was written: its rows, the numbers of the bad ones (each an order of its own), what the good ones
    cost together."""

    path: Path
    rows: int
    bad: tuple[int, ...]
    total: Decimal


def write_export(path: Path, size: int, *, seed: int = 7, first: str = "x") -> Export:
    """Write about `size` bytes; order numbers begin with `first`."""
    chance = random.Random(seed)
    begin = datetime(2026, 1, 1, 8)
    rows, bad, total, written = 0, [], Decimal(0), 0
    with path.open("wb") as file:
        written += file.write((TITLE + UPPER + LOWER).encode("gb18030"))
        while written < size:
            rows += 1
            at = begin + timedelta(minutes=chance.randrange(60 * 24 * 50))
            amount = Decimal(chance.randrange(100, 500_000)) / 100
            cells = [
                f"{first}{rows}", FORMS[rows % len(FORMS)](at), f"m{rows % 997}", f"139{rows % 997:08}",
                f"货{rows % 50}", f"{1 + rows % 3}", MONEY[rows % len(MONEY)](amount), f"{amount + 1}", "s1",
                "老客 推荐" if rows % 7 == 0 else "",
            ]  # fmt: skip
            if rows % BAD_SHARE == 17:
                bad.append(rows + HEADER)
                _spoil(cells, FAULTS[len(bad) % len(FAULTS)])
            else:
                total += amount
            written += file.write((",".join(cells) + "\r\n").encode("gb18030"))
        file.write(b",,,,,,,,,\r\n")
    return Export(path, rows, tuple(bad), total)


def _spoil(cells: list[str], fault: str) -> None:
    match fault:
        case "date":
            cells[1] = "03/04/2026"
        case "amount":
            cells[6] = '"1234,5"'
        case "nobody":
            cells[2] = cells[3] = ""
        case "product":
            cells[4] = ""
        case _:
            del cells[5:]


if __name__ == "__main__":
    made = write_export(Path(sys.argv[1]), int(sys.argv[2]))
    print(f"{made.rows:,} rows, {len(made.bad):,} bad, {made.total} in good ones")
