"""Whom this house was told to forget: recognised by a hash of each identifier, so that nothing revives them.

The hashes are under a key of their own, which is derived from the ring's lasting key: they match no look-up hash, and
say nothing to whoever has not the key file. They also stand in `erasures.list` beside the database, because a restored
backup does not know who was erased since.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db.models import F, Sum

from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.log.contracts import IdentifierValue, said_alone
from yutang.people import bulk
from yutang.people.models import DoNotContact, TurnedAway

FILE = "erasures.list"
_LABEL = b"yutang do not contact"
Found = Mapping[IdentifierValue, object]


def digest_of(one: IdentifierValue) -> bytes:
    """The do-not-contact hash of a normalised identifier."""
    return digest("person", said_alone(one))


def digest(what: str, text: str) -> bytes:
    """16 bytes that stand for a text of an erased person, under the key that serves for nothing else."""
    key = hmac.digest(keyring().lookup, _LABEL, "sha256")
    return hmac.digest(key, f"{what}\x1f{text}".encode(), "sha256")[:16]


def anybody() -> bool:
    """Whether anybody was erased at all."""
    return DoNotContact.objects.exists()


def among(identifiers: Iterable[IdentifierValue]) -> set[IdentifierValue]:
    """Those of the normalised identifiers that are an erased person's."""
    by_digest = {digest_of(one): one for one in identifiers}
    rows = bulk.select(DoNotContact, ("digest",), "digest", sorted(by_digest))
    return {by_digest[bytes(found)] for (found,) in rows}


def without(
    groups: Sequence[Sequence[IdentifierValue]], find: Callable[[Iterable[IdentifierValue]], Found]
) -> list[Sequence[IdentifierValue]]:
    """The groups as they may be kept. Of one that names an erased person only those identifiers are left that are
    somebody else's already; one of which nothing is left is empty."""
    gone = among(set(chain.from_iterable(groups)))
    if not gone:
        return list(groups)
    spoilt = {index for index, group in enumerate(groups) if not gone.isdisjoint(group)}
    known = find(set(chain.from_iterable(groups[index] for index in spoilt)) - gone)
    return [
        tuple(one for one in group if one in known) if index in spoilt else group for index, group in enumerate(groups)
    ]


def shun(identifiers: Iterable[IdentifierValue]) -> None:
    """Know these identifiers as an erased person's, once the caller's transaction is kept. Again does no harm."""
    _keep({digest_of(one) for one in identifiers})


def write_list() -> None:
    """Write into `erasures.list` what it lacks. Outside a transaction: the file keeps what was written."""
    known = set(listed())
    rows = DoNotContact.objects.values_list("digest", flat=True).order_by("digest")
    fresh = [bytes(one).hex() for one in rows if bytes(one) not in known]
    if fresh:
        handle = os.open(_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("".join(f"{one}\n" for one in ("", *fresh)))  # the empty line ends one that a full disk cut
            file.flush()
            os.fsync(file.fileno())


def recall() -> int:
    """Take up what `erasures.list` says: after a restore. Returns how many hashes are known now."""
    _keep(listed())
    return DoNotContact.objects.count()


def listed() -> list[bytes]:
    """The hashes in `erasures.list`. A line that was cut by a full disk is passed over: its hash is in the database."""
    path = _file()
    lines = path.read_text(encoding="ascii", errors="replace").split() if path.exists() else []
    return [bytes.fromhex(line) for line in lines if re.fullmatch("[0-9a-f]{32}", line)]


def _keep(digests: Iterable[bytes]) -> None:
    rows = [DoNotContact(digest=one) for one in sorted(set(digests))]
    DoNotContact.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def _file() -> Path:
    return Path(settings.DATA) / FILE


def count_turned_away(dropped: int, orders: int) -> None:
    """Count what came of erased persons today."""
    if dropped or orders:
        day = wall_now().date()
        TurnedAway.objects.get_or_create(day=day)
        TurnedAway.objects.filter(day=day).update(dropped=F("dropped") + dropped, orders=F("orders") + orders)


def turned_away() -> tuple[int, int]:
    """How much arrived of erased persons so far: dropped, and of orders kept as nobody's."""
    found = TurnedAway.objects.aggregate(dropped=Sum("dropped"), orders=Sum("orders"))
    return found["dropped"] or 0, found["orders"] or 0
