"""The owner sets the session archive up: what is missing is said, and what is given is kept and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from yutang.channels.archive import setting_up
from yutang.channels.archive.services import secret_of
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER, audit_verbs

pytestmark = pytest.mark.django_db


@pytest.fixture
def corp(db: None) -> str:
    organisation.set_up_brand("池塘", "CNY", "Asia/Shanghai")
    organisation.connect_corp("wecom", "ww-a", "secret-of-the-app")
    return "ww-a"


def test_step_by_step_until_it_can_be_read(corp: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = setting_up.standing(OWNER, corp)
    assert (found.facts, found.keys, found.library_there, found.ready) == (None, (), False, False)
    setting_up.keep_secret(OWNER, corp, " secret-of-the-archive \n")
    assert secret_of(corp) == "secret-of-the-archive"
    pem = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    setting_up.keep_key(OWNER, corp, 2, pem)
    library = tmp_path / "libWeWorkFinanceSdk_C.so"
    monkeypatch.setenv("YUTANG_ARCHIVE_LIBRARY", str(library))
    found = setting_up.standing(OWNER, corp)
    assert (found.keys, found.library, found.library_there, found.ready) == ((2,), str(library), False, False)
    library.touch()
    assert setting_up.standing(OWNER, corp).ready
    assert {"archive_secret", "archive_key"} <= set(audit_verbs())


def test_what_is_wrong_is_said_and_only_the_owner_may(corp: str) -> None:
    for version, pem in ((0, "x"), (1, "no key")):
        with pytest.raises(BadInput):
            setting_up.keep_key(OWNER, corp, version, pem)
    with pytest.raises(BadInput):
        setting_up.keep_secret(OWNER, corp, "  ")
    with pytest.raises(NotFound):
        setting_up.keep_secret(OWNER, "ww-elsewhere", "secret")
    operator = Viewer("x", RoleName.OPERATOR, None)
    with pytest.raises(Refused):
        setting_up.standing(operator, corp)
    with pytest.raises(Refused):
        setting_up.keep_secret(operator, corp, "secret")
    assert secret_of(corp) is None
