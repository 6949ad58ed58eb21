"""What phones send when they have a network: JSON objects under ids made on the phone (`mobile.js: record`)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse, JsonResponse

from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput
from yutang.mobile.session import PhoneRequest
from yutang.tasks.once import once

LARGEST = 20_000
OLDEST = timedelta(days=7)
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_ID = re.compile(r"[0-9a-f]{32}")
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")  # no database keeps it, and the phone would send it again for ever


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded. `at` is when it was done, in business time: as long before now as the phone says, at most a
    week, since a phone's clock may be wrong."""

    id: str
    at: datetime
    given: Mapping[str, Any] = field(repr=False)

    def text(self, name: str, longest: int = 400) -> str:
        """A text, empty if absent. Raises BadInput for one that is too long, or none."""
        value = self.given.get(name, "")
        if not isinstance(value, str) or len(value) > longest or _UNKEEPABLE.search(value):
            raise BadInput(
                f"{name} 应是至多 {longest} 字的文字。", f"{name} must be a text of at most {longest} characters."
            )
        return value.strip()

    def number(self, name: str) -> int:
        """A whole number of 64 bits, as a number or a text: scripts count exactly to 2⁵³ only. Raises BadInput."""
        return whole(name, self.given.get(name))


def whole(name: str, value: object) -> int:
    """A whole number of 64 bits. Raises BadInput."""
    text = str(value)
    if isinstance(value, bool) or not _WHOLE.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise BadInput(f"{name} 应是整数。", f"{name} must be a whole number.")
    return int(text)


def recorded(request: PhoneRequest) -> Recording:
    """What a request says. Raises BadInput."""
    body = request.body
    try:
        given = json.loads(body) if len(body) <= LARGEST else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not _ID.fullmatch(str(given.get("id", ""))):
        raise BadInput("内容应是带 id 的 JSON。", "The body must be a JSON object with an id.")
    try:
        done = datetime.fromisoformat(str(given.get("at", "")).replace("Z", "+00:00"))
        age = wall_now() - done
    except (ValueError, TypeError):  # no time, or one without a zone
        raise BadInput("at 应是带时区的时间。", "at must be a time with its zone.") from None
    return Recording(str(given["id"]), business_now() - min(max(age, timedelta()), OLDEST), given)


def kept(request: PhoneRequest, kind: str, act: Callable[[Recording], dict[str, Any]]) -> HttpResponse:
    """Do once what a request says was recorded, and answer in JSON with what came of it."""
    said = recorded(request)
    return JsonResponse(once(request.phone.viewer, said.id, kind, said.at, lambda: act(said)))
