"""How the platform speaks: envelope, error texts, arguments and their limits, cursors.

HTTP 200 always; clients branch on `errcode`, never on `errmsg` (WeCom doc 90313).
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import salt

if TYPE_CHECKING:
    from yutang.sandbox.store import Settings, Store

T = TypeVar("T")

#: English texts as seen from the live server, or our nearest reading (WeCom doc 90313).
TEXTS = {
    -1: "system error",
    40001: "invalid credential",
    40003: "invalid userid",
    40004: "invalid media type",
    40005: "invalid file type",
    40006: "invalid media size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40009: "invalid image size",
    40011: "invalid video size",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid code",
    40035: "invalid parameter",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    40063: "some param is empty",
    40066: "invalid party list",
    40068: "invalid tagid",
    40071: "invalid tag name",
    40072: "invalid tag name length",
    40096: "invalid external userid",
    40123: "invalid department id",
    40126: "corp tag count out of limit",
    40128: "transfer too frequently",
    40206: "request body too large",
    40097: "user is not resigned",
    40098: "user is not verified",
    40099: "external contact count limit",
    40100: "external contact is being transferred",
    40129: "external contact is being transferred",
    40130: "handover and takeover are the same user",
    40131: "handover_userid is not follow user",
    40143: "takeover user is banned",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41005: "media data missing",
    41006: "media_id missing",
    41009: "userid missing",
    41011: "missing agentid",
    41035: "missing external userid",
    41037: "missing contact way type",
    41038: "invalid contact way type",
    41039: "missing contact way scene",
    41040: "invalid contact way scene",
    41041: "contact way user count out of limit",
    41042: "invalid contact way style",
    41043: "missing contact way config id",
    41044: "invalid contact way config id",
    41045: "contact way count out of limit",
    41046: "missing group msg id",
    41047: "invalid group msg id",
    41048: "no customer to send",
    41049: "missing welcome code",
    41050: "invalid welcome code",
    41051: "externaluser has started chatting",
    41055: "group welcome template count out of limit",
    41056: "invalid external userid type",
    41058: "invalid group welcome template id",
    41059: "missing moment_id",
    41060: "invalid moment_id",
    41061: "moment is not published by this user",
    41062: "moment is not published yet",
    41063: "group msg is being dispatched",
    41064: "attachments exceed limit",
    41065: "invalid attachment type",
    41067: "invalid moment_id type",
    41068: "intercept rule word count out of limit",
    41069: "intercept rule count out of limit",
    41070: "invalid intercept rule id",
    41071: "intercept rule deleted",
    41072: "invalid attachment scene",
    41073: "invalid product album description size",
    41074: "product album deleted",
    41075: "invalid product album id",
    41076: "intercept rule range out of limit",
    41077: "intercept rule name existed",
    41078: "moment task count out of limit",
    41079: "moment is being dispatched",
    41080: "attachment size out of limit",
    41081: "attachment resolution out of limit",
    41082: "attachment duration out of limit",
    41083: "invalid intercept rule word",
    41084: "invalid intercept rule semantics",
    41085: "invalid product sn",
    41086: "invalid product price",
    41087: "invalid product description",
    41088: "attachments empty",
    41089: "moment text and attachments empty",
    41090: "invalid attachment video format",
    41091: "chat count of join way out of limit",
    41093: "group msg has been cancelled",
    41094: "group msg remind out of limit",
    41096: "welcome msg is being distributed",
    41095: "customer acquisition link count limit",
    42001: "access_token expired",
    42003: "oauth code expired",
    42052: "msgid expired",
    44004: "text content is empty",
    45001: "media size out of limit",
    45002: "content size out of limit",
    45007: "voice play time out of limit",
    45008: "news count out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    45035: "api concurrent out of limit for the same external contact",
    46004: "userid not found",
    48002: "api forbidden",
    48005: "api has been withdrawn",
    48009: "api forbidden for the contact-sync secret",
    49008: "chat has been dismissed",
    50002: "user not in app's visible range",
    50003: "app disabled",
    50006: "system app disabled",
    50100: "invalid cursor",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60030: "user out of scope",
    60111: "userid not found",
    81013: "user & party & tag all invalid",
    81017: "userid count out of limit",
    82001: "All touser & toparty & totag invalid",
    82002: "party list out of limit",
    82003: "tag list out of limit",
    84061: "not external contact",
    84074: "no external contact permission",
    90500: "the owner of this chat is not resigned",
    90501: "chat is not external group chat",
    90502: "the owner of this chat is resigned",
    90504: "the owner of this chat is not changed",
    90507: "the chat is being transferred",
    90508: "the chat has been transferred",
    90511: "invalid opengid",
    93000: "invalid webhook url",
    301053: "msgaudit is not enabled",
    301059: "room is not an internal room",
    301060: "too many items requested",
    610014: "invalid unionid",
    610018: "openid and unionid mismatch",
    660003: "userid no priviledge",
    701008: "userid without interconnect licence",
    95000: "invalid open_kfid",
    95001: "kf send msg count limit",
    95002: "kf send msg time limit",
    95003: "kf servicer count limit",
    95004: "open_kfid not exist",
    95005: "kf account count limit",
    95006: "invalid kf account name",
    95007: "invalid msg token",
    95008: "menu item count limit",
    95009: "invalid menu item type",
    95013: "kf session is end",
    95014: "user is not a servicer",
    95016: "not allow to trans to this service state",
    95018: "not allow to send msg in this session state",
}


class PlatformError(Exception):
    """The platform refuses: its code, and its text when the text names a value."""

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = text or TEXTS.get(code, "error")
        super().__init__(code, self.text)


class Noted(PlatformError):
    """The platform refuses, and remembers that it was asked: what was written stays."""


def invalid(name: str) -> PlatformError:
    """40058, naming the parameter."""
    return PlatformError(40058, f"invalid param '{name}'")


WARNING = "Warning: wrong json format. "


def envelope(
    error: PlatformError | None, data: Mapping[str, object], caller: str, *, loose: bool = False
) -> dict[str, object]:
    """The body of an answer. On failure the usual data field stays, empty, and the text carries its hint. `loose`: the
    call's JSON was not quite JSON, which every text then says (WeCom doc 90313)."""
    warning = WARNING if loose else ""
    if error is None:
        return {"errcode": 0, "errmsg": f"{warning}ok", **data}
    at = wall_now().timestamp()
    hint = f"{int(at)}{salt('hint', str(at), caller) % 10**14:014d}"
    text = (
        f"{warning}{error.text}, hint: [{hint}], from ip: {caller}, "
        f"more info at https://open.work.weixin.qq.com/devtool/query?e={error.code}"
    )
    return {"errcode": error.code, "errmsg": text, **data}


class Arguments:
    """The arguments of one call: query parameters of a GET, the JSON object of a POST."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self.values = values

    def text(self, name: str, *, missing: int | None = None, limit: int = 64) -> str:
        """A string of at most `limit` UTF-8 bytes; `missing` is the code for an absent or empty one."""
        value = self.values.get(name)
        if value is None or value == "":
            if missing is not None:
                raise PlatformError(missing) if missing != 40058 else invalid(name)
            return ""
        if not _is_text(value, limit):
            raise invalid(name)
        return cast("str", value)

    def texts(self, name: str, limit: int) -> list[str]:
        """A list of non-empty strings without repetition, in order; more than `limit` items are refused."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > limit:
            raise invalid(name)
        if not all(item and _is_text(item, 64) for item in value):
            raise invalid(name)
        return list(dict.fromkeys(cast("list[str]", value)))

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number that is not negative."""
        value = self.values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
            raise invalid(name)
        return value

    def each(self, name: str, least: int, most: int) -> list[Arguments]:
        """A list of objects; fewer than `least` or more than `most` are refused."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise invalid(name)
        if not all(isinstance(one, Mapping) for one in value):
            raise invalid(name)
        return [Arguments(one) for one in value]

    def limit(self, default: int, most: int, beyond: int) -> int:
        """The page size. Beyond `most` the docs take `beyond` (the default, or the maximum, depending on the call)."""
        value = self.number("limit", default)
        return default if value == 0 else beyond if value > most else value

    def inner(self, name: str) -> Arguments | None:
        """A nested object. Present but empty is refused with 40063, as the platform does."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise invalid(name)
        if not value:
            raise PlatformError(40063)
        return Arguments(value)


Act = Callable[[sqlite3.Connection, "Settings", Arguments, float], "dict[str, object] | Kept"]
"""What a call does: in a transaction, for a world of these settings, with these arguments, at a wall second."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a call."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that goes out as the answer itself."""

    path: Path
    name: str


APP, CONTACTS, ANYBODY = "app", "contacts", "anybody"
"""Whose token a call takes: the app's, the contact-sync secret's; or none at all."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its method, what it does, and the data field that stays, empty, in a refusal.

    `file`: a POST that carries a file (multipart, field `media`) beside its query. `secrets`: whose tokens it takes.
    `after`: what the platform does by itself once it has answered.
    `alone`: what it is done to, to which nothing else can be done at the same time (45035).
    `quota`: how often it may be made in a "minute", "hour", "day" or "month", where it is not as often as any call.
    """

    method: str
    act: Act
    empty: Mapping[str, object] = field(default_factory=dict)
    writes: bool = False
    file: bool = False
    secrets: frozenset[str] = frozenset({APP})
    after: Callable[[Store], object] | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    alone: Callable[[Arguments], str] | None = None


_LOOSE = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])', re.DOTALL)


def read_json(body: bytes) -> tuple[object, bool]:
    """What a body says, and whether it is loosely formed: with raw control characters in its texts, commas before a
    bracket or words after its end, of which as much is taken as can be read. Raises ValueError."""
    try:
        return json.loads(body), False
    except ValueError:
        text = _LOOSE.sub(lambda one: "" if one.group() == "," else one.group(), body.decode("utf-8-sig"))
        value, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
        return value, True


def _is_text(value: object, limit: int) -> bool:
    # Half of a surrogate pair is valid JSON but no text, and would not go into a file.
    return (
        isinstance(value, str)
        and len(value.encode("utf-8", "replace")) <= limit
        and value == value.encode("utf-8", "replace").decode()
    )


def page(
    call: str,
    cursor: str,
    rows: Callable[[Sequence[object], int], Sequence[T]],
    key: Callable[[T], Sequence[object]],
    limit: int,
) -> tuple[list[T], str]:
    """One page of rows after a cursor, and the next cursor ("" at the end).

    Pages may be shorter than `limit` although more follow: only the cursor says that there is no more. `rows` gives
    at most n rows whose keys are greater than a key ([] for the first page).
    """
    start = _open(call, cursor)
    size = max(1, limit - salt(call, cursor, limit) % (limit // 4 + 1))
    found = list(rows(start, size + 1))
    if len(found) <= size:
        return found, ""
    return found[:size], _seal(call, key(found[size - 1]))


def _seal(call: str, key: Sequence[object]) -> str:
    body = json.dumps([call, *key], ensure_ascii=True)
    return base64.urlsafe_b64encode(f"{salt('cursor', body):016x}{body}".encode()).decode().rstrip("=")


def _open(call: str, cursor: str) -> Sequence[object]:
    if not cursor:
        return []
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        mark, body = text[:16], text[16:]
        if mark != f"{salt('cursor', body):016x}":
            raise ValueError(cursor)
        name, *key = json.loads(body)
    except ValueError:
        raise PlatformError(50100) from None
    if name != call:
        raise PlatformError(50100)
    return cast("list[object]", key)
