"""The link by which a person reaches their own preferences, without a log-in.

It holds the person's number and the minute it was made, sealed under a key that serves for nothing else and outlives
every rotation: nobody can guess one, read one, or make one of another. A link opens the preferences for LASTS; an older
one, or one made before links were voided, still withdraws: the right to refuse does not run out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db.models import Max

from yutang.kernel.clock import wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId
from yutang.people import identity
from yutang.people.models import Person, Preference

LASTS = timedelta(days=365)
VARIABLE = "{{preferences}}"
_LABEL = b"yutang public link"
_FORM = ">QI"
_NONCE = 12
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was opened: whose it is, and whether it may do more than withdraw."""

    person: PersonId
    made_at: datetime
    fresh: bool


def token_of(person: PersonId) -> str:
    """A new link's secret part, made today. Only letters, digits, `-` and `_`; nothing personal can be read from it."""
    minute = (wall_now() - _BEGINNING) // _MINUTE
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + _cipher().encrypt(nonce, struct.pack(_FORM, person, minute), _LABEL)
    return _text(sealed)


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def link_of(person: PersonId) -> str:
    """The whole address of a person's link, for messages to them alone."""
    return f"{address()}/p/{token_of(person)}/"


def general_link() -> str:
    """The address at which anybody can refuse by their number: for messages that many get word for word alike."""
    return f"{address()}/p/"


def address() -> str:
    """Where customers reach this house (`YUTANG_ADDRESS`), without a slash at the end."""
    return str(settings.PUBLIC_ADDRESS).rstrip("/")


def opened(token: str) -> Link:
    """What a link's secret part says. Raises NotFound for one that we did not make, or whose person is not here."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if _text(raw) != token:  # base64 passes over signs and bits that say nothing: one link has one spelling
            raise _no_link()
        person, minute = struct.unpack(_FORM, _cipher().decrypt(raw[:_NONCE], raw[_NONCE:], _LABEL))
        made_at = _BEGINNING + minute * _MINUTE
    except (ValueError, binascii.Error, InvalidTag, struct.error, OverflowError):
        raise _no_link() from None
    survivor = identity.survivors_of([person])[person]
    if not Person.objects.filter(pk=survivor).exists():
        raise _no_link()
    births = identity.births_of_survivors([survivor])
    voided = Preference.objects.filter(person__in=births).aggregate(last=Max("links_from"))["last"]
    old = wall_now() - made_at > LASTS or (voided is not None and made_at < voided)
    return Link(PersonId(survivor), made_at, not old)


def _cipher() -> AESGCM:
    return AESGCM(hmac.digest(keyring().lookup, _LABEL, "sha256"))


def _no_link() -> NotFound:
    return NotFound(
        "这个链接无效，或者我们已不再保存您的任何资料。",
        "This link is not valid, or we hold nothing about you any more.",
    )
