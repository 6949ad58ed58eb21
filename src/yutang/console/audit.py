"""审计: who did what and when, for the owner; `?verb=` and `?actor=` keep some, `?export=` gives them as a file."""

from __future__ import annotations

import json

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from yutang.console.pages import Page, page
from yutang.console.tables import Pager, exported, page_number, wanted_format
from yutang.organisation.queries import audit_entries, audit_verbs

MOST_EXPORTED = 100_000


@page
@require_safe
def audit(request: Page) -> HttpResponseBase:
    """The list."""
    verb, actor = request.GET.get("verb", "")[:40], request.GET.get("actor", "")[:80]
    if wanted_format(request):
        _total, entries = audit_entries(request.viewer, verb=verb, actor=actor, limit=MOST_EXPORTED)
        head = [_("时间"), _("谁"), _("做了什么"), _("对什么"), _("细节")]
        rows = [
            (one.at, one.actor, one.verb, one.subject, json.dumps(one.detail, ensure_ascii=False)) for one in entries
        ]
        return exported(request, "audit", head, rows)
    number = page_number(request)
    total, entries = audit_entries(request.viewer, verb=verb, actor=actor, offset=(number - 1) * 50)
    context = {
        "rows": [(one, _text(one.detail)) for one in entries],
        "pager": Pager(number, total),
        "verbs": audit_verbs(),
        "verb": verb,
        "actor": actor,
    }
    return render(request, "console/audit.html", context)


def _text(detail: dict[str, object]) -> str:
    return json.dumps(detail, ensure_ascii=False) if detail else ""


urls = [path("settings/audit/", audit, name="audit")]
