"""wechatpy has no methods for acquisition links: its transport carries the documents' bodies."""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import START, Client

OF = "externalcontact/customer_acquisition"


@pytest.mark.wecom(
    "externalcontact/customer_acquisition/create_link", "externalcontact/customer_acquisition/get",
    "externalcontact/customer_acquisition/update_link", "externalcontact/customer_acquisition/delete_link",
    "externalcontact/customer_acquisition/list_link", raw=True,
)  # fmt: skip
def test_links_by_the_documents_bodies(theirs: WeChatClient) -> None:
    body = {
        "link_name": "获客链接1号",
        "range": {"user_list": ["a", "b"], "department_list": [2, 3]},
        "skip_verify": True,
        "priority_option": {"priority_type": 2, "priority_userid_list": ["a", "b"]},
        "mark_source": True,
    }
    link = theirs.post(f"{OF}/create_link", json=body)["link"]
    assert theirs.post(f"{OF}/list_link", json={"limit": 100})["link_id_list"] == [link["link_id"]]
    got = theirs.post(f"{OF}/get", json={"link_id": link["link_id"]})
    assert (got["link"]["url"], got["range"]) == (link["url"], body["range"])
    theirs.post(f"{OF}/update_link", json={"link_id": link["link_id"], **body, "link_name": "2号"})
    theirs.post(f"{OF}/delete_link", json={"link_id": link["link_id"]})
    with pytest.raises(WeChatClientException, match="40058"):
        theirs.post(f"{OF}/get", json={"link_id": link["link_id"]})


@pytest.mark.wecom(
    "externalcontact/customer_acquisition_quota", "externalcontact/customer_acquisition/customer",
    "externalcontact/customer_acquisition/statistic", "externalcontact/customer_acquisition/get_chat_info", raw=True,
)  # fmt: skip
def test_what_they_brought_by_the_documents_bodies(sandbox: Client, theirs: WeChatClient) -> None:
    made = theirs.post(f"{OF}/create_link", json={"link_name": "x", "range": {"user_list": ["a"]}})["link"]
    who = sandbox.control("acquisition", do="add", link=made["url"], state="CHANNEL_A")["external_userid"]
    asked = {"link_id": made["link_id"], "limit": 1000, "cursor": ""}
    assert theirs.post(f"{OF}/customer", json=asked)["customer_list"][0]["state"] == "CHANNEL_A"
    day = int(START.timestamp())
    span = {"link_id": made["link_id"], "start_time": day, "end_time": day}
    assert theirs.post(f"{OF}/statistic", json=span)["new_customer_cnt"] == 1
    said = [sandbox.control("acquisition", do="chat", link=made["url"], external_userid=who) for _ in range(3)]
    assert theirs.post(f"{OF}/get_chat_info", json={"chat_key": said[-1]["chat_key"]})["external_userid"] == who
    assert theirs.get("externalcontact/customer_acquisition_quota")["balance"] == 999
