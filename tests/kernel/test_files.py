"""Lists as files: what is written can be read again, and nothing in it is a formula."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
import python_calamine
from hypothesis import given
from hypothesis import strategies as st

from yutang.kernel import files
from yutang.kernel.errors import BadInput

HEAD = ("person", "name", "spent", "seen", "day", "is")
AT = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
ROWS = [
    (1, "王小明", Decimal("19.90"), AT, date(2026, 3, 1), True),
    (2, "=1+1", Decimal("-3.00"), None, None, False),
]


def made(format: str, rows: list[tuple[object, ...]] = ROWS) -> bytes:
    """The whole file."""
    return b"".join(files.written(format, HEAD, rows, "owner · now"))


def test_csv_opens_in_excel_and_runs_nothing() -> None:
    text = made("csv").decode("utf-8-sig")
    head, first, second = csv.reader(io.StringIO(text))
    assert tuple(head) == HEAD
    assert first == ["1", "王小明", "19.90", "2026-03-01T01:30:00+00:00", "2026-03-01", "1"]
    assert second[1:3] == ["'=1+1", "-3.00"]  # a number may be negative; a text may begin with nothing that runs


def test_an_excel_sheet_holds_numbers_times_and_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkstemp", None)  # what is personal is written to no file on the way
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    raw = made("xlsx")
    sheet = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw)).get_sheet_by_index(0).to_python()
    assert sheet[0] == list(HEAD)
    assert sheet[1][:3] == [1.0, "王小明", 19.9]
    assert str(sheet[1][3]).startswith("2026-03-01")
    assert sheet[2][1] == "=1+1"
    assert b"<f>" not in raw
    monkeypatch.setattr(files, "MOST_EXCEL_ROWS", 1)
    with pytest.raises(BadInput, match="at most"):
        made("xlsx")


def test_parquet_keeps_types_and_says_who_took_it() -> None:
    table = pq.read_table(io.BytesIO(made("parquet")))
    assert table.column_names == list(HEAD)
    assert table["spent"].to_pylist() == [Decimal("19.90"), Decimal("-3.00")]
    assert table["seen"].to_pylist() == [AT, None]
    assert table.schema.metadata[b"yutang"].decode() == "owner · now"
    mixed = b"".join(files.written("parquet", ("a", "a"), [(1, "x"), ("b", None)], ""))
    assert pq.read_table(io.BytesIO(mixed)).to_pydict() == {"a": ["1", "b"], "a 2": ["x", None]}


def test_a_long_list_comes_in_portions() -> None:
    parts = list(files.written("csv", ("n",), ((n,) for n in range(5000)), ""))
    assert len(parts) == 4
    assert b"".join(parts).count(b"\r\n") == 5001


def test_another_format_is_refused() -> None:
    with pytest.raises(BadInput, match="csv, xlsx, parquet"):
        made("pdf")


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_no_cell_of_a_csv_begins_as_a_formula(cells: list[str]) -> None:
    text = b"".join(files.written("csv", ["c"] * len(cells), [cells], "")).decode("utf-8-sig")
    for cell in list(csv.reader(io.StringIO(text, newline="")))[1]:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
