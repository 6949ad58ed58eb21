"""The builder and the person page in a real browser, in both languages: every figure is read from the page and compared
with a query written by hand, which knows nothing of segments.

Long: `python -m pytest -m long tests/console/test_knowing_in_browser.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import World, complaints, opened
from tests.console.pond import NOW
from tests.console.test_campaigns_pages import post
from tests.segments.oracle import Oracle
from yutang.kernel.calendars import day_start
from yutang.warehouse.contracts import Statement, Warehouse
from yutang.warehouse.engine import open_warehouse

pytestmark = [pytest.mark.long, pytest.mark.browser]
ZONE = "Asia/Shanghai"
MICROSECOND = timedelta(microseconds=1)
LANGUAGES = ("zh-hans", "en")
SEED = "kind: segment\nname: knowing_seed\ntitle: {zh: 常客, en: Regulars}\nwhere: {trait: orders_365d, at_least: 70}\n"
OFTEN = "kind: segment\nname: at_least_fifteen\ntitle: {zh: 勤, en: Often}\nwhere: {trait: orders_90d, at_least: 15}\n"
ALIKE = {"segment": "knowing_seed", "share": 0.3, "traits": ["orders_90d", "spend_90d", "days_since_last_visit"]}
AGREED_FRIENDS = (
    "SELECT r.person FROM fact_relations r JOIN facts f ON f.person = r.person JOIN fact_consents c ON "
    "c.person = r.person AND c.purpose = 'marketing' AND c.channel = '*' WHERE r.live AND c.granted "
    "AND NOT coalesce(f.silent, FALSE) AND NOT coalesce(f.blocked, FALSE)"
)
HEAD = "kind: segment\nname: knowing\nschema: 1\ntitle: {zh: 认知, en: Knowing}\n"


@pytest.fixture(scope="module")
def warehouse(world: World) -> Iterator[Warehouse]:
    """The pond's warehouse, asked from this process."""
    with closing(open_warehouse(Path(str(world["directory"])))) as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def _seed(owner: httpx.Client) -> None:
    for text in (SEED, OFTEN):
        assert post(owner, "/segments/save/", {"text": text, "r-kind": "group", "r-n": "0"}).is_success


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest, chromium: Browser, owner: httpx.Client) -> Iterator[Page]:
    context = opened(chromium, owner, request.param)
    one = context.new_page()
    said = complaints(one)
    yield one
    context.close()
    assert said == []


def told(warehouse: Warehouse, sql: str) -> set[int]:
    """Persons, by a query written by hand."""
    return {int(row) for row in warehouse.query(Statement(sql)).column(0).to_pylist()}


def naive(at: datetime) -> str:
    return f"TIMESTAMP '{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"


def ordered(since: datetime, until: datetime = NOW) -> str:
    """SQL of who ordered how often (`n`) in a window that is open at its far end."""
    return (
        "SELECT coalesce(m.survivor, o.person) AS person, count(*) AS n FROM orders o "
        "LEFT JOIN person_overrides m ON m.birth = o.person WHERE o.cancelled_at IS NULL "
        f"AND o.placed_at > {naive(since)} AND o.placed_at <= {naive(until)} GROUP BY 1"
    )


def bought(category: str, since: datetime) -> str:
    return (
        "SELECT coalesce(m.survivor, o.person) AS person, count(DISTINCT o.order_id) AS n FROM orders o "
        "JOIN order_lines l ON l.source = o.source AND l.order_id = o.order_id AND l.revised_at = o.lines_at "
        f"LEFT JOIN person_overrides m ON m.birth = o.person WHERE o.cancelled_at IS NULL "
        f"AND l.category = '{category}' AND o.placed_at > {naive(since)} AND o.placed_at <= {naive(NOW)} GROUP BY 1"
    )


def had(event: str, since: datetime) -> str:
    return (
        "SELECT coalesce(m.survivor, e.person) AS person, count(*) AS n FROM events e "
        f"LEFT JOIN person_overrides m ON m.birth = e.person WHERE e.type = '{event}' "
        f"AND e.occurred_at > {naive(since)} AND e.occurred_at <= {naive(NOW)} GROUP BY 1"
    )


def days(n: int) -> datetime:
    return NOW - timedelta(days=n)


class Traits(Oracle):
    """What the naive oracle says of who looks alike, from traits as they stand and a seed that is known."""

    def __init__(self, rows: list[dict[str, Any]], seed: set[int]) -> None:
        self.rows, self.seed = {row["person"]: row for row in rows}, seed
        self.others, self._alike = {str(ALIKE["segment"]): {}}, {}
        self.pond = type("Everyone", (), {"persons": set(self.rows)})()  # type: ignore[assignment]

    def members(self, rule: dict[str, Any]) -> set[int]:
        return self.seed

    def value(self, trait: str, person: int) -> Any:
        return self.rows[person][trait]


def alike(warehouse: Warehouse) -> set[int]:
    today = (NOW + timedelta(hours=8)).date()
    sql = f"SELECT *, date_diff('day', last_visit_day, DATE '{today}') AS days_since_last_visit FROM profiles"
    seed = told(warehouse, f"SELECT person FROM ({ordered(days(365))}) AS o WHERE n >= 70")
    return Traits(warehouse.query(Statement(sql)).to_pylist(), seed).alike(ALIKE)


def figure(page: Page, where: str) -> int:
    """The number at the head of a place on the page."""
    text = page.locator(where).inner_text()
    found = re.match(r"\s*([\d,]+)", text)
    assert found, text
    return int(found[1].replace(",", ""))


@contextmanager
def counted_anew(page: Page) -> Iterator[None]:
    """Wait until what was typed has been read, and is counted."""
    page.evaluate("document.getElementById('said').dataset.old = '1'")
    yield
    page.wait_for_selector("#said:not([data-old]) span#count:not([hx-post])")


def write(page: Page, rule: str) -> None:
    """Type a document beside the form."""
    with counted_anew(page):
        page.fill("#text", HEAD + "where: " + rule)


def language(page: Page) -> str:
    """Of the page, as a part of a name."""
    return re.sub(r"\W", "_", str(page.evaluate("document.documentElement.lang"))).lower()


RULES = {
    "nested": "{all: [{any: [{trait: orders_90d, at_least: 15}, {all: [{trait: orders_ever, at_least: 1}, "
    "{not: {trait: orders_30d, at_least: 1}}]}]}, {not: {trait: home_store, known: false}}]}",
    "events": "{event: campaign.targeted, within: 90d, count: {at_least: 1}}",
    "lines": "{bought: {categories: [乳品]}, within: 60d, baskets: {at_least: 4}}",
    "alike": "{looks_like: {segment: knowing_seed, share: 0.3, "
    "traits: [orders_90d, spend_90d, days_since_last_visit]}}",
}


def expected(warehouse: Warehouse, name: str) -> set[int]:
    ever, often, month = (ordered(days(n)) for n in (9999, 90, 30))
    match name:
        case "nested":
            home = told(warehouse, "SELECT person FROM profiles WHERE home_store IS NOT NULL")
            frequent = told(warehouse, f"SELECT person FROM ({often}) AS o WHERE n >= 15")
            return (frequent | (told(warehouse, ever) - told(warehouse, month))) & home
        case "events":
            return told(warehouse, had("campaign.targeted", days(90)))
        case "lines":
            return told(warehouse, f"SELECT person FROM ({bought('乳品', days(60))}) AS o WHERE n >= 4")
    return alike(warehouse)


def test_the_count_beside_the_builder_is_what_a_query_says_and_the_form_says_the_document(
    page: Page, warehouse: Warehouse
) -> None:
    page.goto("/segments/new/")
    everybody = len(told(warehouse, "SELECT person FROM profiles"))
    for name, rule in RULES.items():
        write(page, rule)
        wanted = expected(warehouse, name)
        assert figure(page, "span#count") == len(wanted), name
        assert 0 < len(wanted) < everybody, name
    assert page.input_value("#r_0-segment") == "knowing_seed"
    with counted_anew(page):  # the form is changed, and the document follows
        page.fill("#r_0-value", "50")
    expect(page.locator("#text")).to_have_value(re.compile(r"share: 0\.5"))
    page.click("#r-add")
    page.wait_for_selector("#r_1-kind")
    page.locator(".htmx-added").first.wait_for(state="detached")
    with counted_anew(page):
        page.fill("#r_1-value", "100000")
    expect(page.locator("#text")).to_have_value(re.compile("100000"))
    assert figure(page, "span#count") == 0, "nobody has so many orders"
    write(page, RULES["nested"])
    day = date(2026, 1, 31)
    end = day_start(day + timedelta(days=1), ZONE) - MICROSECOND
    since = [told(warehouse, ordered(end - timedelta(days=n), end)) for n in (9999, 30)]
    frequent = told(warehouse, f"SELECT person FROM ({ordered(end - timedelta(days=90), end)}) AS o WHERE n >= 15")
    page.locator("details:has(#past_day) summary").click()
    page.fill("#past_day", day.isoformat())
    page.locator("#past_day + button").click()
    page.wait_for_selector("details:has(#past_day) .figure")
    assert figure(page, "details:has(#past_day) .figure") == len(frequent | (since[0] - since[1]))


def test_a_segments_page_tells_overlap_why_and_what_a_version_changed(
    page: Page, warehouse: Warehouse, owner: httpx.Client
) -> None:
    page.goto("/segments/")
    name = f"knowing_{language(page)}"
    text = HEAD.replace("name: knowing", f"name: {name}")
    for rule, version in ((RULES["events"], ""), (RULES["alike"], "1")):
        form = {"text": f"{text}where: {rule}\n", "r-kind": "group", "r-n": "0", "version": version}
        assert post(owner, "/segments/save/", form | {"editing": name if version else ""}).is_success
    now, before = expected(warehouse, "alike"), expected(warehouse, "events")
    page.goto(f"/segments/of/{name}/")
    assert figure(page, "h1 .muted") == len(now)
    seed = told(warehouse, f"SELECT person FROM ({ordered(days(365))}) AS o WHERE n >= 70")
    row = page.locator("tr", has=page.locator("a[href='/segments/of/knowing_seed/']"))
    row.wait_for()
    both, _, whole = (cell.inner_text() for cell in row.locator("td.n").all())
    assert (int(both), int(whole)) == (0, len(seed)), "who is in the seed is not like it"
    pool = page.locator("tr", has=page.locator("a[href='/segments/of/at_least_fifteen/']"))
    ours, _, all_of_it = (cell.inner_text() for cell in pool.locator("td.n").all())
    frequent = told(warehouse, f"SELECT person FROM ({ordered(days(90))}) AS o WHERE n >= 15")
    assert (int(ours), int(all_of_it)) == (len(now & frequent), len(frequent))
    page.wait_for_selector("#why details")
    shown = [int(re.findall(r"\d+", str(one.get_attribute("href")))[0]) for one in page.locator("#why summary a").all()]
    assert shown
    assert set(shown) <= now
    person = shown[0]
    trait = warehouse.query(
        Statement(f"SELECT orders_90d, spend_90d FROM profiles WHERE person = {person}")
    ).to_pylist()[0]
    because = page.locator("#why details").first.inner_text()
    assert f"{trait['orders_90d']}" in because
    assert f"{round(trait['spend_90d']):,}" in because
    assert "AUC" in because or "too few" in because or "人太少" in because
    page.goto(f"/segments/of/{name}/?version=1")
    page.wait_for_selector(".diff ins")
    assert "looks_like" in page.locator(".diff").inner_text()
    page.locator("[hx-get*='differing'] .muted").wait_for(state="detached")
    numbers = re.findall(r"\d+", page.locator("[hx-get*='differing']").inner_text())
    assert [int(one) for one in numbers[:3]] == [len(now - before), len(before - now), len(now & before)]


def test_a_list_is_looked_at_and_kept(page: Page, warehouse: Warehouse) -> None:
    page.goto("/segments/list/")
    page.fill("#words", "1001\n1002\n1002\nnobody-at-all\n13800001234\n")
    name = f"party_{language(page)}"
    page.fill("#name", name)
    page.locator("button[hx-post='/segments/list/']").click()
    page.wait_for_selector("#missing")
    assert [page.inner_text(f"#{one}") for one in ("missing", "doubled", "unreadable")] == ["1", "1", "0"]
    with page.expect_download() as told_of:
        page.locator("button[formaction]").click()
    lines = Path(told_of.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "3", "4"]
    page.locator("button[name=keep]").click()
    page.wait_for_url(f"**/segments/of/{name}/")
    assert figure(page, "h1 .muted") == 3


def test_the_person_page_shows_what_a_query_says_and_so_it_does_of_a_past_day(
    page: Page, warehouse: Warehouse, world: World
) -> None:
    person = int(str(world["person"]))
    row = warehouse.query(Statement(f"SELECT * FROM profiles WHERE person = {person}")).to_pylist()[0]
    spans = ("30d", "90d", "365d", "ever")
    page.goto(f"/persons/{person}/")
    table = page.locator("section.sheet table").first
    rows = [[cell.inner_text() for cell in line.locator("td.n").all()] for line in table.locator("tbody tr").all()]
    kinds = ("orders", "spend", "visit_days", "categories")
    for kind, cells in zip(kinds, rows, strict=True):
        assert [_number(cell) for cell in cells] == [round(row[f"{kind}_{span}"]) for span in spans], kind
    for days_back, cell in zip((30, 90, 365, 9999), rows[0], strict=True):
        counted = warehouse.query(Statement(f"SELECT n FROM ({ordered(days(days_back))}) AS o WHERE person = {person}"))
        assert _number(cell) == counted["n"][0].as_py()
    page.wait_for_selector("#ways")
    agreed = told(warehouse, AGREED_FRIENDS)
    first, *others = page.locator("#ways .mark").all()
    assert ("good" in str(first.get_attribute("class")).split()) == (person in agreed)
    assert {one.inner_text() for one in others} <= {"没有这个渠道的联系方式", "no address on this channel"}
    assert others
    for chart in page.locator("main svg, main canvas").all():
        assert chart.locator("xpath=ancestor::section[1]").locator("table, dl").count(), "a chart without its table"
    day = date(2026, 1, 31)
    end = day_start(day + timedelta(days=1), ZONE) - MICROSECOND
    page.goto(f"/persons/{person}/then/?day={day}")
    shown = {
        line.locator("td").nth(0).inner_text(): [cell.inner_text() for cell in line.locator("td.n").all()]
        for line in page.locator("table tbody tr").all()
    }
    for names, span in ((("近 30 天订单数", "Orders, last 30 days"), 30), (("累计订单数", "Orders, ever"), 9999)):
        cells = next(shown[name] for name in names if name in shown)
        asked = (ordered(end - timedelta(days=span), end), ordered(days(span)))
        counted = [warehouse.query(Statement(f"SELECT n FROM ({sql}) AS o WHERE person = {person}")) for sql in asked]
        assert [_number(cell) for cell in cells] == [one["n"][0].as_py() for one in counted]


def _number(text: str) -> int:
    return int(re.sub(r"[^\d-]", "", text))
