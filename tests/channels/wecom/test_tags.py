"""The corp's tags: read, made once, marked one after another on one relation."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.channels.wecom.platform import Broken, Platform, Slow, Together, error, ok
from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tags import ADD, DELETE, EDIT, LIST, MARK, WeComTags
from yutang.kernel.errors import BadInput


@pytest.fixture
def tags(client: WeComClient) -> WeComTags:
    return WeComTags(client)


def group(name: str, *tags: str, **more: Any) -> dict[str, Any]:
    listed = [{"id": f"et-{tag}", "name": tag, "create_time": 1525779812, "order": 1} for tag in tags]
    return {"group_id": f"eg-{name}", "group_name": name, "tag": listed, **more}


@pytest.mark.wecom("externalcontact/get_corp_tag_list")
def test_tags_are_read_and_deleted_ones_are_none(platform: Platform, tags: WeComTags) -> None:
    gone = {"id": "et9", "name": "旧", "deleted": True}
    listed = group("等级", "金卡")
    listed["tag"].append(gone)
    platform.plays(LIST, ok(tag_group=[listed, group("旧组", "旧", deleted=True)]), ok(tag_group=[{"group_id": "e"}]))
    (one,) = tags.all()
    assert (one.id, one.name, one.group, one.group_id, one.order) == ("et-金卡", "金卡", "等级", "eg-等级", 1)
    assert tags.some(tags=["et1"]) == []
    assert [request.body for request in platform.calls(LIST)] == [{}, {"tag_id": ["et1"]}]
    platform.plays(LIST, error(40068), ok(tag_group=[{"group_id": "e", "tag": [{"id": "x"}]}]))
    assert tags.some(groups=["eg1"]) == []
    with pytest.raises(UnexpectedAnswer):
        tags.all()
    assert tags.some() == []


@pytest.mark.wecom("externalcontact/add_corp_tag")
def test_tags_are_made_once_also_when_the_answer_is_lost_or_another_was_first(
    platform: Platform, tags: WeComTags
) -> None:
    half = ok(tag_group=[group("鱼塘", "老客")])
    whole = ok(tag_group=[group("鱼塘", "老客", "新客"), group("等级", "新客")])
    for answer in (ok(), Broken(), error(40071)):
        platform.plays(LIST, half, whole)
        platform.plays(ADD, answer)
        assert [one.id for one in tags.add("鱼塘", ["老客", "新客"])] == ["et-老客", "et-新客"]
        assert platform.calls(ADD)[-1].body == {"group_name": "鱼塘", "tag": [{"name": "新客"}]}
    assert len(platform.calls(ADD)) == 3
    platform.plays(LIST, half)
    platform.plays(ADD, Broken())
    with pytest.raises(AnswerLost):
        tags.add("鱼塘", ["新客"])
    with pytest.raises(BadInput, match="30 characters"):
        tags.add("鱼塘", ["长" * 31])


@pytest.mark.wecom("externalcontact/edit_corp_tag", "externalcontact/del_corp_tag")
def test_own_tags_are_renamed_and_deleted_and_gone_ones_are_no_error(platform: Platform, tags: WeComTags) -> None:
    platform.plays(EDIT, ok(), error(48002))
    tags.edit("et1", name="新名", order=3)
    tags.edit("et1")
    assert [request.body for request in platform.calls(EDIT)] == [{"id": "et1", "name": "新名", "order": 3}]
    with pytest.raises(RefusedByPlatform):
        tags.edit("et-admin", name="别人的")
    platform.plays(DELETE, error(40068), ok())
    tags.delete(tags=["et1", "et2"], groups=["eg1"])
    assert [request.body for request in platform.calls(DELETE)] == [
        {"tag_id": ["et1"]}, {"tag_id": ["et2"]}, {"group_id": ["eg1"]}
    ]  # fmt: skip


@pytest.mark.wecom("externalcontact/mark_tag")
def test_marks_of_one_relation_go_one_after_another_and_those_of_two_together(
    platform: Platform, tags: WeComTags
) -> None:
    platform.plays(MARK, Slow(0.02, ok()))

    def together(*pairs: tuple[str, str]) -> int:
        platform.most_parallel = 0
        threads = [threading.Thread(target=tags.mark, args=(*pair, ["et1"], [])) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return platform.most_parallel

    assert together(("a", "wm1"), ("A", "wm1")) == 1
    platform.plays(MARK, Together(2, ok()))
    assert together(("a", "wm1"), ("b", "wm1")) == 2
    platform.plays(MARK, ok())
    tags.mark("a", "wm1", [], [])
    assert len(platform.calls(MARK)) == 4
    platform.plays(MARK, error(45035))
    with pytest.raises(TryLater):
        tags.mark("a", "wm1", [], ["et1"])
    assert platform.calls(MARK)[-1].body == {"userid": "a", "external_userid": "wm1", "remove_tag": ["et1"]}
    platform.plays(MARK, error(40068))
    with pytest.raises(RefusedByPlatform):
        tags.mark("a", "wm1", ["et1"], [])
