"""Files at the sandbox: what is taken, for what, for how long; and those that the platform fetches itself."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.sandbox.conftest import Client, House
from tests.sandbox.files import amr, jpeg, mp4, png
from yutang.sandbox import media

AWKWARD = b"\r\n--x\r\n\x00\xff\r\n\r\nmedia\r\n"


@pytest.mark.wecom("media/upload", "media/get")
def test_a_file_comes_back_as_it_went_in_whole_or_in_part(sandbox: Client) -> None:
    made = sandbox.upload("media/upload", AWKWARD, "报价 表.txt", type="file")
    assert made["type"] == "file"
    assert made["created_at"].isdigit()
    query = {"access_token": sandbox.token, "media_id": made["media_id"]}
    whole = sandbox.http.get("/cgi-bin/media/get", params=query)
    assert whole.content == AWKWARD
    assert "filename*=utf-8''%E6%8A%A5" in whole.headers["content-disposition"]
    part = sandbox.http.get("/cgi-bin/media/get", params=query, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, AWKWARD[2:5])
    assert sandbox.get("media/get", media_id="junk")["errcode"] == 40007
    assert sandbox.get("media/get")["errcode"] == 41006
    assert sandbox.upload("media/upload", AWKWARD, type="file")["media_id"] != made["media_id"]


def test_a_media_id_lives_three_days(sandbox: Client, tmp_path: Path) -> None:
    made = sandbox.upload("media/upload", png(), type="image")["media_id"]
    with sqlite3.connect(tmp_path / "sandbox" / "sandbox.sqlite3") as con:
        con.execute("UPDATE media SET created_wall = created_wall - 3 * 86400 - 1")
    assert sandbox.get("media/get", media_id=made)["errcode"] == 40007


def test_what_is_not_what_it_says_is_refused(sandbox: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def code(content: bytes, kind: str) -> int:
        return sandbox.upload("media/upload", content, type=kind)["errcode"]

    assert [code(png(), "image"), code(jpeg(), "image"), code(mp4(), "video"), code(amr(), "voice")] == [0, 0, 0, 0]
    assert [code(AWKWARD, kind) for kind in ("image", "voice", "video", "other")] == [40005, 40005, 40005, 40004]
    assert code(b"12345", "file") == 40006
    assert code(amr(61), "voice") == 45007
    for kind, content, wanted in (("image", png(), 40009), ("video", mp4(), 40011), ("file", AWKWARD, 45001)):
        monkeypatch.setitem(media.MOST, kind, 8)
        assert code(content, kind) == wanted
    bare = sandbox.http.post("/cgi-bin/media/upload", params={"access_token": sandbox.token, "type": "image"})
    assert bare.json()["errcode"] == 41005


@pytest.mark.wecom("media/upload_attachment")
def test_attachments_are_for_moments_or_the_album_alone(sandbox: Client) -> None:
    def send(content: bytes, kind: str, scene: int) -> dict:
        return sandbox.upload("media/upload_attachment", content, media_type=kind, attachment_type=scene)

    assert send(jpeg(10_800, 1_080), "image", 1)["media_id"]
    assert send(png(10_801, 10), "image", 1)["errcode"] == 41081
    assert send(png(2_000, 1_081), "image", 1)["errcode"] == 41081
    assert send(png(10_801, 10), "image", 2)["errcode"] == 0
    assert send(mp4(30), "video", 1)["errcode"] == 0
    assert send(mp4(31), "video", 1)["errcode"] == 41082
    assert send(AWKWARD, "video", 1)["errcode"] == 41090
    assert send(mp4(), "video", 2)["errcode"] == 41072
    assert send(png(), "image", 3)["errcode"] == 41072
    assert send(amr(), "voice", 1)["errcode"] == 40004
    assert send(bytes((10 << 20) + 1), "file", 1)["errcode"] == 41080


@pytest.mark.wecom("media/uploadimg")
def test_a_picture_gets_an_address_for_ever_and_so_many_a_day(sandbox: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    url = urljoin(sandbox.address, sandbox.upload("media/uploadimg", png())["url"])
    assert url.startswith(f"{sandbox.address}/picture/")
    assert sandbox.http.get(url).content == png()
    assert sandbox.http.get(f"{url}x").status_code == 404
    assert sandbox.upload("media/uploadimg", AWKWARD)["errcode"] == 40005
    monkeypatch.setattr("yutang.sandbox.media.PICTURES_A_DAY", 1)
    assert sandbox.upload("media/uploadimg", png())["errcode"] == 45009


@pytest.mark.wecom("media/upload_by_url", "media/get_upload_by_url_result")
def test_the_platform_fetches_a_large_file_in_ranges(
    sandbox: Client, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yutang.sandbox.media.CHUNK", 10)
    (tmp_path / "a.mp4").write_bytes(mp4())

    def ranged(request: Request) -> Response:
        return FileResponse(tmp_path / "a.mp4")

    def rangeless(request: Request) -> Response:
        return PlainTextResponse("no ranges here")

    there = house.mount(Starlette(routes=[Route("/a.mp4", ranged), Route("/plain", rangeless)]))
    md5 = hashlib.md5(mp4()).hexdigest()

    def job(path: str, sum_: str = md5) -> dict:
        body = {"scene": 1, "type": "video", "filename": "a.mp4", "url": f"{there}{path}", "md5": sum_}
        jobid = sandbox.call("media/upload_by_url", **body)["jobid"]
        until = time.monotonic() + 60
        while (answer := sandbox.call("media/get_upload_by_url_result", jobid=jobid))["status"] == 1:
            assert time.monotonic() < until
        return answer

    done = job("/a.mp4")
    assert done["status"] == 2
    query = {"access_token": sandbox.token, "media_id": done["detail"]["media_id"]}
    assert sandbox.http.get("/cgi-bin/media/get", params=query).content == mp4()
    assert [job(path)["detail"]["errcode"] for path in ("/plain", "/nothing")] == [830001, 830003]
    assert job("/a.mp4", "0" * 32)["detail"]["errcode"] == 301019
    told = _told(tmp_path)
    assert sum("upload_media_job_finish" in body for body in told) == 4
    assert sandbox.call("media/get_upload_by_url_result", jobid="x")["errcode"] == 40058
    assert sandbox.call("media/upload_by_url", scene=2)["errcode"] == 40058


def _told(tmp_path: Path) -> list[str]:
    with sqlite3.connect(tmp_path / "sandbox" / "sandbox.sqlite3") as con:
        return [row[0] for row in con.execute("SELECT body FROM callbacks")]


def test_the_files_outlive_the_sandbox(open_sandbox: Callable[..., Client], sandbox: Client) -> None:
    made = sandbox.upload("media/upload", png(), type="image")["media_id"]
    again = open_sandbox()
    again.token = sandbox.token
    query = {"access_token": again.token, "media_id": made}
    answer = again.http.get("/cgi-bin/media/get", params=query)
    assert answer.content == png(), json.dumps(dict(answer.headers))
