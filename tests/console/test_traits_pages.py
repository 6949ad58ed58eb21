"""客户属性 in the console: tried while it is written, kept, shown, let go of; and a person as of a past day."""

from __future__ import annotations

import re
from html import unescape

import httpx

from tests.console.conftest import World
from tests.console.test_campaigns_pages import post, text

DOCUMENT = """kind: trait
name: big_orders
title: {zh: 大单, en: Big orders}
unit: {zh: 单, en: orders}
of: orders
take: count
where: {amount: {more_than: 30}}
within: 90d
"""


def test_a_trait_is_tried_kept_shown_and_let_go_of(owner: httpx.Client, keeper: httpx.Client) -> None:
    tried = text(post(owner, "/traits/preview/", {"document": DOCUMENT}))
    assert "文档读得懂" in tried
    assert re.search(r"抽看 (\d+) 位客户，\1 位有值", tried), "a count is zero for who has none"
    wrong = text(post(owner, "/traits/preview/", {"document": DOCUMENT.replace("orders\n", "oders\n")}))
    assert "of：" in wrong
    refused = post(owner, "/traits/keep/", {"document": DOCUMENT.replace("big_orders", "orders_ever")})
    assert refused.status_code == 422
    assert "自带的属性" in unescape(refused.text)
    kept = text(post(owner, "/traits/keep/", {"document": DOCUMENT}))
    assert "已保存为第 1 版" in kept
    assert "还没有算过" in kept
    assert "big_orders" in text(owner.get("/traits/?find=大单"))
    assert "已经有名为 big_orders 的属性" in unescape(post(owner, "/traits/keep/", {"document": DOCUMENT}).text)
    assert keeper.get("/traits/new/").status_code == 403
    assert post(keeper, "/traits/of/big_orders/remove/", {}).status_code == 403
    assert "属性已删除" in text(post(owner, "/traits/of/big_orders/remove/", {}))
    assert owner.get("/traits/of/big_orders/").status_code == 404


def test_a_person_is_shown_as_of_a_past_day_and_why_they_were_in_a_segment(owner: httpx.Client, world: World) -> None:
    person = world["person"]
    page = text(owner.get(f"/persons/{person}/then/?day=2026-02-01&segment=super_users"))
    assert "2026-02-01 当天结束时" in page
    assert "以下都成立" in page
    assert "当时是" in page
    today = text(owner.get(f"/persons/{person}/then/?day=2030-01-01"))
    assert "2026-03-02 当天结束时" in today, "a day to come is taken as today"
