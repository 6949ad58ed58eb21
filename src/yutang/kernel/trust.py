"""Whom our calls over TLS trust. Every client of httpx that is told nothing reads all roots anew: 20 ms of CPU."""

from __future__ import annotations

import os
import ssl
from functools import cache

import certifi


@cache
def trusted(environment: bool = False, /) -> ssl.SSLContext:
    """What httpx trusts if it is told nothing, read once for all clients of this process. `environment`: the roots that
    SSL_CERT_FILE or SSL_CERT_DIR name, if either does."""
    file = environment and os.environ.get("SSL_CERT_FILE")
    if file:
        return ssl.create_default_context(cafile=file)
    folder = environment and os.environ.get("SSL_CERT_DIR")
    if folder:
        return ssl.create_default_context(capath=folder)
    return ssl.create_default_context(cafile=certifi.where())
