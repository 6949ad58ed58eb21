"""HQ plans, guides carry it out on their phones, with the network gone in the middle, and HQ sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.console.conftest import World, complaints, log_in, served
from tests.console.test_campaigns_pages import post, text
from tests.console.test_phone import LIGHTEST, PHONE, phone
from tests.console.test_plans_pages import FORM, previewed

pytestmark = pytest.mark.long
THIRD_GENERATION = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 25_000}
SECONDS = 20  # from opening the page to sent, and two taps of ours


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("phones") / "pond", "--phone") as made:
        yield made


@pytest.fixture(scope="module")
def headquarters(pond: World) -> Iterator[httpx.Client]:
    with closing(log_in(str(pond["address"]))) as client:
        yield client


def soon(find: Callable[[], object], seconds: float = 60) -> object:
    """What `find` finds, once the house has turned its clock."""
    end = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.3)
    return found


def sent_of(headquarters: httpx.Client, plan: str) -> int:
    """How many HQ sees as sent on a plan's page."""
    found = re.search(r'已发送</span><br><span class="figure">(\d+)<', text(headquarters.get(f"{plan}progress/")))
    return int(found[1]) if found else -1


def ready(page: Page, path: str, wanted: str) -> None:
    """The page, once what is wanted stands on it."""

    def look() -> bool:
        page.goto(path)
        return page.locator(wanted).count() > 0

    soon(look)


def kept(page: Page) -> None:
    """Until the phone keeps what it opens."""
    page.wait_for_function("navigator.serviceWorker.controller !== null")


def by_link(browser: Browser, headquarters: httpx.Client, account: str) -> BrowserContext:
    """The phone of somebody without WeCom: HQ sends a link, she opens it, and presses the button."""
    answer = post(headquarters, "/settings/organisation/phone/", {"account": account, "corp": ""})
    found = re.search(r'id="link" value="([^"]+)"', answer.text)
    assert found
    context = browser.new_context(base_url=str(headquarters.base_url), viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(found[1])
    page.locator("button.primary").click()
    page.wait_for_url("**/m/")
    page.close()
    return context


def test_a_plan_by_hand_goes_from_hq_to_her_thumb_and_back_without_a_network_in_the_middle(
    chromium: Browser, headquarters: httpx.Client
) -> None:
    form = {**FORM, "title": "周三到货", "channel": "manual", "hold_out": "0", "within_hours": "8", "start": ""}
    form["previewed"] = previewed(headquarters, form)
    plan = str(post(headquarters, "/plans/launch/", form).url)
    with by_link(chromium, headquarters, "ying") as context:
        page = context.new_page()
        said = complaints(page)
        ready(page, "/m/", "#asked .row a")
        kept(page)
        start = time.monotonic()
        page.goto("/m/")
        page.locator("#asked .row a", has_text="打开名单").first.click()
        page.wait_for_url("**/m/lists/*/")
        size = page.locator("[data-line]").count()
        assert size > 1
        context.set_offline(True)
        page.reload()
        expect(page.locator("[data-line]")).to_have_count(size)
        page.get_by_text("剩下的都已发").click()
        expect(page.locator("[data-done=sent]")).to_have_count(size)
        expect(page.locator("#net")).to_contain_text("1 条还没上传")
        page.reload()
        expect(page.locator("[data-done=sent]")).to_have_count(size)  # what is kept knows what was recorded since
        context.set_offline(False)
        expect(page.locator("#net")).to_be_hidden()
        assert time.monotonic() - start < SECONDS
        page.get_by_text("交回名单").click()
        expect(page.get_by_text("已交回")).to_be_visible()
        soon(lambda: sent_of(headquarters, plan) == size)
        assert [one for one in said if "ERR_INTERNET_DISCONNECTED" not in one] == []


def test_one_tap_sends_to_one_of_the_five_on_a_poor_network_and_a_lost_answer_doubles_nothing(
    chromium: Browser, pond: World, headquarters: httpx.Client
) -> None:
    with phone(chromium, pond, "guide-s1-b") as context:
        page = context.new_page()
        ready(page, "/m/", "#today [data-card]")
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.emulateNetworkConditions", THIRD_GENERATION)
        answers: list[int] = []

        def lose(route: Route) -> None:
            answer = route.fetch()
            answers.append(answer.status)
            if len(answers) == 1:
                route.abort("connectionreset")  # it was done, and nobody heard
            else:
                route.fulfill(response=answer)

        page.route("**/m/today/note/", lose)
        start = time.monotonic()
        page.goto("/m/?fresh")
        page.locator("#today [data-share]").first.click()
        expect(page.locator("#today [data-done=sent]")).to_have_count(1)
        assert time.monotonic() - start < SECONDS
        ((name, given),) = page.evaluate("wxDone")
        assert name == "shareToExternalContact"
        assert given["externalUserIds"] == [page.locator("[data-share]").first.get_attribute("data-external")]
        assert given["text"]["content"].startswith("客人")
        expect(page.locator("#net")).to_contain_text("1 条还没上传")
        page.evaluate("yutang.flush()")
        expect(page.locator("#net")).to_be_hidden()
        assert answers == [200, 200]
        page.unroute("**/m/today/note/")
        page.reload()
        expect(page.locator("#today [data-done=sent]")).to_have_count(1)
        (plan,) = set(re.findall(r'href="(/plans/\d+/)"[^>]*>[^<]*今天联系', text(headquarters.get("/plans/"))))
        soon(lambda: sent_of(headquarters, plan) == 1)


def test_what_came_of_it_and_when_to_come_back_are_written_down(chromium: Browser, pond: World) -> None:
    with phone(chromium, pond, "guide-s2-b", wecom=False) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        ready(page, "/m/", "#today [data-card]")
        card = page.locator("#today [data-card]").first
        card.get_by_text("发给这位").click()  # no WeCom here: it is copied, and she is asked whether she sent it
        assert "客人" in page.evaluate("navigator.clipboard.readText()")
        card.get_by_text("粘贴发出了").click()
        card.get_by_text("后来怎么样").click()
        card.get_by_text("3 天后").click()
        ready(page, "/m/", "#today [data-done=answered]")
        second = page.locator("#today [data-card]").nth(1)
        second.get_by_text("没发？").click()
        second.locator("[data-choices] [data-result=do_not_disturb]").click()
        ready(page, "/m/", "#today [data-done=do_not_disturb]")


def test_every_page_of_hers_is_light(chromium: Browser, pond: World) -> None:
    with phone(chromium, pond, "guide-s1-b", wecom=False) as context:
        page = context.new_page()
        ready(page, "/m/", "#today [data-card]")
        sizes: list[int] = []
        other = context.browser.new_context(base_url=str(pond["address"]))  # type: ignore[union-attr]
        other.add_cookies(context.cookies())  # type: ignore[arg-type]
        fresh = other.new_page()
        fresh.on("response", lambda answer: sizes.append(len(answer.body())) if answer.status == 200 else None)
        fresh.goto("/m/", wait_until="networkidle")
        assert fresh.locator("#today [data-card]").count() > 2
        assert sum(sizes) < LIGHTEST, sizes
        other.close()
