"""Our own step of opening a message: RSA, PKCS#1 v1.5, by the key of the version that sealed it (doc 91774)."""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from yutang.kernel.errors import BadInput

BITS = 2048


def private_key(pem: str, *, checked: bool = False) -> RSAPrivateKey:
    """A key of ours. Raises BadInput for what is no unencrypted RSA key of 2048 bits. `checked`: it was looked at
    before it was kept; to check its numbers again takes a quarter of a second."""
    try:
        key = load_pem_private_key(pem.strip().encode(), password=None, unsafe_skip_rsa_key_validation=checked)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size != BITS:
        raise BadInput(
            "会话存档的私钥应为 2048 位、未加密的 RSA 私钥（PEM 格式，PKCS#1 或 PKCS#8）。",
            "The session archive's key must be an unencrypted RSA private key of 2048 bits, in PEM (PKCS#1 or PKCS#8).",
        )
    return key


def unlock(key: RSAPrivateKey, sealed: str) -> bytes | None:
    """The random key inside `encrypt_random_key`; None where it is damaged or sealed for another key.

    (OpenSSL gives a random answer for a wrong key rather than none, so that nobody can ask for hints; the library then
    fails to open the message.)
    """
    try:
        return key.decrypt(base64.b64decode(sealed, validate=True), PKCS1v15())
    except (ValueError, binascii.Error):
        return None
