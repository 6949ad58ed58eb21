"""What WeCom calls us with: its signature, its encryption, its XML, and which of its events are ours to record.

WeCom docs 90930, 90968 and 92130. Everything here is pure: bytes in, values out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from yutang.kernel.errors import BadInput

BLOCK = 32  # WeCom pads to 32 bytes, not to AES's 16
PREFIX = 16
MOST_BYTES = 1 << 20

#: (Event, ChangeType) → our type. What is not here is kept and counted, and nothing else is done with it yet.
FRIENDSHIP: Mapping[tuple[str, str], str] = {
    ("change_external_contact", "add_external_contact"): "relation.added",
    ("change_external_contact", "add_half_external_contact"): "relation.half_added",
    ("change_external_contact", "del_external_contact"): "relation.lost",
    ("change_external_contact", "del_follow_user"): "relation.lost",
}
#: Not the event's own: they differ between two apps that are told of the same event.
PER_APP = frozenset({"WelcomeCode", "AgentID", "ToUserName"})


class BadCallback(BadInput):
    """A call that WeCom did not make, or that was damaged on its way. Nothing of it is kept."""


def _refused(zh: str, en: str) -> BadCallback:
    return BadCallback(
        f"企业微信回调{zh}，请核对后台填写的 Token 与 EncodingAESKey。",
        f"The WeCom callback {en}; compare its Token and EncodingAESKey with the admin console's.",
    )


@dataclass(frozen=True, slots=True)
class CallbackCrypto:
    """One receiver: its Token, its EncodingAESKey (43 characters) and its receive id (a corp's own app: the corp's)."""

    token: str = field(repr=False)
    key: str = field(repr=False)
    receive_id: str

    def __post_init__(self) -> None:
        if len(self.key) != 43 or not self.key.isascii() or not self.key.isalnum():
            raise _refused("的 EncodingAESKey 应为 43 位字母和数字", "key must be 43 letters and digits")

    @property
    def _secret(self) -> bytes:
        # the 43rd character may carry bits that no byte takes; real keys do, and strict decoders refuse them
        return base64.b64decode(self.key + "=")[:32]

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        """`msg_signature`: SHA-1 of the four texts in the order of their bytes."""
        parts = sorted(text.encode() for text in (self.token, timestamp, nonce, encrypted))
        return hashlib.sha1(b"".join(parts)).hexdigest()  # noqa: S324  # the platform's choice (doc 90968)

    def check(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> None:
        """Raise BadCallback where the signature is not ours; looked at before anything is decrypted."""
        expected = self.sign(timestamp, nonce, encrypted)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise _refused("签名不符", "bears a wrong signature")

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside. Raises BadCallback when it is damaged or meant for another receiver."""
        try:
            raw = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError):
            raise _refused("的密文不是 base64", "is not base64") from None
        if not raw or len(raw) % BLOCK:
            raise _refused("的密文长度不对", "has a length that no padding leaves")
        secret = self._secret
        opened = Cipher(AES(secret), CBC(secret[:16])).decryptor()
        plain = opened.update(raw) + opened.finalize()
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
            raise _refused("无法解密", "cannot be decrypted")
        plain = plain[:-pad]
        if len(plain) < PREFIX + 4:
            raise _refused("的内容太短", "is too short")
        (size,) = struct.unpack(">I", plain[PREFIX : PREFIX + 4])
        message, receiver = plain[PREFIX + 4 : PREFIX + 4 + size], plain[PREFIX + 4 + size :]
        if len(message) != size or receiver != self.receive_id.encode():
            raise _refused("是发给另一个企业的", "is meant for another receiver")
        return message

    def encrypt(self, message: bytes, prefix: bytes | None = None) -> str:
        """What WeCom sends for a message; `prefix` (16 bytes) is random but in tests."""
        front = secrets.token_bytes(PREFIX) if prefix is None else prefix
        plain = front + struct.pack(">I", len(message)) + message + self.receive_id.encode()
        pad = BLOCK - len(plain) % BLOCK
        secret = self._secret
        sealed = Cipher(AES(secret), CBC(secret[:16])).encryptor()
        return base64.b64encode(sealed.update(plain + bytes([pad]) * pad) + sealed.finalize()).decode()


def encrypted_part(body: bytes) -> str:
    """The `Encrypt` element of a posted envelope, whatever the order of the others. Raises BadCallback."""
    found = _root(body).findtext("Encrypt")
    if not found or not found.strip():
        raise _refused("没有 Encrypt", "has no Encrypt element")
    return found.strip()


@dataclass(frozen=True, slots=True)
class Notice:
    """One event that WeCom tells of: its elements by name, those with children as their items' texts.

    The platform gives no event id, so `digest` (of the whole decrypted body) makes a second arrival harmless, and
    `event_id` (of what it says, without what differs between two apps) makes two apps' words one event.
    """

    corp: str
    elements: Mapping[str, str]
    digest: str
    body: bytes = field(repr=False)

    def get(self, name: str) -> str:
        """An element's text, empty where there is none."""
        return self.elements.get(name, "")

    @property
    def kind(self) -> str:
        """`Event/ChangeType`, as counts name it; at most 80 characters."""
        return "/".join(filter(None, (self.get("Event"), self.get("ChangeType"))))[:80] or "?"

    @property
    def event_type(self) -> str | None:
        """Our type of event, None for what is only kept and counted."""
        whole = self.get("UserID") and self.get("ExternalUserID")
        return FRIENDSHIP.get((self.get("Event"), self.get("ChangeType"))) if whole else None

    @property
    def event_id(self) -> str:
        """The same for the same event told by two apps, or twice."""
        said = "\x1f".join(f"{name}={text}" for name, text in sorted(self.elements.items()) if name not in PER_APP)
        return f"wecom:{hashlib.sha256(f'{self.corp}{said}'.encode()).hexdigest()[:40]}"

    @property
    def occurred_at(self) -> datetime | None:
        """`CreateTime` (Unix seconds); None where it is no time of our century."""
        text = self.get("CreateTime")
        seconds = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
        return datetime.fromtimestamp(seconds, UTC) if 946_684_800 <= seconds < 4_102_444_800 else None


def read_notice(corp: str, body: bytes) -> Notice:
    """A decrypted body as a notice. Raises BadCallback."""
    root = _root(body)
    elements = {
        child.tag: "\x1e".join(item.text or "" for item in child) if len(child) else (child.text or "").strip()
        for child in root
    }
    return Notice(corp, elements, hashlib.sha256(body).hexdigest(), body)


def _root(body: bytes) -> Element:
    if len(body) > MOST_BYTES:
        raise _refused("太大", "is too large")
    try:
        root: Element = ElementTree.fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise _refused("不是有效的 XML", "is not valid XML") from None
    return root
