"""Whether a delivery comes from whom it says. Pure but for the instant it is given; compares in constant time.

Sources: Shopify, "Deliver webhooks through HTTPS" (HMAC-SHA-256 of the raw body, base64, X-Shopify-Hmac-Sha256);
有赞云 消息推送 (Event-Sign: MD5 of client_id, raw body and client_secret); Standard Webhooks 1.0 (v1 signatures).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from yutang.intake.hooks.contracts import Delivery
from yutang.intake.hooks.documents import Stamp, Verify, WebhookDocument
from yutang.intake.hooks.mapping import Stuck, arrived, found_in, text_of
from yutang.kernel.errors import Refused

MOST_SIGNATURES = 5


class BadSignature(Refused):
    """A delivery that is not proved to come from its platform."""


def check(document: WebhookDocument, delivery: Delivery, secret: str, client: str, now: datetime) -> None:
    """Raise BadSignature unless the delivery is proved as the document says. `secret` is never empty."""
    rule = document.verify
    if rule.by == "address":
        return  # its address was its proof
    proof = _place(document, rule, delivery)
    if not proof:
        raise _bad("没有签名", "the signature is missing")
    if rule.by == "token":
        if not hmac.compare_digest(proof.removeprefix(rule.prefix).encode(), secret.encode()):
            raise _bad("令牌不对", "the token is wrong")
        return
    stamp = _stamp(document, rule.timestamp, delivery, now) if rule.timestamp else ""
    wanted = _signature(document, rule, delivery, secret, client, stamp)
    given = [one.removeprefix(rule.prefix) for one in proof.split()[:MOST_SIGNATURES] if one.startswith(rule.prefix)]
    if sum(hmac.compare_digest(_plain(one, rule.encoding), wanted) for one in given) == 0:  # each, whatever the first
        raise _bad("签名不对", "the signature is wrong")


def _signature(
    document: WebhookDocument, rule: Verify, delivery: Delivery, secret: str, client: str, stamp: str
) -> bytes:
    own: Mapping[str, bytes] = {
        "body": delivery.body, "secret": secret.encode(), "client": client.encode(), "timestamp": stamp.encode()
    }  # fmt: skip
    parts = [own[part] if part in own else _part(document, part, delivery).encode() for part in rule.signed]
    signed = rule.joined_by.encode().join(parts)
    if rule.by == "digest":
        return hashlib.new(rule.algorithm, signed, usedforsecurity=True).digest()
    return hmac.digest(_key(secret, rule.secret_is), signed, rule.algorithm)


def _key(secret: str, form: str) -> bytes:
    if form == "text":
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:  # binascii's, or that of what is not even ASCII
        raise _bad("密钥不是 base64", "the secret is no base64") from None


def _plain(text: str, encoding: str) -> bytes:
    """A signature as bytes; nothing where it cannot be read."""
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _place(document: WebhookDocument, rule: Verify | Stamp, delivery: Delivery) -> str:
    if rule.header is not None:
        return delivery.headers.get(rule.header.lower(), "")
    if rule.query is not None:
        return delivery.query.get(rule.query, "")
    return _from_body(document, rule.path or "$", delivery)


def _part(document: WebhookDocument, part: str, delivery: Delivery) -> str:
    where, _, name = part.partition(":")
    if where == "header":
        return delivery.headers.get(name.lower(), "")
    if where == "query":
        return delivery.query.get(name, "")
    return _from_body(document, name, delivery)


def _from_body(document: WebhookDocument, path: str, delivery: Delivery) -> str:
    """A value of the body as it came: what is packed inside it is signed packed."""
    try:
        found = found_in(arrived(document.model_copy(update={"unpack": {}}), delivery).body, path)
    except Stuck:
        return ""
    return (text_of(found[0]) or "") if found else ""


def _stamp(document: WebhookDocument, rule: Stamp, delivery: Delivery, now: datetime) -> str:
    said = _place(document, rule, delivery)
    if not said.isascii() or not said.isdigit() or len(said) > 15:
        raise _bad("没有时间戳", "the timestamp is missing")
    at = int(said) / (1000 if rule.unit == "millis" else 1)
    if abs(now.timestamp() - at) > rule.within_seconds:
        raise _bad("时间戳太旧或太新", "the timestamp is too old or ahead of time")
    return said


def _bad(zh: str, en: str) -> BadSignature:
    return BadSignature(f"没有收下：{zh}。", f"This was not taken: {en}.")
