"""Audiences: hashed phones of those who consented to ads, for headquarters only, noted in the audit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.house.world import START, World, shared
from yutang.connect.audiences import PURPOSE, audience, hashed
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation.models import AuditEntry
from yutang.organisation.queries import OWNER
from yutang.people import services as people


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("audiences")) as made:
        yield made


def test_only_who_consented_to_ads_leaves_and_hashed(standing: World, db: None) -> None:
    before = audience(standing.warehouse, OWNER, "one_time_buyers", "tencent_md5")
    assert (before.hashes, before.members, before.without_consent) == ((), 2, 2)  # marketing is another purpose
    people.give_consent(standing.near.person, PURPOSE, "*", at=START, proof="form")
    found = audience(standing.warehouse, OWNER, "one_time_buyers", "tencent_md5")
    assert found.hashes == (hashlib.md5(standing.near.phone.encode()).hexdigest(),)
    assert (found.members, found.without_consent, found.without_phone) == (2, 1, 0)
    entry = AuditEntry.objects.order_by("-pk").first()
    assert entry is not None
    assert (entry.actor, entry.subject, entry.detail["rows"]) == ("owner", "audience one_time_buyers", 1)
    assert standing.near.phone not in str(entry.detail)


def test_each_platform_hashes_what_it_asks_for() -> None:
    for platform, text in (
        ("google", "+8613800138001"),
        ("tiktok", "8613800138001"),
        ("tencent_sha256", "13800138001"),
    ):
        assert hashed("+8613800138001", platform) == hashlib.sha256(text.encode()).hexdigest()
    assert hashed("+14155550100", "oceanengine_md5") == hashlib.md5(b"14155550100").hexdigest()


def test_nobody_else_takes_audiences(standing: World, db: None, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        audience(standing.warehouse, standing.viewer("near_operator"), "one_time_buyers", "google")
    with pytest.raises(BadInput):
        audience(standing.warehouse, OWNER, "one_time_buyers", "elsewhere")
