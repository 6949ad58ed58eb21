"""What our calls over TLS trust is what httpx trusts, and is read once."""

from __future__ import annotations

from pathlib import Path

import certifi
import httpx
import pytest

from yutang.kernel.trust import trusted


def test_all_clients_share_the_roots_that_httpx_trusts() -> None:
    assert trusted() is trusted()
    assert trusted().verify_mode == httpx.create_ssl_context().verify_mode
    assert trusted().check_hostname
    assert trusted().get_ca_certs() == httpx.create_ssl_context(trust_env=False).get_ca_certs()


def test_what_the_environment_names_is_trusted_where_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = tmp_path / "one.pem"
    first = Path(certifi.where()).read_text().split("-----END CERTIFICATE-----")[0]
    one.write_text(f"{first}-----END CERTIFICATE-----\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(one))
    assert len(trusted.__wrapped__(True).get_ca_certs()) == 1
    assert len(trusted.__wrapped__().get_ca_certs()) > 1
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusted.__wrapped__(True).get_ca_certs() == []
