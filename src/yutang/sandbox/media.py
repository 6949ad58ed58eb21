"""Files that are uploaded, and what they may be used for (WeCom docs 90253, 90254, 90256, 95098, 96219).

A `media_id` lives three days by the wall clock. What came by `upload_attachment` or `upload_by_url` is of no use
where `media/upload` is asked for, nor the other way round.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from secrets import token_urlsafe
from typing import cast

import httpx

from yutang.kernel.trust import trusted
from yutang.sandbox.callbacks import enqueue
from yutang.sandbox.store import Settings, Store, count, settings_of
from yutang.sandbox.uploads import is_picture, is_video, picture_size, video_seconds, voice_seconds
from yutang.sandbox.wire import Arguments, Call, Kept, PlatformError, Upload, invalid

MEDIA, MOMENTS, ALBUM, BY_URL = "media", "moments", "album", "by_url"
LIFE = 3 * 86_400.0
JOB_LIFE = 3_600.0
LEAST = 5  # a file is larger than this many bytes
_MIB = 1 << 20
MOST = {"image": 10 * _MIB, "voice": 2 * _MIB, "video": 10 * _MIB, "file": 20 * _MIB}
_TOO_LARGE = {"image": 40009, "voice": 45001, "video": 40011, "file": 45001}
ATTACHMENT_MOST, PICTURE_MOST, FETCH_MOST = 10 * _MIB, 2 * _MIB, 200 * _MIB
VOICE_SECONDS, MOMENT_VIDEO_SECONDS = 60, 30
LONG_SIDE, SHORT_SIDE = 10_800, 1_080
PICTURES_A_DAY, PICTURES_A_MONTH = 1_000, 3_000
CHUNK = 20 * _MIB
NO_RANGES, FETCH_FAILED, WRONG_MD5 = 830001, 830003, 301019


def upload(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`media/upload`. The same bytes twice are two ids, as on the platform."""
    kind = arguments.text("type", missing=40004)
    if kind not in MOST:
        raise PlatformError(40004)
    given = _given(arguments)
    if len(given.content) > MOST[kind]:
        raise PlatformError(_TOO_LARGE[kind])
    seconds = voice_seconds(given.content)
    fits = {"image": is_picture(given.content), "voice": seconds is not None, "video": is_video(given.content)}
    if not fits.get(kind, True):
        raise PlatformError(40005)
    if kind == "voice" and seconds is not None and seconds > VOICE_SECONDS:
        raise PlatformError(45007)
    return {"type": kind, **_keep(con, MEDIA, kind, given, wall)}


def upload_attachment(
    con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float
) -> dict[str, object]:
    """`media/upload_attachment`: for Moments (1) or the product album (2, pictures alone)."""
    kind, scene = arguments.text("media_type", missing=40004), arguments.text("attachment_type", missing=41072)
    purpose = {"1": MOMENTS, "2": ALBUM}.get(scene)
    if purpose is None or (purpose == ALBUM and kind != "image"):
        raise PlatformError(41072)
    if kind not in ("image", "video", "file"):
        raise PlatformError(40004)
    given = _given(arguments)
    if len(given.content) > ATTACHMENT_MOST:
        raise PlatformError(41080)
    if kind == "image":
        if not is_picture(given.content):
            raise PlatformError(40005)
        size = picture_size(given.content)
        if purpose == MOMENTS and (size is None or max(size) > LONG_SIDE or min(size) > SHORT_SIDE):
            raise PlatformError(41081)
    if kind == "video":
        if not is_video(given.content):
            raise PlatformError(41090)
        seconds = video_seconds(given.content)
        if seconds is None or seconds > MOMENT_VIDEO_SECONDS:
            raise PlatformError(41082)
    return {"type": kind, **_keep(con, purpose, kind, given, wall)}


def upload_picture(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`media/uploadimg`: a picture with an address for ever; a thousand a day, three thousand a month."""
    given = _given(arguments)
    if len(given.content) > PICTURE_MOST:
        raise PlatformError(40009)
    if not is_picture(given.content):
        raise PlatformError(40005)
    if count(con, "uploadimg day", int(wall // 86_400)) > PICTURES_A_DAY:
        raise PlatformError(45009)
    if count(con, "uploadimg month", int(wall // (30 * 86_400))) > PICTURES_A_MONTH:
        raise PlatformError(45009)
    number = token_urlsafe(24)
    con.execute("INSERT INTO pictures VALUES (?, ?, ?)", (number, _write(con, given.content), wall))
    return {"url": f"/picture/{number}"}


def get(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> Kept:
    """`media/get`: the file itself; ranges are served."""
    row = known_media(con, arguments.text("media_id", missing=41006, limit=256), wall)
    return Kept(_folder(con) / row["file"], row["name"])


def fetch(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`media/upload_by_url`: the platform fetches a large file itself; the result is asked for by `jobid`."""
    if arguments.number("scene") != 1:
        raise invalid("scene")
    kind = arguments.text("type", missing=40058)
    if kind not in ("video", "file"):
        raise PlatformError(40004)
    name = arguments.text("filename", missing=40058, limit=128)
    url = arguments.text("url", missing=40058, limit=1024)
    md5 = arguments.text("md5", missing=40058, limit=32)
    if not url.startswith(("http://", "https://")):
        raise invalid("url")
    jobid = f"jobid_{token_urlsafe(32)}"
    con.execute(
        "INSERT INTO fetches VALUES (?, ?, ?, ?, ?, 1, 0, NULL, ?)", (jobid, kind, name, url, md5.lower(), wall)
    )
    return {"jobid": jobid}


def fetch_result(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`media/get_upload_by_url_result`, for an hour."""
    jobid = arguments.text("jobid", missing=40058, limit=128)
    row = con.execute("SELECT * FROM fetches WHERE jobid = ?", (jobid,)).fetchone()
    if row is None or wall > row["created_wall"] + JOB_LIFE:
        raise invalid("jobid")
    detail: dict[str, object] = {"errcode": row["errcode"], "errmsg": "ok" if not row["errcode"] else "failed"}
    if row["media_id"]:
        made = con.execute("SELECT created_wall FROM media WHERE media_id = ?", (row["media_id"],)).fetchone()
        detail |= {"media_id": row["media_id"], "created_at": str(int(made["created_wall"]))}
    return {"status": row["status"], "detail": detail}


def known_media(
    con: sqlite3.Connection,
    media_id: str,
    wall: float,
    purposes: Iterable[str] = (MEDIA, MOMENTS, ALBUM, BY_URL),
    kinds: Iterable[str] = tuple(MOST),
) -> sqlite3.Row:
    """What a `media_id` stands for. 40007 for one that is not there, too old, or meant for something else."""
    row: sqlite3.Row | None = con.execute("SELECT * FROM media WHERE media_id = ?", (media_id,)).fetchone()
    if row is None or wall > row["created_wall"] + LIFE or row["purpose"] not in purposes or row["kind"] not in kinds:
        raise PlatformError(40007)
    return row


def known_picture(con: sqlite3.Connection, address: str) -> bool:
    """Whether an address is that of a picture that was uploaded for ever."""
    number = address.rpartition("/picture/")[2]
    return bool(con.execute("SELECT 1 FROM pictures WHERE id = ?", (number,)).fetchone())


def picture_file(store: Store, number: str) -> Path | None:
    """Where a picture's bytes stand."""
    with store.read() as con:
        row = con.execute("SELECT file FROM pictures WHERE id = ?", (number,)).fetchone()
        return _folder(con) / row["file"] if row else None


def carry_out_fetches(store: Store) -> int:
    """Fetch what is to be fetched, outside of any transaction; returns how many were settled. One that a kill
    interrupted is fetched again."""
    with store.read() as con:
        jobs = con.execute("SELECT * FROM fetches WHERE status = 1 ORDER BY created_wall").fetchall()
    for job in jobs:
        code, content = _download(job["url"], job["md5"])
        with store.write() as con:
            wall = float(job["created_wall"])
            made = None
            if content is not None:
                made = str(_keep(con, BY_URL, job["kind"], Upload(job["name"], content), wall)["media_id"])
            changed = con.execute(
                "UPDATE fetches SET status = ?, errcode = ?, media_id = ? WHERE jobid = ? AND status = 1",
                (2 if made else 3, code, made, job["jobid"]),
            ).rowcount
            if changed:
                enqueue(con, settings_of(con).now, "", "upload_media_job_finish", JobId=job["jobid"])
    return len(jobs)


def _download(url: str, md5: str) -> tuple[int, bytes | None]:
    """The bytes, in ranges as the platform fetches them, or the code of what went wrong."""
    content = bytearray()
    try:
        with httpx.Client(timeout=30, trust_env=False, verify=trusted(), follow_redirects=True) as http:
            while True:
                answer = http.get(url, headers={"Range": f"bytes={len(content)}-{len(content) + CHUNK - 1}"})
                if answer.status_code == 200:
                    return NO_RANGES, None
                if answer.status_code != 206:
                    return FETCH_FAILED, None
                content += answer.content
                whole = int(answer.headers.get("content-range", "/0").rpartition("/")[2] or 0)
                if whole > FETCH_MOST or len(content) > FETCH_MOST:
                    return 45001, None
                if len(content) >= whole or not answer.content:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return FETCH_FAILED, None
    if len(content) <= LEAST:
        return 45001, None
    if hashlib.md5(content).hexdigest() != md5:  # noqa: S324  # the platform's choice
        return WRONG_MD5, None
    return 0, bytes(content)


def _given(arguments: Arguments) -> Upload:
    given = cast("Upload", arguments.values["media"])
    if len(given.content) <= LEAST:
        raise PlatformError(40006)
    return given


def _keep(con: sqlite3.Connection, purpose: str, kind: str, given: Upload, wall: float) -> dict[str, object]:
    media_id = f"3{token_urlsafe(33)}"
    con.execute(
        "INSERT INTO media VALUES (?, ?, ?, ?, ?, ?)",
        (media_id, purpose, kind, given.name, _write(con, given.content), wall),
    )
    return {"media_id": media_id, "created_at": str(int(wall))}


def _write(con: sqlite3.Connection, content: bytes) -> str:
    """Put bytes beside the sandbox's file, once; returns by which name. A row names them only after they are there."""
    name = hashlib.sha256(content).hexdigest()
    folder = _folder(con)
    folder.mkdir(exist_ok=True)
    if not (folder / name).exists():
        half = folder / f"{name}.{token_urlsafe(6)}"
        half.write_bytes(content)
        half.replace(folder / name)
    return name


def _folder(con: sqlite3.Connection) -> Path:
    return Path(con.execute("PRAGMA database_list").fetchone()["file"]).parent / "media"


_OF = "media/"
CALLS = {
    f"{_OF}upload": Call("POST", upload, writes=True, file=True),
    f"{_OF}upload_attachment": Call("POST", upload_attachment, writes=True, file=True),
    f"{_OF}uploadimg": Call("POST", upload_picture, writes=True, file=True),
    f"{_OF}get": Call("GET", get),
    f"{_OF}upload_by_url": Call("POST", fetch, writes=True, after=carry_out_fetches),
    f"{_OF}get_upload_by_url_result": Call("POST", fetch_result, after=carry_out_fetches),
}
