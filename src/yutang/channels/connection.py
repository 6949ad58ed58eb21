"""Whether a corp is connected: what its platform says, step by step, and whether its callbacks reach us."""

from __future__ import annotations

from yutang.channels.queries import last_callback, turned_away
from yutang.channels.services import WECOM
from yutang.channels.wecom.checking import State, Step, check
from yutang.channels.wecom.client import WeComClient
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.queries import accounts, callback_secrets


def check_connection(corp: CorpFacts, client: WeComClient) -> list[Step]:
    """Every step, with its remedy. Only reads; a wrong secret is asked about once."""
    expected = [one.userid for one in accounts(WECOM, corp.corp)]
    return [*check(client, expected), _callbacks(corp)]


def _callbacks(corp: CorpFacts) -> Step:
    name, zh, en = "callbacks", "回调", "Callbacks"
    if callback_secrets(WECOM, corp.corp) is None:
        return Step(
            name,
            zh,
            en,
            State.BAD,
            "还没有 Token 和 EncodingAESKey：请生成一组，填到管理后台「客户联系 → 客户 → API → 接收事件服务器」。",
            "There is no Token and no EncodingAESKey yet: make a pair here, and paste it in the admin console under "
            "客户联系 → 客户 → API → 接收事件服务器.",
        )
    last, refused = last_callback(corp.corp), turned_away().get(corp.corp)
    if refused is not None and (last is None or refused.last_at > last):
        return Step(
            name,
            zh,
            en,
            State.BAD,
            f"最近收到的回调签名不符（共 {refused.count:,} 次）：管理后台里的 Token 或 EncodingAESKey 与这里的不一样，"
            "请重新复制一遍。",
            f"The latest callbacks bore a wrong signature ({refused.count:,} so far): the admin console's Token or "
            "EncodingAESKey differs from ours; copy both again.",
        )
    if last is None:
        return Step(
            name,
            zh,
            en,
            State.BAD,
            "还没有收到过回调：请把地址、Token 和 EncodingAESKey 填到管理后台并保存，再扫一次活码，或改一个企业标签。",
            "No callback has come yet: paste address, Token and EncodingAESKey in the admin console and save, then let "
            "somebody scan a contact way, or change a corp tag.",
        )
    at = f"{last:%Y-%m-%d %H:%M} UTC"
    return Step(name, zh, en, State.GOOD, f"最近一次在 {at}。", f"The latest came at {at}.")
