"""A store's manager sees their own store's people, and of other stores' orders nothing but totals."""

from __future__ import annotations

import csv
import io

import httpx

from tests.console.conftest import World
from tests.console.pond import CUSTOMERS, PLANTED, PROSPECTS, has_friend, has_lost

# Customers stand in the scope of their live friend's store; prospects were assigned to one.
MINE = sum(who % 3 == 0 and has_friend(who) and not has_lost(who) for who in range(CUSTOMERS))
MY_PROSPECTS = sum(who % 3 == 0 for who in range(CUSTOMERS, CUSTOMERS + PROSPECTS))


def _table(client: httpx.Client, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_a_person_of_another_store_does_not_exist(owner: httpx.Client, keeper: httpx.Client, world: World) -> None:
    path = f"/persons/{world['elsewhere']}/"
    assert owner.get(path).status_code == 200
    assert keeper.get(path).status_code == 404
    assert keeper.get("/persons/987654321/").status_code == 404


def test_the_list_its_export_and_the_search_hold_only_ones_own(owner: httpx.Client, keeper: httpx.Client) -> None:
    everybody, mine = (
        [row for row in _table(client, "/persons/?export=csv") if row["姓名"].startswith("客人")]  # the rest scanned
        for client in (owner, keeper)
    )
    assert len(everybody) == CUSTOMERS + PROSPECTS
    assert {row["门店"] for row in mine} == {"s1"}
    assert len(mine) == MINE + MY_PROSPECTS
    assert "1001" in owner.get("/persons/?find=1001").text
    assert "没有找到" in keeper.get("/persons/?find=1001").text


def test_orders_of_other_stores_are_totals_only(owner: httpx.Client, keeper: httpx.Client, world: World) -> None:
    path = f"/persons/{world['person']}/"
    whole, part = owner.get(path).text, keeper.get(path).text
    assert PLANTED in whole
    assert PLANTED not in part
    assert "其中 1 单、¥77 在其他门店" in part
    assert "在其他门店" not in whole


def test_the_pool_counts_only_ones_own(owner: httpx.Client, keeper: httpx.Client) -> None:
    rows = _table(owner, "/pool/?export=csv")
    stores = {row["门店编号"]: int(row["顾客"]) for row in rows if row["门店编号"]}  # some are at home nowhere
    assert stores == {"s1": 20, "s2": 20, "s3": 20}
    assert {row["门店编号"]: int(row["顾客"]) for row in _table(keeper, "/pool/?export=csv")} == {"s1": MINE}


def test_a_manager_changes_nothing(keeper: httpx.Client) -> None:
    headers = {"Referer": str(keeper.base_url), "X-CSRFToken": keeper.cookies["csrftoken"]}
    assert keeper.post("/clock/", data={"days": "1"}, headers=headers).status_code == 403
    token = keeper.post("/settings/tokens/", data={"name": "x", "scopes": "read"}, headers=headers)
    assert token.status_code == 403
    assert "yt_" not in token.text
    assert "API 令牌" not in keeper.get("/settings/").text
