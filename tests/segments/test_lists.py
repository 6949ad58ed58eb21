"""A list becomes a segment: whom its rows name, what is wrong with the others; again, another, and killed halfway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import stores
from tests.intake.conftest import data as data
from tests.intake.conftest import warehouse as warehouse
from tests.people.pond import T0, friend, manager, member, phone
from tests.segments.worlds import segment
from yutang.intake.files.opening import Given
from yutang.intake.imports import import_file
from yutang.intake.rolls import SentFile
from yutang.kernel.clock import business_clock
from yutang.kernel.errors import BadInput, Refused
from yutang.log.contracts import IdentifierValue
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import OWNER
from yutang.people.services import resolve
from yutang.profiles.services import rebuild
from yutang.segments import lists, queries
from yutang.segments.lists import Listed
from yutang.segments.services import save
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db
PLACES = ("list.recorded",)
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
        (9, "会员号", lists._AMBIGUOUS[1]),
        (10, "会员号", "this row is several persons'"),
    ]
    told = lists.error_file(found).decode("utf-8-sig")
    assert told.startswith("row,column,value,reason_zh,reason_en\r\n4,会员号,m*,")
    assert "139001" not in told
    with pytest.raises(BadInput, match="No column says which person"):
        lists.read_list(OWNER, sent("颜色\n红\n"))
    with pytest.raises(Refused):
        lists.read_list(manager("s1"), sent(text))


def test_a_number_of_two_sources_is_the_one_that_was_chosen_or_that_stands_beside_another(pond: Warehouse) -> None:
    text = "会员号,手机号\nm1,\nm3,\n"
    found = lists.read_list(OWNER, sent(text))
    assert (found.found, found.missing, found.ambiguous) == (1, 1, 1)
    assert "1 rows have a member number" in lists.ambiguity(found)[1]
    assert "choose the source: shop, till" in lists.ambiguity(found)[1]
    till = lists.read_list(OWNER, sent(text), "till")
    assert (set(till.persons), till.ambiguous) == (persons(member("m1"), member("m3")), 0)
    shop = lists.read_list(OWNER, sent(text), "shop")
    assert set(shop.persons) == persons(IdentifierValue("member", "shop", "m3"))
    beside = lists.read_list(OWNER, sent("会员号,手机号\nm3,13800138003\n"))
    assert set(beside.persons) == persons(member("m3"))
    with pytest.raises(BadInput, match="No member numbers came from “tills”; they came from shop, till"):
        lists.read_list(OWNER, sent(text), "tills")
    with pytest.raises(BadInput, match=r"nothing was saved\. 1 rows have a member number"):
        lists.keep_list(pond, OWNER, "party", lists.pasted("m3"))


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


def test_a_list_that_is_kept_while_another_of_its_name_is_read_comes_before_it(
    pond: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, others = lists.read_list, [("m2", 1, True), ("m1", 2, True)]

    def read_slowly(viewer: Viewer, given: Given, source: str) -> Listed:
        found = read(viewer, given, source)
        if others:
            words, *came = others.pop()
            kept = lists.keep_list(pond, OWNER, "party", lists.pasted(words))
            assert [kept.version, kept.changed] == came
        return found

    monkeypatch.setattr(lists, "read_list", read_slowly)
    kept = lists.keep_list(pond, OWNER, "party", lists.pasted("13800138000"))
    assert (kept.version, kept.changed) == (2, False), "m1, who is meant, is in it already"
    assert who(pond, "party") == persons(member("m1"))


KEPT = """
import json, sys, threading
from pathlib import Path
from typing import Any
from yutang.app import house
opened = house.open_house(Path(sys.argv[1]))
from django.db import connection
from tests.people.pond import T0, found_pond, member
from yutang.documents import queries as documents
from yutang.intake.mirror import mirror_facts, mirror_nodes
from yutang.organisation.queries import OWNER, is_set_up
from yutang.people.services import resolve
from yutang.profiles.services import rebuild
from yutang.segments import lists, queries
from yutang.segments.documents import SegmentDocument
if not is_set_up():
    found_pond()
    mirror_nodes(opened.warehouse)
    resolve([[member(f"m{number}")] for number in range(9)], seen_at=T0)
    mirror_facts(opened.warehouse)
    rebuild(opened.warehouse, T0)
gate, read = threading.Barrier(len(sys.argv) - 2), lists.read_list
def read_together(*given):
    found = read(*given)
    gate.wait(60)  # all know whom they name before any keeps anything
    return found
lists.read_list = read_together
kept = []
def keep(words):
    kept.append(lists.keep_list(opened.warehouse, OWNER, "party", lists.pasted(words)))
    connection.close()
threads = [threading.Thread(target=keep, args=(words,)) for words in sys.argv[2:]]
for thread in threads: thread.start()
for thread in threads: thread.join()
members = {}
for one in documents.versions(SegmentDocument, "party"):
    members[one.version] = sorted(queries.members(opened.warehouse, OWNER, one.document)["person"].to_pylist())
print(json.dumps({
    "members": members, "changed": sum(one.changed for one in kept),
    "told": [[one.version, sorted(one.persons)] for one in kept],
}))
opened.close()
"""


def keep_at_once(data: Path, *words: str, failpoint: str = "") -> dict[str, Any] | None:
    """What a process of its own says that kept these lists, each by a thread; None for one that was killed."""
    root = Path(__file__).parents[2]
    given = {"PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}", "YUTANG_FAILPOINT": failpoint}
    environment = {**os.environ, **stores.environment(data), **given}
    done = subprocess.run(
        [sys.executable, "-c", KEPT, str(data), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == (-signal.SIGKILL if failpoint else 0), done.stderr
    told: dict[str, Any] | None = None if failpoint else json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.long
def test_lists_of_one_name_at_once_are_kept_one_after_another_and_a_killed_one_not_at_all(tmp_path: Path) -> None:
    told = keep_at_once(tmp_path, "m1\nm2", "m2\nm1", "m3", "m4\nm5")
    assert told is not None
    assert 3 <= told["changed"] == len(told["members"]) <= 4  # between the two that are the same others may come
    assert all(told["members"][str(version)] == named for version, named in told["told"])
    for place in PLACES:
        keep_at_once(tmp_path, "m6", failpoint=place)
    again = keep_at_once(tmp_path, "m7")
    assert again is not None
    assert again["members"] == told["members"] | {str(told["changed"] + 1): again["told"][0][1]}


@pytest.mark.parametrize("place", PLACES)
def test_killed_between_the_two_stores_the_segment_is_as_it_was_and_again_it_is_whole(
    pond: Warehouse, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def die(name: str) -> None:
        if name == place:
            raise KeyboardInterrupt

    with business_clock(T0):
        lists.keep_list(pond, OWNER, "party", lists.pasted("m1"))
    with business_clock(T0 + timedelta(hours=1)):
        monkeypatch.setattr(lists, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            lists.keep_list(pond, OWNER, "party", lists.pasted("m2"))
        monkeypatch.undo()
        assert who(pond, "party") == persons(member("m1"))
        lists.keep_list(pond, OWNER, "party", lists.pasted("m2"))
    assert who(pond, "party") == persons(member("m2"))
