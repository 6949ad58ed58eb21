"""A segment as an audience for an ad platform: hashed phones of those who consented to it, and of nobody else.

Sources: Tencent Marketing API, custom_audience_files (`HASH_MOBILE_PHONE` MD5, `SHA256_MOBILE_PHONE`); Google Customer
Match (SHA-256 of E.164 with +); TikTok customer file (SHA-256 of digits with the country code). For Tencent and Ocean
Engine a Chinese number is hashed as its eleven digits, as their customer files hold it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import PersonId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.people.queries import identifiers_of, may_be_touched
from yutang.segments import queries as segments
from yutang.warehouse.contracts import Warehouse

PURPOSE = "ads"
"""To what somebody must have consented (on the channel `ads` or on all), that their phone may leave, hashed."""

PLATFORMS: Mapping[str, str] = {
    "tencent_sha256": "sha256",
    "tencent_md5": "md5",
    "oceanengine_sha256": "sha256",
    "oceanengine_md5": "md5",
    "google": "sha256",
    "tiktok": "sha256",
}
MOST = 10_000_000
_PORTION = 10_000


@dataclass(frozen=True, slots=True)
class Audience:
    """The hashes, in no telling order, and why the others are not among them."""

    hashes: tuple[str, ...]
    members: int
    without_consent: int
    without_phone: int


def audience(warehouse: Warehouse, viewer: Viewer, name: str, platform: str) -> Audience:
    """The audience of a segment's members as they are now; noted in the audit. Only for headquarters.

    Raises NotFound without such a segment, BadInput for an unknown platform, Refused.
    """
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("人群回传涉及整个品牌，请找总部运营。", "Audiences leave the brand; ask headquarters.")
    if platform not in PLATFORMS:
        wrong, known = platform[:30], ", ".join(PLATFORMS)
        raise BadInput(f"没有平台「{wrong}」，可用：{known}。", f"There is no platform “{wrong}”; there are {known}.")
    document = segments.segment_named(name)
    persons = iter(segments.members(warehouse, viewer, document, limit=MOST)["person"].to_pylist())
    hashes: set[str] = set()
    members = refused = phoneless = 0
    while part := [PersonId(person) for person in islice(persons, _PORTION)]:
        members += len(part)
        said = may_be_touched(dict.fromkeys(part), PURPOSE, PURPOSE)
        consenting = [person for person in part if said[person] is None]
        phones = identifiers_of(consenting, "phone", "")
        refused += len(part) - len(consenting)
        phoneless += len(consenting) - len(phones)
        hashes.update(hashed(phone, platform) for phone in phones.values())
    organisation.audit(
        viewer, "export", f"audience {name}", platform=platform, rows=len(hashes), members=members, refused=refused
    )
    return Audience(tuple(sorted(hashes)), members, refused, phoneless)


def hashed(phone: str, platform: str) -> str:
    """The hash of a phone in E.164, in small hexadecimal letters, as the platform wants it."""
    text = phone if platform == "google" else phone.removeprefix("+")
    if platform.startswith(("tencent", "oceanengine")) and phone.startswith("+86"):
        text = phone.removeprefix("+86")
    return hashlib.new(PLATFORMS[platform], text.encode(), usedforsecurity=False).hexdigest()
