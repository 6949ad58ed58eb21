"""How the phone says times, numbers and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from yutang.execution.contracts import Reason


def language() -> str:
    """The reader's language, as documents' titles have it."""
    return "en" if (get_language() or "").startswith("en") else "zh"


def local(moment: datetime, place: ZoneInfo) -> datetime:
    """The wall time of an instant, without its zone: templates show it as it stands."""
    return moment.astimezone(place).replace(tzinfo=None)


def reason_said(reason: str, facts: Mapping[str, int | None]) -> str:
    """Why somebody is to be contacted today, with the numbers it rests on."""
    sentences = {
        "overdue": _("平时约 %(usual)s 天来一次，这次已经 %(days)s 天没来"),
        "due_soon": _("平时约 %(usual)s 天来一次，距上次 %(days)s 天，快到下一次了"),
        "lapsed_super": _("以前常来，买过 %(orders)s 单，已经 %(days)s 天没来"),
        "no_word": _("加好友 %(friend_days)s 天，还没说过话"),
    }
    return sentences[reason] % {"usual": "–", "days": "–", "orders": "–", "friend_days": "–", **facts}


def refusal_said(refusal: str | None) -> str:
    """Why somebody must not be contacted after all; empty where nothing speaks against it."""
    if refusal is None:
        return ""
    sentences = {
        "silent": _("客户要求不再打扰，今天不要联系"),
        "consent": _("客户刚撤回了同意，今天不要联系"),
        "preference": _("客户不想收到这类消息，今天不要联系"),
        "relation": _("已经不是好友"),
    }
    return sentences.get(refusal, _("这位客户现在不能联系"))


def why_not_words() -> dict[str, str]:
    """The reasons why a task is not done, by the board's names of them."""
    return {
        Reason.TOO_MANY.value: _("任务太多"),
        Reason.WRONG_CUSTOMERS.value: _("客户不对"),
        Reason.TEXT_NOT_FITTING.value: _("文案不合适"),
        Reason.ON_LEAVE.value: _("休假或不在岗"),
        Reason.OTHER.value: _("其他原因"),
    }
