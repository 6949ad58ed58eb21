"""What short messages in China have in common: how they are counted, and how a customer says stop."""

from __future__ import annotations

import re
import unicodedata

from yutang.channels.contracts import CannotCarry, MessageContent

FIRST, NEXT, MOST = 70, 67, 500
"""Characters of a message that goes in one piece, of each piece of a longer one, and of the longest; the signature in
its brackets counts (Aliyun: 短信发送规则; Tencent Cloud: 国内短信内容长度计算规则)."""
OPT_OUT = "拒收请回复R"
DEAD_NUMBER = ("MK:0001",)
"""What carriers report of a number that does not exist (of other failures another message may arrive)."""
_OFFERS = re.compile(r"(?:拒收|退订).{0,6}(?:回|R|T|N)|(?:回复?)(?:TD|[TRN])(?:退|拒)", re.IGNORECASE)
_STOP = {
    "r",
    "t",
    "td",
    "n",
    "tdd",
    "退订",
    "退",
    "拒收",
    "取消",
    "取消订阅",
    "不要再发",
    "不要再发了",
    "别发了",
    "stop",
    "unsubscribe",
}


def pieces(text: str) -> int:
    """How many messages a text, signature and all, is counted as."""
    size = len(text)
    return 1 if size <= FIRST else -(-size // NEXT)


def check(content: MessageContent, signed: str) -> None:
    """Raise CannotCarry for a text that is too long, or that is marketing and does not say how it is refused."""
    if content.links:
        raise CannotCarry(
            "短信不能附链接卡片，请把网址写进文案。", "A short message has no link cards; write the address into it."
        )
    if len(signed) > MOST:
        raise CannotCarry(
            f"短信连签名有 {len(signed)} 个字，最多 {MOST} 个，请缩短。",
            f"With its signature the message has {len(signed)} characters and takes {MOST}; shorten it.",
        )
    if (content.permit is None or content.permit.marketing) and not _OFFERS.search(content.text):
        raise CannotCarry(
            f"营销短信要写明怎样拒收：请在模板和文案末尾加上「{OPT_OUT}」。",
            f"Marketing must say how it is refused: end the template and the text with “{OPT_OUT}”.",
        )


def says_stop(text: str) -> bool:
    """Whether a reply asks that it stops: TD, T, R, 退订 … whatever its width, case and punctuation."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in plain if one.isalnum()) in _STOP


def local(phone: str) -> str:
    """A number of E.164 as Chinese providers write it: eleven digits of the mainland, else the country's code first."""
    return phone.removeprefix("+86") if phone.startswith("+86") else phone.removeprefix("+")


def e164(number: str, country: str = "86") -> str:
    """The other way round; `country` is the code that the provider says beside the number."""
    plain = number.strip().removeprefix("+")
    if country != "86":
        return f"+{country}{plain}"
    return f"+86{plain}" if len(plain) == 11 and plain.startswith("1") else f"+{plain}"
