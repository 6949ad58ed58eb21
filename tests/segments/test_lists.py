"""A list becomes a segment: whom its rows name, what is wrong with the others; again, another, and killed halfway."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.intake.conftest import data as data
from tests.intake.conftest import warehouse as warehouse
from tests.people.pond import T0, friend, manager, member, phone
from tests.segments.worlds import segment
from yutang.intake.imports import import_file
from yutang.intake.rolls import SentFile
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import BadInput, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER
from yutang.people.services import resolve
from yutang.profiles.services import rebuild
from yutang.segments import lists, queries
from yutang.segments.services import save
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
EMAIL = IdentifierValue("email", "", "wang@example.com")
FRIEND = "wm" + "x" * 30
PEOPLE = "会员卡号,手机号码\nm1,13800138000\nm2,13800138002\nm3,13800138003\n"


@pytest.fixture
def pond(warehouse: Warehouse, data: Path) -> Warehouse:
    path = data / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8")
    import_file(warehouse, "persons", path, source="till")
    resolve(
        [[member("m1"), EMAIL], [member("m2"), friend(FRIEND)], [IdentifierValue("member", "shop", "m3")]], seen_at=T0
    )
    rebuild(warehouse, T0)
    return warehouse


def who(warehouse: Warehouse, name: str) -> set[int]:
    return set(queries.members(warehouse, OWNER, queries.segment_named(name))["person"].to_pylist())


def persons(*identifiers: IdentifierValue) -> set[int]:
    return {int(resolve([[one]], seen_at=T0)[0]) for one in identifiers}


def sent(text: str) -> SentFile:
    return SentFile("名单.csv", text.encode("gb18030"))


def test_every_row_is_found_missing_doubled_or_unreadable(pond: Warehouse) -> None:
    text = (
        "活动名单,\n手机号,会员号\n138 0013 8000,\n,m1\n13800138002,m2\n1.38E+10,\n12,\n13900139000,\n,m3\n"
        "13800138000,m2\n,\n13800138003,\n"
    )
    found = lists.read_list(OWNER, sent(text))
    assert (found.rows, found.found, found.missing, found.doubled, found.unreadable) == (9, 3, 3, 1, 2)
    assert set(found.persons) == persons(phone("13800138000"), phone("13800138002"), phone("13800138003"))
    assert [(one.row, one.column, one.en) for one in found.troubles] == [
        (4, "会员号", "an earlier row names the same person"),
        (6, "手机号", lists.SCIENTIFIC[1]),
        (7, "手机号", "it is no possible phone number"),
        (8, "手机号", "there is no such person"),
        (9, "会员号", "this row is several persons'"),
        (10, "会员号", "this row is several persons'"),
    ]
    told = lists.error_file(found).decode("utf-8-sig")
    assert told.startswith("row,column,value,reason_zh,reason_en\r\n4,会员号,m*,")
    assert "139001" not in told
    with pytest.raises(BadInput, match="No column says which person"):
        lists.read_list(OWNER, sent("颜色\n红\n"))
    with pytest.raises(Refused):
        lists.read_list(manager("s1"), sent(text))


def test_what_is_pasted_is_told_by_its_shape(pond: Warehouse) -> None:
    found = lists.read_list(OWNER, lists.pasted(f"Wang@Example.com\n {FRIEND}\n\n+86 13800138003\nm1\nnobody\n"))
    assert (found.rows, found.found, found.missing, found.doubled) == (5, 3, 1, 1)
    assert set(found.columns) == {"email", "external_userid", "phone", "member"}
    with pytest.raises(BadInput, match="empty"):
        lists.pasted(" \n")
    with pytest.raises(BadInput, match="shoe_size"):
        lists.rows_of([{"shoe_size": "43"}])


def test_the_same_list_changes_nothing_and_another_is_the_next_version(pond: Warehouse) -> None:
    with business_clock(T0):
        first = lists.keep_list(pond, OWNER, "party", lists.pasted("m1\nm2\nm9"), "派对")
        again = lists.keep_list(pond, OWNER, "party", lists.pasted("13800138002\nm1"))
        assert [(one.version, one.changed, one.missing) for one in (first, again)] == [(1, True, 1), (1, False, 0)]
        assert who(pond, "party") == persons(member("m1"), member("m2"))
        before = queries.segment_named("party")
        other = lists.keep_list(pond, OWNER, "party", lists.pasted("m2\n13800138003"))
    assert (other.version, other.changed) == (2, True)
    assert who(pond, "party") == persons(member("m2"), phone("13800138003"))
    assert queries.segment_named("party").title.zh == "派对"
    assert queries.count(pond, OWNER, before) == 2, "the first version has whom it had"
    stored = pond.query(Statement("SELECT * FROM segment_changes")).to_pylist()
    assert len(stored) == 4
    assert "138" not in str([row["segment"] for row in stored])
    with pytest.raises(BadInput, match="None of the 1 rows"):
        lists.keep_list(pond, OWNER, "party", lists.pasted("m9"))


def test_a_segment_by_rules_is_not_overwritten_by_a_list(pond: Warehouse) -> None:
    save(segment({"trait": "orders_ever", "is": 0}, "rules"), OWNER)
    with pytest.raises(BadInput, match="segment by rules"):
        lists.keep_list(pond, OWNER, "rules", lists.pasted("m1"))


def test_killed_between_the_two_stores_the_segment_is_as_it_was_and_again_it_is_whole(
    pond: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with business_clock(T0):
        lists.keep_list(pond, OWNER, "party", lists.pasted("m1"))
    with business_clock(T0 + timedelta(hours=1)):
        monkeypatch.setattr(lists, "save", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            lists.keep_list(pond, OWNER, "party", lists.pasted("m2"))
        monkeypatch.undo()
        assert who(pond, "party") == persons(member("m1"))
        lists.keep_list(pond, OWNER, "party", lists.pasted("m2"))
    assert who(pond, "party") == persons(member("m2"))
