"""引流获客: made in a few steps, led to whom it should, welcomed for real, printed; a manager sees her own store's."""

from __future__ import annotations

import re
import time
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests import stores
from tests.console.conftest import World, complaints, opened
from tests.console.test_campaigns_pages import post, text

FORM = {"title": "收银台", "source": "store", "at": "s1", "channel": "wecom", "by": "staff", "staff": "guide-s1-a"}


def until(ready: Any, seconds: float = 60) -> Any:
    """What `ready` gives as soon as it gives anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def state_of(world: World, client: httpx.Client, name: str) -> str:
    """The state by which the sandbox knows a way's code, once it has one."""
    until(lambda: "可用" in text(client.get(f"/connect/of/{name}/")))
    query = "SELECT token FROM connect_code JOIN connect_way ON connect_way.id = way_id WHERE name = ?"
    return str(stores.rows(Path(str(world["directory"])), query, name)[0][0])


@pytest.mark.long
def test_a_way_is_made_scanned_and_its_people_welcomed_within_moments(owner: httpx.Client, world: World) -> None:
    answer = post(owner, "/connect/keep/", {**FORM, "welcome": "收银台欢迎您。", "tags": "收银台，新客"})
    name = str(answer.url).rstrip("/").rpartition("/")[2]
    assert "收银台" in text(answer)
    state = state_of(world, owner, name)
    sandbox = f"{world['address']}/sandbox/control"
    scanned = httpx.post(f"{sandbox}/scan", json={"way": state, "times": 3}).raise_for_status().json()["scans"]
    said = until(lambda: _all_of(httpx.get(f"{sandbox}/callbacks").json()["said"], scanned))
    assert {one["text"]["content"] for one in said} == {"收银台欢迎您。"}
    page = until(lambda: _joined(owner, name, 3))
    assert "不足 30 人" in page


def _all_of(said: dict[str, Any], scanned: list[dict[str, Any]]) -> list[Any]:
    found = [said[one["external_userid"]] for one in scanned if one["external_userid"] in said]
    return found if len(found) == len(scanned) else []


def _joined(owner: httpx.Client, name: str, many: int) -> str:
    page = text(owner.get(f"/connect/of/{name}/"))
    found = re.search(r"加上</p><p class=\"figure\">([\d,]+)<", page)
    return page if found and int(found[1]) == many else ""


def test_a_code_is_picked_by_store_or_by_place_and_an_opening_is_counted_once(
    owner: httpx.Client, world: World
) -> None:
    until(lambda: "可用" in text(owner.get("/connect/of/store_poster/")))
    visitor = httpx.Client(base_url=str(world["address"]), headers={"User-Agent": "a visitor of this test"}, timeout=60)
    choose = visitor.get(f"/w/{world['slug']}/").text
    assert all(f"{number}号店" in choose for number in (1, 2, 3))
    near = visitor.get(f"/w/{world['slug']}/?at=31.2,121.51").text
    assert "1号店" in near
    assert "公里" in near
    assert "/sandbox/qr/" in near
    assert "2号店" in visitor.get(f"/w/{world['slug']}/?store=s2").text
    assert visitor.get(f"/w/{world['slug']}/?at=nowhere").status_code == 200
    assert len(visitor.get(f"/w/{world['slug']}/").content) < 60_000
    assert visitor.get("/w/none/").status_code == 404


def test_a_manager_sees_her_own_stores_ways_only_and_changes_none(owner: httpx.Client, keeper: httpx.Client) -> None:
    post(owner, "/connect/keep/", {**FORM, "name": "till_one", "title": "一号收银"})
    post(owner, "/connect/keep/", {**FORM, "name": "till_two", "title": "二号收银", "at": "s2", "staff": "guide-s2-a"})
    page = text(keeper.get("/connect/"))
    assert "一号收银" in page
    assert "二号收银" not in page
    assert keeper.get("/connect/of/till_one/").status_code == 200
    assert keeper.get("/connect/of/till_two/").status_code == 404
    assert keeper.get("/connect/of/till_two/poster/").status_code == 404
    assert keeper.get("/connect/new/").status_code == 403
    assert post(keeper, "/connect/keep/", FORM).status_code == 403


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"title": ""}, "title"),
        ({"staff": "nobody"}, "没有在用的员工账号"),
        ({"by": "shift"}, "按班次分配要写 shifts"),
        ({"channel": "manual"}, "要给出 link"),
        ({"fixed": "-1"}, "cost"),
        ({"daily_limit": "0"}, "routing"),
        ({"channel": "manual", "link": "javascript:alert(1)"}, "https://"),
    ],
)
def test_what_cannot_stand_is_said_and_not_kept(owner: httpx.Client, changes: dict[str, str], says: str) -> None:
    before = text(owner.get("/connect/")).count("/connect/of/")
    answer = post(owner, "/connect/keep/", {**FORM, **changes})
    assert answer.status_code == 422
    assert says in unescape(answer.text)
    assert text(owner.get("/connect/")).count("/connect/of/") == before


def test_a_shop_without_an_api_shows_its_staffs_own_code(owner: httpx.Client, world: World) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
    data = {"title": "手工码", "source": "store", "at": "s1", "channel": "manual", "name": "by_hand"}
    data["csrfmiddlewaretoken"] = owner.cookies["csrftoken"]
    answer = owner.post(
        "/connect/keep/", data=data, files={"picture": ("qr.png", picture)}, headers={"Referer": str(world["address"])}
    )
    assert answer.status_code == 200
    found = re.search(r"/w/(\w+)/", answer.text)
    assert found
    assert owner.get(f"/w/{found[1]}/picture").content == picture
    assert f"/w/{found[1]}/picture" in owner.get(f"/w/{found[1]}/").text
    data["name"] = "by_link"
    post(owner, "/connect/keep/", {**data, "link": "https://u.wechat.com/abc"})
    again = re.search(r"/w/(\w+)/", owner.get("/connect/of/by_link/").text)
    assert again
    assert "<svg" in owner.get(f"/w/{again[1]}/").text


@pytest.mark.browser
def test_the_form_asks_only_what_the_choice_needs(chromium: Browser, owner: httpx.Client) -> None:
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    said = complaints(page)
    page.goto("/connect/new/")
    expect(page.locator("#staff")).to_be_hidden()
    page.check("[name=by][value=shift]")
    expect(page.locator("#staff1")).to_be_visible()
    page.select_option("#channel", "manual")
    expect(page.locator("#link")).to_be_visible()
    expect(page.locator("#daily_limit")).to_be_hidden()
    page.select_option("#channel", "wecom")
    page.check("[name=by][value=staff]")
    page.fill("#title", "浏览器里新建")
    page.select_option("#staff", ["guide-s1-a", "guide-s1-b"])
    page.click("button.primary")
    page.wait_for_url("**/connect/of/**")
    expect(page.locator(".qr svg")).to_have_count(1)
    assert said == []
    context.close()
