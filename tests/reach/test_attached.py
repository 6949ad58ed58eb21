"""What stands beside a text, from the library to the platform: checked, uploaded once, asked for once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reach.conftest import CREATE, Stage
from tests.sandbox.files import mp4, png
from tests.soak import pond
from yutang.channels.models import Uploaded
from yutang.content.checking import BrokenRules
from yutang.content.documents import Content
from yutang.content.services import keep_content
from yutang.files.contracts import FileKind
from yutang.files.services import keep_file
from yutang.kernel import failpoints
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadDocument, BadInput
from yutang.organisation.queries import OWNER
from yutang.reach import issuing, services
from yutang.reach.contracts import BatchState
from yutang.reach.models import Batch, Plan

pytestmark = pytest.mark.django_db
UPLOAD = "media/upload"
PLANNED, OPENED, ISSUED = 0.0, 0.5, 1.0


def address(kind: FileKind, name: str, content: bytes) -> str:
    return keep_file(kind, name, content).address


def picture() -> dict[str, str]:
    return {"url": address(FileKind.IMAGE, "a.png", png()), "says": "三款新品"}


def keep(name: str = "seen", **parts: Any) -> None:
    """Keep a content with one of each, changed as asked."""
    every = {
        "pictures": [picture()],
        "link": {"title": "换季护理", "url": "https://example.com/care"},
        "mini_program": {
            "title": "商城上新", "appid": "wx0123456789abcdef", "page": "pages/new.html", "picture": picture()["url"],
        },
        "video": {"url": address(FileKind.VIDEO, "a.mp4", mp4()), "title": "怎么冲"},
        "file": {"url": address(FileKind.FILE, "目录.pdf", b"some words"), "name": "目录.pdf"},
    } | parts  # fmt: skip
    data = {
        "kind": "content",
        "name": name,
        "title": {"zh": name, "en": name},
        "text": "新到，{导购|我}给您留",
        **every,
    }
    keep_content(parse(Content, data), OWNER, 0)


def messages(stage: Stage) -> list[dict[str, Any]]:
    """What the platform has of every task."""
    import json

    return [json.loads(row[0]) for row in stage._platform("SELECT content FROM tasks ORDER BY msgid")]


def uploads(stage: Stage) -> int:
    """How many files the platform has taken."""
    return int(stage._platform("SELECT count(*) FROM media")[0][0])


def test_a_content_with_one_of_each_reaches_everybody_and_its_files_are_uploaded_once(stage: Stage) -> None:
    keep()
    plan = stage.launch("hello", message={"content": "seen"})
    body = Plan.objects.get(pk=plan).body["message"]
    assert {"pictures", "link", "mini_program", "video", "file"} <= body.keys()
    stage.to(PLANNED)
    stage.faults({"api": CREATE, "kind": "drop_answer", "times": 1})
    stage.jump(OPENED)
    stage.turn()
    assert [batch.state for batch in stage.batches(plan)].count(BatchState.UNKNOWN) == 1
    Uploaded.objects.all().delete()  # whoever looks for the task now has other ids than it was made with
    stage.turn()
    stage.to(ISSUED)
    kinds = ["image", "link", "miniprogram", "video", "file"]
    said = messages(stage)
    assert [[part["msgtype"] for part in one["attachments"]] for one in said] == [kinds] * 3
    assert {one["text"]["content"] for one in said} == {f"新到，导购 {guide:02}给您留" for guide in range(3)}
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send")) == len(stage.reached())
    assert uploads(stage) == 3, "the picture and the cover are one file, and three guides share them"


@pytest.mark.long
def test_what_the_platform_will_not_take_yet_waits_and_nothing_is_asked_for(stage: Stage) -> None:
    plan = stage.launch("hello", message={"text": "新到", "pictures": [picture()]})
    stage.to(PLANNED)
    stage.faults({"api": UPLOAD, "kind": "refuse", "errcode": 40005, "times": None})
    stage.jump(OPENED)
    stage.turn()
    assert {(batch.state, batch.called_at) for batch in Batch.objects.all()} == {(BatchState.PLANNED, None)}
    assert all("40005" in batch.trouble for batch in stage.batches(plan))
    stage.faults({"api": UPLOAD, "kind": "refuse", "errcode": 45009, "times": 1})
    stage.jump(OPENED + 1.5)
    stage.turn()
    assert {(batch.state, batch.trouble) for batch in stage.batches(plan)} == {(BatchState.PLANNED, "")}
    assert stage.tasks() == []
    stage.faults()
    stage.to(OPENED + 12)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send"))


def test_dying_between_the_upload_and_the_call_uploads_nothing_twice_and_sends_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = stage.launch("hello", message={"text": "新到", "pictures": [picture()]})
    stage.to(PLANNED)
    stage.jump(OPENED)
    for place in ("issue.ready", "issue.claimed", "issue.answered"):
        assert place in failpoints.FAILPOINTS

        def die(name: str, place: str = place) -> None:
            if name == place:
                raise KeyboardInterrupt

        with monkeypatch.context() as dying:
            dying.setattr(issuing, "failpoint", die)
            with pytest.raises(KeyboardInterrupt):
                stage.turn()
        Batch.objects.filter(state=BatchState.CALLING).update(call_until=None, called_by="gone")
    stage.to(ISSUED)
    assert stage.counts(plan).sent == len(stage.with_outcome(plan, "send")) == len(stage.reached())
    assert (len(stage.tasks()), uploads(stage)) == (3, 1)


def test_what_cannot_be_carried_or_said_is_told_before_launch(stage: Stage) -> None:
    keep()
    for channel, wanted in (("sms", "pictures"), ("email", "files")):
        with pytest.raises(BadInput, match=wanted):
            services.launch(pond.broadcast("hello", channel=channel, message={"content": "seen"}), OWNER)
    with pytest.raises(BadDocument, match="upload it in the library"):
        pond_message(pictures=[{"url": "https://example.com/1.jpg"}])
    with pytest.raises(BadDocument, match="9 pictures"):
        pond_message(pictures=[picture()] * 9, link={"title": "x", "url": "https://e.com"})
    gone = {"url": "file:" + "0" * 64}
    with pytest.raises(BadInput, match="not in the library"):
        services.launch(pond.broadcast("hello", message={"text": "x", "pictures": [gone]}), OWNER)
    video = {"url": address(FileKind.VIDEO, "a.mp4", mp4())}
    with pytest.raises(BadInput, match="not of the kind"):
        services.launch(pond.broadcast("hello", message={"text": "x", "pictures": [video]}), OWNER)
    for broken in ({"pictures": [picture() | {"says": "全网最低价"}]}, {"video": {**video, "title": "全网最低价"}}):
        with pytest.raises(BrokenRules):
            services.launch(pond.broadcast("hello", message={"text": "x", **broken}), OWNER)
    assert not Plan.objects.exists()


def pond_message(**parts: Any) -> None:
    """Read a broadcast that says these."""
    from yutang.reach.documents import BroadcastDocument

    data = pond.broadcast("hello").as_data()
    parse(BroadcastDocument, {**data, "message": {"text": "x", **parts}})
