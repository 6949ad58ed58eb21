"""The collect API as the OpenAPI document tells it, beside the operations that Django answers."""

from __future__ import annotations

from typing import Any

from yutang.api.collect import CALLS
from yutang.intake.collect.contracts import BATCH_MESSAGES

_ID = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_FREE = {"anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]}
_AT = "2026-03-01T09:30:00.000Z"
_FIELDS: dict[str, dict[str, Any]] = {
    "messageId": {**_TEXT, "examples": ["5f1c6ad6-2f4b-4f0e-8d4a-0d2f9a5f7c11"]},
    "timestamp": {**_TEXT, "examples": [_AT], "description": "When it happened, ISO 8601; without: when it arrives."},
    "sentAt": {**_TEXT, "description": "When the sender sent it, by its own clock."},
    "userId": {**_ID, "examples": ["M-1001"]},
    "anonymousId": _ID,
    "context": {**_FREE, "description": "`page`, `campaign` and `consent` are read; the rest, `ip` too, is dropped."},
}
_OWN: dict[str, dict[str, dict[str, Any]]] = {
    "track": {
        "event": {"type": "string", "examples": ["Product Viewed"]},
        "properties": {**_FREE, "examples": [{"sku": "A-7", "category": "milk", "price": 12.5}]},
    },
    "identify": {"traits": {**_FREE, "examples": [{"name": "王小明", "phone": "13800138000"}]}},
    "page": {"name": {**_TEXT, "examples": ["新品"]}, "category": _TEXT, "properties": _FREE},
    "screen": {"name": {**_TEXT, "examples": ["新品"]}, "category": _TEXT, "properties": _FREE},
    "group": {"groupId": {**_ID, "examples": ["family-7"]}, "traits": _FREE},
    "alias": {"previousId": {**_ID, "examples": ["a-77"]}},
}
_MEANING = {
    "track": "Record what somebody did. Segment's e-commerce names become orders and product events; other names are "
    "event types of the vocabulary or of the brand's own documents.",
    "identify": "Tell who somebody is. Phones, e-mails and unionids join persons only when a trusted key says them.",
    "page": "Record that a page was opened.",
    "screen": "Record that a screen of an app was opened.",
    "group": "Record that somebody belongs to a group.",
    "alias": "Tell that two ids are one person's. Only a trusted key's alias joins persons.",
    "batch": "Record many messages, each with its `type`. All are durable when the answer comes. Messages that are no "
    "events yet (unknown type or field) are held, counted under `held`, and can be replayed. `/v1/import` takes the "
    "same body with times that are history.",
}
_ANSWER = {
    "type": "object",
    "required": ["success"],
    "properties": {"success": {"type": "boolean"}, "held": {"type": "integer", "description": "messages held"}},
}
_SORRY = {
    "type": "object",
    "required": ["success", "code", "message", "error"],
    "properties": {
        "success": {"type": "boolean"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["zh", "en"],
            "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
        },
        "problems": {"type": "array", "items": {"type": "object"}},
    },
}
_REFUSALS = {
    400: "The body cannot be read, is larger than 32 kB (a batch: 500 kB), or is no whole gzip. Nothing was taken.",
    401: "No valid write key: as the user of HTTP basic auth, or `writeKey` in the body.",
    403: "The key takes nothing from this origin.",
    405: "Only POST.",
    429: "Too fast for this key, or busy: nothing was taken; send again after Retry-After seconds.",
    503: "Nothing was taken; send again after Retry-After seconds.",
    507: "The disk is full; nothing was taken.",
}


def _message(call: str) -> dict[str, Any]:
    required = [name for name in ("event", "groupId", "previousId") if name in _OWN[call]]
    return {"type": "object", "required": required, "properties": {**_OWN[call], **_FIELDS}}


def _batch() -> dict[str, Any]:
    one = {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": sorted(_OWN)}, **_FIELDS},
        "additionalProperties": True,
        "examples": [{"type": "track", "messageId": "m-1", "userId": "M-1001", "event": "Product Viewed"}],
    }
    return {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "items": one, "minItems": 1, "maxItems": BATCH_MESSAGES},
            "sentAt": _TEXT,
        },
    }


def collect_paths() -> dict[str, dict[str, Any]]:
    """The operations, by their address from the root."""
    sorry = {"application/json": {"schema": _SORRY}}
    refusals = {str(status): {"description": text, "content": sorry} for status, text in _REFUSALS.items()}
    done = {"200": {"description": "Durable.", "content": {"application/json": {"schema": _ANSWER}}}}
    return {
        f"/v1/{call}": {
            "post": {
                "operationId": f"collect_{call}",
                "summary": call.capitalize(),
                "description": _MEANING[call],
                "tags": ["collect"],
                "parameters": [],
                "security": [{"WriteKey": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _batch() if call == "batch" else _message(call)}},
                },
                "responses": {**done, **refusals},
            }
        }
        for call in CALLS
    }


SECURITY = {"WriteKey": {"type": "http", "scheme": "basic", "description": "The write key as the user, no password."}}
