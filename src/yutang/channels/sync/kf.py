"""Customer service: a callback only rings for an account, whose messages are then read from where we stood."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from yutang.channels.contracts import RefusedByPlatform
from yutang.channels.kf.services import meet_accounts, read_account
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.kf import WeComService
from yutang.organisation.contracts import CorpFacts

MOST_REF = 160
_NOT_OURS = frozenset({48002, 60030, 95012, 95017})  # the app has nothing to do with customer service
_NOTE = (
    "应用没有微信客服的权限；要用客服，请在管理后台「微信客服 → 可调用接口的应用」里勾选它",
    "The app may not call customer service; to use it, tick the app under 微信客服 in the admin console",
)


def ref_of(notice: Notice) -> str:
    """The account, and the token by which it may be read at once (ten minutes long; left out where it is too long)."""
    account, token = notice.get("OpenKfId"), notice.get("Token")
    whole = f"{account}|{token}"
    return whole if account and len(whole) <= MOST_REF else account[:MOST_REF]


def again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read each account that rang, once, with the last token that it rang with."""
    rang = dict(ref.partition("|")[::2] for ref in refs)
    port = WeComService(client)
    for account, token in rang.items():
        read_account(corp.corp, port, account, token, synthetic=corp.sandboxed)


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Know the accounts, and read each to its end: what no bell told of is found here."""
    port = WeComService(client)
    try:
        accounts = meet_accounts(corp.corp, port)
    except RefusedByPlatform as refused:
        if refused.errcode in _NOT_OURS:
            return Found(note=_NOTE)
        raise
    found = Found()
    for number, account in enumerate(accounts):
        told(number, len(accounts))
        read = read_account(corp.corp, port, account, synthetic=corp.sandboxed)
        found += Found(read=read.read, added=read.new)
    return found


KIND = Kind("kf", "微信客服消息", "messages of customer service", sync, every=timedelta(hours=1))
HINTED = Hinted("kf", frozenset({"kf_msg_or_event", "kf_msg_or_event/*"}), ref_of, again, rest=timedelta(0))
