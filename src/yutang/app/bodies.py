"""Bodies of requests: never laid down in clear, and never larger than the page that asks for them takes.

Django keeps what is large in a temporary file; a list of customers would stand there for anybody who reads the disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import parse_cookie

from yutang.console.imports import UPLOAD_PATH
from yutang.intake.imports import UPLOADS, directory
from yutang.intake.uploads import MOST_BYTES
from yutang.kernel.sealed import SealedSpool

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_ROOM = 1_000_000  # what a form holds beside its file
_SORRY = "请求太大了。The request is too large."


class TooLarge(Exception):
    """More came than the page takes."""


def _logged_in(scope: Mapping[str, Any]) -> bool:
    """Whether somebody sends this who is logged in: nobody else's large body is laid down, sealed or not."""
    said = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    key = parse_cookie(said).get(settings.SESSION_COOKIE_NAME)
    return bool(key) and SESSION_KEY in SessionStore(key)


class Pages(ASGIHandler):
    """Django's handler, with bodies of its own."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        large = scope["path"] == UPLOAD_PATH and await sync_to_async(_logged_in)(scope)
        most = (MOST_BYTES if large else settings.FILE_UPLOAD_MAX_MEMORY_SIZE) + _ROOM
        said = dict(scope["headers"]).get(b"content-length", b"0")
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise TooLarge
            return message

        try:
            if said.isdigit() and int(said) > most:
                raise TooLarge
            await super().__call__(scope, counted, send)
        except TooLarge:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": _SORRY.encode()})

    async def read_body(self, receive: Receive) -> Any:
        """The body, sealed where it is large."""
        path = directory() / UPLOADS / f"body-{secrets.token_hex(16)}.sealed"
        body = SealedSpool(path, "request.body", settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestAborted
                body.write(message.get("body", b""))
                if not message.get("more_body", False):
                    body.seek(0)
                    return body
        except BaseException:
            body.close()
            raise
