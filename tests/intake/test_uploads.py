"""Files through the console's door: sealed, looked at, imported by the lane, cancelled, taken up after a death."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.intake.tables import one
from tests.people.pond import manager
from yutang.intake import imports, uploads
from yutang.intake.lease import lease
from yutang.intake.models import Import
from yutang.intake.uploads import Wish
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation.queries import OWNER
from yutang.people.models import Person
from yutang.warehouse.contracts import Warehouse

pytestmark = pytest.mark.django_db
TEXT = (
    "门店销售明细,,,,,\n订单号,手机号,下单时间,货号,数量,金额\n"
    "o1,13800138000,2026年3月1日 9时05分,milk,1,￥1\no2,13900139000,2026/3/2,tea,2,12.50元\n"
)
BAD = "o3,13700137000,03/04/2026,tea,1,9\n"
FIELDS = ("order_id", "phone", "placed_at", "sku", "quantity", "amount")
FORM = Wish(dict(zip(FIELDS, ("订单号", "手机号", "下单时间", "货号", "数量", "金额"), strict=True)))


def up(text: str = TEXT, name: str = "销售.csv", kind: str = "orders") -> int:
    written = uploads.begin_upload()
    written.write(text.encode("gb18030"))
    written.close()
    return uploads.keep_upload(OWNER, written, name, kind, "till")


def files() -> list[Path]:
    return list((imports.directory() / imports.UPLOADS).glob("*"))


def test_an_upload_is_looked_at_checked_and_imported(warehouse: Warehouse, data: Path) -> None:
    number = up()
    glance = uploads.glance(OWNER, number)
    assert (glance.header, glance.encoding, glance.columns[1]) == (2, "gb18030", "手机号")
    assert glance.rows[0][0] == 3
    assert "13800138000" not in str(glance.rows)
    assert uploads.proposed(OWNER, number, Wish()).columns["placed_at"] == "下单时间"
    assert all(b"13800138000" not in path.read_bytes() for path in data.rglob("*") if path.is_file())

    uploads.start(OWNER, number, FORM)
    assert uploads.shown(OWNER, number).busy
    assert uploads.turn(warehouse)
    checked = uploads.shown(OWNER, number)
    assert (checked.state, checked.open, checked.report["accepted"]) == ("dry_run", True, 2)
    assert not Person.objects.exists()

    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))
    assert uploads.turn(warehouse)
    done = uploads.shown(OWNER, number)
    assert (done.state, done.open, done.report["events"], done.report["header"]) == ("done", False, 2, 2)
    assert one(warehouse, "SELECT sum(net_amount) FROM orders") == 13.5  # type: ignore[comparison-overlap]
    assert files() == []
    assert not uploads.turn(warehouse)
    assert uploads.proposed(OWNER, up(), Wish()).how["amount"] == "remembered"


def test_bad_rows_are_in_the_file_and_the_upload_may_be_started_again(warehouse: Warehouse, data: Path) -> None:
    number = up(TEXT + BAD)
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))
    assert uploads.turn(warehouse)
    refused = uploads.shown(OWNER, number)
    assert (refused.state, refused.open, refused.report["refused"]) == ("refused", True, 1)
    assert "1 of 3 rows" in refused.en
    with uploads.error_file(OWNER, number).open(encoding="utf-8-sig") as found:
        assert [(row["row"], row["column"]) for row in csv.DictReader(found)] == [("5", "placed_at")]
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False, skip_bad=True))
    assert uploads.turn(warehouse)
    assert uploads.shown(OWNER, number).report["accepted"] == 2


def test_what_the_form_leaves_out_is_not_there(warehouse: Warehouse, data: Path) -> None:
    number = up("order_id,member,placed_at,sku,quantity,amount,discount\no1,m1,2026-03-01,a,1,9,5\n")
    said = {name: name for name in ("order_id", "member", "placed_at", "sku", "quantity", "amount")}
    uploads.start(OWNER, number, Wish(said, dry_run=False))
    uploads.turn(warehouse)
    assert one(warehouse, "SELECT discount FROM orders") == 0
    with pytest.raises(BadInput, match="amount is missing"):
        uploads.start(OWNER, up(), Wish({name: column for name, column in FORM.mapping.items() if name != "amount"}))


def test_an_upload_is_cancelled_before_and_while_it_is_read_and_never_after(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = up()
    uploads.start(OWNER, waiting, FORM)
    uploads.cancel(OWNER, waiting)
    assert not uploads.turn(warehouse)
    assert (uploads.shown(OWNER, waiting).state, files()) == ("cancelled", [])

    number = up()
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))

    def meanwhile(place: str) -> None:
        if place == "import.after_identity":  # the last moment: everybody was made, and nothing is kept yet
            uploads.cancel(OWNER, number)

    monkeypatch.setattr(imports, "failpoint", meanwhile)
    assert uploads.turn(warehouse)
    assert (uploads.shown(OWNER, number).state, files()) == ("cancelled", [])
    assert not Person.objects.exists()
    assert not imports.directory(number).exists()
    monkeypatch.undo()

    done = up()
    uploads.start(OWNER, done, Wish(FORM.mapping, dry_run=False))
    uploads.turn(warehouse)
    with pytest.raises(Refused, match="past cancelling"):
        uploads.cancel(OWNER, done)
    with pytest.raises(Refused, match="begun already"):
        uploads.start(OWNER, done, FORM)


def test_an_upload_cancelled_while_it_is_looked_at_stays_cancelled(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = up()
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))
    look = imports.look

    def meanwhile(*given: Any) -> Any:
        found = look(*given)
        file = given[1]
        held = file.path.read_bytes()
        uploads.cancel(OWNER, number)
        file.path.write_bytes(held)  # as for a reader who holds it open, or has read it whole
        return found

    monkeypatch.setattr(imports, "look", meanwhile)
    assert uploads.turn(warehouse)
    assert uploads.shown(OWNER, number).state == "cancelled"
    assert not Person.objects.exists()


def test_a_file_that_breaks_its_reader_is_not_read_for_ever(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, other = up(), up()
    for one_of_them in (number, other):
        uploads.start(OWNER, one_of_them, FORM)

    def broken(*given: Any) -> Any:
        raise ValueError("a reader's own mistake")

    monkeypatch.setattr(imports, "look", broken)
    with pytest.raises(ValueError, match="own mistake"):
        uploads.turn(warehouse)
    monkeypatch.undo()
    assert (uploads.shown(OWNER, number).state, uploads.shown(OWNER, number).zh) == ("refused", "文件读不出来了。")
    assert uploads.turn(warehouse)
    assert uploads.shown(OWNER, other).state == "dry_run"


def test_phones_taken_for_stores_are_nowhere_in_clear(warehouse: Warehouse, data: Path) -> None:
    number = up()
    uploads.start(OWNER, number, Wish(FORM.mapping | {"store": "手机号"}, dry_run=False))
    assert uploads.turn(warehouse)
    assert uploads.shown(OWNER, number).report["unknown_stores"] == ["13800138000", "13900139000"]
    assert "13800138000" not in json.dumps(Import.objects.get(pk=number).report)


def test_an_import_that_died_while_it_was_read_is_read_again(warehouse: Warehouse, data: Path) -> None:
    number = up()
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))
    Import.objects.filter(pk=number).update(state=imports.READING)
    imports.directory(number).mkdir(parents=True)
    assert uploads.turn(warehouse)
    assert uploads.shown(OWNER, number).state == "done"


def test_a_file_on_which_the_house_dies_is_given_up(warehouse: Warehouse, data: Path) -> None:
    number = up()
    uploads.start(OWNER, number, FORM)
    Import.objects.filter(pk=number).update(state=imports.READING, tries=uploads.TRIES)
    assert uploads.turn(warehouse)
    given_up = uploads.shown(OWNER, number)
    assert (given_up.state, given_up.open) == ("refused", True)
    assert "did not try again" in given_up.en


def test_an_import_that_died_while_it_was_kept_is_finished_and_its_file_removed(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = up()
    uploads.start(OWNER, number, Wish(FORM.mapping, dry_run=False))

    def dies(place: str) -> None:
        if place == "import.after_sealed":
            raise KeyboardInterrupt

    monkeypatch.setattr(imports, "failpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        uploads.turn(warehouse)
    monkeypatch.undo()
    assert uploads.shown(OWNER, number).state == "appending"
    assert uploads.turn(warehouse)
    uploads.forget_old_uploads()
    done = uploads.shown(OWNER, number)
    assert (done.state, done.report["accepted"], files()) == ("done", 2, [])
    assert one(warehouse, "SELECT count(*) FROM orders") == 2


def test_another_import_at_work_is_waited_for_or_said(warehouse: Warehouse, data: Path) -> None:
    number = up()
    uploads.start(OWNER, number, FORM)
    with lease(imports.LEASE):
        assert not uploads.turn(warehouse), "the lane looks again later"
        with pytest.raises(Exception, match="Another file is being imported"), imports.importing(patience=0.0):
            raise AssertionError("two at once")
    assert uploads.turn(warehouse)


def test_what_nobody_imports_is_removed_after_a_day(
    warehouse: Warehouse, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = up()
    uploads.begin_upload()  # its sender went away
    uploads.forget_old_uploads()
    assert len(files()) == 2
    later = uploads.wall_now() + uploads.KEPT * 2
    monkeypatch.setattr(uploads, "wall_now", lambda: later)
    uploads.forget_old_uploads()
    assert files() == []
    with pytest.raises(NotFound, match="upload it again"):
        uploads.glance(OWNER, number)


def test_a_file_that_is_none_is_not_kept(warehouse: Warehouse, data: Path) -> None:
    for text, name, kind in (("", "a.csv", "orders"), ("a,b\n", "a.pdf", "orders"), ("1,2\n", "a.csv", "orders")):
        with pytest.raises(BadInput):
            up(text, name, kind)
    with pytest.raises(NotFound):
        up(kind="anything")
    assert files() == []
    assert not Import.objects.exists()


def test_only_headquarters_may(warehouse: Warehouse, data: Path) -> None:
    number = up()
    viewer = manager("s1")
    for act in (
        lambda: uploads.listed(viewer, 0, 10),
        lambda: uploads.shown(viewer, number),
        lambda: uploads.glance(viewer, number),
        lambda: uploads.start(viewer, number, FORM),
        lambda: uploads.cancel(viewer, number),
        lambda: uploads.error_file(viewer, number),
    ):
        with pytest.raises(Refused):
            act()
