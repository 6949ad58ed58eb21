"""WeCom's door: its URL check and its callbacks. Outside log-in: what comes in is known by its signature alone."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from yutang.channels.services import Query, check_address, take_callback
from yutang.channels.wecom.callbacks import MOST_BYTES, BadCallback
from yutang.connect.queries import way_of_state
from yutang.kernel.database import refresh_connection
from yutang.kernel.errors import NotFound, YutangError

_log = structlog.get_logger(__name__)


def answer(corp: str, query: Mapping[str, str], body: bytes | None) -> tuple[int, str]:
    """Status and text. The URL check (no body) gets its plain text, an event `success`, being durable by then.

    What cannot be kept now (a full disk, a busy database) is answered with 503, and WeCom may post it again.
    """
    refresh_connection()  # this thread is none of Django's
    said = Query(*(query.get(name, "")[:200] for name in ("msg_signature", "timestamp", "nonce")))
    try:
        if body is None:
            return 200, check_address(corp, said, query.get("echostr", ""))
        if len(body) > MOST_BYTES:
            return 413, "too large"
        take_callback(corp, said, body, way_of_state)
    except NotFound:
        return 404, "not found"
    except BadCallback as bad:
        _log.warning("a callback was refused", corp=corp[:64], reason=bad.en)
        return 403, "refused"
    except (YutangError, OperationalError) as error:
        _log.warning("a callback could not be kept", corp=corp[:64], reason=type(error).__name__)
        return 503, "try again"
    return 200, "success"


@csrf_exempt
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest, corp: str) -> HttpResponse:
    """The door as a page of Django's, for servers that know no other."""
    body = request.body if request.method == "POST" else None
    status, text = answer(corp, request.GET.dict(), body)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


async def direct(request: Request) -> Response:
    """The same door without Django's layers, which cost more than the callback itself."""
    body = None
    if request.method == "POST":
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:  # answered before the rest of it is read
                break
    status, text = await run_in_threadpool(answer, request.path_params["corp"], request.query_params, body)
    return PlainTextResponse(text, status_code=status)
