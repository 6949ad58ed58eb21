"""The library's pages over HTTP: filters, the form with its check, and a broadcast that says a content."""

from __future__ import annotations

import html
import re

import httpx


def text(answer: httpx.Response) -> str:
    """What the page says."""
    assert answer.status_code in (200, 422), answer.status_code
    return html.unescape(re.sub(r"\s+", " ", answer.text))


def post(client: httpx.Client, path: str, data: dict[str, str]) -> httpx.Response:
    """A form, with the token of the client's session."""
    token = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": str(client.base_url)}
    return client.post(path, data=data, headers=token)


FORM = {"name": "autumn", "title_zh": "秋天", "text": "您好，我是{导购|店员}。", "voice": "guide", "place": "chat"}


def test_filters_live_in_the_address_and_the_list_is_exported(owner: httpx.Client) -> None:
    assert "群规" in text(owner.get("/content/?place=group"))
    assert "会员日" not in text(owner.get("/content/?place=group"))
    assert "没有符合条件的内容" in text(owner.get("/content/?find=nobody-wrote-this"))
    lines = owner.get("/content/?export=csv&kind=link").content.decode("utf-8-sig").splitlines()
    assert sum("care_guide_card" in line for line in lines) == 1
    assert not any("member_day" in line for line in lines)


def test_the_preview_marks_the_very_words_and_such_a_text_is_not_kept(owner: httpx.Client) -> None:
    said = text(post(owner, "/content/preview/", FORM | {"text": "全网最低价，{导购|店员}等您"}))
    assert '<mark class="broken">全网最低价</mark>' in said
    assert '<span class="variable">店员</span>' in said
    assert "广告法第九条" in said
    kept = post(owner, "/content/keep/", FORM | {"text": "全网最低价"})
    assert kept.status_code == 422
    assert "绝对化用语" in text(kept)
    assert owner.get("/content/of/autumn/").status_code == 404
    assert "生日" in text(post(owner, "/content/preview/", FORM | {"text": "{生日|好}"}))


def test_a_content_is_kept_changed_compared_and_said_by_a_broadcast(owner: httpx.Client) -> None:
    assert "第 1 版" in text(post(owner, "/content/keep/", FORM))
    assert post(owner, "/content/keep/", FORM).status_code == 422, "the name is taken"
    change = FORM | {"text": "您好呀，我是{导购|店员}。", "editing": "autumn", "version": "1"}
    assert "第 2 版" in text(post(owner, "/content/keep/", change))
    assert post(owner, "/content/keep/", change | {"text": "晚了"}).status_code == 422, "begun from version 1"
    assert "<del>" in text(owner.get("/content/of/autumn/?version=1"))
    assert 'value="autumn" selected' in text(owner.get("/plans/new/?content=autumn"))
    assert "您好呀，我是" in text(owner.get("/content/said/?content=autumn"))
    form = {"title": "说一段", "audience": "*", "channel": "wecom", "content": "autumn", "hold_out": "10", "waves": "1"}
    dry = text(post(owner, "/plans/preview/", form | {"text": ""}))
    assert "候选" in dry
    digest = re.search(r'name="previewed" value="([0-9a-f]{64})"', dry)
    if digest is not None:  # where somebody is left to send to
        post(owner, "/content/keep/", change | {"text": "又改了。", "version": "2"})
        late = post(owner, "/plans/launch/", form | {"previewed": digest[1]})
        assert "试算之后又改过" in html.unescape(late.text)


def test_a_store_manager_reads_the_library_and_keeps_nothing(keeper: httpx.Client) -> None:
    assert "会员日" in text(keeper.get("/content/"))
    assert post(keeper, "/content/keep/", FORM | {"name": "theirs"}).status_code == 403
    assert post(keeper, "/content/of/care_tip/decide/", {"do": "submit", "version": "1"}).status_code == 403


def test_a_sentence_is_tried_out_where_it_is_to_be_said(owner: httpx.Client) -> None:
    asked = {"text": "三人拼团，点链接 https://example.com/1"}
    assert "文案检查通过" in text(owner.get("/content/rules/", params=asked | {"place": "chat"}))
    assert "拼团链接进朋友圈" in text(owner.get("/content/rules/", params=asked | {"place": "moments"}))
