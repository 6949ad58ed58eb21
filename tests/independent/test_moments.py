"""wechatpy's client at Moments, the album, interception rules, rule groups and the archive's calls.

It has no method of its own for any of them: its transport carries the bodies of the platform's own examples.
"""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import HOUR, START, Client

OF = "externalcontact/"
NOW = int(START.timestamp())


@pytest.mark.wecom(
    "externalcontact/add_moment_task",
    "externalcontact/get_moment_task_result",
    "externalcontact/cancel_moment_task",
    "externalcontact/get_moment_list",
    "externalcontact/get_moment_task",
    "externalcontact/get_moment_customer_list",
    "externalcontact/get_moment_send_result",
    "externalcontact/get_moment_comments",
    raw=True,
)
def test_moments(sandbox: Client, theirs: WeChatClient) -> None:
    body = {
        "text": {"content": "文本消息内容"},
        "attachments": [
            {
                "msgtype": "link",
                "link": {
                    "title": "消息标题",
                    "url": "https://example.link.com/path",
                    "media_id": sandbox.attachment(1),
                },
            }
        ],
        "visible_range": {"sender_list": {"user_list": ["a", "lisi"], "department_list": [2, 3]}},
    }
    job = theirs.post(f"{OF}add_moment_task", json=body)["jobid"]
    result = theirs.get(f"{OF}get_moment_task_result", params={"jobid": job})["result"]
    assert result["invalid_sender_list"] == {"user_list": ["lisi"], "department_list": [2, 3]}
    moment = result["moment_id"]
    sandbox.advance(START + HOUR)
    asked = {"start_time": NOW, "end_time": NOW, "filter_type": 0, "cursor": "", "limit": 10}
    assert theirs.post(f"{OF}get_moment_list", json=asked)["moment_list"][0]["moment_id"] == moment
    tasks = theirs.post(f"{OF}get_moment_task", json={"moment_id": moment, "cursor": "", "limit": 10})["task_list"]
    assert tasks == [{"userid": "a", "publish_status": 1}]
    one = {"moment_id": moment, "userid": "a", "cursor": "", "limit": 10}
    assert len(theirs.post(f"{OF}get_moment_customer_list", json=one)["customer_list"]) == 4
    assert len(theirs.post(f"{OF}get_moment_send_result", json=one)["customer_list"]) == 4
    assert theirs.post(f"{OF}get_moment_comments", json={"moment_id": moment, "userid": "a"})["errcode"] == 0
    assert theirs.post(f"{OF}cancel_moment_task", json={"moment_id": moment})["errcode"] == 0
    with pytest.raises(WeChatClientException, match="41089"):
        theirs.post(f"{OF}add_moment_task", json={})


@pytest.mark.wecom(
    "externalcontact/add_product_album",
    "externalcontact/get_product_album",
    "externalcontact/get_product_album_list",
    "externalcontact/update_product_album",
    "externalcontact/delete_product_album",
    "externalcontact/add_intercept_rule",
    "externalcontact/get_intercept_rule_list",
    "externalcontact/get_intercept_rule",
    "externalcontact/update_intercept_rule",
    "externalcontact/del_intercept_rule",
    raw=True,
)
def test_the_album_and_interception_rules(sandbox: Client, theirs: WeChatClient) -> None:
    images = [{"type": "image", "image": {"media_id": sandbox.attachment(2)}}]
    product = {"description": "世界上最好的商品", "price": 30000, "product_sn": "xxxxxxxx", "attachments": images}
    made = {"product_id": theirs.post(f"{OF}add_product_album", json=product)["product_id"]}
    assert theirs.post(f"{OF}get_product_album", json=made)["product"]["price"] == 30000
    listed = theirs.post(f"{OF}get_product_album_list", json={"limit": 50, "cursor": ""})["product_list"]
    assert [row["product_sn"] for row in listed] == ["xxxxxxxx"]
    assert theirs.post(f"{OF}update_product_album", json={**made, **product, "product_sn": "xxxxxx"})["errcode"] == 0
    assert theirs.post(f"{OF}delete_product_album", json=made)["errcode"] == 0
    rule = {
        "rule_name": "rulename",
        "word_list": ["敏感词1", "敏感词2"],
        "semantics_list": [1, 2, 3],
        "intercept_type": 1,
        "applicable_range": {"user_list": ["a"], "department_list": [1]},
    }
    kept = {"rule_id": theirs.post(f"{OF}add_intercept_rule", json=rule)["rule_id"]}
    assert [row["rule_name"] for row in theirs.get(f"{OF}get_intercept_rule_list")["rule_list"]] == ["rulename"]
    change = {
        "extra_rule": {"semantics_list": [1]},
        "add_applicable_range": {"user_list": ["b"]},
        "remove_applicable_range": {"user_list": ["a"], "department_list": [1]},
    }
    assert theirs.post(f"{OF}update_intercept_rule", json={**kept, **change})["errcode"] == 0
    read = theirs.post(f"{OF}get_intercept_rule", json=kept)["rule"]
    assert (read["extra_rule"], read["applicable_range"]["user_list"]) == ({"semantics_list": [1]}, ["b"])
    assert theirs.post(f"{OF}del_intercept_rule", json=kept)["errcode"] == 0


@pytest.mark.wecom(
    "externalcontact/customer_strategy/list",
    "externalcontact/customer_strategy/get",
    "externalcontact/customer_strategy/get_range",
    "externalcontact/customer_strategy/create",
    "externalcontact/customer_strategy/edit",
    "externalcontact/customer_strategy/del",
    "externalcontact/moment_strategy/list",
    "externalcontact/moment_strategy/get",
    "externalcontact/moment_strategy/get_range",
    "externalcontact/moment_strategy/create",
    "externalcontact/moment_strategy/edit",
    "externalcontact/moment_strategy/del",
    "externalcontact/get_strategy_tag_list",
    "externalcontact/add_strategy_tag",
    "externalcontact/edit_strategy_tag",
    "externalcontact/del_strategy_tag",
    raw=True,
)
def test_rule_groups_and_their_tags(theirs: WeChatClient) -> None:
    nodes = [{"type": 1, "userid": "a"}, {"type": 2, "partyid": 1}]
    spec = {"parent_id": 0, "strategy_name": "NAME", "admin_list": ["a", "b"], "privilege": {}, "range": nodes}
    for kind in ("moment", "customer"):
        call = f"{OF}{kind}_strategy"
        made = {"strategy_id": theirs.post(f"{call}/create", json=spec)["strategy_id"]}
        assert theirs.post(f"{call}/list", json={"cursor": "", "limit": 1000})["strategy"] == [made]
        assert theirs.post(f"{call}/get", json=made)["strategy"]["admin_list"] == ["a", "b"]
        change = {"range_add": [{"type": 1, "userid": "b"}], "range_del": [{"type": 1, "userid": "a"}]}
        assert theirs.post(f"{call}/edit", json={**made, "strategy_name": "NEW", **change})["errcode"] == 0
        ranged = theirs.post(f"{call}/get_range", json={**made, "cursor": "", "limit": 1000})["range"]
        assert ranged == [{"type": 1, "userid": "b"}, {"type": 2, "partyid": 1}]
        if kind == "moment":
            assert theirs.post(f"{call}/del", json=made)["errcode"] == 0
    tags = [{"name": "TAG_NAME_1", "order": 1}, {"name": "TAG_NAME_2", "order": 2}]
    asked = {**made, "group_name": "GROUP_NAME", "order": 1, "tag": tags}
    group = theirs.post(f"{OF}add_strategy_tag", json=asked)["tag_group"]
    second = group["tag"][0]["id"]
    assert (
        theirs.post(f"{OF}edit_strategy_tag", json={"id": second, "name": "NEW_TAG_NAME", "order": 1})["errcode"] == 0
    )
    assert theirs.post(f"{OF}del_strategy_tag", json={"tag_id": [group["tag"][1]["id"]]})["errcode"] == 0
    listed = theirs.post(f"{OF}get_strategy_tag_list", json=made)["tag_group"]
    assert [tag["name"] for tag in listed[0]["tag"]] == ["NEW_TAG_NAME"]
    assert theirs.post(f"{OF}customer_strategy/del", json=made)["errcode"] == 0
    assert theirs.post(f"{OF}get_strategy_tag_list", json={})["tag_group"] == []


@pytest.mark.wecom(
    "msgaudit/get_permit_user_list",
    "msgaudit/check_single_agree",
    "msgaudit/check_room_agree",
    "msgaudit/groupchat/get",
    raw=True,
)
def test_the_archive(sandbox: Client, theirs: WeChatClient) -> None:
    sandbox.control("archive", members={"a": 1}, room={"roomid": "wr1", "answers": {"wmc0": False}})
    sandbox.control("archive", room={"roomid": "wr2", "name": "蓦然回首", "members": ["a", "b"]})
    assert theirs.post("msgaudit/get_permit_user_list", json={"type": 1})["ids"] == ["a"]
    info = [{"userid": "a", "exteranalopenid": "wmc0"}]
    (row,) = theirs.post("msgaudit/check_single_agree", json={"info": info})["agreeinfo"]
    assert row["agree_status"] == "Default_Agree"
    (room,) = theirs.post("msgaudit/check_room_agree", json={"roomid": "wr1"})["agreeinfo"]
    assert room["agree_status"] == "Disagree"
    assert theirs.post("msgaudit/groupchat/get", json={"roomid": "wr2"})["roomname"] == "蓦然回首"
