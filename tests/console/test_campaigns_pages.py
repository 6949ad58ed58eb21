"""上次活动真有用吗, from the data and from an uploaded list: the page's figures are those of the orders themselves."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from html import unescape
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.console.conftest import World
from tests.console.pond import CUSTOMERS, STORES, has_friend, has_lost, order_times
from yutang.review.difference import Difference, difference_of_differences

ZONE = ZoneInfo("Asia/Shanghai")


def spent(who: int, first: date, days: int) -> float:
    """What a customer of the pond spent in so many local days, from how the pond makes its orders."""
    start = datetime(first.year, first.month, first.day, tzinfo=ZONE)
    total = Decimal(0)
    for nth, at in enumerate(order_times(who)):
        if start <= at < start + timedelta(days=days):
            total += sum(Decimal(f"{12 + 3 * k + who % 5}.50") for k in range(1 + (who + nth) % 3))
    return float(total)


def expected(targeted: set[int], first: date, days: int) -> Difference:
    people = range(CUSTOMERS)
    return difference_of_differences(
        [spent(who, first, days) for who in people],
        [spent(who, first - timedelta(days=days), days) for who in people],
        [who in targeted for who in people],
    )


def assert_says(page: str, found: Difference) -> None:
    assert found.change is not None
    for amount in (found.during.targeted, found.during.others, found.before.targeted, found.before.others):
        assert f"¥{amount:,.2f}" in page
    sign = "+" if found.change.value > 0 else "−"
    assert f"{sign}¥{abs(found.change.value):,.2f}" in page
    assert "这不是随机分组" in page


def text(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text[-500:]
    return unescape(answer.text)


def post(client: httpx.Client, path: str, data: dict[str, str], **files: tuple[str, bytes]) -> httpx.Response:
    headers = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}
    return client.post(path, data=data, files=files or None, headers=headers)


@pytest.mark.long
def test_a_campaign_of_the_data_is_judged_in_its_own_days(owner: httpx.Client) -> None:
    first, days = date(2026, 1, 1), 25
    page = text(owner.get("/campaigns/one/?name=spring"))
    assert "2026-01-01 至 2026-01-25" in page
    assert_says(page, expected({who for who in range(CUSTOMERS) if who % 2}, first, days))
    assert "活动 spring" in text(owner.get("/campaigns/"))


@pytest.mark.long
def test_another_window_gives_other_figures_and_an_odd_one_is_refused(owner: httpx.Client) -> None:
    page = text(owner.get("/campaigns/one/?name=spring&days=40"))
    assert_says(page, expected({who for who in range(CUSTOMERS) if who % 2}, date(2026, 1, 1), 40))
    assert owner.get("/campaigns/one/?name=spring&days=1000").status_code == 422
    assert owner.get("/campaigns/one/?name=nothing").status_code == 404
    assert "还没过完" in text(owner.get("/campaigns/one/?name=spring&days=90"))


@pytest.mark.long
def test_an_uploaded_list_is_judged_and_its_bad_rows_are_named(owner: httpx.Client) -> None:
    rows = [f"{1000 + who},2026/1/{1 + who % 3}" for who in range(30)]
    content = "\r\n".join(["会员号,触达日期", *rows, "1000,2026/1/2", "没有这个人,2026/1/1", "1005,昨天"]).encode(
        "gb18030"
    )
    page = text(post(owner, "/campaigns/list/", {"days": "28"}, file=("名单.csv", content)))
    assert_says(page, expected(set(range(30)), date(2026, 1, 1), 28))
    assert "名单 33 行，认出 30 位客户" in page
    assert "重复的 1 行" in page
    assert "第 34 行，date「昨天」" in page
    assert "第 33 行：没有这个人" in page


@pytest.mark.long
def test_a_list_without_dates_asks_for_the_first_day(owner: httpx.Client) -> None:
    content = "\n".join(["member", *(str(1000 + who) for who in range(30))]).encode()
    assert "第一天" in unescape(post(owner, "/campaigns/list/", {}, file=("a.csv", content)).text)
    page = text(post(owner, "/campaigns/list/", {"first": "2026-01-01", "days": "28"}, file=("a.csv", content)))
    assert_says(page, expected(set(range(30)), date(2026, 1, 1), 28))


@pytest.mark.long
@pytest.mark.parametrize("content", [b"PK\x03\x04", b"member\n424242\n", b"x,y\n1,2\n", b""])
def test_a_list_that_cannot_be_used_is_refused_with_a_sentence(owner: httpx.Client, content: bytes) -> None:
    answer = post(owner, "/campaigns/list/", {"first": "2026-01-01"}, file=("a.csv", content or b" "))
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


@pytest.mark.long
def test_a_store_compares_its_own_customers_only(keeper: httpx.Client, world: World) -> None:
    mine = [who for who in range(CUSTOMERS) if STORES[who % 3] == "s1" and has_friend(who) and not has_lost(who)]
    content = "\n".join(["member", *(str(1000 + who) for who in range(CUSTOMERS) if who % 2)]).encode()
    page = text(post(keeper, "/campaigns/list/", {"first": "2026-01-01", "days": "28"}, file=("a.csv", content)))
    known = sum(who % 2 for who in mine)
    assert f"名单 {CUSTOMERS // 2} 行，认出 {known} 位客户" in page
    assert "不足 30 人" in page
