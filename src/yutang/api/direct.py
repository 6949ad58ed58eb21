"""The door of providers through which the brand speaks: reports, replies and subscriptions. Outside log-in: what comes
in is known by the secret part of the address, and by the provider's signature where it signs."""

from __future__ import annotations

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from yutang.channels.direct.contracts import Heard
from yutang.channels.direct.hearing import MOST_BYTES, hear
from yutang.kernel.errors import BadInput, NotFound, YutangError

_log = structlog.get_logger(__name__)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def direct(request: HttpRequest, kind: str, corp: str, token: str) -> HttpResponse:
    """What is posted is kept before it is answered. What cannot be kept now is answered with 503, and comes again."""
    if len(request.body) > MOST_BYTES:
        return _plain("too large", 413)
    heard = Heard(str(request.method), request.GET.dict(), request.headers.get("Content-Type", ""), request.body)
    try:
        told = hear(kind, corp, token, heard)
    except NotFound:
        return _plain("not found", 404)
    except BadInput as bad:
        _log.warning("a callback was refused", kind=kind[:32], corp=corp[:64], reason=bad.en)
        return _plain("refused", 400)
    except (YutangError, OperationalError) as error:
        _log.warning("a callback could not be kept", kind=kind[:32], corp=corp[:64], reason=type(error).__name__)
        return _plain("try again", 503)
    return HttpResponse(told.answer, content_type=f"{told.content_type}; charset=utf-8")


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
