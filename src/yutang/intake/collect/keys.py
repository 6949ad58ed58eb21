"""Write keys: made once, shown once, kept as a keyed hash."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from yutang.intake.collect.contracts import KeyFacts
from yutang.intake.models import WriteKey
from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, NotFound
from yutang.log.vocabulary import VOCABULARY

_SOURCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")
_LOOKUP = "collect.write_key"
LARGEST_RATE = 1_000_000


def add_key(
    name: str,
    source: str,
    *,
    types: Sequence[str] = (),
    rate: int = 0,
    origins: Sequence[str] = (),
    trusted: bool = False,
    members: bool = False,
) -> str:
    """A new write key; shown once, only its hash is kept. Raises BadInput naming what cannot be used."""
    if not name.strip() or len(name) > 80:
        raise BadInput("请给写入密钥起个名字，至多 80 个字。", "Give the write key a name of at most 80 characters.")
    if WriteKey.objects.filter(name=name, revoked_at=None).exists():
        raise BadInput(
            f"写入密钥「{name}」已存在，请换一个名字。", f"There is a write key “{name}”; choose another name."
        )
    if not _SOURCE.fullmatch(source):
        raise BadInput(
            f"来源「{source}」不可用：应为 1–24 个小写字母、数字、- 或 _，如 web。",
            f"The source “{source}” cannot be used: 1–24 small letters, digits, - or _, such as web.",
        )
    for type_ in types:
        if type_ not in VOCABULARY:
            raise BadInput(f"没有「{type_}」这种事件。", f"There is no event type “{type_}”.")
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise BadInput(
                f"「{origin}」不是网页来源，应类似 https://shop.example.com。",
                f"“{origin}” is no origin such as https://shop.example.com.",
            )
    if not 0 <= rate <= LARGEST_RATE:
        raise BadInput(
            f"每秒事件数应在 0（不限）到 {LARGEST_RATE:,} 之间。",
            f"Events a second lie between 0 (no limit) and {LARGEST_RATE:,}.",
        )
    if trusted and origins:
        raise BadInput(
            "受信任的密钥只能放在服务器上，不能允许网页来源：网页里的密钥人人看得到。",
            "A trusted key stays on a server and allows no origins: everybody can read a key that stands in a page.",
        )
    secret = f"wk_{secrets.token_urlsafe(24)}"
    WriteKey.objects.create(
        name=name,
        digest=digest(secret),
        source=source,
        types=list(types),
        rate=rate,
        origins=list(origins),
        trusted=trusted,
        members=members,
    )
    return secret


def revoke_key(name: str) -> None:
    """Make the write key of that name useless. Raises NotFound."""
    open_keys = WriteKey.objects.filter(name=name, revoked_at=None, hook=None).values_list("pk", flat=True)
    if not WriteKey.objects.filter(pk__in=list(open_keys)).update(revoked_at=wall_now()):
        raise NotFound(f"没有名为「{name}」的写入密钥。", f"There is no write key named “{name}”.")


def write_keys() -> list[KeyFacts]:
    """Every write key, the newest first, those revoked too. (Unscoped because keys belong to the whole brand.)"""
    return [facts(row) for row in WriteKey.objects.filter(hook=None).order_by("-pk")]


def keys_in_use() -> dict[bytes, KeyFacts]:
    """The keys that open the door, by digest."""
    return {bytes(row.digest): facts(row) for row in WriteKey.objects.filter(revoked_at=None, hook=None)}


def facts(row: WriteKey) -> KeyFacts:
    """A row as others see it."""
    return KeyFacts(
        row.pk,
        row.name,
        row.source,
        frozenset(row.types),
        row.rate,
        tuple(row.origins),
        row.trusted,
        row.members,
        row.created_at,
        row.revoked_at,
    )


def digest(secret: str) -> bytes:
    """The keyed hash by which a key is found."""
    return keyring().lookup_hash(_LOOKUP, secret)
