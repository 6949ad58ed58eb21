"""The API's door: tokens with scopes, and every refusal as one bilingual sentence."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn, cast

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Path, Query
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.security import HttpBearer
from ninja.types import DictStrAny

from yutang import __version__
from yutang.api.collect_schema import SECURITY, collect_paths
from yutang.api.hooks import hook_paths
from yutang.api.schemas import ErrorOut
from yutang.kernel.database import is_full
from yutang.kernel.errors import BadInput, NotFound, OutOfSpace, Refused, Unavailable, YutangError
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import viewer_by_token
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.current import current_warehouse

LARGEST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=LARGEST)]
Limit = Annotated[int, Query(100, ge=1, le=1000)]
Offset = Annotated[int, Query(0, ge=0, le=LARGEST // 2)]
REFUSALS = {frozenset({400, 401, 403, 404, 422, 503, 507}): ErrorOut}
"""What any operation may answer beside its own."""

_STATUS: tuple[tuple[type[YutangError], int], ...] = (
    (NotFound, 404),
    (Refused, 403),
    (Unavailable, 503),
    (OutOfSpace, 507),
)


class Token(HttpBearer):
    """`Authorization: Bearer yt_…` with the scope that the operation asks for."""

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Viewer | None:
        found = viewer_by_token(token)
        if found is None:
            return None
        viewer, scopes = found
        if self.scope not in scopes:
            raise Refused(
                f"这个令牌没有「{self.scope}」权限，请换一个令牌。",
                f"This token lacks the scope “{self.scope}”; use another.",
            )
        return viewer


class StrictJson(Parser):
    """JSON as its standard has it: no NaN, and no half characters, which no database and no file can keep."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        text = request.body.decode()
        data = json.loads(text, parse_constant=_no_number)
        if "\\u" in text:  # only an escape can smuggle in half a surrogate pair
            json.dumps(data, ensure_ascii=False).encode()
        return cast("DictStrAny", data)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


class WholeApi(NinjaAPI):
    """The operations that Django answers, and in the document also the collect API and the webhooks' door beside it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._documents: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: DictStrAny | None = None
    ) -> OpenAPISchema:
        """The OpenAPI document of all. Made once a process: operations never change, and it takes a second."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._documents:
            schema = super().get_openapi_schema(path_prefix=prefix, path_params=path_params)
            schema["paths"] = {**schema["paths"], **collect_paths(), **hook_paths()}
            schema["components"].setdefault("securitySchemes", {}).update(SECURITY)
            self._documents[prefix] = schema
        return self._documents[prefix]


api = WholeApi(
    title="Yutang 鱼塘",
    version=__version__,
    description="One log, one gate, one ledger. Times carry their zone. Amounts are decimal text; estimates (lift, "
    'smallest effect) are numbers. Every refusal is `{"error": {"zh", "en"}}`.',
    openapi_url="/openapi.json",
    docs_url=None,
    urls_namespace="api",
    parser=StrictJson(),
)


def viewer_of(request: HttpRequest) -> Viewer:
    """Whose token this request bears."""
    return cast("Viewer", request.auth)  # type: ignore[attr-defined]  # set by ninja


def warehouse() -> Warehouse:
    """The warehouse that answers."""
    return current_warehouse()


def _said(request: HttpRequest, status: int, zh: str, en: str) -> HttpResponse:
    return api.create_response(request, {"error": {"zh": zh, "en": en}}, status=status)


@api.exception_handler(YutangError)
def _yutang_error(request: HttpRequest, error: YutangError) -> HttpResponse:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    return _said(request, status, error.zh, error.en)


@api.exception_handler(ValidationError)
def _bad_request(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    original = first.get("ctx", {}).get("error")
    if isinstance(original, BadInput):
        return _said(request, 422, f"{place}：{original.zh}", f"{place}: {original.en}")
    return _said(request, 422, f"{place} 不可用：{first['msg']}。", f"{place}: {first['msg']}.")


@api.exception_handler(AuthenticationError)
def _no_token(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = _said(
        request,
        401,
        "需要有效的令牌：Authorization: Bearer yt_…。",
        "A valid token is needed: Authorization: Bearer yt_….",
    )
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if error.status_code == 400:
        return _said(request, 400, "请求正文不是有效的 JSON（UTF-8）。", "The body is not valid JSON in UTF-8.")
    zh, en = f"请求不可用：{error.message}。", f"The request cannot be used: {error.message}."
    return _said(request, error.status_code, zh, en)


@api.exception_handler(Http404)
def _no_such_page(request: HttpRequest, error: Http404) -> HttpResponse:
    return _said(request, 404, "没有这个地址。", "There is nothing at this address.")


@api.exception_handler(OperationalError)
def _database(request: HttpRequest, error: OperationalError) -> HttpResponse:
    if is_full(error):
        return _said(
            request,
            507,
            "磁盘已满，这次写入已全部撤销。请腾出空间后再试。",
            "The disk is full and this write was undone whole. Free some space and try again.",
        )
    return _said(request, 503, "数据库正忙，请稍后再试。", "The database is busy; try again in a moment.")
