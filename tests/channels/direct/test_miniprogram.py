"""A mini-program's subscription messages."""

from __future__ import annotations

from tests.channels.direct.weixin import WeixinContract


class TestMiniProgram(WeixinContract):
    name = "miniprogram"
    path = "/cgi-bin/message/subscribe/send"
    delivered = (
        b"<xml><FromUserName>oABC_1</FromUserName><CreateTime>1700000000</CreateTime><MsgType>event</MsgType>"
        b"<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>TPL1</TemplateId>"
        b"<MsgID>42</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List></SubscribeMsgSentEvent></xml>"
    )
