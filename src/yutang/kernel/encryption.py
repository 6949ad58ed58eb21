"""Encryption of personal fields, and the keyed hash by which an encrypted value can still be looked up exactly.

AES-256-GCM per value, a fresh 96-bit nonce each (NIST SP 800-38D), the key's id stored in front, so that a new key can
come into use while old values stay readable. The look-up hash is HMAC-SHA-256 under a key of its own.

The ring lives in one file. Rotation puts a new generation of keys into it; every process notices (it looks at the file
now and then, and at once where it meets a key that it does not know), and `operations.rotation` seals anew.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.errors import WrongKey

_NONCE = 12
_LOOK = 0.25  # seconds between two looks at the key file: a look costs as much as opening a short value
_TEXT = "sealed:"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The installation's keys, by generation (`k1`, `k2` …): `active` seals new values, the others of `keys` only open.

    `lookups` are the generations' keys of look-up hashes that can be made anew, since their value is kept sealed beside
    them. `lookup` is for marks that are kept without what they stand for; it stays for ever, and so does who this ring
    is. `signing` signs sessions, `signed_before` still counts. `since`: when `active` came, None for the first.
    """

    active: str
    keys: Mapping[str, bytes] = field(repr=False)
    lookup: bytes = field(repr=False)
    signing: bytes = field(repr=False)
    lookups: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    signed_before: tuple[bytes, ...] = field(default=(), repr=False)
    since: datetime | None = None

    def __post_init__(self) -> None:
        if not self.lookups:
            object.__setattr__(self, "lookups", {self.active: self.lookup})

    @staticmethod
    def generate() -> Keyring:
        """A new ring with one random key."""
        return Keyring("k1", {"k1": secrets.token_bytes(32)}, secrets.token_bytes(32), secrets.token_bytes(32))

    @staticmethod
    def load_or_create(path: Path) -> Keyring:
        """The ring kept in `path` (mode 0600); made there on first use, also when two processes start at once."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = _written(Keyring.generate(), path)
            try:
                os.link(draft, path)  # fails if another process was first, whose ring then counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return Keyring.load(path)

    def _dump(self) -> str:
        def encode(raw: bytes) -> str:
            return base64.b64encode(raw).decode()

        data: dict[str, object] = {
            "active": self.active,
            "keys": {name: encode(key) for name, key in self.keys.items()},
            "lookup": encode(self.lookup),
            "signing": encode(self.signing),
        }
        if self.since is not None:
            data["lookups"] = {name: encode(key) for name, key in self.lookups.items()}
            data["signed_before"] = [encode(key) for key in self.signed_before]
            data["since"] = self.since.isoformat()
        return json.dumps(data, indent=1)

    @staticmethod
    def load(path: Path) -> Keyring:
        """The ring kept in `path`. Raises WrongKey for a damaged file."""
        try:
            data = json.loads(path.read_text())
            since = data.get("since")
            ring = Keyring(
                data["active"],
                _decoded(data["keys"]),
                base64.b64decode(data["lookup"]),
                base64.b64decode(data["signing"]),
                _decoded(data.get("lookups", {})),
                tuple(base64.b64decode(key) for key in data.get("signed_before", [])),
                datetime.fromisoformat(since) if since else None,
            )
            lengths = {len(key) for key in (*ring.keys.values(), *ring.lookups.values(), ring.lookup, ring.signing)}
            if ring.active not in ring.keys or ring.keys.keys() != ring.lookups.keys() or lengths != {32}:
                raise ValueError("keys")
            assert ring.generation > 0
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongKey(
                f"密钥文件 {path} 已损坏，请从备份中恢复它；没有它，加密的资料无法读取。",
                f"The key file {path} is damaged; restore it from a backup. Without it encrypted data cannot be read.",
            ) from error
        return ring

    @property
    def generation(self) -> int:
        """The number of the newest generation: how often the keys were rotated, and one."""
        return int(self.active[1:])

    @property
    def former(self) -> tuple[str, ...]:
        """The generations that still open: none, unless a rotation is unfinished."""
        return tuple(name for name in self.keys if name != self.active)

    def rotated(self) -> Keyring:
        """This ring with a new generation, which seals from now on."""
        name = f"k{self.generation + 1}"
        return replace(
            self,
            active=name,
            keys={**self.keys, name: secrets.token_bytes(32)},
            lookups={**self.lookups, name: secrets.token_bytes(32)},
            signing=secrets.token_bytes(32),
            signed_before=(self.signing, *self.signed_before),
            since=wall_now(),
        )

    def without_former(self) -> Keyring:
        """This ring with its newest generation only."""
        one = self.active
        return replace(self, keys={one: self.keys[one]}, lookups={one: self.lookups[one]}, signed_before=())

    def writing(self, generation: int) -> Keyring:
        """This ring sealing and hashing by that generation, whose turn it is. Raises WrongKey if it is not in it."""
        name = f"k{generation}"
        if name not in self.keys:
            raise wrong_key()
        return replace(self, active=name)

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
        key = self.keys.get(name)
        if key is None:  # perhaps it came into the ring a moment ago
            fresh = keyring(fresh=True)
            key = fresh.keys.get(name) if fresh.lookup == self.lookup else None
        try:
            if key is not None:
                return _cipher(key).decrypt(nonce, body, context.encode())
        except InvalidTag:
            pass  # sealed under another ring's key of that name
        raise wrong_key()

    def reseal(self, sealed: bytes, context: str) -> bytes:
        """The same value under the active key."""
        return self.encrypt_bytes(self.decrypt_bytes(sealed, context), context)

    def mark(self, name: str) -> bytes:
        """What values sealed by that generation begin with."""
        return bytes([len(name)]) + name.encode()

    def seal_text(self, text: str, context: str) -> str:
        """As `encrypt`, for places that hold text only, such as JSON: it says by itself that it is sealed, and how."""
        return f"{_TEXT}{context}:{base64.b64encode(self.encrypt(text, context)).decode()}"

    def open_text(self, sealed: str) -> str:
        """The text that `seal_text` sealed."""
        context, raw = _in_text(sealed)
        return self.decrypt(raw, context)

    def reseal_text(self, sealed: str) -> str:
        """The same under the active key; unchanged if it is already, or is no sealed text."""
        if not sealed.startswith(_TEXT):
            return sealed
        context, raw = _in_text(sealed)
        return sealed if raw.startswith(self.mark(self.active)) else self.seal_text(self.decrypt(raw, context), context)

    def lookup_hash(self, *parts: str) -> bytes:
        """16 bytes that stand for a value for ever: equal for equal values, and no value can be read back."""
        message = "\x1f".join(parts).encode()
        return hmac.digest(self.lookup, message, "sha256")[:16]

    def lookup_hashes(self, messages: Iterable[str], name: str = "") -> list[bytes]:
        """16 bytes for each value that is kept sealed beside them, its parts joined by U+001F: by that generation's key
        (the active one's), which is prepared once for all. While a rotation is unfinished, look under each."""
        inner, outer = _prepared(self.lookups[name or self.active])
        result = []
        for message in messages:
            one, two = inner.copy(), outer.copy()
            one.update(message.encode())
            two.update(one.digest())
            result.append(two.digest()[:16])
        return result

    def fingerprint(self) -> str:
        """Names this ring and its generation without telling anything of its keys; kept in the database."""
        return self._fingerprint(self.generation)

    def fingerprints(self) -> frozenset[str]:
        """What the database may say: this ring's, or that of an earlier generation of it."""
        return frozenset(map(self._fingerprint, range(1, self.generation + 1)))

    def _fingerprint(self, generation: int) -> str:
        message = b"yutang fingerprint" + (b"" if generation == 1 else b" %d" % generation)
        return hmac.digest(self.lookup, message, "sha256").hex()[:16]


def _decoded(keys: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(key) for name, key in keys.items()}


def _in_text(sealed: str) -> tuple[str, bytes]:
    _, context, raw = sealed.split(":", 2)
    return context, base64.b64decode(raw)


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


# The file ---------------------------------------------------------------------------------------------------------


def begin_rotation(path: Path) -> Keyring:
    """Put a new generation into the ring's file, unless a rotation is unfinished; returns the ring as it is then."""
    with _changing(path) as where:
        ring = Keyring.load(where)
        if not ring.former:
            _replace(ring := ring.rotated(), where)
    return ring


def end_rotation(path: Path, generation: int) -> None:
    """Take all but the newest generation out of the ring's file, if that is still this one."""
    with _changing(path) as where:
        ring = Keyring.load(where)
        if ring.former and ring.generation == generation:
            _replace(ring.without_former(), where)


@contextmanager
def _changing(path: Path) -> Iterator[Path]:
    """One process at a time changes the file; yields where it is, behind a symbolic link."""
    where = path.resolve()
    folder = os.open(where.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield where
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(ring: Keyring, path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(ring._dump())
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _replace(ring: Keyring, path: Path) -> None:
    draft = _written(ring, path)
    try:
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


# The process's ring -----------------------------------------------------------------------------------------------

Stamp = tuple[int, int, int]
_ring: Keyring | None = None
_path: Path | None = None
_stamp: Stamp | None = None
_looked = 0.0
_told: Callable[[Keyring], None] | None = None


def install_keyring(ring: Keyring, path: Path | None = None, told: Callable[[Keyring], None] | None = None) -> None:
    """Set the process's key ring. Called once, by `app`, at start.

    `path`: the file that it came from, looked at again now and then; `told` is called with each ring that comes in.
    """
    global _ring, _path, _stamp, _looked, _told
    _ring, _path, _told, _stamp, _looked = ring, path, told, None, monotonic()
    if told is not None:
        told(ring)


def keyring(*, fresh: bool = False) -> Keyring:
    """The process's key ring, as its file was a moment ago; `fresh`: as it is now."""
    if _ring is None:
        raise wrong_key()
    if _path is not None and (fresh or monotonic() - _looked >= _LOOK):
        _look(_path)
    return _ring


def ring_file() -> Path | None:
    """The file of the process's ring; None where it came from none."""
    return _path


def _look(path: Path) -> None:
    """Take the ring of the file, where the file is another than before."""
    global _ring, _stamp, _looked
    _looked = monotonic()
    try:
        about = path.stat()
        stamp = (about.st_mtime_ns, about.st_ino, about.st_size)
        if stamp == _stamp:
            return
        found = Keyring.load(path)
    except (OSError, WrongKey):
        return  # the keys that are in memory are good; the doctor and the next start say what is wrong with the file
    _stamp = stamp
    if _ring is not None and found != _ring and found.lookup == _ring.lookup:  # never another installation's
        _ring = found
        if _told is not None:
            _told(found)
