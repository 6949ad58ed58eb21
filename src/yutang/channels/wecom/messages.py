"""Messages of the app to staff behind `StaffMessagePort` (docs 90236, 94867, 94888), and to groups by robot (91770)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.staff import CardButton, StaffCard, StaffMessage, StaffSent, StaffTask, StaffText
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient
from yutang.kernel.errors import BadInput, Refused

SEND = "message/send"
RECALL = "message/recall"
UPDATE_CARD = "message/update_template_card"
ROBOT = "webhook/send"
LAUNCH = "get_launch_code"

MEMBERS_A_CALL = 1_000
ONCE_WITHIN = 1_800  # seconds in which the platform shows the same once
ROBOT_TEXT = 2_048


class WeComStaffMessages:
    """`StaffMessagePort` of one app. What is beyond a member's cap (30 a minute, 1,000 an hour) the platform drops."""

    def __init__(self, client: WeComClient, corp: str, agent: int | None) -> None:
        self._client = client
        self._corp = corp
        self._agent = agent

    def tell(self, members: Sequence[str], message: StaffMessage) -> StaffSent:
        """`message/send`, to a thousand at a time, with the platform's check of doubles: so it may be repeated."""
        agent, said = self._app(), _payload(message)
        wanted = list(dict.fromkeys(member for member in members if member))
        ids, refused, codes = [], [], []
        for first in range(0, len(wanted), MEMBERS_A_CALL):
            some = wanted[first : first + MEMBERS_A_CALL]
            check = {"enable_duplicate_check": 1, "duplicate_check_interval": ONCE_WITHIN}
            try:
                answer = self._client.call(SEND, body={"touser": "|".join(some), "agentid": agent, **said, **check})
            except RefusedByPlatform as nobody:
                if nobody.errcode != errcodes.NOBODY_TO_TELL:
                    raise
                refused += [member.lower() for member in some]
                continue
            if not answer.get("msgid"):
                raise UnexpectedAnswer(SEND, "没有 msgid", "there is no msgid")
            ids.append(str(answer["msgid"]))
            # without a licence a member hears nothing either
            refused += [
                one
                for name in ("invaliduser", "unlicenseduser")
                for one in str(answer.get(name) or "").split("|")
                if one
            ]
            codes += [str(answer["response_code"])] if answer.get("response_code") else []
        return StaffSent(tuple(ids), tuple(refused), tuple(codes))

    def take_back(self, sent: StaffSent) -> None:
        """`message/recall`."""
        for number in sent.ids:
            self._client.call(RECALL, body={"msgid": number})

    def settle(self, code: str, members: Sequence[str], text: str) -> None:
        """`message/update_template_card`. Not repeated: a code works once."""
        body = {"userids": list(members), "agentid": self._app(), "response_code": code}
        self._client.call(UPDATE_CARD, body={**body, "button": {"replace_name": text}}, repeatable=False)

    def chat_address(self, operator: str, *, member: str = "", customer: str = "") -> str:
        """`get_launch_code`: an address that opens the operator's chat with somebody on their computer, once, within
        five minutes (doc 94345)."""
        chat = {"userid": member} if member else {"external_userid": customer}
        code = self._client.call(LAUNCH, body={"operator_userid": operator, "single_chat": chat}).get("launch_code")
        if not code:
            raise UnexpectedAnswer(LAUNCH, "没有 launch_code", "there is no launch_code")
        return f"wxwork://launch?launch_code={code}"

    def _app(self) -> int:
        if self._agent is None:
            raise Refused(
                f"企业「{self._corp}」还没有填写应用的 AgentId，不能给员工发消息。",
                f"The AgentId of the app of “{self._corp}” is not known; staff cannot be told.",
            )
        return self._agent


class WeComRobot:
    """A group's robot, by the key in its address, which is its secret. Twenty messages a minute."""

    def __init__(self, client: WeComClient, key: str) -> None:
        self._client = client
        self._key = key

    def say(self, text: str, *, mention: Sequence[str] = ()) -> None:
        """A text, with the members whom it calls. Not repeated on a lost answer: a group would read it twice."""
        if len(text.encode()) > ROBOT_TEXT:
            raise BadInput(
                f"群机器人的消息至多 {ROBOT_TEXT} 字节。", f"A robot's message has at most {ROBOT_TEXT} bytes."
            )
        body = {"msgtype": "text", "text": {"content": text, **({"mentioned_list": list(mention)} if mention else {})}}
        self._client.call(ROBOT, params={"key": self._key}, body=body, repeatable=False, open_to_all=True)


def _payload(message: StaffMessage) -> Mapping[str, Any]:
    match message:
        case StaffText(text):
            if not text.strip():
                raise BadInput("消息是空的。", "The message is empty.")
            return {"msgtype": "text", "text": {"content": text}}
        case StaffCard(title, text, url, button):
            card = {"title": title, "description": text, "url": url, **({"btntxt": button} if button else {})}
            return {"msgtype": "textcard", "textcard": card}
        case StaffTask():
            return {"msgtype": "template_card", "template_card": _card(message)}


def _card(task: StaffTask) -> Mapping[str, Any]:
    if len(task.facts) > 6 or len(task.buttons) > 6 or not (task.buttons or task.url):
        raise BadInput(
            "卡片至多 6 项内容、6 个按钮；没有按钮时要有链接。",
            "A card has at most 6 facts and 6 buttons, and an address where it has no button.",
        )
    card: dict[str, Any] = {"main_title": {"title": task.title}, "task_id": task.task}
    if task.text:
        card["sub_title_text"] = task.text
    if task.facts:
        card["horizontal_content_list"] = [{"keyname": name, "value": value} for name, value in task.facts]
    if task.url:
        card["card_action"] = {"type": 1, "url": task.url}
    if not task.buttons:
        return {"card_type": "text_notice", **card}
    return {"card_type": "button_interaction", **card, "button_list": [_button(one) for one in task.buttons]}


def _button(button: CardButton) -> Mapping[str, Any]:
    more = {"type": 1, "url": button.url} if button.url else {"type": 0, "key": button.key}
    return {"text": button.text, "style": 1, **more}
