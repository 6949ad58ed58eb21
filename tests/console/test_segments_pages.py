"""客户分群: sizes, members within the viewer's scope, and a builder that says what its document says."""

from __future__ import annotations

import csv
import io
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from django.http import QueryDict
from django.test import Client
from playwright.sync_api import Browser, expect

from tests.console.conftest import World, complaints, opened
from tests.console.pond import CUSTOMERS
from tests.console.test_campaigns_pages import post, text
from tests.profiles.worlds import naive
from tests.segments.worlds import Pond, put_pond
from tests.warehouse.fixtures import fresh_warehouse
from yutang.console import builder
from yutang.kernel.documents import parse
from yutang.organisation.contracts import RoleName
from yutang.organisation.models import User
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewNode, NodeKind, add_nodes, add_user, set_up_brand
from yutang.playbooks.services import keep_shipped, read_file, shipped_files
from yutang.profiles import drawn
from yutang.profiles.services import rebuild
from yutang.segments.documents import SegmentDocument
from yutang.segments.services import save
from yutang.warehouse import current

HEAD_OF = {"kind": "segment", "name": "watched", "title": {"zh": "看着", "en": "Watched"}}
HEAD = {"name": "try_out", "title_zh": "试试", "title_en": "Try", "editing": ""}
ROW = {"r-kind": "group", "r-op": "all", "r-n": "1", "r_0-kind": "trait", "r_0-trait": "orders_ever"}
RULES = [
    {"trait": "orders_ever", "between": [2, 5]},
    {"trait": "spend_90d", "at_least": 10, "less_than": 99.5},
    {"trait": "lifecycle", "in": ["new", "active"]},
    {"trait": "reachable", "is": False},
    {"trait": "home_store", "known": True},
    {"trait": "first_order_at", "more_than": "2025-01-31"},
    {
        "bought": {"categories": ["蔬果", "乳品"]},
        "baskets": {"at_least": 2},
        "spend": {"more_than": 9},
        "within": "12h",
    },
    {"bought": {"skus": ["sku-1"]}},
    {
        "event": "campaign.targeted",
        "count": {"is": 0},
        "where": {"props": {"campaign": ["a", "b"]}},
        "since": "2025-01-01",
    },
    {"event": "order.placed", "where": {"amount": {"at_least": 50}}},
    {"tag": ["a", "b"]},
    {"store": ["s1"], "by": "scope"},
    {"region": "north"},
    {"consent": {"purpose": "marketing", "channel": "wecom"}},
    {"segment": "overdue"},
    {"pool": "nurturing"},
    {"in_group": ["wr-a", "wr-b"]},
    {"recorded": {"segment": "customer_pool", "at": "2026-03-01T00:00:00Z"}},
    {"looks_like": {"segment": "overdue", "share": 0.025}},
    {"looks_like": {"segment": "overdue", "top": 300, "traits": ["spend_ever", "lifecycle"]}},
    {"not": {"any": [{"pool": "customer"}, {"not": {"tag": "x"}}]}},
    {"any": [{"all": [{"tag": "a"}, {"tag": "b"}]}, {"not": {"pool": "customer"}}]},
]


@pytest.fixture
def brand(db: None) -> None:
    set_up_brand("小店", "CNY", "Asia/Shanghai")
    add_nodes([NewNode("north", "北区", NodeKind.REGION), NewNode("s1", "一号店", NodeKind.STORE, "north")])
    keep_shipped()


def document(where: object) -> SegmentDocument:
    head = {"kind": "segment", "name": "x", "title": {"zh": "x", "en": "x"}}
    return parse(SegmentDocument, {**head, "where": where})


def sent(node: builder.Node) -> dict[str, list[str]]:
    """What the browser sends of a form that shows this tree."""
    place = node.place
    if node.kind == "group":
        fields = {f"{place}-kind": ["group"], f"{place}-op": [node.op], f"{place}-n": [str(len(node.branches))]}
        for branch in node.branches:
            fields |= sent(branch)
        return fields
    fields = {f"{place}-kind": [node.kind], **{f"{place}-{name}": [value] for name, value in node.values.items()}}
    return fields | {f"{place}-{name}[]": [*texts, ""] for name, texts in node.lists.items()}


def through_the_form(where: SegmentDocument) -> SegmentDocument:
    query = QueryDict(mutable=True)
    for name, values in sent(builder.tree_of(where.as_data()["where"])).items():
        query.setlist(name, values)
    tree = builder.posted(query)
    data = builder.data_of(tree)
    assert data is not None, [branch.problem for branch in tree.branches]
    return document(data)


def plain(found: SegmentDocument) -> SegmentDocument:
    """The document as the form writes it: once through the form, everything has the form's own shape."""
    return through_the_form(found)


@pytest.mark.parametrize("where", RULES, ids=lambda where: next(iter(where)))
def test_every_kind_of_rule_goes_through_the_form_unharmed(brand: None, where: dict[str, object]) -> None:
    given = document(where)
    once = through_the_form(given)
    assert through_the_form(once) == once
    single = len(builder.tree_of(given.as_data()["where"]).branches) == 1
    if single and not {"not", "any", "all"} & set(where):
        assert once == given


def test_shipped_segments_go_through_the_form_unharmed(brand: None) -> None:
    shipped = [found for path in shipped_files() if isinstance(found := read_file(path), SegmentDocument)]
    assert shipped
    for one in shipped:
        assert through_the_form(one).where == one.where, one.name


def test_the_list_says_each_segment_in_words_and_its_size_comes_after(owner: httpx.Client) -> None:
    assert "累计订单数 ≥ 12 单，且" in text(owner.get("/segments/"))
    rows = text(owner.get("/segments/?part=counts"))
    assert "…</span>" not in rows


def test_a_row_that_is_not_complete_is_told_beside_its_field(owner: httpx.Client) -> None:
    wrong = text(post(owner, "/segments/said/", {**HEAD, **ROW, "r_0-operator": "at_least", "r_0-value": "很多"}))
    assert '<p id="wrong-r_0" class="field-error" hx-swap-oob="true" role="alert">「很多」不是数。</p>' in wrong
    assert "disabled" in wrong
    right = text(post(owner, "/segments/said/", {**HEAD, **ROW, "r_0-operator": "at_least", "r_0-value": "1"}))
    assert "「" not in right.split('id="said"')[0]
    assert f"{CUSTOMERS} <small>" in right


def test_an_edited_text_moves_the_form_and_a_bad_one_names_the_place(owner: httpx.Client) -> None:
    good = "kind: segment\nname: a\ntitle: {zh: 甲, en: A}\nwhere: {trait: spend_90d, more_than: 77}\n"
    page = text(post(owner, "/segments/read/", {"text": good}))
    assert 'value="77"' in page
    answer = post(owner, "/segments/read/", {"text": good.replace("spend_90d", "spent")})
    assert answer.headers["HX-Reswap"] == "none"
    assert "where.trait" in answer.text
    assert "spend_90d" in answer.text
    assert "第 2 行" in unescape(post(owner, "/segments/read/", {"text": "kind: segment\n: ["}).text)


def test_versions_are_kept_and_compared(owner: httpx.Client) -> None:
    first = "kind: segment\nname: kept_twice\ntitle: {zh: 两版, en: Twice}\nwhere: {trait: orders_ever, at_least: 3}\n"
    assert "已保存为第 1 版" in text(post(owner, "/segments/save/", {**ROW, "text": first}))
    refused = post(owner, "/segments/save/", {**ROW, "text": first.replace("3", "4")})
    assert refused.status_code == 422
    assert "已经有名为 kept_twice 的分群" in unescape(refused.text)
    saved = post(
        owner, "/segments/save/", {**ROW, "text": first.replace("3", "4"), "editing": "kept_twice", "version": "1"}
    )
    assert "已保存为第 2 版" in text(saved)
    page = text(owner.get("/segments/of/kept_twice/?version=1"))
    assert "<del>-  at_least: 3</del>" in page
    assert "<ins>+  at_least: 4</ins>" in page


def test_members_and_export_stay_within_the_viewers_stores(
    owner: httpx.Client, keeper: httpx.Client, world: World
) -> None:
    def persons(client: httpx.Client) -> set[str]:
        answer = client.get("/segments/of/customer_pool/?export=csv")
        return {row[0] for row in list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))[1:]}

    assert persons(keeper) < persons(owner)
    assert str(world["elsewhere"]) not in persons(keeper)
    assert keeper.get("/segments/new/").status_code == 403
    assert post(keeper, "/segments/save/", {"text": ""}).status_code == 403


def test_overlap_counts_who_is_in_both(owner: httpx.Client) -> None:
    page = text(owner.get("/segments/of/customer_pool/overlap/"))
    assert "潜客池" in page
    assert '<td class="n">0</td><td class="n">0 %</td>' in page


def test_beside_the_members_stand_reasons_a_past_day_and_who_came_and_went(owner: httpx.Client) -> None:
    base = "/segments/of/customer_pool"
    assert 'aria-label="成立"' in text(owner.get(f"{base}/why/"))
    then = text(owner.get(f"{base}/past/?day=2026-01-15"))
    assert "只知道今天的" in then
    assert "2026-01-15&amp;segment=customer_pool" in owner.get(f"{base}/past/?day=2026-01-15").text
    assert "人，" in then
    assert "没有人进出" in text(owner.get(f"{base}/flow/")) or "还没有看过" in text(owner.get(f"{base}/flow/"))
    assert owner.get(f"{base}/differing/?version=9").status_code == 404


def test_the_builder_says_who_would_come_and_go(owner: httpx.Client) -> None:
    first = "kind: segment\nname: changes_much\ntitle: {zh: 变, en: Change}\nwhere: {trait: orders_ever, at_least: 1}\n"
    assert post(owner, "/segments/save/", {**ROW, "text": first}).status_code == 200
    other = first.replace("at_least: 1", "is: 0")
    said = text(post(owner, "/segments/differing/", {"text": other, "editing": "changes_much"}))
    assert f"出去 {CUSTOMERS} 人，0 人不变" in said
    assert post(owner, "/segments/save/", {**ROW, "text": other, "editing": "changes_much", "version": "1"}).is_success
    assert "hx-get" in owner.get("/segments/of/changes_much/?version=1").text
    assert f"出去 {CUSTOMERS} 人" in text(owner.get("/segments/of/changes_much/differing/?version=1"))
    assert "当天结束时" in text(post(owner, "/segments/past/", {"text": first, "past_day": "2026-01-15"}))


def test_of_many_the_builder_first_tells_what_a_sample_says(
    brand: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 1, 15, tzinfo=UTC)
    told = [
        {"event_id": str(n), "type": "message.sent", "person": n, "occurred_at": naive(at - timedelta(days=n % 40))}
        for n in range(1, 401)
    ]
    add_user("owner", "password", RoleName.OWNER)
    client = Client()
    client.force_login(User.objects.get(username="owner"), "allauth.account.auth_backends.AuthenticationBackend")
    monkeypatch.setattr(drawn, "SAMPLE", 200)
    with closing(fresh_warehouse(tmp_path)) as warehouse:
        warehouse.write(put_pond(Pond(set(range(1, 401)), {}, {}, told)))
        rebuild(warehouse, at)
        monkeypatch.setattr(current, "_installed", warehouse)
        save(parse(SegmentDocument, {**HEAD_OF, "where": {"event": "message.sent", "within": "20d"}}), OWNER)
        asked = {"text": document({"event": "message.sent", "within": "10d"}).as_yaml(), "editing": "watched"}

        def said(path: str, **more: str) -> str:
            return unescape(client.post(path, {**asked, **more}).content.decode())

        assert ">100 <small>人，您看得到的" in said("/segments/count/", exact="1")
        first = said("/segments/count/")
        found = re.search(r">约 \d+ <small>人，按哈希抽了 [\d.]+ % 来推，95% 区间 (\d+) … (\d+)。", first)
        assert found, first
        assert int(found[1]) <= 100 <= int(found[2])
        assert """hx-vals='{"exact": "1"}'""" in first
        assert ">保存后：进来 0 人，出去 100 人，100 人不变" in said("/segments/differing/", exact="1")
        first = said("/segments/differing/")
        assert re.search(r"约：进来 0 人（0 … \d+），出去 \d+ 人（\d+ … \d+）", first), first
        assert re.search(r"约 \d+ .*95% 区间 \d+ … \d+。", said("/segments/past/", past_day="2026-01-10"), re.DOTALL)


def test_a_segment_is_held_fast_from_its_page(owner: httpx.Client, keeper: httpx.Client) -> None:
    assert 'value="customer_pool_20260302"' in owner.get("/segments/of/customer_pool/").text
    page = text(post(owner, "/segments/of/customer_pool/freeze/", {"as_name": "pool_fast"}))
    assert "已定格" in page
    assert "时在分群「成交池（2026-03-02 定格）」里" in page
    assert "请换一个名字" in text(post(owner, "/segments/of/customer_pool/freeze/", {"as_name": "customer_pool"}))
    assert post(keeper, "/segments/of/customer_pool/freeze/", {"as_name": "mine"}).status_code == 403
    assert "pool_fast" in owner.get("/segments/new/?from=pool_fast").text


@pytest.mark.long
@pytest.mark.browser
def test_a_segment_is_built_with_the_keyboard_and_saved(chromium: Browser, owner: httpx.Client) -> None:
    context = opened(chromium, owner, "zh-hans")
    page = context.new_page()
    said = complaints(page)
    page.goto("/segments/new/")
    page.fill("#title_zh", "买过乳品")
    page.fill("#name", "dairy_buyers")
    page.fill("#r_0-value", "1")
    page.wait_for_selector("#said button:not([disabled])")
    page.focus("#r-add")
    page.keyboard.press("Enter")
    page.wait_for_selector("#r_1-kind")
    page.locator(".htmx-added").first.wait_for(state="detached")  # until then a new field tells nobody of a change
    page.select_option("#r_1-kind", "bought")
    page.wait_for_selector("#r_1-categories")
    page.fill("#r_1-categories", "乳品")
    page.keyboard.press("Tab")
    page.wait_for_selector("#r_1-kind ~ .chips .chip")
    expect(page.locator("#text")).to_have_value(re.compile("乳品"))
    page.wait_for_selector("#said button:not([disabled])")
    page.locator("#said button").press("Enter")
    page.wait_for_url("**/segments/of/dairy_buyers/")
    assert "买过 乳品" in page.inner_text("main")
    assert said == []
    context.close()


def test_shipped_segments_about_goods_that_nobody_sells_here_stand_apart(owner: httpx.Client) -> None:
    page = text(owner.get("/segments/"))
    listed, apart = page.split('id="apart"')
    assert "母婴家庭" not in listed
    assert "母婴家庭" in apart
    assert "DIAPERS &amp; DISPOSABLES" in owner.get("/segments/").text
    assert "成交池" not in apart
    for path in ("/plans/new/", "/persons/"):
        assert "母婴家庭" not in text(owner.get(path))
    assert '<option value="baby_families" selected>' in text(owner.get("/plans/new/?segment=baby_families"))


def test_two_who_edit_one_segment_do_not_overwrite_each_other(owner: httpx.Client) -> None:
    first = "kind: segment\nname: edited_twice\ntitle: {zh: 两人, en: Two}\nwhere: {trait: orders_ever, at_least: 3}\n"
    assert post(owner, "/segments/save/", {**ROW, "text": first}).status_code == 200
    mine = {**ROW, "editing": "edited_twice", "version": "1"}
    assert "第 2 版" in text(post(owner, "/segments/save/", {**mine, "text": first.replace("3", "4")}))
    late = post(owner, "/segments/save/", {**mine, "text": first.replace("3", "5")})
    assert late.status_code == 422
    assert "已有第 2 版，没有保存" in unescape(late.text)
    assert "at_least: 5" in late.text
