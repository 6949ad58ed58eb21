"""The read-only page, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from tests.sandbox.conftest import HOUR, START, Client
from yutang.sandbox.holdings import families


def test_the_page_shows_members_tasks_and_messages_in_both_languages(sandbox: Client) -> None:
    sandbox.send("wmc0", text="<b>上新</b>")
    sandbox.advance(START + HOUR)
    cancelled = sandbox.send("wmc1")["msgid"]
    sandbox.post("cancel_groupmsg_send", msgid=cancelled)
    zh, en = (sandbox.http.get("/", params={"lang": lang}).text for lang in ("zh", "en"))
    for shown in ("导购 01", "顾客 c0", "&lt;b&gt;上新&lt;/b&gt;"):
        assert shown in zh
        assert shown in en
    assert "<b>" not in zh
    assert ("已停止" in zh, "Stopped" in en, "立刻" in zh, "at once" in en) == (True,) * 4
    assert ('<html lang="zh">' in zh, '<html lang="en">' in en) == (True, True)


def test_an_empty_sandbox_says_so(open_sandbox: Callable[..., Client]) -> None:
    assert "沙盒还是空的" in open_sandbox().http.get("/").text


def test_what_the_sandbox_holds_is_shown_by_family_without_what_opens_something(sandbox: Client) -> None:
    sandbox.post("add_contact_way", type=1, scene=2, user=["a"], state="s1")
    sandbox.control("faults", faults=[{"api": "kf/*", "kind": "refuse", "errcode": -1}])
    sandbox.get("externalcontact/list")
    page = sandbox.http.get("/", params={"lang": "en"}).text
    for family in families():
        assert escape(family.en) in page
        for table in family.tables:
            assert f">{table}</a>" in page
    for shown in ("externalcontact/list", "41009", "kf/*", "refuse -1", "ww-sandbox"):
        assert shown in page
    ways = sandbox.http.get("/", params={"table": "ways"}).text
    assert "s1" in ways
    for table in ("settings", "apps", "tokens"):
        shown = sandbox.http.get("/", params={"table": table}).text
        assert "synthetic" not in shown
        assert sandbox.token not in shown
    assert "没有这张表" in sandbox.http.get("/", params={"table": "sqlite_master"}).text
    assert sandbox.http.get("/", params={"corp": "ww-none"}).status_code == 404
