"""The platforms' door: what they push is known by its signature alone, and answered when it is durable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from yutang.intake.hooks.contracts import MOST_BYTES, Delivery
from yutang.intake.hooks.services import answer_type, challenge, take
from yutang.intake.hooks.verify import BadSignature
from yutang.kernel.database import is_full, refresh_connection
from yutang.kernel.errors import NotFound, OutOfSpace, YutangError

PLAIN = "text/plain; charset=utf-8"
_log = structlog.get_logger(__name__)
_HEADERS = 60
_LONG = 2_000
_LEFT_OUT = ("cookie", "x-forwarded-for", "x-real-ip", "forwarded", "via")
_WAIT = {503: "1", 507: "60"}

Said = tuple[int, str, str]


def answer(name: str, place: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes | None) -> Said:
    """Status, text and media type. No body: the platform checks the address. What cannot be kept now is answered with
    503 or 507, and the platform pushes it again."""
    refresh_connection()  # this thread is none of Django's
    try:
        if body is None:
            return 200, challenge(name, place, dict(query)), PLAIN
        if len(body) > MOST_BYTES:
            return 413, "too large", PLAIN
        if not body:
            return 400, "empty", PLAIN
        taken = take(name, place, Delivery(body, _kept(headers), {key: value[:_LONG] for key, value in query.items()}))
        return 200, taken.answer, answer_type(taken.answer)
    except NotFound:
        return 404, "not found", PLAIN
    except BadSignature as bad:
        _log.warning("a webhook's delivery was refused", hook=name[:63], reason=bad.en)
        return 401, "refused", PLAIN
    except (YutangError, OperationalError) as error:
        _log.warning("a webhook's delivery could not be kept", hook=name[:63], reason=type(error).__name__)
        full = isinstance(error, OutOfSpace) or is_full(error)
        return (507, "out of space", PLAIN) if full else (503, "try again", PLAIN)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may matter, by small names: never cookies, nor what a proxy added about somebody's address."""
    named = {name.lower(): value[:_LONG] for name, value in headers.items()}
    return dict([(name, value) for name, value in named.items() if name not in _LEFT_OUT][:_HEADERS])


@csrf_exempt
@require_http_methods(["GET", "POST"])
def hook(request: HttpRequest, name: str, place: str = "") -> HttpResponse:
    """The door as a page of Django's, for servers that know no other."""
    body = request.body if request.method == "POST" else None
    status, text, kind = answer(name, place, request.headers, request.GET.dict(), body)
    return HttpResponse(text, status=status, content_type=kind, headers=_more(status))


async def direct(request: Request) -> Response:
    """The same door without Django's layers, which would put a large body into a file."""
    body = None
    if request.method == "POST":
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:  # answered before the rest of it is read
                break
        body = b"".join(parts)
    given: dict[str, Any] = request.path_params
    status, text, kind = await run_in_threadpool(
        answer, given["name"], given.get("place", ""), request.headers, request.query_params, body
    )
    return Response(text, status_code=status, headers={"content-type": kind, **_more(status)})


def _more(status: int) -> dict[str, str]:
    return {"x-content-type-options": "nosniff", **({"retry-after": _WAIT[status]} if status in _WAIT else {})}


def hook_paths() -> dict[str, dict[str, Any]]:
    """The door as the OpenAPI document tells it, by its address from the root."""
    text = {"text/plain": {"schema": {"type": "string"}}}
    refusals = {
        "400": "The body is empty.",
        "401": "The delivery is not proved as its webhook document says; nothing was taken.",
        "404": "No such webhook is open.",
        "413": f"The body is larger than {MOST_BYTES // 1024} kB.",
        "503": "Nothing was taken; push it again after Retry-After seconds.",
        "507": "The disk is full; nothing was taken.",
    }
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 63}}
    place = {"name": "place", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 60}}

    def operations(suffix: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
        common = {"tags": ["webhooks"], "parameters": parameters, "security": []}
        told = {status: {"description": said, "content": text} for status, said in refusals.items()}
        return {
            "post": {
                **common,
                "operationId": f"hook_push{suffix}",
                "summary": "Push",
                "description": "A platform's delivery, proved as the webhook document of that name says. Durable when "
                "the answer comes; a second arrival changes nothing; what cannot be mapped is held and can be "
                "replayed.",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {}},
                        "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
                    },
                },
                "responses": {"200": {"description": "Durable: what the platform wants to hear."}, **told},
            },
            "get": {
                **common,
                "operationId": f"hook_check{suffix}",
                "summary": "Check the address",
                "description": "Repeats the field that the webhook document names as `challenge`.",
                "responses": {"200": {"description": "The field's value.", "content": text}, "404": told["404"]},
            },
        }

    return {"/hooks/{name}": operations("", [name]), "/hooks/{name}/{place}": operations("_placed", [name, place])}
