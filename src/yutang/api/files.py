"""Lists of the API as files: `?format=csv`, `xlsx` or `parquet`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query

from yutang.api.door import viewer_of
from yutang.kernel.clock import wall_now
from yutang.kernel.files import TYPES, later, written
from yutang.organisation.queries import brand
from yutang.organisation.services import audit

MOST_ROWS = 1_000_000
Format = Annotated[
    Literal["json", "csv", "xlsx", "parquet"],
    Query("json", description="As JSON, or the whole list as a file, whatever `limit` and `offset`."),
]

AS_FILES = {
    "responses": {
        200: {"content": {type_: {"schema": {"type": "string", "format": "binary"}} for type_ in TYPES.values()}}
    }
}
"""For the OpenAPI document of an operation that takes a `Format`."""


def file_of(request: HttpRequest, name: str, format: str, rows: Iterable[Mapping[str, Any]]) -> StreamingHttpResponse:
    """Rows as a file of that format, noted in the audit. What is no plain value is written as JSON."""
    viewer, listed = viewer_of(request), list(rows)
    head = list(dict.fromkeys(key for row in listed for key in row))
    audit(viewer, "export", name, rows=len(listed), format=format)
    mark = f"{brand().name} · {name} · {viewer.name} · {wall_now():%Y-%m-%d %H:%M} UTC"
    parts = written(format, head, [[_flat(row.get(key)) for key in head] for row in listed], mark)
    content = later(parts) if isinstance(request, ASGIRequest) else parts
    answer = StreamingHttpResponse(content, content_type=TYPES[format])
    answer["Content-Disposition"] = f'attachment; filename="{name}.{format}"'
    return answer


def _flat(value: object) -> object:
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value
