"""The row that names the columns: below titles, in two rows where cells were merged, as Excel exports have them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from yutang.intake.files.contracts import HEAD_ROWS, MOST_COLUMNS, Known
from yutang.kernel.errors import BadInput

_NUMBER = re.compile(r"[-+.,\d\s:/%]*")


@dataclass(frozen=True, slots=True)
class Header:
    """The columns' names, and the number of the row (the lower one of two) in which they stand."""

    columns: list[str]
    row: int


def find_header(rows: Sequence[Sequence[str]], known: Known, name: str) -> Header:
    """Of the first rows of a table, the one (or the two, one above the other) in which most names mean something.

    A second row counts only where it names more than the first alone: a merged cell leaves blanks, and the row below
    fills them. Where no name means anything, the first row that could be names is taken. Raises BadInput where there
    is none, or where one that means something stands there twice.
    """
    best, taken = 0, None
    for index, row in enumerate(rows[:HEAD_ROWS]):
        candidates = [(_clean(row), index + 1)]
        if index + 1 < len(rows):
            candidates.append((_joined(row, rows[index + 1]), index + 2))
        for names, place in candidates:
            hits = len({one for one in names if known(one)})
            alone = hits == 1 and any(len(_filled(above)) > 1 for above in rows[:index])  # a word among the data
            if hits > best and not alone:
                best, taken = hits, (names, place)
    if taken is None:
        taken = next(
            ((_clean(row), index + 1) for index, row in enumerate(rows[:HEAD_ROWS]) if _could_be_names(row)), None
        )
    if taken is None:
        raise BadInput(
            f"{name} 的前 {HEAD_ROWS} 行里没有列名。",
            f"One of the first {HEAD_ROWS} rows of {name} must name the columns.",
        )
    names, place = taken
    return Header(named_apart(names, known), place)


def refuse_many_columns(count: int, name: str) -> None:
    """Raise BadInput for more columns than any table has: whoever looks at each of them would look for minutes."""
    if count > MOST_COLUMNS:
        raise BadInput(
            f"{name} 有超过 {MOST_COLUMNS:,} 列，不像一张表，请检查分隔符。",
            f"{name} has more than {MOST_COLUMNS:,} columns, which no table has; check its separators.",
        )


def named_apart(names: Sequence[str], known: Known) -> list[str]:
    """The names, each once: a blank one is called by its place, and a second of the same name numbered, unless it is
    one that means something. Raises BadInput for such a one."""
    result: dict[str, None] = {}
    times: Counter[str] = Counter()
    for place, name in enumerate(names, 1):
        if name in result:
            if known(name):
                raise BadInput(
                    f"列名「{name}」出现了两次，请改掉一个。", f"The column “{name}” stands there twice; rename one."
                )
            first = name
            while name in result:
                times[first] += 1
                name = f"{first} ({times[first] + 1})"
        result[name or f"({place})"] = None
    return list(result)


def _clean(row: Sequence[str]) -> list[str]:
    return [" ".join(cell.split()).removeprefix("*").strip() for cell in row]


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in _clean(row) if cell]


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    above, below = _clean(upper), _clean(lower)
    above += [""] * (len(below) - len(above))
    below += [""] * (len(above) - len(below))
    return [under or over for over, under in zip(above, below, strict=True)]


def _could_be_names(row: Sequence[str]) -> bool:
    filled = _filled(row)
    return len(filled) >= min(2, len(row)) and not any(_NUMBER.fullmatch(cell) for cell in filled)
