"""How the platform speaks: envelope, error texts, arguments and their limits, cursors.

HTTP 200 always; clients branch on `errcode`, never on `errmsg` (WeCom doc 90313).
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from yutang.kernel.clock import wall_now
from yutang.kernel.ids import salt

if TYPE_CHECKING:
    from yutang.sandbox.store import Settings

T = TypeVar("T")

#: English texts as seen from the live server, or our nearest reading (WeCom doc 90313).
TEXTS = {
    -1: "system error",
    40001: "invalid credential",
    40003: "invalid userid",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40058: "invalid Request Parameter",
    40063: "some param is empty",
    40068: "invalid tagid",
    40096: "invalid external userid",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41009: "userid missing",
    41035: "missing external userid",
    41041: "contact way user count out of limit",
    41044: "invalid contact way config id",
    41046: "missing group msg id",
    41047: "invalid group msg id",
    41048: "no customer to send",
    41050: "invalid welcome code",
    41063: "group msg is being dispatched",
    41064: "attachments exceed limit",
    41065: "invalid attachment type",
    41093: "group msg has been cancelled",
    41094: "group msg remind out of limit",
    42001: "access_token expired",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    48005: "api has been withdrawn",
    50100: "invalid cursor",
    60020: "not allow to access from your ip",
    84061: "not external contact",
}


class PlatformError(Exception):
    """The platform refuses: its code, and its text when the text names a value."""

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = text or TEXTS.get(code, "error")
        super().__init__(code, self.text)


def invalid(name: str) -> PlatformError:
    """40058, naming the parameter."""
    return PlatformError(40058, f"invalid param '{name}'")


def envelope(error: PlatformError | None, data: Mapping[str, object], caller: str) -> dict[str, object]:
    """The body of an answer. On failure the usual data field stays, empty, and the text carries its hint."""
    if error is None:
        return {"errcode": 0, "errmsg": "ok", **data}
    at = wall_now().timestamp()
    hint = f"{int(at)}{salt('hint', str(at), caller) % 10**14:014d}"
    text = (
        f"{error.text}, hint: [{hint}], from ip: {caller}, "
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


Act = Callable[[sqlite3.Connection, "Settings", Arguments, float], dict[str, object]]
"""What a call does: in a transaction, for a world of these settings, with these arguments, at a wall second."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its method, what it does, and the data field that stays, empty, in a refusal."""

    method: str
    act: Act
    empty: Mapping[str, object] = field(default_factory=dict)
    writes: bool = False


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
