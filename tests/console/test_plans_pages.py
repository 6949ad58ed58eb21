"""触达计划: what is shown before launch adds up, nothing is launched unseen, and the plan's page keeps the equation."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.console.conftest import World, complaints, opened
from tests.console.test_campaigns_pages import post, text

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
    assert "「全网 最低」违反「绝对化用语」" in said
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
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    told = set()
    for share in (0, 10, 50):
        page.locator("#hold_out").evaluate(
            "(slider, share) => { slider.value = share; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            share,
        )
        expect(page.locator("#share")).to_have_text(str(share))
        told.add(page.inner_text("#effect"))
    assert len(told) > 1
    assert asked == []
    page.fill("#text", "一二三")
    expect(page.locator("#bytes")).to_have_text("9")
    expect(page.locator("#bubble")).to_have_text("一二三")
    assert said == []
    context.close()


DOCUMENT = """kind: broadcast
name: written_by_hand
title: {zh: 手写的计划, en: Written by hand}
audience: {segment: customer_pool}
purpose: marketing
message: {text: 店里的新鲜蔬果都到齐了。}
start: 2026-03-06T10:00:00+08:00
hold_out: 0.2
"""


def save(client: httpx.Client, text: str, name: str = "", version: int = 0) -> httpx.Response:
    """What the page of a document sends: the text, from which version it was begun, and what was previewed."""
    seen = previewed(client, {"document": text})
    return post(client, "/plans/save/", {"document": text, "previewed": seen, "name": name, "version": str(version)})


def test_a_plan_is_written_as_a_document_kept_changed_and_launched(owner: httpx.Client) -> None:
    assert "已保存为第 1 版" in text(save(owner, DOCUMENT))
    assert "written_by_hand" in text(owner.get("/plans/"))
    changed = DOCUMENT.replace("0.2", "0.3")
    assert "已保存为第 2 版" in text(save(owner, changed, "written_by_hand", 1))
    late = save(owner, DOCUMENT.replace("0.2", "0.4"), "written_by_hand", 1)
    assert late.status_code == 422
    assert "已有第 2 版，没有保存" in unescape(late.text)
    assert "hold_out: 0.4" in late.text
    assert "hold_out: 0.3" in text(owner.get("/plans/document/?draft=written_by_hand"))
    answer = post(owner, "/plans/launch/", {"document": changed, "previewed": previewed(owner, {"document": changed})})
    assert "照这份另做一份" in text(answer)
    read_only = owner.get("/plans/document/?draft=written_by_hand")
    assert read_only.status_code == 403
    assert "文档只读" in unescape(read_only.text)
    assert save(owner, changed.replace("0.3", "0.1"), "written_by_hand", 2).status_code == 403
    assert "draft=written_by_hand" not in text(owner.get("/plans/"))
    assert post(owner, f"{answer.url}stop/", {}).status_code == 200


def test_a_document_is_kept_only_as_it_was_previewed_and_under_a_name_of_its_own(owner: httpx.Client) -> None:
    text_ = DOCUMENT.replace("written_by_hand", "overdue_gentle")
    assert "已被使用" in unescape(save(owner, text_).text)
    assert post(owner, "/plans/save/", {"document": DOCUMENT, "previewed": "0"}).status_code == 403
    wrong = text(post(owner, "/plans/preview/", {"document": DOCUMENT.replace("0.2", "0.9")}))
    assert "hold_out" in wrong
    assert 'name="previewed"' not in wrong


def test_the_form_is_kept_as_a_new_draft_each_time(owner: httpx.Client) -> None:
    form = {**FORM, "start": "2026-03-06T10:00"}
    form["previewed"] = previewed(owner, form)
    one, other = (str(post(owner, "/plans/save/", form).url).rpartition("=")[2] for _ in range(2))
    assert one.startswith("broadcast_260302")
    assert other.startswith("broadcast_260302")
    assert one != other
    assert "周末到货" in text(owner.get(f"/plans/document/?draft={other}"))


def test_a_copy_of_a_plan_begins_under_a_free_name(owner: httpx.Client, world: World) -> None:
    page = text(owner.get(f"/plans/document/?plan={world['plan']}"))
    assert "name: whole_pool_260302" in page
    assert 'name="version" value="0"' in page


def test_drafts_are_not_a_store_managers(keeper: httpx.Client, world: World) -> None:
    for path in ("", "?draft=written_by_hand", f"?plan={world['plan']}"):
        assert keeper.get(f"/plans/document/{path}").status_code == 403
    assert post(keeper, "/plans/save/", {"document": DOCUMENT}).status_code == 403


def test_a_plan_of_today_says_that_nothing_is_measured_yet(owner: httpx.Client, world: World) -> None:
    page = text(owner.get(f"/plans/{world['plan']}/"))
    assert "±" not in page
    assert "每人多带来" not in page
    assert "0.00 …" not in page
