"""A kept file as the answer to a browser."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from yutang.files.contracts import FileKind
from yutang.files.queries import content_of, file_facts

_SHOWN = (FileKind.IMAGE, FileKind.VIDEO)
"""What a browser may show: it was looked at when it was kept. Anything else is downloaded, whatever it is."""


def answer_of(digest: str) -> HttpResponse:
    """The file. What is in it never changes, so a browser keeps it. Raises NotFound."""
    facts = file_facts(digest)
    answer = HttpResponse(content_of(digest), content_type=facts.type)
    answer["Content-Disposition"] = content_disposition_header(facts.kind not in _SHOWN, facts.name) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer
