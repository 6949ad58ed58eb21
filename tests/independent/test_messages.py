"""wechatpy's client uploads files and sends messages to members."""

from __future__ import annotations

import hashlib
import io
import time

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client, House
from tests.sandbox.files import amr, mp4, png
from tests.sandbox.test_messages import AGENT, BUTTONS, seen


def a_file(content: bytes, name: str) -> io.BytesIO:
    file = io.BytesIO(content)
    file.name = name
    return file


@pytest.mark.wecom("media/upload", "media/uploadimg", "media/get")
def test_it_uploads_files_and_gets_them_back(theirs: WeChatClient) -> None:
    made = theirs.media.upload("image", a_file(png(), "图.png"))
    assert made["type"] == "image"
    assert theirs._http.get(theirs.media.get_url(made["media_id"])).content == png()
    assert theirs.media.upload_img(a_file(png(), "a.png"))["url"]
    with pytest.raises(WeChatClientException, match="40005"):
        theirs.media.upload("video", a_file(png(), "a.mp4"))


@pytest.mark.wecom("media/upload_attachment", "media/upload_by_url", "media/get_upload_by_url_result", raw=True)
def test_its_transport_uploads_attachments_and_large_files(
    theirs: WeChatClient, house: House, tmp_path: object
) -> None:
    made = theirs.post(
        "media/upload_attachment",
        params={"media_type": "video", "attachment_type": 1},
        files={"media": a_file(mp4(), "a.mp4")},
    )
    assert made["media_id"]
    path = f"{tmp_path}/a.mp4"
    with open(path, "wb") as out:
        out.write(mp4())

    def serve(request: Request) -> Response:
        return FileResponse(path)

    url = house.mount(Starlette(routes=[Route("/a.mp4", serve)])) + "/a.mp4"
    body = {"scene": 1, "type": "video", "filename": "a.mp4", "url": url, "md5": hashlib.md5(mp4()).hexdigest()}
    jobid = theirs.post("media/upload_by_url", data=body)["jobid"]
    until = time.monotonic() + 60
    while (answer := theirs.post("media/get_upload_by_url_result", data={"jobid": jobid}))["status"] == 1:
        assert time.monotonic() < until
    assert answer["detail"]["media_id"]


@pytest.mark.wecom("message/send")
def test_it_sends_messages_of_every_kind_that_it_knows(sandbox: Client, theirs: WeChatClient) -> None:
    picture = theirs.media.upload("image", a_file(png(), "a.png"))["media_id"]
    theirs.message.send_text(AGENT, ["a", "b"], "早上好")
    theirs.message.send_text_card(AGENT, "a", "今天", "3 位顾客", "https://example.com", btntxt="去看")
    theirs.message.send_markdown(AGENT, "a", "**早**")
    theirs.message.send_image(AGENT, "a", picture)
    theirs.message.send_voice(AGENT, "a", theirs.media.upload("voice", a_file(amr(), "a.amr"))["media_id"])
    theirs.message.send_video(AGENT, "a", theirs.media.upload("video", a_file(mp4(), "a.mp4"))["media_id"], "t", "d")
    theirs.message.send_file(AGENT, "a", theirs.media.upload("file", a_file(b"some words", "a.txt"))["media_id"])
    article = {"title": "x", "description": "d", "url": "https://example.com", "image": "https://example.com/a.png"}
    theirs.message.send_articles(AGENT, "a", [article])
    theirs.message.send_mp_articles(
        AGENT,
        "a",
        [
            {"thumb_media_id": picture, "author": "x", "title": "x"}
            | {"content": "x", "content_source_url": "", "digest": "", "show_cover_pic": "1"}
        ],
    )
    assert [row["content"] for row in seen(sandbox, "b")] == [{"content": "早上好"}]
    kinds = {row["msgtype"] for row in seen(sandbox)}
    assert kinds == {"text", "textcard", "markdown", "image", "voice", "video", "file", "news", "mpnews"}
    with pytest.raises(WeChatClientException, match="81013"):
        theirs.message.send_text(AGENT, "ghost", "x")


@pytest.mark.wecom("message/recall", "message/update_template_card", "webhook/send", "get_launch_code", raw=True)
def test_its_transport_carries_the_other_calls(sandbox: Client, theirs: WeChatClient) -> None:
    made = theirs.message.send(AGENT, "a", msg={"msgtype": "template_card", "template_card": BUTTONS})
    body = {"userids": ["a"], "agentid": AGENT, "response_code": made["response_code"]}
    theirs.post("message/update_template_card", data={**body, "button": {"replace_name": "已处理"}})
    assert seen(sandbox)[0]["shown"] == {"replace_name": "已处理"}
    assert theirs.post("message/recall", data={"msgid": made["msgid"]})["errcode"] == 0
    key = sandbox.control("robot", name="店长群")["key"]
    said = {"msgtype": "text", "text": {"content": "hello world"}}
    assert theirs.post("webhook/send", params={"key": key}, data=said)["errcode"] == 0
    chat = {"operator_userid": "a", "single_chat": {"userid": "b"}}
    assert theirs.post("get_launch_code", data=chat)["launch_code"]
