"""A list of who was targeted when, as Excel leaves it: what is read, and what is refused by row and by name."""

from __future__ import annotations

from datetime import date

import pytest

from yutang.kernel.errors import BadInput
from yutang.review.lists import read_list


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_excel_saves_is_read_whatever_its_encoding_and_delimiter(encoding: str, delimiter: str) -> None:
    text = "姓名,会员号,触达日期\r\n王,1001,2017/10/30\r\n李,1002,2017-11-02 09:00\r\n".replace(",", delimiter)
    found = read_list(text.encode(encoding))
    assert found.kind == "member"
    assert [(row.row, row.value, row.day) for row in found.rows] == [
        (2, "1001", date(2017, 10, 30)),
        (3, "1002", date(2017, 11, 2)),
    ]
    assert not found.problems


def test_phones_serve_where_there_is_no_member_number_and_dates_may_be_missing() -> None:
    found = read_list("手机号\n13800001234\n\n".encode())
    assert (found.kind, found.dated, [row.value for row in found.rows]) == ("phone", False, ["13800001234"])


@pytest.mark.parametrize("day", ["2017.10.30", "2017年10月30日", "20171030", "2017-10-30T08:00:00"])
def test_days_are_read_as_people_write_them(day: str) -> None:
    assert read_list(f"member,date\n1,{day}\n".encode()).rows[0].day == date(2017, 10, 30)


def test_bad_rows_are_named_and_the_good_ones_stay() -> None:
    found = read_list(b"member,date\n1,2017-10-30\n,2017-10-30\n3,10/30/2017\n4,2017-02-30\n1.38E+10,2017-10-30\n")
    assert [row.value for row in found.rows] == ["1"]
    assert [(one.row, one.where) for one in found.problems] == [(3, "member"), (4, "date"), (5, "date"), (6, "member")]
    assert all(one.zh and one.en for one in found.problems)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04rest of a workbook", "CSV"),
        (b"name,city\nx,y\n", "name、city"),
        (b"member,date\n", "数据行"),
        (b"", "会员号"),
        (b"member\n\x81\xff\x00\n", "编码"),
        (b'member\n"' + b"x" * 200_000 + b'"\n', "第"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_to_do(content: bytes, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_list(content)
    assert says in refused.value.zh
    assert refused.value.en
