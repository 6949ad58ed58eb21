"""The read-only page, in both languages."""

from __future__ import annotations

from collections.abc import Callable

from tests.sandbox.conftest import HOUR, START, Client


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
