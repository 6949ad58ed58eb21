"""分层、客户池、顾问、增长树 in a browser, in both languages: every figure, read from the page, is what plain Python
makes of the rows as they came in."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import wraps
from math import log
from statistics import median
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.by_hand import Rows, local, money, share, signed, total
from tests.console.conftest import World, complaints, opened

pytestmark = [pytest.mark.browser, pytest.mark.long]
LANGUAGES = ("zh-hans", "en")
CELLS = ((1, 1, 1), (1, 0, 1), (0, 1, 1), (0, 0, 1), (1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 0))
STAGES = ("prospect", "new", "active", "silent", "lapsed")
LADDER = ("prospect", "customer", "fan", "loyalist", "agent", "partner")
CHARTS_WITHOUT_TABLE = """() => [...document.querySelectorAll('main svg')]
  .filter((one) => !one.closest('tr') && !one.closest('section')?.querySelector('table'))
  .filter((one) => !(one.matches('.share') && one.parentElement.textContent.includes('%')))  // one figure, beside it
  .map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module", params=LANGUAGES)
def page(chromium: Browser, owner: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = opened(chromium, owner, request.param)
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    said = complaints(page)
    yield page
    assert said == []
    context.close()


@pytest.fixture
def rows(world: World) -> Rows:
    return Rows(str(world["directory"]))


def cells(page: Page, table: str) -> list[list[str]]:
    """What a table's body says, cell by cell."""
    script = "rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))"
    found: list[list[str]] = page.locator(f"{table} tbody tr").evaluate_all(script)
    return found


def look(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200
    assert page.evaluate(CHARTS_WITHOUT_TABLE) == []


def soon(test: Callable[[Page, Rows], None]) -> Callable[[Page, Rows], None]:
    """What a page tells was counted beforehand, and follows what came in by some seconds: asked until it has, for a
    minute."""

    @wraps(test)
    def again(page: Page, rows: Rows) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                return test(page, rows)
            except AssertionError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.5)
            rows = Rows(rows.directory)

    return again


@soon
def test_rfm_and_the_stages_of_life(page: Page, rows: Rows) -> None:
    look(page, "/layers/")
    scores, reachable = rows.scores(), rows.may_be_reached()
    fields = Counter((r, f) for r, f, _ in scores.values())
    grid = cells(page, "#grid")
    assert grid == [[f"R{r}", *(str(fields[r, f]) for f in range(1, 6))] for r in range(5, 0, -1)]
    everybody, spend = len(scores), total(rows.spent(person) for person in scores)
    for shown, highs in zip(cells(page, "#cells"), CELLS, strict=True):
        these = [one for one, mine in scores.items() if tuple(int(score >= 4) for score in mine) == highs]
        paid = total(rows.spent(one) for one in these)
        assert shown[1:] == [
            *(str(len(these)), share(len(these), everybody), str(len(reachable.intersection(these)))),
            *(money(paid), share(paid, spend)),
        ]
    for shown, stage in zip(cells(page, "#lives"), STAGES, strict=True):
        these = [one for one in rows.persons if rows.stage(one) == stage]
        assert shown[1:] == [
            *(str(len(these)), share(len(these), len(rows.persons)), str(len(reachable.intersection(these)))),
            money(total(rows.spent(one) for one in these)),
        ]


@soon
def test_the_ladder(page: Page, rows: Rows) -> None:
    look(page, "/layers/ladder/")
    reachable = rows.may_be_reached()
    moved = Counter((row["before"], row["step"]) for row in rows.raw["ladder_moves"] if row["before"] is not None)
    for place, (shown, step) in enumerate(zip(cells(page, "#steps"), LADDER, strict=True)):
        these = [one for one in rows.persons if rows.step(one, reachable) == step]
        ups = sum(heads for (before, after), heads in moved.items() if after == place > before)
        downs = sum(heads for (before, after), heads in moved.items() if after == place < before)
        assert shown[1:] == [
            *(str(len(these)), share(len(these), len(rows.persons)), str(len(reachable.intersection(these)))),
            *(money(total(rows.spent(one) for one in these)), str(ups), str(downs)),
        ]


@soon
def test_the_pools_and_their_flow_day_by_day(page: Page, rows: Rows) -> None:
    taken, reachable = rows.taken(), rows.may_be_reached()
    look(page, "/pool/")
    came = [sum(times[step] is not None for times in taken.values()) for step in range(5)]
    assert 0 < came[4] < came[3], "of the pond some brought a friend, and some did not"
    prospects = sum(person not in rows.of for person in reachable)
    figures = page.locator("ol.flow .figure").evaluate_all("all => all.map(one => one.firstChild.data.trim())")
    assert figures == [str(one) for one in (prospects, *came[1:])]
    for step in (2, 3, 4):
        assert share(came[step], came[step - 1]) in page.locator("ol.flow li").nth(step).inner_text()
    look(page, "/layers/flow/")

    def stood(day: Any, step: int) -> int:
        """Who had taken a step, and not the next, when a day began."""
        mine = [(times[step], times[step + 1]) for times in taken.values()]
        return sum(
            one is not None and local(one) < day and not (after is not None and local(after) < day)
            for one, after in mine
        )

    def took(day: Any, step: int) -> int:
        return sum(times[step] is not None and local(times[step]) == day for times in taken.values())

    days = [rows.today - timedelta(days=back) for back in range(31)]
    for shown, day in zip(cells(page, "#days"), days, strict=True):
        assert shown[0].startswith(f"{day}")
        assert shown[1] == str(took(day, 0))
        for step in range(1, 5):
            heads = took(day, step)
            rate = [share(heads, stood(day, step - 1), 2)] if heads else []
            assert shown[step + 1].split("\n") == [str(heads), *rate]
    assert any(took(day, 4) for day in days)
    for step, shown in enumerate(cells(page, "#month")):
        start, met, went = (
            stood(days[30], step),
            sum(took(day, step) for day in days[1:]),
            sum(took(day, step + 1) for day in days[1:]),
        )
        assert shown[1:] == [str(start), str(met), str(went), share(went, start + met)]


@soon
def test_super_users_and_their_four_signs(page: Page, rows: Rows) -> None:
    look(page, "/layers/super-users/")
    brought, reachable = rows.brought(), rows.may_be_reached()
    signs = {
        person: (
            len(rows.recent(person, 90)) >= 24,
            rows.spent(person, 90) >= 1000,
            person in rows.of and (rows.today - rows.of[person][0].day).days >= 180 and rows.stage(person) == "active",
            person in brought,
        )
        for person in rows.persons
    }
    those = {person for person, has in signs.items() if has[0] and has[1]}
    figures = page.locator("#counts .figure").all_inner_texts()
    everywhere = total(rows.spent(one) for one in rows.persons)
    assert figures == [
        *(str(len(those)), str(len(those & reachable)), share(total(map(rows.spent, those)), everywhere)),
        *(str(sum(has[place] for has in signs.values())) for place in range(4)),
    ]
    assert sum(has[3] for has in signs.values()) > 3
    assert re.match("还看不出|Cannot tell yet", page.locator("#fees .note").inner_text()), (
        "of sixty people no model tells"
    )
    links = page.locator("#list tbody a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    expected = sorted(those, key=lambda one: (-round(rows.spent(one), 2), one))
    assert links == [f"/persons/{one}/" for one in expected]


@soon
def test_the_advisor_tells_by_the_figures_and_three_answers(page: Page, rows: Rows) -> None:
    look(page, "/advisor/")
    for name, word in (("asks", "yes"), ("talks", "yes"), ("once", "no")):
        page.check(f"#questions input[name={name}][value={word}]")
    page.click("#questions button")
    page.wait_for_url("**/advisor/")
    look(page, "/advisor/")
    since, half = rows.as_of - timedelta(days=730), rows.as_of - timedelta(days=182)

    def measured(shelf: str | None) -> list[str]:
        """Buyers, times a year bought again with its interval, the median of what is spent, the share of the old who
        came again: Cochran 1977, eq. 6.13."""
        lines: dict[tuple[str, str], float] = {}
        for line in rows.raw["order_lines"]:
            if line["category"] == shelf:
                key = line["source"], line["order_id"]
                lines[key] = lines.get(key, 0.0) + float(line["amount"])
        found: dict[int, list[Any]] = {}
        prices = []
        for row in rows.raw["orders"]:
            at = row["placed_at"].replace(tzinfo=rows.as_of.tzinfo)
            key = row["source"], row["order_id"]
            if row["cancelled_at"] or row["person"] is None or not since < at <= rows.as_of:
                continue
            if shelf is not None and key not in lines:
                continue
            prices.append(float(row["net_amount"]) if shelf is None else lines[key])
            found.setdefault(rows.now_is.get(row["person"], row["person"]), []).append(at)
        again = [len(times) - 1 for times in found.values()]
        years = [int((rows.as_of - min(times)).total_seconds()) / 31_557_600 for times in found.values()]
        rate = sum(again) / sum(years)
        size = len(again)
        spread = sum((a - rate * y) ** 2 for a, y in zip(again, years, strict=True))
        error = 1.959963984540054 * (spread * size / max(size - 1, 1)) ** 0.5 / sum(years)
        old = [len(times) for times in found.values() if min(times) <= half]
        ends = f"{rate - error:,.1f}–{rate + error:,.1f}"
        came = share(sum(times > 1 for times in old), len(old))
        return [str(size), f"{rate:,.1f}", ends, money(median(prices), 2), came]

    buyers, rate, ends, price, again = measured(None)
    evidence = cells(page, "#brand")
    assert evidence[0][1].split("\n") == [rate, ends]
    assert evidence[1][1] == price
    assert evidence[2][1] == "2", "customers ask, and they talk; nobody who bought had written in the week before"
    assert buyers in page.locator("#brand .caption").last.inner_text()
    assert page.locator("#brand .figure").inner_text().startswith("A"), "often and to be known: nearest, not exactly"
    expect(page.locator("#brand .mark.watch")).to_have_count(1)
    assert again in page.locator("#questions dd").all_inner_texts()
    for shown in cells(page, "#categories"):
        buyers, rate, ends, price, again = measured(shown[0])
        assert shown[2:] == [buyers, f"{rate}\n{ends}", price, again]
        assert shown[1][0] in "A?" or int(buyers) < 50


def growth(rows: Rows, store: int | None = None) -> list[dict[str, float]]:
    """January and February at a store, or everywhere: customers, orders and sales; of new customers too."""
    found = []
    for month in (1, 2):
        mine = [
            one for one in rows.orders if (one.day.year, one.day.month) == (2026, month) and store in (None, one.store)
        ]
        fresh = [one for one in mine if rows.of[one.person][0].day.replace(day=1) == date(2026, month, 1)]
        found.append(
            {
                "buyers": len({one.person for one in mine}),
                "orders": len(mine),
                "sales": total(one.amount for one in mine),
                "new": total(one.amount for one in fresh),
            }
        )
    return found


def amount(text: str) -> float:
    """An amount that a page shows, as a number."""
    return float(text.replace("¥", "").replace(",", "").replace("−", "-").replace("+", "").strip())


@soon
def test_the_growth_tree_adds_up_to_the_change(page: Page, rows: Rows) -> None:
    look(page, "/growth/tree/?month=2026-02")
    page.wait_for_selector("#sources tr.total")
    before, after = growth(rows)
    expect(page.locator("#tree .root .figure")).to_have_text(money(after["sales"]))
    change = total((after["sales"], -before["sales"]))
    old, new = ((one["buyers"], one["orders"] / one["buyers"], one["sales"] / one["orders"]) for one in (before, after))
    mean = (after["sales"] - before["sales"]) / log(after["sales"] / before["sales"])
    parts = [mean * log(now / then) for then, now in zip(old, new, strict=True)]
    table = cells(page, "#tree")
    shown = [amount(row[-1]) for row in table[:3]]
    assert shown == pytest.approx(parts, abs=0.011)
    assert round(sum(shown), 2) == change == amount(table[3][-1]), "to the cent"
    assert total(amount(row[-1]) for row in table[4:]) == change, "what operation moves, and what the category sets"
    assert [row[1:3] for row in table[:3]] == [
        [str(before["buyers"]), str(after["buyers"])],
        [f"{old[1]:.2f}", f"{new[1]:.2f}"],
        [money(old[2], 2), money(new[2], 2)],
    ]
    assert page.locator("#tree .part").all_inner_texts() == [row[-1] for row in table[:3]]
    below = cells(page, "#below")
    assert total(amount(row[2]) for row in below[:-1]) == change == amount(below[-1][2])
    sources = cells(page, "#sources")
    assert total(amount(row[3]) for row in sources[:-1]) == change == amount(sources[-1][3])
    grown = cells(page, "#grown")
    assert [row[1:] for row in grown] == [
        [money(before[of]), money(after[of]), signed(total((after[of], -before[of])))] for of in ("new",)
    ] + [
        [
            money(total((before["sales"], -before["new"]))),
            money(total((after["sales"], -after["new"]))),
            signed(total((change, before["new"], -after["new"]))),
        ],
        [money(before["sales"]), money(after["sales"]), signed(change)],
    ]
    look(page, "/growth/tree/?month=2026-02&at=s2")
    store = next(row["node"] for row in rows.raw["nodes"] if row["code"] == "s2")
    mine = growth(rows, store)
    expect(page.locator("#tree .root .figure")).to_have_text(money(mine[1]["sales"]))
    assert amount(cells(page, "#tree")[3][-1]) == total((mine[1]["sales"], -mine[0]["sales"]))


@soon
def test_a_slider_changes_what_it_says_and_says_what_it_assumes(page: Page, rows: Rows) -> None:
    look(page, "/growth/tree/?month=2026-02")
    sales = growth(rows)[1]["sales"]
    expect(page.locator("#if strong")).to_have_text(money(sales))
    pressed = {"buyers": ("End", "+100 %", 2.0), "basket": ("ArrowLeft", "−1 %", 0.99)}
    says, factor = dict.fromkeys(("buyers", "frequency", "basket"), "0 %"), 1.0
    for cause, (key, by, times) in pressed.items():
        page.locator(f"#if-{cause}").press(key)
        says[cause], factor = by, factor * times
        expect(page.locator(f"label[for=if-{cause}] small")).to_have_text(by)
        assert {one: page.locator(f"label[for=if-{one}] small").inner_text() for one in says} == says
        expect(page.locator("#if strong")).to_have_text(money(sales * factor))
        expect(page.locator("#if p small").first).to_have_text(signed(sales * factor - sales))
        assert page.locator("#tree .root .figure").inner_text() == money(sales), "what was stays as it was"
    assert "buyers=100" in page.url, "what was asked stands in the address"
    assert page.locator("#if .caption").inner_text().startswith(("假设：", "It assumes"))
