"""触达计划: what is shown before launch adds up, nothing is launched unseen, and the plan's page keeps the equation."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest
from playwright.sync_api import Browser

from tests.console.conftest import World, complaints, opened
from tests.console.test_campaigns_pages import post, text

pytestmark = pytest.mark.xdist_group("console")
FORM = {
    "from": "",
    "title": "周末到货",
    "audience": "*",
    "text": "店里的新鲜蔬果都到齐了。",
    "waves": "1",
    "wave_hours": "24",
    "within_hours": "24",
    "attempts": "2",
    "priority": "50",
    "hold_out": "20",
    "horizon_days": "28",
    "value": "0",
}


def steps(page: str) -> dict[str, list[int]]:
    """The counts of 剔除明细 by kind of row."""
    found: dict[str, list[int]] = {}
    for kind, body in re.findall(r'<tr class="(\w+)">(.*?)</tr>', page, re.DOTALL):
        count = re.search(r'<td class="n">([\d,]+)</td>', body)
        if count:
            found.setdefault(kind, []).append(int(count[1].replace(",", "")))
    return found


def test_candidates_less_each_reason_are_send_and_hold_out(owner: httpx.Client) -> None:
    found = steps(text(post(owner, "/plans/preview/", FORM)))
    left = found["candidates"][0] - sum(found.get("reason", [])) - sum(found.get("held_globally", []))
    assert left == found["send"][0] + found["held"][0]
    assert found["candidates"][0] > 0


def test_a_forbidden_word_is_named_with_its_rule_and_nobody_is_sent_to(owner: httpx.Client) -> None:
    said = text(post(owner, "/plans/check/", {"text": "全网 最低"}))
    assert "「全网最低」违反「绝对化用语」" in said
    page = text(post(owner, "/plans/preview/", {**FORM, "text": "全网最低"}))
    assert "绝对化用语" in page
    assert "确认，发送给" not in page


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("title", "", "名字"),
        ("within_hours", "999", "整数"),
        ("horizon_days", "很久", "整数"),
        ("text", "长" * 1400, "4000"),
    ],
)
def test_a_field_that_cannot_stand_is_said_instead_of_counts(
    owner: httpx.Client, field: str, value: str, says: str
) -> None:
    page = text(post(owner, "/plans/preview/", {**FORM, field: value}))
    assert says in page
    assert "candidates" not in page


def test_what_was_not_previewed_is_not_launched(owner: httpx.Client) -> None:
    assert post(owner, "/plans/launch/", FORM).status_code == 403
    form = {**FORM, "start": "2026-03-06T10:00"}  # the pond's own plan has spoken to everybody today
    form["previewed"] = previewed(owner, form)
    assert post(owner, "/plans/launch/", {**form, "hold_out": "0"}).status_code == 403


def previewed(client: httpx.Client, form: dict[str, str]) -> str:
    found = re.search(r'name="previewed" value="(\w+)"', text(post(client, "/plans/preview/", form)))
    assert found
    return found[1]


def test_a_plan_is_launched_once_is_watched_and_stopped(owner: httpx.Client) -> None:
    form = {**FORM, "title": "成交池试发", "audience": "customer_pool", "start": "2026-03-06T10:00"}
    form["previewed"] = previewed(owner, form)
    answer = post(owner, "/plans/launch/", form)
    assert "成交池试发" in text(answer)
    plan = str(answer.url)
    again = post(owner, "/plans/launch/", form)
    assert again.status_code == 403
    assert "没有再次下发" in unescape(again.text)
    assert "成交池试发" in text(owner.get("/plans/?state=running"))
    assert post(owner, f"{plan}stop/", {}).status_code == 200
    assert "已停止" in text(owner.get(plan))
    assert "成交池试发" not in text(owner.get("/plans/?state=running"))


def test_the_equation_of_a_plan_adds_up(owner: httpx.Client, world: World) -> None:
    page = text(owner.get(f"/plans/{world['plan']}/progress/"))
    line = re.search(r'<p class="equation">(.*?)</p>', page, re.DOTALL)
    assert line
    whole, *terms = [int(number.replace(",", "")) for number in re.findall(r"<b>([\d,]+)</b>", line[1])]
    assert whole == sum(terms) > 0
    assert "对不上" not in page


def test_batches_are_filtered_and_exported(owner: httpx.Client, world: World) -> None:
    whole = owner.get(f"/plans/{world['plan']}/?export=csv").text.splitlines()
    one = owner.get(f"/plans/{world['plan']}/?export=csv&store=s1").text.splitlines()
    assert 1 < len(one) < len(whole)
    assert all(row.startswith("s1,") for row in one[1:])
    assert text(owner.get(f"/plans/{world['plan']}/?batch=doubtful")).count("没有这样的任务") == 1


def test_a_store_manager_neither_launches_nor_stops_nor_sees_the_brands_plans(
    keeper: httpx.Client, world: World
) -> None:
    assert keeper.get("/plans/new/").status_code == 403
    assert post(keeper, "/plans/preview/", FORM).status_code == 403
    assert post(keeper, "/plans/launch/", FORM).status_code == 403
    assert post(keeper, f"/plans/{world['plan']}/stop/", {}).status_code == 403
    for part in ("", "progress/", "verdict/"):
        assert keeper.get(f"/plans/{world['plan']}/{part}").status_code == 404


@pytest.mark.browser
def test_the_slider_tells_the_smallest_effect_without_asking_the_server(chromium: Browser, owner: httpx.Client) -> None:
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    said = complaints(page)
    page.goto("/plans/new/?from=whole_pool")
    page.wait_for_selector("table.waterfall")
    page.wait_for_function("document.getElementById('effect').textContent !== ''")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    told = set()
    for share in (0, 10, 50):
        page.locator("#hold_out").evaluate(
            "(slider, share) => { slider.value = share; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            share,
        )
        assert page.inner_text("#share") == str(share)
        told.add(page.inner_text("#effect"))
    assert len(told) > 1
    assert asked == []
    page.fill("#text", "一二三")
    assert page.inner_text("#bytes") == "9"
    assert page.inner_text("#bubble") == "一二三"
    assert said == []
    context.close()
