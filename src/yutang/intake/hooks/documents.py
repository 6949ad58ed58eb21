"""The webhook document: how a platform's pushes are checked, and which events they are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import jsonpath
from pydantic import Field, model_validator

from yutang.kernel.calendars import zone
from yutang.kernel.documents import Document, Part, register
from yutang.kernel.errors import BadInput

SOURCE = r"^[a-z0-9][a-z0-9_-]{0,23}$"
PARTS = ("body", "secret", "client", "timestamp")
"""What may be signed beside `header:…`, `query:…` and `path:…`."""

Name = Annotated[str, Field(min_length=1, max_length=120)]
Path = Annotated[str, Field(min_length=1, max_length=300)]


@lru_cache(maxsize=2000)
def compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    """A JSONPath (RFC 9535, with python-jsonpath's additions). One that begins with `@` looks from the item."""
    return jsonpath.compile("$" + path[1:] if path.startswith("@") else path)


def _checked_path(path: str, where: str) -> None:
    if not path.startswith(("$", "@")):
        raise BadInput(
            f"{where} 写的「{path[:60]}」应以 $（整个正文）或 @（each 的这一项）开头。",
            f"{where}: “{path[:60]}” begins with $ (the body) or @ (the item of each).",
        )
    try:
        compiled(path)
    except jsonpath.JSONPathError as error:
        raise BadInput(
            f"{where} 写的「{path[:60]}」不是 JSONPath：{error}。", f"{where}: “{path[:60]}” is no JSONPath: {error}."
        ) from None


class Pick(Part):
    """A value: by JSONPath from the body (`$…`) or from the item of `each` (`@…`), the first of several paths that
    finds something; of a header; of the query; or as it stands. Written short, a text that begins with $ or @ is a
    path, any other the value itself.

    `map` translates what was found; what it does not name is `otherwise`, or stops the delivery, which is then held.
    `otherwise` also stands where nothing was found. What `pattern` does not match whole counts as nothing.
    """

    path: Path | tuple[Path, ...] | None = None
    header: Name | None = None
    query: Name | None = None
    value: str | int | float | bool | None = None
    map: dict[str, str] | None = Field(default=None, max_length=200)
    otherwise: str | None = Field(default=None, max_length=200)
    pattern: str | None = Field(default=None, max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"path": data} if data.startswith(("$", "@")) else {"value": data}
        if isinstance(data, int | float) and not isinstance(data, bool):
            return {"value": data}
        return data

    @model_validator(mode="after")
    def _one_place(self) -> Pick:
        places = [self.path, self.header, self.query, self.value]
        if sum(place is not None for place in places) != 1:
            raise BadInput(
                "path、header、query、value 必须正好写一个。", "Write exactly one of path, header, query and value."
            )
        for path in self.paths:
            _checked_path(path, "path")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error:
                raise BadInput("pattern 不是正则表达式。", "pattern is no regular expression.") from None
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path, in the order in which they are tried."""
        return (self.path,) if isinstance(self.path, str) else self.path or ()


class Condition(Pick):
    """Holds if the value is one of `in`, is none of `not_in`, or (where neither is written) is there at all; with
    `absent`, if it is not there."""

    in_: tuple[str, ...] | None = Field(default=None, alias="in", max_length=200)
    not_in: tuple[str, ...] | None = Field(default=None, max_length=200)
    absent: bool = False


class When(Pick):
    """A time. `form`: `iso`, `seconds` or `millis` since 1970, or a pattern such as `%Y-%m-%d %H:%M:%S`. One that says
    no zone is local to `zone` (default: the brand's)."""

    form: str = Field(default="iso", max_length=60)
    zone: str | None = None

    @model_validator(mode="after")
    def _known(self) -> When:
        if self.form not in ("iso", "seconds", "millis") and "%" not in self.form:
            raise BadInput(
                "form 应为 iso、seconds、millis 或类似 %Y-%m-%d %H:%M:%S 的写法。",
                "form is iso, seconds, millis or a pattern such as %Y-%m-%d %H:%M:%S.",
            )
        if self.zone is not None:
            zone(self.zone)
        return self


class Amount(Pick):
    """An amount of money in `yuan` (the currency's main unit) or `cents`. `sum`: everything that the path finds,
    added up."""

    unit: Literal["yuan", "cents"] = "yuan"
    sum: bool = False


class Identity(Part):
    """An identifier. Its namespace is the source, where its kind has one and none is named. Where nothing is found
    there is none."""

    kind: Literal["unionid", "member", "external_userid", "openid", "phone", "email", "device", "address"]
    value: Pick
    namespace: Pick | None = None


class Lines(Part):
    """The lines of an order. `amount` is what a line costs; or it is `price` × `quantity`, less `discount`.
    `unit_cost` is what one piece costs the brand; a line where it is not found has none, which is not 0."""

    each: Path
    sku: Pick
    quantity: Pick = Pick(value=1)
    category: Pick | None = None
    amount: Amount | None = None
    price: Amount | None = None
    discount: Amount | None = None
    unit_cost: Amount | None = None

    @model_validator(mode="after")
    def _priced(self) -> Lines:
        _checked_path(self.each, "each")
        if (self.amount is None) == (self.price is None):
            raise BadInput("amount 和 price 必须正好写一个。", "Write exactly one of amount and price.")
        if self.unit_cost is not None and self.unit_cost.sum:
            raise BadInput("unit_cost 是一件的成本，不能写 sum。", "unit_cost is of one piece and cannot be a sum.")
        return self


class EventRule(Part):
    """An event (with `each`: one for every item found) of every delivery for which all of `when` holds.

    `id` makes a second telling of the same thing harmless; left out, a delivery's event is its own. An order's event
    that names nobody is the person's of whom the order was told before. An empty `type` makes no event.
    """

    when: tuple[Condition, ...] = Field(default=(), max_length=20)
    each: Path | None = None
    type: Pick
    id: tuple[Pick, ...] = Field(default=(), max_length=6)
    occurred_at: When | None = None
    identifiers: tuple[Identity, ...] = Field(default=(), max_length=12)
    store: Pick | None = None
    staff: Pick | None = None
    amount: Amount | None = None
    currency: Pick | None = None
    props: dict[str, Pick] = Field(default_factory=dict, max_length=60)
    lines: Lines | None = None

    @model_validator(mode="after")
    def _placed(self) -> EventRule:
        if self.each is not None:
            _checked_path(self.each, "each")
        return self


class Stamp(Part):
    """Where the platform says when it signed, and how far from now that may be."""

    header: Name | None = None
    query: Name | None = None
    path: Path | None = None
    unit: Literal["seconds", "millis"] = "seconds"
    within_seconds: int = Field(default=300, ge=10, le=86_400)


class Verify(Part):
    """How a delivery proves whence it comes.

    `hmac`: an HMAC under the secret of the parts in `signed`. `digest`: a plain hash of the parts, the secret among
    them. `token`: the secret itself. `address`: nothing but the secret part of the address. The proof stands in
    `header`, `query` or (by JSONPath) in the body at `path`.
    """

    by: Literal["hmac", "digest", "token", "address"]
    algorithm: Literal["sha256", "sha1", "md5"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    header: Name | None = None
    query: Name | None = None
    path: Path | None = None
    prefix: str = Field(default="", max_length=20)
    signed: tuple[Name, ...] = Field(default=("body",), min_length=1, max_length=8)
    joined_by: str = Field(default="", max_length=4)
    secret_is: Literal["text", "base64"] = "text"  # noqa: S105  # how it is written, not what it is
    timestamp: Stamp | None = None

    @model_validator(mode="after")
    def _whole(self) -> Verify:
        stands = sum(place is not None for place in (self.header, self.query, self.path))
        if stands != (0 if self.by == "address" else 1):
            raise BadInput(
                "签名在哪里，要在 header、query、path 中正好写一个（address 一个都不写）。",
                "Say in exactly one of header, query and path where the proof stands (for address: in none).",
            )
        for part in self.signed:
            known = part in PARTS or part.partition(":")[0] in ("header", "query", "path")
            if not known:
                raise BadInput(f"signed 里的「{part}」不可用。", f"signed: “{part}” is no part that can be signed.")
        if self.by == "digest" and "secret" not in self.signed:
            raise BadInput("digest 的 signed 里必须有 secret。", "With digest the secret is one of what is signed.")
        of_body = any(part == "body" or part.startswith("path:") for part in self.signed)
        if self.by in ("hmac", "digest") and not of_body:
            raise BadInput(
                "signed 里必须有 body 或正文的一部分，否则签名管不住内容。",
                "signed holds the body or a part of it, or the signature says nothing of what was sent.",
            )
        if self.timestamp is not None and "timestamp" not in self.signed:
            raise BadInput(
                "写了 timestamp，signed 里就必须有它：没有签名的时间谁都能改。",
                "With timestamp it is one of what is signed: anybody can change a time that is not.",
            )
        return self


@register
class WebhookDocument(Document):
    """A webhook source: what a platform pushes to `/hooks/<name>`, how it is checked, and which events it is.

    `source` is where its events are said to come from, and the namespace of its member numbers. `body` is JSON or a
    form; `unpack` names fields of it that hold JSON (`json`) or URL-encoded JSON (`urlencoded_json`). `delivery` is the
    platform's own id of a delivery, by which a second arrival is known; without, the body's digest. `called` is the
    name under which what cannot be mapped is counted. Deliveries for which any of `ignore` holds make no event and are
    not held. `answer` is what the platform wants to hear; `challenge` names the query field that it wants repeated when
    it checks the address.
    """

    KIND: ClassVar[str] = "webhook"

    kind: Literal["webhook"]
    source: str = Field(pattern=SOURCE)
    verify: Verify
    body: Literal["json", "form"] = "json"
    unpack: dict[Name, Literal["json", "urlencoded_json"]] = Field(default_factory=dict, max_length=8)
    delivery: Pick | None = None
    called: Pick | None = None
    challenge: str | None = Field(default=None, max_length=60)
    answer: str = Field(default='{"success":true}', max_length=300)
    ignore: tuple[Condition, ...] = Field(default=(), max_length=20)
    events: tuple[EventRule, ...] = Field(min_length=1, max_length=40)
