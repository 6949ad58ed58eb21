"""The HTTP API: thin, no rules of its own. Every call carries a token, every token has scopes and a viewer."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.security import HttpBearer

from yutang import __version__
from yutang.api.schemas import Accepted, ErrorOut, EventsIn
from yutang.kernel.errors import NotFound, OutOfSpace, Refused, Unavailable, YutangError
from yutang.log.services import record
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import viewer_by_token

SCOPES = ("events:write", "read", "plans:write")


class Token(HttpBearer):
    """`Authorization: Bearer yt_…` with one of the scopes that the operation asks for."""

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


api = NinjaAPI(
    title="Yutang 鱼塘",
    version=__version__,
    description="One log, one gate, one ledger. Times carry their zone; money is decimal text.",
    openapi_url="/openapi.json",
    docs_url=None,
    urls_namespace="api",
)
_STATUS: tuple[tuple[type[YutangError], int], ...] = (
    (NotFound, 404),
    (Refused, 403),
    (Unavailable, 503),
    (OutOfSpace, 507),
)


@api.exception_handler(YutangError)
def _yutang_error(request: HttpRequest, error: YutangError) -> HttpResponse:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    return api.create_response(request, {"error": {"zh": error.zh, "en": error.en}}, status=status)


@api.exception_handler(ValidationError)
def _bad_request(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    body = {"error": {"zh": f"{place}：{first['msg']}。", "en": f"{place}: {first['msg']}."}}
    return api.create_response(request, body, status=422)


@api.post("/events", response={202: Accepted, 422: ErrorOut}, auth=Token("events:write"), tags=["log"])
def post_events(request: HttpRequest, body: EventsIn) -> tuple[int, dict[str, int]]:
    """Record facts. All are durable when the answer comes; a second arrival of the same `id` changes nothing."""
    events = [item.event() for item in body.events]
    with transaction.atomic():
        accepted = record(events)
    return 202, {"accepted": accepted}
