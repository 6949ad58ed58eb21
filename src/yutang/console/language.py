"""Chinese unless the reader chose otherwise."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware


class ChosenLanguage(LocaleMiddleware):
    """The language that the reader chose with the switch, and Chinese before: what a browser happens to be set to is
    not a choice."""

    def process_request(self, request: HttpRequest) -> None:
        request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
        super().process_request(request)
