"""引流获客 → 导入: a file goes up, is looked at, checked, imported beside the requests; its bad rows are named."""

from __future__ import annotations

import csv
import io
import re
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.bench.exported import HEADER, Export, write_export
from tests.console.conftest import World, complaints, log_in, opened, served
from tests.console.test_campaigns_pages import post, text

HEAD = "order_id,member,placed_at,sku,quantity,amount\n"
GOOD = HEAD + "up1,1000,2026-02-01,sku-0,1,5.00\n"


def upload(client: httpx.Client, content: bytes, name: str = "orders.csv", **form: str) -> httpx.Response:
    """The form as a browser sends it: the token stands among its fields."""
    data = {"kind": "orders", "source": "till", "csrfmiddlewaretoken": client.cookies["csrftoken"], **form}
    headers = {"Referer": str(client.base_url)}
    return client.post("/imports/upload/", data=data, files={"file": (name, content)}, headers=headers)


def number_of(answer: httpx.Response) -> int:
    found = re.search(r"/imports/of/(\d+)/", str(answer.url))
    assert found, answer.text[-500:]
    return int(found[1])


def sealed(world: World) -> list[Path]:
    return list((Path(str(world["directory"])) / "imports" / "uploads").iterdir())


def test_a_file_is_kept_sealed_previewed_masked_and_cancelled(owner: httpx.Client, world: World) -> None:
    before = len(sealed(world))
    head = "order_id,phone,placed_at,sku,quantity,amount,whatever\n"
    answer = upload(owner, (head + "up9,13800138999,2026-02-01,plainsku,1,5.00,plantedword\n").encode())
    number = number_of(answer)
    assert "plainsku" in text(answer)
    assert "13800138999" not in text(answer)
    assert "plantedword" not in text(answer)
    assert len(sealed(world)) == before + 1
    assert not any(word in path.read_bytes() for path in sealed(world) for word in (b"13800138999", b"plantedword"))
    assert "文件已删除" in text(post(owner, f"/imports/of/{number}/cancel/", {}))
    assert len(sealed(world)) == before
    assert post(owner, f"/imports/of/{number}/start/", {"do": "check"}).status_code == 403


@pytest.mark.parametrize(
    ("content", "name", "form", "says"),
    [
        (b"", "a.csv", {}, "有内容的文件"),
        (b"a,b\n1,2\n", "a.exe", {}, "不认识这种文件"),
        (b"PK\x03\x04", "a.xlsx", {}, "不是 Excel 文件"),
        (b"a,b\n1,2\n", "a.csv", {"kind": "dreams"}, "不能导入"),
        (b"a,b\n1,2\n", "a.csv", {"source": ""}, "1–20 个字符"),
    ],
)
def test_what_cannot_be_taken_is_said_and_not_kept(
    owner: httpx.Client, world: World, content: bytes, name: str, form: dict[str, str], says: str
) -> None:
    before = len(sealed(world))
    answer = upload(owner, content, name, **form)
    assert answer.status_code in (404, 422)
    assert says in answer.text
    assert len(sealed(world)) == before


def test_a_form_without_its_token_and_a_store_manager_leave_nothing(
    owner: httpx.Client, keeper: httpx.Client, world: World
) -> None:
    before = len(sealed(world))
    assert upload(owner, GOOD.encode(), csrfmiddlewaretoken="x" * 32).status_code == 403
    assert upload(keeper, GOOD.encode()).status_code == 403
    assert keeper.get("/imports/").status_code == 403
    assert keeper.get(f"/imports/of/{world['imported']}/errors/").status_code == 403
    assert len(sealed(world)) == before


def test_a_body_larger_than_a_page_takes_is_refused_before_it_is_read(owner: httpx.Client) -> None:
    for path in ("/imports/upload/", "/campaigns/list/"):
        with closing(HTTPConnection(owner.base_url.host, owner.base_url.port, timeout=60)) as asked:
            asked.putrequest("POST", path)
            asked.putheader("Content-Length", "300000000")
            asked.endheaders()
            assert asked.getresponse().status == 413


def test_what_the_form_lacks_is_said_beside_it(owner: httpx.Client, world: World) -> None:
    answer = post(owner, f"/imports/of/{world['upload']}/start/", {"do": "check", "column.order_id": "单号"})
    assert answer.status_code == 422
    assert "缺少「placed_at（下单时间）" in answer.text


def test_bad_rows_stand_in_a_file_to_download(owner: httpx.Client, world: World) -> None:
    page = text(owner.get(f"/imports/of/{world['imported']}/"))
    assert "检查结果" in page
    found = owner.get(f"/imports/of/{world['imported']}/errors/")
    rows = list(csv.DictReader(io.StringIO(found.content.decode("utf-8-sig"))))
    assert [(row["row"], row["column"]) for row in rows] == [("5", "placed_at")]
    assert "次序不明" in rows[0]["reason_zh"]


def import_in_browser(
    chromium: Browser, owner: httpx.Client, export: Export, seconds: float
) -> tuple[str, str, set[int], float]:
    """Upload, check, import without the bad rows, download them: what check and result say, the rows named, the
    seconds from start to end of the import."""
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    page.set_default_timeout(1_000 * seconds)
    said = complaints(page)
    page.goto("/imports/")
    page.select_option("#kind", "orders")
    page.fill("#source", "export")
    page.set_input_files("#file", export.path)
    page.click("button.primary")
    page.wait_for_url("**/imports/of/**")
    assert f"列名取自第 {HEADER} 行" in page.inner_text("main")
    page.select_option("[id='column.amount']", "实付金额")
    page.click("button.primary")
    page.wait_for_selector("#result")
    checked = page.inner_text("#result")
    page.check("[name=skip_bad]")
    began = time.monotonic()
    page.click("button.primary")
    page.wait_for_selector("text=其中以前就有")
    took = time.monotonic() - began
    result = page.inner_text("#result")
    with page.expect_download() as download:
        page.click("text=下载坏行清单")
    with open(download.value.path(), encoding="utf-8-sig") as file:
        named = {int(row["row"]) for row in csv.DictReader(file)}
    context.close()
    assert said == []
    return checked, result, named, took


@pytest.mark.long
@pytest.mark.browser
def test_an_export_of_excel_is_imported_in_the_browser(chromium: Browser, tmp_path: Path) -> None:
    """Must-show 7, small: GB18030, merged header cells, mixed forms of dates, 1 % bad rows, each of them named. In a
    pond of its own: the other tests count the people of theirs."""
    export = write_export(tmp_path / "收银导出.csv", size=300_000, first="browser")
    with served(tmp_path / "pond") as pond, closing(log_in(str(pond["address"]))) as owner:
        checked, result, named, _ = import_in_browser(chromium, owner, export, 60)
    assert f"{len(export.bad):,}" in checked
    assert f"{export.rows:,}" in result
    assert named == set(export.bad), "every bad row, and no other"
