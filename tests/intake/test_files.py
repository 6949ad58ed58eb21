"""Whatever format a file comes in, and whatever stands above its header, it says the same; what is none is refused."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from yutang.intake.files import archive
from yutang.intake.files.contracts import SealedFile, Source
from yutang.intake.files.header import named_apart
from yutang.intake.files.opening import filled, open_source
from yutang.intake.kinds.fields import folded
from yutang.intake.parsing import said_number
from yutang.kernel.clock import monotonic
from yutang.kernel.errors import BadInput, WrongKey
from yutang.kernel.sealed import CHUNK, SealedWriter, open_sealed

NAMES = ("订单号", "下单时间", "手机号", "金额")
ROWS = (("1001", "2026-03-01 09:30:00", "13800138000", "9.5"), ("1002", "2026-03-02 10:00:00", "13900139000", "12"))


def read(path: Path, encoding: str | None = None) -> tuple[Source, list[tuple[int, ...]], list[tuple[str, ...]]]:
    source = open_source(path, encoding, lambda name: name in NAMES)
    numbers: list[tuple[int, ...]] = []
    found: list[tuple[str, ...]] = []
    for block in source.read([name for name in source.columns if name in NAMES]):
        rows, batch = filled(block)
        numbers += rows.tolist()
        found += [tuple(str(cell) for cell in row.values()) for row in batch.to_pylist()]
    return source, numbers, found


def csv_text(separator: str = ",") -> str:
    return "".join(f"{separator.join(row)}\r\n" for row in (NAMES, *ROWS))


def workbook(path: Path, *, above: int = 0, two: bool = False) -> Path:
    """As Excel exports have it: a merged title above, a header in one row or merged over two, an empty row below."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("订单")
        for row in range(above):
            sheet.merge_range(row, 0, row, 3, f"2026 年订单明细 {row}")
        if two:
            for column in (0, 1):
                sheet.merge_range(above, column, above + 1, column, NAMES[column])
            sheet.merge_range(above, 2, above, 3, "买家")
            sheet.write_row(above + 1, 2, NAMES[2:])
        else:
            sheet.write_row(above, 0, NAMES)
        begin = above + (2 if two else 1)
        form = book.add_format({"num_format": "yyyy/m/d h:mm"})
        for place, (order, at, phone, amount) in enumerate(ROWS):
            sheet.write_row(begin + place, 0, (int(order), None, int(phone), float(amount)))
            sheet.write_datetime(begin + place, 1, datetime.fromisoformat(at), form)
        sheet.write_blank(begin + len(ROWS), 0, None, form)
        book.add_worksheet("说明").write(0, 0, "别的")
    return path


def test_every_format_says_the_same(tmp_path: Path) -> None:
    files = {
        "plain.csv": csv_text().encode(),
        "excel.csv": csv_text().encode("gb18030"),
        "marked.csv": csv_text().encode("utf-8-sig"),
        "semicolons.csv": csv_text(";").encode(),
        "tabs.tsv": csv_text("\t").encode(),
        "titled.csv": ("2026 年订单,,,\r\n导出时间：2026-03-03,,,\r\n" + csv_text() + ",,,\r\n\r\n").encode("gb18030"),
        "quoted.csv": ('"标题\r\n第二行",,,\r\n' + csv_text()).encode(),
        "merged.csv": (
            "订单号,下单时间,买家,\r\n,,手机号,金额\r\n" + "".join(",".join(row) + "\r\n" for row in ROWS)
        ).encode("gb18030"),
        "lines.jsonl": "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS).encode(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in files:
        _, _, found = read(tmp_path / name)
        assert found == list(ROWS), name
    pq.write_table(pa.table([list(column) for column in zip(*ROWS, strict=True)], names=NAMES), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[2] == list(ROWS)
    for name, options in (("plain.xlsx", {}), ("titled.xlsx", {"above": 2}), ("two.xlsx", {"above": 1, "two": True})):
        source, _, found = read(workbook(tmp_path / name, **options))  # type: ignore[arg-type]
        assert found == list(ROWS), name
        assert source.sheet == "订单"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_rows_bear_the_numbers_that_the_spreadsheet_shows(tmp_path: Path, form: str) -> None:
    if form == "xlsx":
        source, numbers, _ = read(workbook(tmp_path / "a.xlsx", above=2))
        assert (source.header, numbers) == (3, [4, 5])
        return
    body = "1,2026-03-01,138,1\n\n2,2026-03-01\n3,2026-03-01,139,2\n,,,\n4,2026-03-01,137,2\n5,x,y,z,too,many\n"
    (tmp_path / "a.csv").write_text("标题\n" + ",".join(NAMES) + "\n" + body)
    source, numbers, _ = read(tmp_path / "a.csv")
    assert source.header == 2
    assert numbers == [3, 6, 8], "the blank row, the short one and the empty one stand between"
    assert [(one.row, one.en) for one in source.broken] == [
        (5, "it has 2 columns instead of 4"),
        (9, "it has 6 columns instead of 4"),
    ]


def test_broken_rows_are_numbered_right_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yutang.intake.files.separated.BLOCK_BYTES", 2_000)
    lines = [",".join(NAMES)] + [f"{n},2026-03-01,138,1" if n % 7 else f"{n},short" for n in range(2, 900)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    source, numbers, found = read(tmp_path / "a.csv")
    assert numbers == [n for n in range(2, 900) if n % 7]
    assert [row[0] for row in found] == [str(n) for n in numbers]
    assert [one.row for one in source.broken] == [n for n in range(2, 900) if n % 7 == 0]


def test_lines_of_json_that_are_none_are_named_and_inner_fields_are_columns(tmp_path: Path) -> None:
    lines = ['{"订单号": 7, "金额": 9.50, "买家": {"手机号": "138"}}', "[1]", "", '{"订单号": "8"}', "{nothing"]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    source, numbers, found = read(tmp_path / "a.jsonl")
    assert source.columns == ["订单号", "金额", "买家.手机号"]
    assert (numbers, found) == ([1, 4], [("7", "9.5"), ("8", "")])
    assert [one.row for one in source.broken] == [2, 5]


def test_what_would_take_hours_is_refused_at_once(tmp_path: Path) -> None:
    assert named_apart(["a"] * 16_000, lambda name: False)[15_999] == "a (16000)"
    assert said_number("1" * 200_000 + "x", 2, "CNY") is None
    assert folded("(" * 500_000) == ""
    deep = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    (tmp_path / "a.jsonl").write_text(f'{{"订单号": 7}}\n{deep}\n')
    source, numbers, _ = read(tmp_path / "a.jsonl")
    assert (numbers, [one.row for one in source.broken]) == ([1], [2])


def zipped(**entries: bytes) -> io.BytesIO:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archived:
        for name, content in entries.items():
            archived.writestr(name, content)
    return held


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ratio = zipped(**{"xl/worksheets/sheet1.xml": b"<c/>" * 4_000_000})
    lying = bytearray(ratio.getvalue())
    for sign in (b"PK\x03\x04", b"PK\x01\x02"):  # both headers say that the entry is small
        place = lying.index(sign) + (22 if sign == b"PK\x03\x04" else 24)
        lying[place : place + 4] = (1_000).to_bytes(4, "little")
    many = zipped(**{f"e{number}": b"" for number in range(archive.MOST_ENTRIES + 1)})
    for name, content in (("ratio", ratio.getvalue()), ("lying", bytes(lying)), ("many", many.getvalue())):
        path = tmp_path / f"{name}.xlsx"
        path.write_bytes(content)
        with pytest.raises(BadInput, match="would unpack to far more") as caught:
            read(path)
        assert caught.value.zh
    monkeypatch.setattr(archive, "MOST_BYTES", 5 << 20)
    (tmp_path / "large.xlsx").write_bytes(zipped(a=bytes(3 << 20), b=bytes(3 << 20)).getvalue())
    with pytest.raises(BadInput, match="would unpack to far more"):
        read(tmp_path / "large.xlsx")


def test_a_sheet_of_two_cells_at_its_far_corners_is_refused(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "far.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "订单号")
        sheet.write(1_048_575, 16_383, "金额")
    with pytest.raises(BadInput, match=r"1,048,576 rows × 16,384 columns"):
        read(tmp_path / "far.xlsx")


def book_of(sheet: str, strings: str = "") -> bytes:
    """A workbook whose one sheet, and list of strings, are written by hand."""
    with xlsxwriter.Workbook(held := io.BytesIO()) as book:
        book.add_worksheet().write(0, 0, "a")
    made = io.BytesIO()
    with zipfile.ZipFile(held) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archived:
        for entry in given.namelist():
            text = given.read(entry).decode()
            if entry.endswith("sheet1.xml"):
                text = re.sub("<sheetData>.*</sheetData>", f"<sheetData>{sheet}</sheetData>", text)
            elif strings and entry.endswith("sharedStrings.xml"):
                text = text.replace('count="1" uniqueCount="1"', strings)
            archived.writestr(entry, text)
    return made.getvalue()


CELL = '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>1</v></c></row>'


@pytest.mark.long
@pytest.mark.parametrize(
    ("sheet", "strings"),
    [
        (f"{CELL}<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>", ""),
        (f'{CELL}<row r="1048576"><c {" " * 200}r="XFD1048576"><v>1</v></c></row>', ""),
        (f'{CELL}<row r="2"><c r="ZZZZZ2"><v>1</v></c></row>', ""),
        (f'{CELL}<row r="1000000">{"<c><v>1</v></c>" * 9_000}</row>', ""),
        (CELL, 'count="4294967295" uniqueCount="4294967295"'),
    ],
    ids=["quotes", "spaces", "letters", "unsaid", "strings"],
)
def test_a_workbook_that_asks_for_all_memory_ends_a_process_of_its_own(
    tmp_path: Path, sheet: str, strings: str
) -> None:
    (tmp_path / "a.xlsx").write_bytes(book_of(sheet, strings))
    with pytest.raises(BadInput):
        read(tmp_path / "a.xlsx")


@pytest.mark.parametrize("content", [b"PK\x03\x04 nothing", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"text"])
def test_a_workbook_that_is_none_gets_one_clear_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read(tmp_path / "a.xlsx")
    assert "is no Excel file" in caught.value.en


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"," * 900_000 + b"\n1,2\n"),
        ("b.csv", b'\xe8\xae\xa2,"' + b"x\n" * 400_000),
        ("c.jsonl", b'{"a":' * 100_000 + b"1\n"),
        ("d.jsonl", b"{" + b",".join(b'"k%d": 1' % number for number in range(2_000)) + b"}"),
    ],
)
def test_what_would_take_for_ever_is_refused_at_once(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    began = monotonic()
    with pytest.raises(BadInput):
        read(tmp_path / name)
    assert monotonic() - began < 20


def test_a_name_that_means_something_stands_there_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("备注,订单号,备注\n1,2,3\n")
    assert read(tmp_path / "a.csv")[0].columns == ["备注", "订单号", "备注 (2)"]
    (tmp_path / "b.csv").write_text("订单号,金额,订单号\n1,2,3\n")
    with pytest.raises(BadInput, match="stands there twice"):
        read(tmp_path / "b.csv")


def test_a_sealed_file_reads_as_it_was_and_nothing_of_it_is_in_clear(tmp_path: Path) -> None:
    content = (csv_text() * 40_000).encode("gb18030")
    path = tmp_path / "up" / "one.sealed"
    writer = SealedWriter(path, "test")
    for start in range(0, len(content), 333_333):
        writer.write(content[start : start + 333_333])
    writer.close()
    assert len(content) > 2 * CHUNK
    assert b"13800138000" not in path.read_bytes()
    with open_sealed(path, "test") as file:
        assert file.read() == content
        file.seek(CHUNK - 5)
        assert file.read(10) == content[CHUNK - 5 : CHUNK + 5]
        assert file.seek(0, io.SEEK_END) == len(content)
    same = SealedFile(path, "订单.csv", len(content), "test")
    source = open_source(same, None, lambda name: name in NAMES)
    assert source.encoding == "gb18030"
    assert sum(len(rows) for rows, _ in source.read(["订单号"])) == 40_000 * 3 - 1


def test_a_sealed_file_cut_short_or_exchanged_does_not_open(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        writer = SealedWriter(path, "test")
        writer.write(b"x" * (CHUNK + 1))
        writer.close()
    whole = paths[0].read_bytes()
    with pytest.raises(WrongKey):
        open_sealed(paths[0], "another")
    paths[0].write_bytes(whole[:-20])
    with pytest.raises(WrongKey):
        open_sealed(paths[0], "test")
    paths[0].write_bytes(whole[:24] + paths[1].read_bytes()[24:])
    with pytest.raises(WrongKey):
        open_sealed(paths[0], "test").read()
