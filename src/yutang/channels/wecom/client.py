"""One corp's app speaking to WeCom's server API over HTTP.

What it promises: a refused token is renewed and the call repeated once, never more (WeCom doc 91039); a call that may
be repeated is tried three times when the platform is busy (doc 90313); a call that may not is never repeated once it
may have left; rates, parallel calls and block windows are kept (doc 90312), and calls that change the same thing go one
after another (45035); no secret, token or recipient is logged.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

import httpx
import structlog

from yutang.channels.contracts import AnswerLost, TryLater, UnexpectedAnswer
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.pacing import Blocks, Pace, Parallel, WeComLimits
from yutang.channels.wecom.tokens import Tokens, TokenStore, token_key
from yutang.kernel.clock import Clock, monotonic, wall_now
from yutang.kernel.errors import BadInput
from yutang.kernel.trust import trusted

log: structlog.stdlib.BoundLogger = structlog.get_logger("yutang.channels.wecom")

BUSY_PAUSE = timedelta(seconds=60)
PARALLEL_PAUSE = timedelta(seconds=5)
BAD_SECRET_PAUSE = timedelta(minutes=5)
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STALE_PAGES = 50
LIFE_OF_A_TOKEN = 7_200
STRIPES = 64  # things that are changed one at a time share so many locks

_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class _Fate(Enum):
    """What became of one HTTP request."""

    ANSWERED = auto()
    NEVER_LEFT = auto()
    REDIRECTED = auto()  # not carried out: WeCom redirects plain HTTP before looking at the call
    LOST = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class _Outcome:
    fate: _Fate
    why: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    content: bytes = field(default=b"", repr=False)

    @property
    def errcode(self) -> int:
        return int(self.data["errcode"]) if self.fate is _Fate.ANSWERED else errcodes.BUSY

    @property
    def errmsg(self) -> str:
        return str(self.data.get("errmsg", ""))

    @property
    def worth_repeating(self) -> bool:
        return self.errcode == errcodes.BUSY and self.fate not in (_Fate.REDIRECTED, _Fate.UNREADABLE)

    @property
    def came_too_close(self) -> bool:
        """Nothing was done, since another call about the same thing was under way."""
        return self.errcode == errcodes.PAIR_BUSY


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for: by POST where there is a body or a file, by GET otherwise. `kept`: a file may come back.
    `open_to_all`: a call that takes no token, since its address is the secret. `alone`: what no other call may change
    at the same time."""

    api: str
    params: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    file: tuple[str, bytes] | None = field(default=None, repr=False)
    kept: bool = False
    open_to_all: bool = False
    alone: str = ""


class WeComClient:
    """Safe to share between threads; make one per corp and app, since the limits on parallel calls are its own.

    `base_url` is `https://qyapi.weixin.qq.com` or a sandbox's address. Give an `http` client to set proxies, whose
    fixed address is what WeCom's list of trusted IPs asks for.
    """

    def __init__(
        self,
        base_url: str,
        corp_id: str,
        secret: str,
        *,
        token_store: TokenStore,
        http: httpx.Client | None = None,
        limits: WeComLimits | None = None,
        blocks: Blocks | None = None,
        now: Clock = wall_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limits = limits or WeComLimits()
        self.now = now
        self._base = _checked_base(base_url)
        self._corp_id = corp_id
        self._secret = secret
        # a proxy set in the environment cannot reach a sandbox on this machine
        outside = self._base.host not in LOOPBACK
        self._http = http or httpx.Client(timeout=TIMEOUT, trust_env=outside, verify=trusted(outside))
        self._sleep = sleep
        self._pace = Pace(self.limits, now, sleep, blocks)
        self._parallel = Parallel(self.limits.parallel, now)
        self._stripes = [threading.Lock() for _ in range(STRIPES)]
        self._token_store = token_store
        self._tokens = Tokens(token_key(corp_id, secret), token_store, self._fetch_token, now)
        self._bad_secret: tuple[datetime, _Outcome] | None = None
        logging.getLogger("httpx").addFilter(_without_query)

    @property
    def corp(self) -> str:
        """The corp for which it speaks."""
        return self._corp_id

    def of_app(self, secret: str) -> WeComClient:
        """A client of another app of the corp (such as the session archive), with a token and rates of its own."""
        return WeComClient(
            str(self._base),
            self._corp_id,
            secret,
            token_store=self._token_store,
            http=self._http,
            limits=self.limits,
            now=self.now,
            sleep=self._sleep,
        )

    def call(
        self,
        api: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        open_to_all: bool = False,
        alone: str = "",
    ) -> Mapping[str, Any]:
        """The answer of `api` (such as `externalcontact/list`), its errcode being 0. POST with a body, GET without.

        A call that is not `repeatable` goes out once, and `AnswerLost` is raised when nobody can say whether it took
        effect. Raises `TryLater`, `RefusedByPlatform`, `UnexpectedAnswer` besides. `open_to_all`: one without a token.
        Calls with the same `alone` (a relation's two ids, say) go one after another.
        """
        return self._ask(_Asked(api, params or {}, body, open_to_all=open_to_all, alone=alone), repeatable)[0]

    def upload(self, api: str, params: Mapping[str, str], name: str, content: bytes) -> Mapping[str, Any]:
        """The answer to a file. It may be repeated: what was uploaded twice has two ids, and one is never used."""
        return self._ask(_Asked(api, params, file=(name, content)), repeatable=True)[0]

    def download(self, api: str, params: Mapping[str, str]) -> bytes:
        """The file that a call answers with."""
        answer, content = self._ask(_Asked(api, params, kept=True), repeatable=True)
        if answer.keys() != {"errcode"}:
            raise UnexpectedAnswer(api, "没有文件", "there is no file")
        return content

    def kept(self, name: str, fetch: Callable[[], tuple[str, int]]) -> Tokens:
        """Something that is fetched now and then and kept as this app's tokens are, beside them."""
        return Tokens(f"{token_key(self._corp_id, self._secret)}:{name}", self._token_store, fetch, self.now)

    def _ask(self, asked: _Asked, repeatable: bool) -> tuple[Mapping[str, Any], bytes]:
        """The data of a good answer, and its file. A refused token is renewed, and the call repeated, once."""
        token = "" if asked.open_to_all else self._tokens.current()
        with self._one_after_another(asked.alone):
            outcome = self._persist(_with(asked, token), repeatable)
            if outcome.errcode in errcodes.TOKEN_REFUSED and not asked.open_to_all:
                outcome = self._persist(_with(asked, self._tokens.current(refused=token)), repeatable)
        return self._judged(asked.api, outcome, repeatable), outcome.content

    def check_secret(self) -> None:
        """Ask `gettoken` itself, whatever token is known: whether corp and secret are right. Raises as `call` does."""
        self._fetch_token()

    def share(self, processes: int) -> None:
        """Take one of so many equal shares of the platform's rates from now on."""
        self._pace.share(processes)

    def _one_after_another(self, alone: str) -> AbstractContextManager[object]:
        """Other processes are kept apart by the platform itself, which answers 45035; then the call is tried again."""
        return self._stripes[hash(alone) % STRIPES] if alone else nullcontext()

    def rows(
        self, api: str, body: Mapping[str, Any], listed: str, identity: Callable[[Mapping[str, Any]], Hashable]
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """All rows under the key `listed` over all pages, each id once, as last read; and the pages without their rows.

        Cursors are opaque and not stable while data change, so rows may come twice; a page may be short or empty and
        still have a next one. `UnexpectedAnswer` when the cursors would never end.
        """
        found: dict[Hashable, Mapping[str, Any]] = {}
        pages: list[Mapping[str, Any]] = []
        stale = 0
        for page in self.pages(api, body):
            pages.append({key: value for key, value in page.items() if key != listed})
            before = len(found)
            try:
                found.update((identity(row), row) for row in page.get(listed) or [])
            except (KeyError, TypeError):
                raise UnexpectedAnswer(api, f"{listed} 里有一行缺少 ID", f"a row of {listed} lacks its id") from None
            stale = stale + 1 if len(found) == before else 0
            if stale >= STALE_PAGES:
                raise _endless(api)
        return list(found.values()), pages

    def pages(self, api: str, body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The answers page by page, by `cursor`. `UnexpectedAnswer` when a cursor comes again."""
        cursors: set[str] = set()
        cursor = ""
        while True:
            page = self.call(api, body={**body, "cursor": cursor} if cursor else body)
            yield page
            cursor = str(page.get("next_cursor") or "")
            if not cursor:
                return
            if cursor in cursors:
                raise _endless(api)
            cursors.add(cursor)

    def _persist(self, asked: _Asked, repeatable: bool) -> _Outcome:
        outcome = self._exchange(asked)
        for attempt in range(1, self.limits.tries):
            if not (outcome.came_too_close or (repeatable and outcome.worth_repeating)):
                break
            self._sleep(self.limits.pause.total_seconds() * 2 ** (attempt - 1))
            outcome = self._exchange(asked)
        return outcome

    def _exchange(self, asked: _Asked) -> _Outcome:
        """One request on the wire, and one line in the log."""
        self._pace.admit(asked.api)
        with self._parallel.place():
            began, started = self.now(), monotonic()
            try:
                response = self._http.request(
                    "GET" if asked.body is None and asked.file is None else "POST",
                    self._base.join(asked.api),
                    params=dict(asked.params),
                    json=asked.body,
                    files=None if asked.file is None else {"media": asked.file},
                    follow_redirects=False,
                )
                outcome = _read(response, asked.kept)
            except _NEVER_LEFT as exc:
                outcome = _Outcome(_Fate.NEVER_LEFT, str(exc) or type(exc).__name__)
            except httpx.RequestError as exc:
                outcome = _Outcome(_Fate.LOST, type(exc).__name__)
        (log.debug if outcome.errcode in errcodes.EVERYDAY else log.warning)(
            "wecom.call",
            api=asked.api,
            errcode=outcome.errcode,
            fate=outcome.fate.name.lower(),
            why=outcome.why,
            hint=errcodes.hint_of(outcome.errmsg),
            milliseconds=round((monotonic() - started) * 1000),
        )
        if outcome.errcode == errcodes.TOO_PARALLEL:
            self._parallel.lower(began)
        return outcome

    def _judged(self, api: str, outcome: _Outcome, repeatable: bool) -> Mapping[str, Any]:
        """The data of a good answer; otherwise the error that says what the caller may do."""
        match outcome.fate:
            case _Fate.NEVER_LEFT:
                raise self._later(api, BUSY_PAUSE, f"网络不通（{outcome.why}）", f"the network is down ({outcome.why})")
            case _Fate.REDIRECTED:
                raise UnexpectedAnswer(api, outcome.why, outcome.why)
            case _Fate.LOST | _Fate.UNREADABLE if not repeatable:
                raise AnswerLost(api, outcome.why)
            case _Fate.LOST:
                raise self._later(api, BUSY_PAUSE, f"没有收到答复（{outcome.why}）", f"no answer came ({outcome.why})")
            case _Fate.UNREADABLE:
                raise UnexpectedAnswer(api, outcome.why, outcome.why)
        match outcome.errcode:
            case errcodes.OK:
                self._pace.passed(api)
                return outcome.data
            case errcodes.BUSY if not repeatable:
                raise AnswerLost(api, "errcode -1")  # “busy” does not say that nothing was done
            case errcodes.BUSY:
                raise self._later(api, BUSY_PAUSE, "平台繁忙", "the platform is busy")
            case errcodes.TOO_OFTEN:
                raise self._pace.block(api)
            case errcodes.TOO_PARALLEL:
                raise self._later(api, PARALLEL_PAUSE, "同时进行的调用太多", "too many calls at the same time")
            case errcodes.PAIR_BUSY:
                raise self._later(api, PARALLEL_PAUSE, "同一对象正在被修改", "the same thing is being changed")
        raise errcodes.refusal(api, outcome.errcode, outcome.errmsg)

    def _later(self, api: str, pause: timedelta, zh: str, en: str) -> TryLater:
        return TryLater(api, self.now() + pause, zh, en)

    def _fetch_token(self) -> tuple[str, int]:
        """WeCom doc 91039. After a bad secret the platform is left alone for a while: it bans insistent callers."""
        api = "gettoken"
        if self._bad_secret is not None and self.now() < self._bad_secret[0]:
            outcome = self._bad_secret[1]
        else:
            asked = _Asked(api, {"corpid": self._corp_id, "corpsecret": self._secret})
            outcome = self._persist(asked, repeatable=True)
            if outcome.errcode in errcodes.BAD_SECRET:
                self._bad_secret = (self.now() + BAD_SECRET_PAUSE, outcome)
        data = self._judged(api, outcome, repeatable=True)
        token = data.get("access_token")
        if not isinstance(token, str) or not token:
            raise UnexpectedAnswer(api, "没有 access_token", "there is no access_token")
        return token, int(data.get("expires_in") or LIFE_OF_A_TOKEN)


def _endless(api: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(api, "翻页游标没有尽头", "its cursors have no end")


def instant(seconds: object) -> datetime | None:
    """A time of the API (Unix seconds, now and then as a string) as aware UTC; None where it is absent or 0."""
    return datetime.fromtimestamp(int(str(seconds)), UTC) if seconds else None


def _with(asked: _Asked, token: str) -> _Asked:
    return replace(asked, params={**asked.params, "access_token": token}) if token else asked


def _read(response: httpx.Response, kept: bool) -> _Outcome:
    """WeCom answers business errors with HTTP 200; any other status comes from something in between. A file says how
    it is called, an error in its place does not."""
    if response.is_redirect:
        return _Outcome(_Fate.REDIRECTED, f"HTTP {response.status_code}")
    if response.status_code >= 500:
        return _Outcome(_Fate.LOST, f"HTTP {response.status_code}")
    if response.status_code != 200:
        return _Outcome(_Fate.UNREADABLE, f"HTTP {response.status_code}")
    if kept and "content-disposition" in response.headers:
        return _Outcome(_Fate.ANSWERED, data={"errcode": errcodes.OK}, content=response.content)
    try:
        # customers' names hold raw control characters and cut emoji, which strict decoding would refuse
        data = json.loads(response.content.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return _Outcome(_Fate.UNREADABLE, "no JSON")
    if not isinstance(data, dict) or not isinstance(data.get("errcode"), int):
        return _Outcome(_Fate.UNREADABLE, "no errcode")
    return _Outcome(_Fate.ANSWERED, data=data)


def _checked_base(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.rstrip("/").removesuffix("/cgi-bin") + "/cgi-bin/")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise BadInput(
            f"「{base_url}」不是接口地址，应类似 https://qyapi.weixin.qq.com。",
            f"“{base_url}” is not an address such as https://qyapi.weixin.qq.com.",
        )
    return url


def _without_query(record: logging.LogRecord) -> bool:
    """httpx logs each request's whole address, in which WeCom's secret and token stand: cut the query off."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True
