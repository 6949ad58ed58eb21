"""Whatever is sent, the answer is the operation's own or one bilingual sentence: never a crash, and no half-kept event
that the pump would choke on."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.api.conftest import ORDER, Call
from tests.house.world import World, broadcast
from yutang.api.collect_schema import collect_paths
from yutang.api.hooks import hook_paths
from yutang.api.routes import api
from yutang.intake.columns import incoming, known, persons_of
from yutang.kernel.clock import wall_now
from yutang.log import services as inbox
from yutang.log.contracts import Envelope
from yutang.log.models import InboxEnvelope

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]

ODD = st.sampled_from(
    [None, True, -1, 0, 2**63, 10**400, 1.5, -0.0, 1e308, "", " ", "\x00", "😀" * 70, "’; DROP TABLE", "owner", "near",
     "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1e400", "NaN", "-0.001", "spend_ever",
     "order.placed", [], {}, [[]], {"": None}, {"trait": "spend_ever", "in": [1, None]}]
)  # fmt: skip
JUNK = st.recursive(
    ODD | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SEGMENT = {
    "kind": "segment",
    "name": "fuzzed",
    "title": {"zh": "买", "en": "F"},
    "where": {
        "all": [
            {"trait": "spend_ever", "between": [1, 20]},
            {
                "not": {
                    "event": "order.placed",
                    "within": "30d",
                    "count": {"at_least": 1},
                    "where": {"amount": {"is": 3}},
                }
            },
            {"bought": {"categories": ["milk"]}, "spend": {"more_than": 1}},
            {"any": [{"tag": "x"}, {"store": "near"}, {"consent": {"purpose": "marketing"}}, {"segment": "overdue"}]},
        ]
    },
}
PLAN = {**broadcast("fuzzed", "试").as_data(), "start": "2026-03-02T12:00:00+08:00", "waves": [0.5, 1]}
BODIES = {"/events": {"events": [ORDER]}, "/segments": SEGMENT, "/plans": PLAN}


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, item in inner for place in places(item, (*here, key)))]


@st.composite
def bodies(draw: st.DrawFn, path: str) -> Any:
    """A body of the operation with some of it replaced, taken out or added to."""
    body = copy.deepcopy(next((body for prefix, body in BODIES.items() if path.startswith(prefix)), {}))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(places(body)))
        if not place:
            return draw(JUNK)
        holder = body
        for key in place[:-1]:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                del holder[place[-1]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(JUNK)
            case _:
                holder[place[-1]] = draw(JUNK)
    return body


@cache
def operations() -> list[tuple[str, str, list[str]]]:
    """Method, path and query parameters of every operation, from the code."""
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    return [
        (method.upper(), path, [p["name"] for p in operation["parameters"] if p["in"] == "query"])
        for path, methods in paths.items()
        # These stand beside Django; tests/api/collect and tests/intake/test_hooks.py ask them.
        if path not in {*collect_paths(), *hook_paths()}
        for method, operation in methods.items()
    ]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any, dict[str, Any]]:
    """A request to any operation."""
    method, path, query = draw(st.sampled_from(operations()))
    template = path
    for name in ("name", "person", "plan"):
        if f"{{{name}}}" in path:
            good = {"name": "overdue", "person": "1", "plan": "1"}[name]
            value = draw(st.just(good) | st.text(min_size=1, max_size=8) | st.integers().map(str))
            path = path.replace(f"{{{name}}}", quote(value.encode(errors="replace").decode(), safe=""))
    given = {
        name: draw(st.text(max_size=12) | st.integers().map(str) | st.sampled_from(["spend_ever", "-lifecycle", "1"]))
        for name in query
        if draw(st.booleans())
    }
    return method, path, draw(bodies(template)) if method != "GET" else None, given


@pytest.mark.long
@given(request=requests())
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@example(request=("GET", f"/persons/{2**63 - 1}", None, {}))
@example(request=("GET", "/persons", None, {"find": "\x00"}))
@example(request=("POST", "/events", {"events": [{**ORDER, "occurred_at": "0001-01-01T00:00:00+14:00"}]}, {}))
@example(request=("POST", "/events", {"events": [{**ORDER, "identifiers": [{"kind": "phone", "value": "\x00"}]}]}, {}))
@example(request=("PUT", "/segments/fuzzed", {**SEGMENT, "name": 3}, {}))
def test_every_operation_answers_any_request(
    world: World, call: Call, request: tuple[str, str, Any, dict[str, Any]]
) -> None:
    method, path, body, query = request
    answer = call(method, path, body, **{name: text.encode(errors="replace").decode() for name, text in query.items()})
    assert answer.status_code < 500, answer.content
    if answer.status_code not in (405, 200, 201, 202):
        assert set(answer.json()["error"]) == {"zh", "en"}
        assert all(answer.json()["error"].values())
    if answer.status_code == 202:
        the_pump_can_take_what_was_accepted()


def the_pump_can_take_what_was_accepted() -> None:
    envelope = InboxEnvelope.objects.latest("pk")
    arrived = inbox.columns([Envelope(wall_now(), bytes(envelope.sealed))])
    incoming(arrived, persons_of(arrived), known())


@pytest.mark.long
@pytest.mark.parametrize(
    "raw",
    [b"", b"[", b"\xff\xfe", b"null", b"[" * 100_000, b'{"events": NaN}', b'{"events": [{"id": "\\ud800"}]}',
     json.dumps({"events": [{**ORDER, "id": "\ud800"}]}).encode(),
     json.dumps({**SEGMENT, "title": {"zh": "\ud800", "en": "x"}}).encode()],
    ids=["empty", "cut", "bytes", "null", "deep", "nan", "half", "half_id", "half_title"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/events", "/segments/count", "/plans/preview"])
def test_a_body_that_is_no_json_is_refused_in_both_languages(call: Call, path: str, raw: bytes) -> None:
    answer = call("POST", path, raw)
    assert answer.status_code in (400, 422)
    assert set(answer.json()["error"]) == {"zh", "en"}
