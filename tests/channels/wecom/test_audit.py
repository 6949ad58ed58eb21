"""The session archive's HTTP calls: scripted answers, and our running sandbox."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.channels.wecom.platform import CORP, Platform, error, ok
from tests.sandbox.conftest import START, Client, house, open_sandbox, sandbox
from yutang.channels.contracts import RefusedByPlatform, UnexpectedAnswer
from yutang.channels.wecom.audit import MEMBERS, PAIRS, ROOM, Agreement, Edition, WeComAudit
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore

__all__ = ["house", "open_sandbox", "sandbox"]


@pytest.fixture
def audit(client: WeComClient) -> WeComAudit:
    return WeComAudit(client)


def word(member: str, customer: str, status: str = "Agree") -> dict[str, object]:
    return {
        "status_change_time": 1562766651,
        "userid": member,
        "exteranalopenid": customer,
        "agree_status": status,
    }


def test_pairs_are_asked_by_the_hundred_with_the_platforms_own_spelling(platform: Platform, audit: WeComAudit) -> None:
    platform.plays(
        PAIRS,
        lambda request: ok(
            agreeinfo=[word(one["userid"].title(), one["exteranalopenid"]) for one in request.body["info"]]
        ),
    )
    pairs = [("zhangsan", f"wm{number:03d}") for number in range(150)]
    found = audit.agreements(pairs)
    assert list(found) == pairs
    assert found[pairs[0]] == Agreement(True, True, datetime(2019, 7, 10, 13, 50, 51, tzinfo=UTC))
    assert [len(request.body["info"]) for request in platform.calls(PAIRS)] == [100, 50]
    assert platform.calls(PAIRS)[0].body["info"][0] == {"userid": "zhangsan", "exteranalopenid": "wm000"}
    assert audit.agreements([]) == {}


def test_a_pair_that_the_platform_does_not_know_spoils_no_other(platform: Platform, audit: WeComAudit) -> None:
    platform.plays(PAIRS, error(84061), error(84061), ok(agreeinfo=[word("a", "wm2", "Default_Agree")]), error(301053))
    assert audit.agreements([("a", "wm1"), ("a", "wm2")]) == {
        ("a", "wm2"): Agreement(True, False, datetime(2019, 7, 10, 13, 50, 51, tzinfo=UTC))
    }
    with pytest.raises(RefusedByPlatform, match="no session archive"):
        audit.agreements([("a", "wm1")])
    platform.plays(PAIRS, ok(agreeinfo=[word("a", "wm1", "Perhaps")]))
    with pytest.raises(UnexpectedAnswer):
        audit.agreements([("a", "wm1")])


def test_a_room_that_the_platform_does_not_know_has_no_words(platform: Platform, audit: WeComAudit) -> None:
    platform.plays(ROOM, error(40058), error(301052))
    assert audit.room_agreements("wr1") == {}
    with pytest.raises(RefusedByPlatform, match="has expired"):
        audit.room_agreements("wr1")


def test_the_archive_is_an_app_with_a_token_of_its_own(platform: Platform, client: WeComClient) -> None:
    platform.plays(MEMBERS, ok(ids=["zhangsan"]))
    assert WeComAudit(client).members() == ["zhangsan"]
    with pytest.raises(RefusedByPlatform, match="secret is wrong"):
        WeComAudit(client.of_app("not-the-archives")).members(Edition.SERVICE)
    asked = platform.calls("gettoken")
    assert [request.query["corpsecret"] == "not-the-archives" for request in asked] == [False, True]
    assert {request.query["corpid"] for request in asked} == {CORP}


@pytest.mark.wecom(
    "msgaudit/get_permit_user_list",
    "msgaudit/check_single_agree",
    "msgaudit/check_room_agree",
    "msgaudit/groupchat/get",
)
def test_the_archive_at_the_sandbox(sandbox: Client) -> None:
    audit = WeComAudit(WeComClient(sandbox.address, "ww-sandbox", "synthetic", token_store=MemoryTokenStore()))
    sandbox.control("archive", members={"a": 2, "b": 1}, room={"roomid": "wr1", "answers": {"wmc0": False}})
    sandbox.control("archive", answers=[{"userid": "a", "external_userid": "wmc1", "agrees": False}])
    sandbox.control("archive", room={"roomid": "wr2", "name": "门店群", "members": ["a", "b"]})
    assert audit.members() == ["a", "b"]
    assert audit.members(Edition.OFFICE) == ["b"]
    words = audit.agreements([("A", "wmc0"), ("a", "wmc1"), ("a", "wmd")])
    assert {pair: (one.agrees, one.said) for pair, one in words.items()} == {
        ("A", "wmc0"): (True, False),
        ("a", "wmc1"): (False, True),
    }
    assert audit.room_agreements("wr1") == {"wmc0": Agreement(False, True, START)}
    assert audit.room_agreements("wr404") == {}
    room = audit.inner_room("wr2")
    assert (room.name, room.creator, room.created_at) == ("门店群", "a", START)
    assert room.members == {"a": START, "b": START}
    with pytest.raises(RefusedByPlatform, match="among themselves"):
        audit.inner_room("wr1")
