"""What Official Accounts and mini-programs have in common: the token, the errors, and the callbacks.

The token is `stable_token`'s: the same for whoever asks until five minutes before its end, so that several processes do
not end one another's. Callbacks come plain or encrypted, as XML or JSON (微信开放文档, 消息推送).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from yutang.channels.contracts import AnswerLost
from yutang.channels.direct.calling import Caller
from yutang.channels.direct.contracts import Answer, Field, Given, Heard, Outcome, Pause
from yutang.channels.wecom.callbacks import CallbackCrypto
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput

ADDRESS = "https://api.weixin.qq.com"
TOKEN_REFUSED = (40001, 40014, 42001)
BUSY = (-1,)
SLOWLY = (45009, 45011)
ACCOUNT = (40013, 40125, 40164, 40243, 48001, 48004, 50002, 89503, 89506, 89507, 61024)
BAD_ADDRESS = (40003,)
MARGIN = timedelta(minutes=5)

FIELDS = (
    Field("secret", "AppSecret", "AppSecret", secret=True),
    Field(
        "templates", "模板", "Templates", lines=True, needed=False,
        hint_zh="每个模板：一行模板 ID，下面是模板内容，例如「商品：{{thing1.DATA}}」；模板之间空一行。",
        hint_en="For each: a line with its id, below it its text such as 商品：{{thing1.DATA}}; then an empty line.",
    ),
    Field("callback_token", "消息推送 Token", "Token of message push", secret=True, needed=False),
    Field("callback_key", "EncodingAESKey", "EncodingAESKey", secret=True, needed=False,
          hint_zh="填了就只收加密的消息", hint_en="with it only encrypted messages are taken"),
    Field(
        "address", "接口地址", "Address of the API", needed=False, hint_zh="一般不用填",
        hint_en="usually left empty",
    ),
)  # fmt: skip


class Client:
    """The API of one app."""

    def __init__(self, given: Given) -> None:
        self._caller = Caller(given["address"] or ADDRESS)
        self._app, self._secret = given.corp, given["secret"]
        self._token, self._until = "", datetime(2000, 1, 1, tzinfo=UTC)
        self._lock = threading.Lock()

    def call(self, path: str, body: Mapping[str, Any]) -> Any:
        """One call, repeated once with another token where this one was refused. Raises Pause and AnswerLost."""
        token = self._current()
        answer = self._call(path, token, body)
        if errcode(answer) in TOKEN_REFUSED:
            answer = self._call(path, self._current(refused=token), body)
        code = errcode(answer)
        if code in ACCOUNT or code in TOKEN_REFUSED:
            raise Pause(
                f"微信不收这个账号的调用（{code}）。请检查 AppID、AppSecret、接口权限和 IP 白名单。",
                f"WeChat refuses the account ({code}). Check its AppID, AppSecret, permissions and IP list.",
            )
        if code in SLOWLY:
            raise Pause(f"已到微信的调用上限（{code}），稍后继续。", f"WeChat's limit is reached ({code}).", 3_600.0)
        return answer

    def _call(self, path: str, token: str, body: Mapping[str, Any]) -> Any:
        raw = json.dumps(body, ensure_ascii=False).encode()
        return self._caller.call(path, "POST", path, params={"access_token": token}, content=raw)

    def _current(self, refused: str = "") -> str:
        with self._lock:
            if self._token and self._token != refused and wall_now() < self._until:
                return self._token
            force = self._token == refused and bool(refused)
            body = {"grant_type": "client_credential", "appid": self._app, "secret": self._secret}
            try:
                answer = self._caller.call(
                    "stable_token", "POST", "/cgi-bin/stable_token", json={**body, "force_refresh": force}
                )
            except AnswerLost as lost:  # a token may be asked for again: nothing was sent
                raise Pause("微信没有给出 access_token。", f"WeChat gave no token: {lost.en}", 60.0) from None
            if not answer.get("access_token"):
                raise Pause(
                    f"微信不给 access_token（{errcode(answer)}）。请检查 AppID、AppSecret 和 IP 白名单。",
                    f"WeChat gives no token ({errcode(answer)}). Check its AppID, AppSecret and IP list.",
                )
            self._token = str(answer["access_token"])
            self._until = wall_now() + max(timedelta(seconds=int(answer.get("expires_in", 7_200))) - MARGIN, MARGIN / 5)
            return self._token


def errcode(answer: Mapping[str, Any]) -> int:
    """0 where none is said: many answers have none."""
    return int(answer.get("errcode") or 0)


def answer_of(uid: str, answer: Mapping[str, Any]) -> Answer:
    """What an answer says of one letter."""
    code = errcode(answer)
    if code == 0:
        return Answer(uid, Outcome.TAKEN, provider_id=str(answer.get("msgid", "")))
    if code in BUSY:
        return Answer(uid, Outcome.LATER, f"weixin_{code}")
    return Answer(uid, Outcome.REFUSED, f"weixin_{code}", bad_address=code in BAD_ADDRESS)


@dataclass(frozen=True, slots=True)
class Push:
    """One message or event as WeChat pushed it; `lists` are the objects below an element called List."""

    elements: Mapping[str, str] = field(repr=False)
    lists: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    def __getitem__(self, name: str) -> str:
        return self.elements.get(name, "")

    @property
    def at(self) -> datetime:
        """CreateTime."""
        said = self["CreateTime"]
        plain = said.isascii() and said.isdecimal() and len(said) == 10
        return datetime.fromtimestamp(int(said), UTC) if plain else wall_now()

    @property
    def key(self) -> str:
        """The same for a push that is repeated: messages have an id, events who and when (微信开放文档)."""
        return self["MsgId"] or f"{self['FromUserName']}:{self['CreateTime']}:{self['Event']}"


class Pushes:
    """Reads what is pushed to an app, once the platform's signature holds."""

    def __init__(self, given: Given) -> None:
        self._token, self._key, self._app = given["callback_token"], given["callback_key"], given.corp
        if self._key:
            CallbackCrypto(self._token, self._key, self._app)

    def echo(self, heard: Heard) -> str:
        """The answer to the address check. Raises BadInput."""
        self._check(heard)
        return heard.query.get("echostr", "")

    def read(self, heard: Heard) -> Push:
        """A push. Raises BadInput."""
        push = _parsed(heard.body)
        sealed = push["Encrypt"]
        if not self._key:
            self._check(heard)
            return push
        if not sealed:
            raise BadInput("没有加密的推送不收。", "What is pushed without encryption is not taken.")
        crypto = CallbackCrypto(self._token, self._key, self._app)
        query = heard.query
        crypto.check(query.get("msg_signature", ""), query.get("timestamp", ""), query.get("nonce", ""), sealed)
        return _parsed(crypto.decrypt(sealed))

    def _check(self, heard: Heard) -> None:
        parts = sorted((self._token, heard.query.get("timestamp", ""), heard.query.get("nonce", "")))
        wanted = hashlib.sha1("".join(parts).encode()).hexdigest()  # noqa: S324  # the platform's choice
        if not self._token or not hmac.compare_digest(wanted.encode(), heard.query.get("signature", "").encode()):
            raise BadInput("微信推送的签名不符，请核对 Token。", "The push bears a wrong signature; compare the Token.")


def _parsed(body: bytes) -> Push:
    if body.lstrip()[:1] == b"{":
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            raise BadInput("推送内容读不懂。", "The push cannot be read.") from None
        rows = said.get("List") or []
        rows = rows if isinstance(rows, list) else [rows]
        plain = {name: str(value) for name, value in said.items() if not isinstance(value, list | dict)}
        return Push(plain, tuple({k: str(v) for k, v in row.items()} for row in rows if isinstance(row, dict)))
    try:
        root: Element = ElementTree.fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise BadInput("推送内容读不懂。", "The push cannot be read.") from None
    elements = {child.tag: (child.text or "").strip() for child in root}
    rows = [{one.tag: (one.text or "").strip() for one in item} for item in root.iter("List")]
    return Push(elements, tuple(rows))
