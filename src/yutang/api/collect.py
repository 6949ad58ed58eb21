"""The collect API: Segment's HTTP calls over raw ASGI, beside Django.

Django answers some thousand requests a second; a page that everybody opens at noon sends more. So this door is one
function: it reads the body, knows the key, has the messages read and checked, and answers when they are durable.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from yutang.intake.collect.contracts import BATCH_BYTES, BATCH_MESSAGES, MESSAGE_BYTES, KeyFacts
from yutang.intake.collect.keys import digest
from yutang.intake.collect.messages import READ_BATCH, READ_SINGLE, UNREADABLE, Batch
from yutang.intake.collect.quick import Calls, read_all
from yutang.intake.collect.reading import Letter, Malformed, lot_of
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import OutOfSpace, YutangError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from yutang.intake.collect.writer import Collector

CALLS = {
    "track": ("track", "t"),
    "identify": ("identify", "i"),
    "page": ("page", "p"),
    "screen": ("screen", "s"),
    "group": ("group", "g"),
    "alias": ("alias", "a"),
    "batch": ("batch", "b", "import"),
}
"""Each call's addresses under /v1/: the HTTP API's, and the short ones that Segment's web SDK uses. `import` is a batch
whose times are history: they are taken as they stand."""

_PATHS: dict[str, tuple[str | None, bool]] = {
    f"/v1/{name}": (call if call != "batch" else None, name == "import")
    for call, names in CALLS.items()
    for name in names
}
_SNIPPET = (Path(__file__).parent / "w.js").read_bytes()
_JSON = (b"content-type", b"application/json; charset=utf-8")
_DONE = b'{"success":true}'
_TAKEN = {
    "type": "http.response.start",
    "status": 200,
    "headers": [_JSON, (b"content-length", b"%d" % len(_DONE))],
}
_TAKEN_BODY = {"type": "http.response.body", "body": _DONE}
_SINGLE = '{"userId": …, "event": …}'
_CACHED_HEADERS = 10_000
HEADER_BYTES = 1_000
MEMBERS = 100
"""Of how many gzip members a body may be made."""
_SHOWN = 20

Headers = list[tuple[bytes, bytes]]


class Sorry(Exception):
    """An answer other than 200. `problems`: one sentence for each message that is at fault."""

    def __init__(
        self, status: int, code: str, zh: str, en: str, *, wait: int = 0, problems: Iterable[Mapping[str, object]] = ()
    ) -> None:
        super().__init__(en)
        self.status, self.code, self.zh, self.en, self.wait = status, code, zh, en, wait
        self.problems = list(problems)[:_SHOWN]

    def body(self) -> bytes:
        """As the other APIs say it, with the `code` and `message` that Segment's SDKs print."""
        said: dict[str, object] = {"success": False, "code": self.code, "message": self.en}
        said["error"] = {"zh": self.zh, "en": self.en}
        if self.problems:
            said["problems"] = self.problems
        return msgspec.json.encode(said)


class Collect:
    """The door. What is not its own goes on to `inner`, the rest of the house."""

    def __init__(self, collector: Collector, inner: ASGIApp) -> None:
        self._collector = collector
        self._inner = inner
        self._by_header: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(("/v1/", "/w.js")):
            await self._inner(scope, receive, send)
            return
        more: Headers = []
        status, body, kind = 200, _DONE, _JSON
        try:
            if path == "/w.js":
                body, kind = _snippet(scope, more), (b"content-type", b"text/javascript; charset=utf-8")
            else:
                body = await self._take(path, scope, receive, more)
        except Sorry as sorry:
            status, body = sorry.status, sorry.body()
            if sorry.wait:
                more.append((b"retry-after", b"%d" % sorry.wait))
        if body is _DONE and not more:
            await send(_TAKEN)
            await send(_TAKEN_BODY)
            return
        if scope["method"] == "OPTIONS" and status == 200:
            status, body = 204, b""
        headers = [kind, (b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _take(self, path: str, scope: Scope, receive: Receive, more: Headers) -> bytes:
        found = _PATHS.get(path) or _PATHS.get(path.rstrip("/"))
        if found is None:
            raise Sorry(404, "not_found", "没有这个地址。", "There is nothing at this address.")
        call, historical = found
        authorization = origin = encoding = host = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-encoding":
                encoding = value
            elif name == b"origin":
                origin = value
            elif name == b"host":
                host = value
        if origin:
            more += self._cors(origin, host)
        if scope["method"] != "POST":
            if scope["method"] == "OPTIONS":
                return b""
            more.append((b"allow", b"POST, OPTIONS"))
            raise Sorry(405, "method_not_allowed", "这个地址只接受 POST。", "This address takes POST only.")
        most = MESSAGE_BYTES if call is not None else BATCH_BYTES
        raw = await _body(receive, scope, most)
        if encoding and encoding != b"identity":
            raw = _inflated(raw, encoding, most)
        if not raw.isascii():
            _readable(raw)
        batch = _batch(raw) if call is None else None
        key = self._known(authorization)
        if key is None:
            key = await self._key(authorization, batch.write_key if batch is not None else _key_in(raw))
        if origin and not _is_own(origin, host) and not key.lets(origin.decode("latin-1")):
            raise Sorry(
                403,
                "origin",
                "这把写入密钥不允许从这个网页来源发送，请在密钥里加上它。",
                "This write key takes nothing from this origin; add the origin to the key.",
            )
        currency = self._collector.known.currency
        if currency is None:
            raise Sorry(503, "not_set_up", "还没有设置品牌。", "The brand is not set up yet.", wait=60)
        count = 1 if batch is None else len(batch.batch)
        self._make_room(key, count, len(raw))
        letter = Letter(raw, count, key, currency, call, wall_now(), historical)
        lot = None
        if batch is not None:
            letter.sent_at, letter.context = batch.sent_at, batch.context
            letter.calls = batch.batch if isinstance(batch, Calls) else None
            lot = lot_of(letter)
        answer = await self._collector.offer(letter, lot)
        if not isinstance(answer, int):
            raise _not_kept(answer)
        return b'{"success":true,"held":%d}' % answer if answer else _DONE

    def _make_room(self, key: KeyFacts, messages: int, size: int) -> None:
        if self._collector.full(messages, size):
            raise Sorry(
                429, "busy", "正忙，请按 Retry-After 稍后再发，这次什么也没有收下。",
                "Busy: nothing of this was taken; send it again after Retry-After seconds.", wait=1,
            )  # fmt: skip
        wait = self._collector.wait_for(key, messages)
        if wait:
            raise Sorry(
                429, "rate_limited", f"这把写入密钥每秒至多 {key.rate:,} 条，请按 Retry-After 稍后再发。",
                f"This write key may send {key.rate:,} events a second; send this again after Retry-After seconds.",
                wait=wait,
            )  # fmt: skip

    def _known(self, authorization: bytes) -> KeyFacts | None:
        """The key of a header that was met before, and is in use."""
        mark = self._by_header.get(authorization)
        return self._collector.known.keys.get(mark) if mark is not None else None

    async def _key(self, authorization: bytes, said: str | None) -> KeyFacts:
        """The key of the header, else of the body. Raises Sorry (401)."""
        secret = _user(authorization) if 0 < len(authorization) <= HEADER_BYTES else None if authorization else said
        if secret is None or not 0 < len(secret) <= 200:
            raise _no_key()
        mark = digest(secret)
        key = self._collector.known.keys.get(mark)
        if key is None:
            await self._collector.look()
            key = self._collector.known.keys.get(mark)
        if key is None:
            raise _no_key()
        if authorization:  # only of a key that there is: whoever guesses must not fill the memory
            if len(self._by_header) >= _CACHED_HEADERS:
                self._by_header.clear()
            self._by_header[authorization] = mark
        return key

    def _cors(self, origin: bytes, host: bytes) -> Headers:
        """What a browser asks before it shows a page the answer: any origin that some key lets in."""
        known = self._collector.known.origins
        if "*" not in known and origin.decode("latin-1") not in known and not _is_own(origin, host):
            return [(b"vary", b"Origin")]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
            (b"access-control-expose-headers", b"retry-after"),
            (b"access-control-max-age", b"86400"),
            (b"vary", b"Origin"),
        ]


def _is_own(origin: bytes, host: bytes) -> bool:
    return bool(host) and origin.partition(b"://")[2] == host


def _snippet(scope: Scope, more: Headers) -> bytes:
    if scope["method"] not in ("GET", "HEAD"):
        more.append((b"allow", b"GET, HEAD"))
        raise Sorry(405, "method_not_allowed", "这个地址只接受 GET。", "This address takes GET only.")
    more += [(b"cache-control", b"public, max-age=3600"), (b"x-content-type-options", b"nosniff")]
    more.append((b"cross-origin-resource-policy", b"cross-origin"))
    return _SNIPPET


async def _body(receive: Receive, scope: Scope, most: int) -> bytes:
    """The body as sent. Raises Sorry (400) once it is longer than it may be."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Sorry(400, "disconnected", "请求没有发完。", "The request broke off.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        if not message.get("more_body"):
            return part if not parts else b"".join([*parts, part])
        parts.append(part)


def _inflated(raw: bytes, encoding: bytes, most: int) -> bytes:
    """The body unpacked, never more than it may be. Raises Sorry (400)."""
    if encoding.strip().lower() not in (b"gzip", b"x-gzip"):
        raise Sorry(400, "encoding", "Content-Encoding 只认 gzip。", "Content-Encoding: only gzip is understood.")
    unpacked = b""
    try:
        for _ in range(MEMBERS):  # each takes a copy of all that follows
            if not raw:
                break
            stream = zlib.decompressobj(wbits=31)
            unpacked += stream.decompress(raw, most + 1 - len(unpacked))
            if len(unpacked) > most:
                raise _too_large(most)
            if not stream.eof:
                raise zlib.error("cut short")
            raw = stream.unused_data
        if raw:
            raise zlib.error("too many members")
    except zlib.error:
        raise Sorry(400, "encoding", "请求正文不是完整的 gzip。", "The body is not whole gzip.") from None
    return unpacked


def _readable(raw: bytes) -> None:
    """Raise Sorry (400) unless the body is UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed(error, "") from None


def _batch(raw: bytes) -> Batch | Calls:
    """A batch's messages, in order. Raises Sorry (400) where the body is no batch, or has a message past the limit."""
    calls = read_all(raw, MESSAGE_BYTES)
    if calls is not None and len(calls.batch) <= BATCH_MESSAGES:
        return calls
    try:
        batch = READ_BATCH(raw)
    except UNREADABLE as error:
        raise _malformed(error, '{"batch": [{"type": "track", …}]}') from None
    if not batch.batch:
        raise Sorry(400, "empty", "batch 里没有消息。", "The batch holds no message.")
    if len(batch.batch) > BATCH_MESSAGES:
        raise Sorry(
            400, "too_many", f"一批至多 {BATCH_MESSAGES:,} 条消息，请分批。",
            f"A batch holds at most {BATCH_MESSAGES:,} messages; split it.",
        )  # fmt: skip
    if len(raw) > MESSAGE_BYTES and (large := [n for n, one in enumerate(batch.batch) if len(one) > MESSAGE_BYTES]):
        raise Sorry(
            400, "too_large", f"第 {large[0] + 1} 条消息超过 32 kB，整批都没有收下。",
            f"Message {large[0] + 1} is larger than 32 kB; nothing of the batch was taken.",
            problems=({"message": n, "zh": "超过 32 kB。", "en": "It is larger than 32 kB."} for n in large),
        )  # fmt: skip
    return batch


def _key_in(raw: bytes) -> str | None:
    """The key that a single call's body says. Raises Sorry (400)."""
    try:
        return READ_SINGLE(raw).write_key
    except UNREADABLE as error:
        raise _malformed(error, _SINGLE) from None


def _user(authorization: bytes) -> str | None:
    """The user of HTTP basic auth: SDKs send the write key so, with an empty password."""
    scheme, _, value = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _malformed(error: Exception, shape: str) -> Sorry:
    if isinstance(error, msgspec.ValidationError):
        place = str(error).partition(" - at `$.")[2].rstrip("`")
        at_zh, at_en = (f"（{place}）", f" ({place})") if 0 < len(place) < 60 else ("", "")
        return Sorry(
            400,
            "malformed",
            f"请求正文的写法不对{at_zh}，应为 {shape}。",
            f"The body has the wrong form{at_en}; it is {shape}.",
        )
    return Sorry(400, "malformed", "请求正文不是有效的 JSON（UTF-8）。", "The body is not valid JSON in UTF-8.")


def _too_large(most: int) -> Sorry:
    return Sorry(
        400, "too_large", f"请求正文至多 {most // 1000} kB（单条消息 32 kB，一批 500 kB）。",
        f"The body is at most {most // 1000} kB (32 kB for a message, 500 kB for a batch).",
    )  # fmt: skip


def _no_key() -> Sorry:
    return Sorry(
        401, "write_key", "需要有效的写入密钥：HTTP Basic 的用户名，或正文里的 writeKey。",
        "A valid write key is needed: as the user of HTTP basic auth, or as writeKey in the body.",
    )  # fmt: skip


def _not_kept(why: YutangError | Malformed) -> Sorry:
    if isinstance(why, Malformed):
        return _malformed(why.error, _SINGLE)
    if isinstance(why, OutOfSpace):
        return Sorry(507, "out_of_space", why.zh, why.en, wait=60)
    return Sorry(503, "unavailable", why.zh, why.en, wait=1)
