"""Every kind of event that WeCom tells of: its name, and which of its elements say what it concerns.

WeCom docs 90930, 92130, 92277 (customers, groups, tags), 97299 (acquisition links), 94670 (customer service) and 90970
(directory). A kind that is not here is kept and counted all the same, under the name that the platform gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yutang.channels.wecom.callbacks import Notice


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event. `concerns`: the elements that hold the ids of what it is about."""

    zh: str
    en: str
    concerns: tuple[str, ...] = ()


#: What an element's id names, for a reader.
THINGS: Mapping[str, tuple[str, str]] = {
    "UserID": ("成员", "member"),
    "ExternalUserID": ("客户", "customer"),
    "ChatId": ("客户群", "customer group"),
    "Id": ("标签或部门", "tag or department"),
    "TagId": ("成员标签", "member tag"),
    "LinkId": ("获客链接", "acquisition link"),
    "OpenKfId": ("客服账号", "service account"),
    "FromUserName": ("成员", "member"),
    "ChatKey": ("会话", "conversation"),
}
_PAIR = ("UserID", "ExternalUserID")
_LINK = "customer_acquisition"

KINDS: Mapping[str, EventKind] = {
    "change_external_contact/add_external_contact": EventKind("加了好友", "A customer was added", _PAIR),
    "change_external_contact/add_half_external_contact": EventKind(
        "免验证加了好友，成员还没有确认", "A customer came in without the member's yes", _PAIR
    ),
    "change_external_contact/edit_external_contact": EventKind(
        "客户备注或标签被改", "A customer's remark or tags changed", _PAIR
    ),
    "change_external_contact/del_external_contact": EventKind("成员删了客户", "A member removed a customer", _PAIR),
    "change_external_contact/del_follow_user": EventKind("客户删了成员", "A customer removed a member", _PAIR),
    "change_external_contact/transfer_fail": EventKind("客户继承失败", "A transfer failed", _PAIR),
    "change_external_chat/create": EventKind("建了客户群", "A group was made", ("ChatId",)),
    "change_external_chat/update": EventKind("客户群有变动", "A group changed", ("ChatId",)),
    "change_external_chat/dismiss": EventKind("客户群解散", "A group was dissolved", ("ChatId",)),
    "change_external_tag/create": EventKind("新建企业标签", "A tag was made", ("Id",)),
    "change_external_tag/update": EventKind("企业标签被改", "A tag changed", ("Id",)),
    "change_external_tag/delete": EventKind("企业标签被删", "A tag was deleted", ("Id",)),
    "change_external_tag/shuffle": EventKind("企业标签重排", "Tags were put in another order", ("Id",)),
    f"{_LINK}/balance_low": EventKind("获客额度不足 20", "Fewer than 20 acquisitions are left"),
    f"{_LINK}/balance_exhausted": EventKind("获客额度用完", "No acquisition is left"),
    f"{_LINK}/balance_increased": EventKind("获客额度增加", "More acquisitions were bought"),
    f"{_LINK}/quota_expire_soon": EventKind("获客额度即将过期", "Acquisitions are about to expire"),
    f"{_LINK}/link_unavailable": EventKind("获客链接不可用", "An acquisition link stopped working", ("LinkId",)),
    f"{_LINK}/delete_link": EventKind("获客链接被删", "An acquisition link was deleted", ("LinkId",)),
    f"{_LINK}/open_profile": EventKind("客户打开了获客名片", "A customer opened the card of a link", ("LinkId",)),
    f"{_LINK}/friend_request": EventKind("客户经获客链接申请", "A customer asked through a link", ("LinkId",)),
    f"{_LINK}/customer_start_chat": EventKind(
        "客户经获客链接开口", "A customer of a link began to chat", ("LinkId", *_PAIR)
    ),
    f"{_LINK}/message_from_customer": EventKind(
        "客户发来第 3、5、10 条消息", "A customer's 3rd, 5th or 10th message", ("LinkId", "ChatKey", *_PAIR)
    ),
    f"{_LINK}/del_follow_user": EventKind(
        "获客链接的客户删了成员", "A customer of a link removed a member", ("LinkId", *_PAIR)
    ),
    "kf_msg_or_event": EventKind("微信客服有新消息", "Customer service has news", ("OpenKfId",)),
    "change_contact/create_user": EventKind("新增成员", "A member was made", ("UserID",)),
    "change_contact/update_user": EventKind("成员资料被改", "A member changed", ("UserID",)),
    "change_contact/delete_user": EventKind("成员被删", "A member was deleted", ("UserID",)),
    "change_contact/create_party": EventKind("新建部门", "A department was made", ("Id",)),
    "change_contact/update_party": EventKind("部门被改", "A department changed", ("Id",)),
    "change_contact/delete_party": EventKind("部门被删", "A department was deleted", ("Id",)),
    "change_contact/update_tag": EventKind("成员标签被改", "Tags of members changed", ("TagId",)),
    "msgaudit_notify": EventKind("会话存档有新消息", "The session archive has news"),
    "subscribe": EventKind("成员关注了应用", "A member follows the app", ("FromUserName",)),
    "unsubscribe": EventKind("成员取消关注应用", "A member follows the app no more", ("FromUserName",)),
    "enter_agent": EventKind("成员进入应用", "A member opened the app", ("FromUserName",)),
    "template_card_event": EventKind("成员点了卡片", "A member tapped a card", ("FromUserName",)),
}


def concerned(notice: Notice) -> tuple[tuple[str, str], ...]:
    """What an event is about, as (element, id), most particular last; empty for one that names nothing."""
    kind = KINDS.get(notice.kind)
    names = kind.concerns if kind is not None else tuple(THINGS)
    return tuple((name, value) for name in names if (value := notice.get(name)) and value != "sys")
