"""The library's pages over HTTP: filters, the form with its check, and a broadcast that says a content."""

from __future__ import annotations

import html
import re

import httpx

from tests.sandbox.files import png


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


def test_a_picture_is_uploaded_stands_in_the_form_and_is_shown_to_whoever_is_logged_in(
    owner: httpx.Client, keeper: httpx.Client
) -> None:
    token = {"X-CSRFToken": owner.cookies["csrftoken"], "Referer": str(owner.base_url)}

    def upload(field: str, name: str, content: bytes) -> httpx.Response:
        return owner.post("/content/upload/", data=FORM, files={f"upload_{field}": (name, content)}, headers=token)

    answer = upload("pictures", "新到.png", png(30, 30))
    found = re.search(r'name="pictures" value="file:([0-9a-f]{64})"', text(answer))
    assert found
    assert answer.headers["HX-Trigger-After-Swap"] == "attached"
    file = f"/content/file/{found[1]}/"
    for client in (owner, keeper):
        got = client.get(file)
        assert (got.content, got.headers["Content-Type"]) == (png(30, 30), "image/png")
        assert (got.headers["X-Content-Type-Options"], got.headers["Content-Disposition"][:6]) == ("nosniff", "inline")
    assert httpx.get(f"{owner.base_url}{file}", follow_redirects=False, timeout=60).status_code == 302
    assert "不是 JPG 或 PNG" in text(upload("pictures", "a.png", b"GIF89a...."))
    assert "至多 19 MB" in text(upload("file_url", "a.pdf", bytes(20_500_000)))
    paper = text(upload("file_url", "目录.html", b"<script>alert(1)</script>"))
    kept = re.search(r'name="file_url" value="file:([0-9a-f]{64})"', paper)
    assert kept
    got = owner.get(f"/content/file/{kept[1]}/")
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment")
    with_both = FORM | {
        "name": "seen", "pictures": f"file:{found[1]}", "says": "全网最低价", "file_url": f"file:{kept[1]}",
        "file_name": "目录.html",
    }  # fmt: skip
    assert "绝对化用语" in text(post(owner, "/content/preview/", with_both))
    assert post(owner, "/content/keep/", with_both).status_code == 422
    assert file in text(post(owner, "/content/keep/", with_both | {"says": "三款新品"}))
    gone = with_both | {"name": "gone", "says": "", "pictures": f"file:{'0' * 64}"}
    assert "请重新上传" in text(post(owner, "/content/keep/", gone))
    dropped = text(post(owner, "/content/upload/", with_both | {"drop": "pictures.0"}))
    assert 'name="pictures" value' not in dropped
    assert f'name="file_url" value="file:{kept[1]}"' in dropped
    assert (
        keeper.post("/content/upload/", headers={**token, "X-CSRFToken": keeper.cookies["csrftoken"]}).status_code
        == 403
    )


def test_a_store_manager_reads_the_library_and_keeps_nothing(keeper: httpx.Client) -> None:
    assert "会员日" in text(keeper.get("/content/"))
    assert post(keeper, "/content/keep/", FORM | {"name": "theirs"}).status_code == 403
    assert post(keeper, "/content/of/care_tip/decide/", {"do": "submit", "version": "1"}).status_code == 403


def test_a_sentence_is_tried_out_where_it_is_to_be_said(owner: httpx.Client) -> None:
    asked = {"text": "三人拼团，点链接 https://example.com/1"}
    assert "文案检查通过" in text(owner.get("/content/rules/", params=asked | {"place": "chat"}))
    assert "拼团链接进朋友圈" in text(owner.get("/content/rules/", params=asked | {"place": "moments"}))
