"""Our connector of customer service: against the scripted platform, and end to end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.channels.wecom.platform import Broken, Platform, error, ok
from tests.sandbox.conftest import DAY, START, Client, door, house, open_sandbox, sandbox
from yutang.channels.contracts import AnswerLost, CodeSpent, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.service import Closed, ServiceClosed, ServiceContent, Speaker
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.kf import BOT, ENDED, HUMAN, SEND, WAITING, WeComService

__all__ = ["door", "house", "open_sandbox", "sandbox"]


@pytest.fixture
def service(sandbox: Client, connect: Callable[..., WeComClient]) -> WeComService:
    """Our connector, at the sandbox with the small world in it."""
    return WeComService(connect("ww-sandbox", "synthetic", base_url=sandbox.address))


def does(sandbox: Client, account: str, do: str, **more: object) -> dict:
    return sandbox.control("service", do=do, open_kfid=account, external_userid="wmc0", **more)


@pytest.mark.wecom(
    "kf/account/add", "kf/account/update", "kf/account/del", "kf/account/list", "kf/add_contact_way",
    "kf/servicer/add", "kf/servicer/del", "kf/servicer/list",
)  # fmt: skip
def test_accounts_and_who_serves_them(service: WeComService) -> None:
    account = service.add_account("门店客服", "pic")
    service.update_account(account, name="总部客服")
    assert [(one.id, one.name) for one in service.accounts()] == [(account, "总部客服")]
    assert "enc_scene=poster" in service.link(account, "poster")
    assert service.add_servicers(account, ["a", "nobody"]) == {"nobody": 40003}
    assert [(one.userid, one.serving) for one in service.servicers(account)] == [("a", True)]
    assert service.remove_servicers(account, ["a"]) == {}
    service.delete_account(account)
    service.delete_account(account)
    assert service.accounts() == []


@pytest.mark.wecom(
    "kf/sync_msg", "kf/send_msg", "kf/send_msg_on_event", "kf/service_state/get", "kf/service_state/trans",
    "kf/customer/batchget", "kf/get_corp_statistic", "kf/get_servicer_statistic",
)  # fmt: skip
def test_a_conversation_from_the_welcome_to_its_end(sandbox: Client, service: WeComService) -> None:
    account = service.add_account("门店客服", "pic")
    service.add_servicers(account, ["a"])
    code = does(sandbox, account, "enter", scene="poster")["welcome_code"]
    service.answer_event(code, "yt_0", ServiceContent.said("欢迎"))
    with pytest.raises(CodeSpent):
        service.answer_event(code, "yt_00", ServiceContent.said("欢迎"))
    with pytest.raises(ServiceClosed) as closed:
        service.send(account, "wmc0", "yt_1", ServiceContent.said("您好"))
    assert closed.value.why is Closed.TIME
    does(sandbox, account, "say", text="有货吗")
    service.send(account, "wmc0", "yt_1", ServiceContent.said("有的"))
    service.send(account, "wmc0", "yt_1", ServiceContent.said("有的"), again=True)
    with pytest.raises(RefusedByPlatform, match="40058"):
        service.send(account, "wmc0", "yt_1", ServiceContent.said("有的"))
    assert service.state(account, "wmc0") == (BOT, "")
    assert service.move(account, "wmc0", WAITING)
    with pytest.raises(ServiceClosed):
        service.send(account, "wmc0", "yt_2", ServiceContent.said("您好"))
    assert service.move(account, "wmc0", HUMAN, "a")
    does(sandbox, account, "answer", text="我来")
    assert service.state(account, "wmc0") == (HUMAN, "a")
    assert service.move(account, "wmc0", ENDED)
    assert [(one.external_userid, one.scene) for one in service.customers(["wmc0", "wmc9"])] == [("wmc0", "poster")]
    said, cursor, more = [], "", True
    while more:
        page = service.read(account, cursor)
        said, cursor, more = [*said, *page.messages], page.cursor, page.more
    assert [(one.origin, one.kind, one.customer, one.servicer) for one in said] == [
        (Speaker.SYSTEM, "event", "wmc0", ""),
        (Speaker.CUSTOMER, "text", "wmc0", ""),
        (Speaker.SERVICER, "text", "wmc0", "a"),
    ]
    assert said[1].fields == {"content": "有货吗"}
    assert "有货吗" not in repr(said)
    sandbox.advance(START + DAY)
    assert [one["customer_msg_cnt"] for one in service.corp_figures(account, START, START).values()] == [1]
    assert [one["session_cnt"] for one in service.servicer_figures(account, "a", START, START).values()] == [1]
    assert service.corp_figures(account, START - 2 * DAY, START - timedelta(days=1)) == {}


def test_a_lost_answer_is_sent_again_under_the_same_id_and_arrives_once(sandbox: Client, service: WeComService) -> None:
    account = service.add_account("门店客服", "pic")
    does(sandbox, account, "enter")
    does(sandbox, account, "say", text="在")
    sandbox.control("faults", faults=[{"api": SEND, "kind": "drop_answer", "times": 1}])
    with pytest.raises(AnswerLost):
        service.send(account, "wmc0", "yt_1", ServiceContent.said("在的"))
    service.send(account, "wmc0", "yt_1", ServiceContent.said("在的"), again=True)
    assert does(sandbox, account, "sent")["sent"] == ["yt_1"]


def test_what_is_no_answer_is_refused(platform: Platform, client: WeComClient) -> None:
    service = WeComService(client)
    platform.plays("kf/sync_msg", ok(next_cursor="c", has_more=1, msg_list=[]))
    assert service.read("wk1", "").more
    with pytest.raises(UnexpectedAnswer):
        service.read("wk1", "c")
    platform.plays("kf/sync_msg", ok(next_cursor="d", has_more=0, msg_list=[{"msgtype": "text"}]))
    with pytest.raises(UnexpectedAnswer):
        service.read("wk1", "c")
    platform.plays("kf/account/add", ok())
    with pytest.raises(AnswerLost):
        service.add_account("门店", "pic")
    platform.plays("kf/service_state/trans", Broken())
    with pytest.raises(AnswerLost):
        service.move("wk1", "wm1", HUMAN, "a")
    platform.plays("kf/servicer/list", error(95004))
    with pytest.raises(RefusedByPlatform, match="no such service account"):
        service.servicers("wk1")
