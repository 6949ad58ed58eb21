"""A customer writes in the sandbox, the desk answers in a browser, and the customer has the answer once."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.console.conftest import World, complaints, opened

WHO = "wm-6"


def does(world: World, do: str, **more: object) -> Any:
    body = {"do": do, "open_kfid": world["service"], "external_userid": WHO, **more}
    return httpx.post(f"{world['address']}/sandbox/control/service", json=body, timeout=300).raise_for_status().json()


@pytest.mark.long
@pytest.mark.browser
def test_the_desk_answers_a_customer_once(world: World, owner: httpx.Client, chromium: Browser) -> None:
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    said = complaints(page)
    page.goto("/desk/?folder=mine")
    does(world, "enter")
    does(world, "say", text="周末还做活动吗？")
    page.goto("/desk/")
    talk = page.locator("[data-talk]", has_text="客人6")
    expect(talk).to_be_visible(timeout=30_000)  # by the bell alone: nobody asked for it
    talk.click()
    expect(page.locator("ol.said .theirs")).to_contain_text("周末还做活动吗？")
    expect(page.get_by_role("heading", name="客户")).to_be_visible()  # the person stands beside
    page.locator("details.replies summary").click()
    page.locator("details.replies a").first.click()
    expect(page.locator("#text")).not_to_be_empty()  # from the library
    page.keyboard.press("q")  # it writes: nothing opens
    assert page.locator("details.replies").get_attribute("open") is None
    page.locator("#text").fill("")
    page.locator("#text").press("/")
    page.keyboard.type("会员日")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(
        re.compile(r"^青石超市的会员日.*/p/", re.DOTALL)
    )  # filled in, with their link
    page.locator("#text").fill("")
    page.locator("h1").click()
    page.keyboard.press("r")
    page.keyboard.type("全网最低价，国家级品质")
    page.get_by_role("button", name="发送").click()
    expect(page.locator("main")).to_contain_text("广告法")  # refused by the content check, with the law
    page.go_back()
    page.fill("#text", "做的，周六上午十点开始。")
    form = {
        "uid": page.input_value("form.reply [name=uid]"), "text": "做的，周六上午十点开始。",
        "csrfmiddlewaretoken": owner.cookies["csrftoken"],
    }  # fmt: skip
    page.keyboard.press("Control+Enter")
    expect(page.locator("ol.said .ours")).to_contain_text("周六上午十点")
    expect(page.locator("ol.said .ours")).to_contain_text("已送达平台")
    expect(page.locator("p.state")).to_contain_text("已回复")
    number = page.url.rstrip("/").rpartition("/")[2]
    again = owner.post(f"/desk/{number}/answer/", data=form, headers={"Referer": str(owner.base_url)})
    assert again.status_code == 200  # the same form once more
    assert len(does(world, "sent")["sent"]) == 1
    page.goto("/desk/?folder=mine")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="已解决，关闭").click()
    expect(page.locator("table")).to_contain_text("owner")  # the figures know who answered
    assert [one for one in said if "422" not in one] == []  # what was refused is said on the console too
    context.close()


def test_a_store_manager_sees_the_conversations_of_the_store(world: World, keeper: httpx.Client) -> None:
    assert "鸡蛋今天几点到" in keeper.get(f"/desk/{world['talk']}/").text
    assert keeper.get("/desk/999999/").status_code == 404
