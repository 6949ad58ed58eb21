"""Customers and tags, as wechatpy's client of a corp speaks of them."""

from __future__ import annotations

import pytest
from wechatpy.exceptions import WeChatClientException
from wechatpy.work import WeChatClient

from tests.sandbox.conftest import Client

OF = "externalcontact/"


@pytest.mark.wecom("externalcontact/list", "externalcontact/get", "externalcontact/get_follow_user_list")
def test_it_reads_customers_of_both_kinds(sandbox: Client, theirs: WeChatClient) -> None:
    sandbox.control("befriend", userid="idle", external_userid="wo1", name="王总", type=2, corp_name="某某", add_way=3)
    assert theirs.external_contact.list("idle")["external_userid"] == ["wo1"]
    found = theirs.external_contact.get("wo1")
    assert found["external_contact"]["corp_name"] == "某某"
    assert found["follow_user"][0]["add_way"] == 3


@pytest.mark.wecom(
    "externalcontact/get_corp_tag_list",
    "externalcontact/add_corp_tag",
    "externalcontact/edit_corp_tag",
    "externalcontact/del_corp_tag",
    "externalcontact/mark_tag",
)
def test_it_makes_renames_marks_and_deletes_tags(theirs: WeChatClient) -> None:
    contact = theirs.external_contact
    group = contact.add_corp_tag(None, "等级", 1, [{"name": "金"}, {"name": "银"}])["tag_group"]
    gold, silver = (tag["id"] for tag in group["tag"])
    contact.mark_tag("a", "wmc0", add_tag=[gold, silver])
    contact.mark_tag("a", "wmc0", remove_tag=[silver])
    (follow,) = contact.get("wmc0")["follow_user"]
    assert [tag["tag_id"] for tag in follow["tags"]] == [gold]
    contact.edit_corp_tag(gold, name="铂金")
    listed = contact.get_corp_tag_list([gold])["tag_group"][0]["tag"]
    assert [tag["name"] for tag in listed] == ["铂金"]
    contact.del_corp_tag(tag_id=[gold, silver])  # type: ignore[arg-type]  # the documents want lists
    assert contact.get_corp_tag_list()["tag_group"] == []
    with pytest.raises(WeChatClientException, match="40068"):
        contact.mark_tag("a", "wmc0", add_tag=[gold])


@pytest.mark.wecom(
    "externalcontact/batch/get_by_user",
    "externalcontact/remark",
    "externalcontact/contact_list",
    "externalcontact/convert_to_openid",
    "externalcontact/unionid_to_external_userid",
    raw=True,
)
def test_its_transport_carries_what_it_has_no_method_for(sandbox: Client, theirs: WeChatClient) -> None:
    """wechatpy's batch_get_by_user says `userid` for `userid_list`."""
    sandbox.control("befriend", userid="idle", external_userid="wm1", unionid="oz1")
    theirs.post(
        f"{OF}remark",
        json={"userid": "idle", "external_userid": "wm1", "remark": "王姐", "remark_mobiles": ["13800000001"]},
    )
    page = theirs.post(f"{OF}batch/get_by_user", json={"userid_list": ["idle"], "cursor": "", "limit": 100})
    (row,) = page["external_contact_list"]
    assert (row["follow_info"]["remark"], row["follow_info"]["remark_mobiles"]) == ("王姐", ["13800000001"])
    assert "wm1" in {one["external_userid"] for one in theirs.post(f"{OF}contact_list", json={})["info_list"]}
    openid = theirs.post(f"{OF}convert_to_openid", json={"external_userid": "wm1"})["openid"]
    asked = {"unionid": "oz1", "openid": openid}
    assert theirs.post(f"{OF}unionid_to_external_userid", json=asked)["external_userid"] == "wm1"
