"""A stand-in for WeCom's native library that follows its documents (91774): it seals with the corp's public keys, gives
what is after a place, at most a thousand at a time, and opens with the random key that only the corp's own key yields.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from yutang.channels.archive.contracts import SLICE, LibraryFailed, MediaSlice

NONCE = 12


def make_key() -> RSAPrivateKey:
    """A key pair as the corp makes one."""
    return generate_private_key(65537, 2048)


def pem_of(key: RSAPrivateKey) -> str:
    """The private half, as it is kept."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


Said = Callable[[int, int], Sequence[Mapping[str, Any]]]
"""Messages after a place, at most so many: rows of `seq`, `msgid` and `body`."""


@dataclass
class Library:
    """The library for one corp. `said` is what the platform holds; a message is sealed for `version`."""

    keys: dict[int, RSAPrivateKey]
    said: Said
    version: int = 1
    version_of: dict[int, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[int, int]] = field(default_factory=list)
    errcode: int = 0

    def get_chat_data(self, seq: int, limit: int) -> bytes:
        assert 0 < limit <= 1000
        self.asked.append((seq, limit))
        rows = [] if self.errcode else [self._seal(row) for row in self.said(seq, limit)]
        return json.dumps({"errcode": self.errcode, "errmsg": "ok", "chatdata": rows}).encode()

    def decrypt_data(self, random_key: bytes, message: str) -> bytes:
        raw = base64.b64decode(message)
        try:
            return AESGCM(bytes.fromhex(random_key.decode())).decrypt(raw[:NONCE], raw[NONCE:], None)
        except (ValueError, InvalidTag):
            raise LibraryFailed("DecryptData", 10003) from None

    def get_media_data(self, file_id: str, index: str) -> MediaSlice:
        if file_id not in self.files:
            raise LibraryFailed("GetMediaData", 301048)
        start = int(index or 0)
        piece = self.files[file_id][start : start + SLICE]
        return MediaSlice(piece, str(start + len(piece)), start + len(piece) >= len(self.files[file_id]))

    def _seal(self, row: Mapping[str, Any]) -> dict[str, Any]:
        version = self.version_of.get(row["seq"], self.version)
        random_key = os.urandom(32)
        nonce = os.urandom(NONCE)
        sealed = nonce + AESGCM(random_key).encrypt(nonce, json.dumps(row["body"]).encode(), None)
        locked = self.keys[version].public_key().encrypt(random_key.hex().encode(), PKCS1v15())
        return {
            "seq": row["seq"],
            "msgid": row["msgid"],
            "publickey_ver": version,
            "encrypt_random_key": base64.b64encode(locked).decode(),
            "encrypt_chat_msg": base64.b64encode(sealed).decode(),
        }


class Talk:
    """What was said, in a list."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, seq: int, limit: int) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["seq"] > seq][:limit]

    def say(self, sender: str, *to: str, text: str = "您好", kind: str = "text", room: str = "", **more: Any) -> str:
        """One message more; returns its id."""
        seq = more.pop("seq", len(self.rows) + 1)
        msgid = more.pop("msgid", f"{seq}_1760000000_external")
        body = {
            "msgid": msgid,
            "action": "send",
            "from": sender,
            "tolist": list(to),
            "roomid": room,
            "msgtime": 1_760_000_000_000 + seq,
            "msgtype": kind,
            kind: {"content": text},
            **more,
        }
        self.rows.append({"seq": seq, "msgid": msgid, "body": body})
        return str(msgid)
