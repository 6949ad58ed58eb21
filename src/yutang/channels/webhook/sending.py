"""One post to an address outside: where it may go, how it is signed, what counts as taken.

Signed as Standard Webhooks 1.0 has it (standardwebhooks.com): `webhook-id`, `webhook-timestamp`, and
`webhook-signature`, which is `v1,` with the base64 of HMAC-SHA-256 over `id.timestamp.body`; the key is the base64
after `whsec_`. The id stays the same at every try, the timestamp does not.

An address is looked up once and the post goes to what was found, so that a name cannot lead elsewhere between the look
and the call. Private, local and reserved addresses are refused, also as they hide in IPv6; redirects are not followed.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from yutang import __version__
from yutang.channels.webhook.contracts import ALLOW_PRIVATE, LONGEST_ASKED, TIMEOUT, Posted
from yutang.kernel.clock import monotonic
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.trust import trusted

_PREFIX = "whsec_"
_ANSWER_BYTES = 4_096
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST_URL = 600


def new_secret() -> str:
    """A signing secret of 192 random bits."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signature(secret: str, id: str, at: int, body: bytes) -> str:
    """The signature of a body."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")).decode()


def check_url(url: str) -> httpx.URL:
    """The address, if it is one to which we may post at all. Raises BadInput."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    plain = found.scheme == "http" and private_allowed()
    if len(url) > _LONGEST_URL or not found.host or found.userinfo or not (found.scheme == "https" or plain):
        raise BadInput(
            "地址应以 https:// 开头，不带用户名和密码，至多 600 个字符。",
            "The address begins with https://, holds no user and password, and has at most 600 characters.",
        )
    return found


def private_allowed() -> bool:
    """Whether the installation lets events be posted to its own network, and without TLS."""
    return os.environ.get(ALLOW_PRIVATE) == "1"


def _public(text: str) -> bool:
    ip = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return _public(str(inside))
    return ip.is_global and not ip.is_multicast


def reachable(url: httpx.URL) -> str:
    """The IP to which that address leads now. Raises Refused for one inside, or none."""
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("找不到这个域名。", "There is no such host.") from None
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not (private_allowed() or all(map(_public, addresses))):
        raise Refused(
            "这个地址在内网或本机，不能投递；确有需要请设置 YUTANG_WEBHOOKS_PRIVATE=1。",
            "This address lies inside a private network or this machine; set YUTANG_WEBHOOKS_PRIVATE=1 if it is meant.",
        )
    return addresses[0]


def client() -> httpx.Client:
    """What posts: no proxy and no cookies of the environment, no redirects, and no connection kept, since one to an IP
    would serve another name there."""
    limits = httpx.Limits(max_keepalive_connections=0, max_connections=32)
    return httpx.Client(trust_env=False, verify=trusted(), follow_redirects=False, timeout=TIMEOUT, limits=limits)


def post(through: httpx.Client, url: str, id: str, body: bytes, signed_with: Sequence[str], now: datetime) -> Posted:
    """Post a body once. Whatever goes wrong is an answer, not an error."""
    try:
        address = check_url(url)
        ip = reachable(address)
    except (BadInput, Refused) as error:
        return Posted(None, error.en[:160])
    at = int(now.timestamp())
    headers = {
        "host": address.netloc.decode(),
        "content-type": "application/json",
        "user-agent": f"Yutang/{__version__}",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(secret, id, at, body) for secret in signed_with),
    }
    target = address.copy_with(host=ip)
    try:
        with through.stream(
            "POST", target, content=body, headers=headers, extensions={"sni_hostname": address.host}
        ) as answer:
            size, end = 0, monotonic() + TIMEOUT
            for part in answer.iter_raw():  # an endless answer is no answer, nor is one that comes byte by byte
                size += len(part)
                if size > _ANSWER_BYTES or monotonic() > end:
                    break
            return Posted(answer.status_code, _said(answer.status_code), _wait(answer, now))
    except httpx.TimeoutException:
        return Posted(None, f"no answer within {TIMEOUT:.0f} s")
    except (httpx.HTTPError, OSError, ValueError) as error:
        return Posted(None, type(error).__name__)


def _said(status: int) -> str:
    return "redirects are not followed" if 300 <= status < 400 else ""


def _wait(answer: httpx.Response, now: datetime) -> float | None:
    """The seconds of Retry-After (RFC 9110 §10.2.3), which are seconds or a date."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_ASKED)
    try:
        at = parsedate_to_datetime(said)
        return min(max((at - now).total_seconds(), 0.0), LONGEST_ASKED)
    except (ValueError, TypeError):
        return None
