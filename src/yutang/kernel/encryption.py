"""Encryption of personal fields, and the keyed hash by which an encrypted value can still be looked up exactly.

AES-256-GCM per value, a fresh 96-bit nonce each (NIST SP 800-38D), the key's id stored in front, so that a new key can
come into use while old values stay readable. The look-up hash is HMAC-SHA-256 under a key of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yutang.kernel.errors import WrongKey

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Keyring:
    """The installation's keys. `active` names the key for new values; `others` only read."""

    active: str
    keys: dict[str, bytes]
    lookup: bytes
    signing: bytes

    @staticmethod
    def generate() -> Keyring:
        """A new ring with one random key."""
        return Keyring("k1", {"k1": secrets.token_bytes(32)}, secrets.token_bytes(32), secrets.token_bytes(32))

    @staticmethod
    def load_or_create(path: Path) -> Keyring:
        """The ring kept in `path` (mode 0600); made there on first use, also when two processes start at once."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            ring = Keyring.generate()
            handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600
            draft = Path(name)
            with os.fdopen(handle, "w") as file:
                file.write(ring._dump())
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)  # fails if another process was first, whose ring then counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return Keyring._parse(path)

    def _dump(self) -> str:
        def encode(raw: bytes) -> str:
            return base64.b64encode(raw).decode()

        return json.dumps(
            {
                "active": self.active,
                "keys": {name: encode(key) for name, key in self.keys.items()},
                "lookup": encode(self.lookup),
                "signing": encode(self.signing),
            },
            indent=1,
        )

    @staticmethod
    def _parse(path: Path) -> Keyring:
        try:
            data = json.loads(path.read_text())
            keys = {name: base64.b64decode(key) for name, key in data["keys"].items()}
            ring = Keyring(data["active"], keys, base64.b64decode(data["lookup"]), base64.b64decode(data["signing"]))
            if ring.active not in keys or any(len(key) != 32 for key in [*keys.values(), ring.lookup, ring.signing]):
                raise ValueError("key length")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongKey(
                f"密钥文件 {path} 已损坏，请从备份中恢复它；没有它，加密的资料无法读取。",
                f"The key file {path} is damaged; restore it from a backup. Without it encrypted data cannot be read.",
            ) from error
        return ring

    def encrypt(self, text: str, context: str) -> bytes:
        """`text` sealed; it opens only under the same `context` (such as `person.name`)."""
        return self.encrypt_bytes(text.encode(), context)

    def encrypt_bytes(self, plain: bytes, context: str) -> bytes:
        """As `encrypt`, of bytes."""
        nonce = secrets.token_bytes(_NONCE)
        name = self.active.encode()
        sealed = _cipher(self.keys[self.active]).encrypt(nonce, plain, context.encode())
        return bytes([len(name)]) + name + nonce + sealed

    def decrypt(self, sealed: bytes, context: str) -> str:
        """The text of a sealed value. Raises WrongKey if no key of the ring opens it."""
        return self.decrypt_bytes(sealed, context).decode()

    def decrypt_bytes(self, sealed: bytes, context: str) -> bytes:
        """As `decrypt`, of bytes."""
        size = sealed[0]
        name = sealed[1 : 1 + size].decode(errors="replace")
        nonce, body = sealed[1 + size : 1 + size + _NONCE], sealed[1 + size + _NONCE :]
        try:
            return _cipher(self.keys[name]).decrypt(nonce, body, context.encode())
        except (KeyError, InvalidTag):
            raise wrong_key() from None

    def lookup_hash(self, *parts: str) -> bytes:
        """16 bytes that stand for a value in look-ups: equal for equal values, and no value can be read back."""
        message = "\x1f".join(parts).encode()
        return hmac.digest(self.lookup, message, "sha256")[:16]

    def lookup_hashes(self, messages: Iterable[str]) -> list[bytes]:
        """`lookup_hash` of many, each with its parts already joined by U+001F: the key is prepared once for all."""
        inner, outer = _prepared(self.lookup)
        result = []
        for message in messages:
            one, two = inner.copy(), outer.copy()
            one.update(message.encode())
            two.update(one.digest())
            result.append(two.digest()[:16])
        return result

    def fingerprint(self) -> str:
        """Names this ring without telling anything of its keys; kept in the database to notice a wrong key at start."""
        return hmac.digest(self.lookup, b"yutang fingerprint", "sha256").hex()[:16]


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    """Setting up a key costs as much as sealing a short value with it."""
    return AESGCM(key)


@lru_cache(maxsize=16)
def _prepared(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The two halves of HMAC-SHA-256 (RFC 2104) with the key (at most 64 bytes) taken in."""
    padded = key.ljust(64, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in padded)), hashlib.sha256(bytes(b ^ 0x5C for b in padded))


def wrong_key() -> WrongKey:
    """The one sentence for data that this installation's key does not open."""
    return WrongKey(
        "数据目录是用另一把密钥加密的，请放回原来的 secret.key（或改正 YUTANG_KEY_FILE）。",
        "The data directory was encrypted with another key; put its own secret.key back (or correct YUTANG_KEY_FILE).",
    )


_ring: Keyring | None = None


def install_keyring(ring: Keyring) -> None:
    """Set the process's key ring. Called once, by `app`, at start."""
    global _ring
    _ring = ring


def keyring() -> Keyring:
    """The process's key ring."""
    if _ring is None:
        raise wrong_key()
    return _ring
