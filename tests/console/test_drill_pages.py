"""The ban drill in the browser: the page shows the number that a query by hand gives, and a click writes the draft."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests import stores
from tests.console.conftest import World, opened
from tests.guard.naive_drill import Rows, still_reachable, ways_by_person

pytestmark = pytest.mark.browser


@contextmanager
def tables(directory: Path) -> Iterator[Rows]:
    """The operational tables of the served pond, by the database's own client."""
    if stores.on_postgres():
        import psycopg

        with psycopg.connect(stores.environment(directory)["YUTANG_DATABASE"]) as server:
            yield lambda sql: server.execute(sql).fetchall()  # type: ignore[call-overload]  # our own texts
        return
    with closing(sqlite3.connect(f"file:{directory / 'yutang.sqlite3'}?mode=ro", uri=True)) as file:
        yield lambda sql: file.execute(sql).fetchall()


def counted(world: World) -> dict[tuple[str, str], tuple[int, int]]:
    """For each unit of the pond whom it reaches and who is still reached without it, by hand."""
    with tables(Path(str(world["directory"]))) as rows:
        return still_reachable(ways_by_person(rows))


def test_the_page_shows_the_number_that_a_query_by_hand_gives(
    chromium: Browser, world: World, owner: httpx.Client
) -> None:
    by_hand = counted(world)
    (level, of), (reached, still) = max(
        ((unit, counts) for unit, counts in by_hand.items() if unit[0] == "account"),
        key=lambda one: one[1][0] - one[1][1],
    )
    with closing(opened(chromium, owner, "zh-hans")) as context:
        page = context.new_page()
        page.goto("/guard/drill/")
        page.locator(f'a[href$="level={level}&of={of}"]').first.click()
        page.wait_for_url(f"**level={level}&of={of}")
        shown: dict[str, Any] = {name: page.locator(f"#{name}").inner_text() for name in ("still", "lost")}
        assert shown["still"].split("/")[0].strip() == f"{still:,}"
        assert shown["still"].split("/")[1].split("·")[0].strip() == f"{reached:,}"
        assert shown["lost"] == f"{reached - still:,}"
        page.locator("#invite button").click()
        assert f"drill_account_{of}_260302" in page.locator("textarea[name=document]").input_value()
        assert "/w/" in page.locator("textarea[name=document]").input_value()
