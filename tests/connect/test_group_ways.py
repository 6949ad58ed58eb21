"""Codes that lead into groups: made once, changed, ended, and what they created by themselves."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from tests.reflex.conftest import Shore
from tests.soak.pond import CORP
from yutang.connect.contracts import GroupWayState
from yutang.connect.group_ways import GroupWayForm, end_group_way, group_way, group_ways, keep_group_way, turn
from yutang.connect.models import GroupWay
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import NodeId
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import OWNER
from yutang.people import grouped
from yutang.people.groups import GroupTold, keep_groups

pytestmark = pytest.mark.django_db
ADD = "externalcontact/groupchat/add_join_way"


@pytest.fixture
def groups(shore: Shore) -> list[int]:
    """Two groups of guide00's, known here too."""
    shore.ask("groups", do="rules", detail_lag=0, scan_most=2)
    now = business_now()
    told = []
    for code in ("wr1", "wr2"):
        shore.ask("groups", do="create", owner="guide00", name=code, chat_id=code)
        told.append(GroupTold(code, code, "guide00", "followed", now, "", (), ("guide00",), "", ()))
    keep_groups(CORP, told, read_at=wall_now(), now=now)
    return [one.id for one in grouped.groups(OWNER, order="made_at")[0]]


def go(shore: Shore) -> int:
    return turn(shore.channels.join_ways())


def adds(shore: Shore) -> int:
    answers = httpx.get(f"{shore.stage.sandbox}/control/state", timeout=300).json()["answers"]
    return sum(count for name, count in answers.items() if name.startswith(ADD))


def later(number: int, **changes: object) -> None:
    GroupWay.objects.filter(pk=number).update(**{"read_at": None, "not_before": None, **changes})


def test_a_code_is_made_once_and_shows_where_people_come_in_now(shore: Shore, groups: list[int]) -> None:
    number = keep_group_way(OWNER, GroupWayForm("海报", tuple(groups[:1]), "自动群", 3))
    assert group_way(OWNER, number).state is GroupWayState.WANTED
    assert go(shore) == 1
    facts = group_way(OWNER, number)
    assert (facts.state, [one.code for one in facts.groups], facts.created) == (GroupWayState.LIVE, ["wr1"], 0)
    assert facts.qr_code
    assert facts.current is not None
    assert go(shore) == 0  # nothing to say, and what is known is fresh
    shore.ask("groups", do="scan", way=facts.token, members=["wm-a", "wm-b"])
    later(number)
    assert go(shore) == 1
    facts = group_way(OWNER, number)
    assert (facts.created, facts.unknown) == (1, 1)  # a group that only the next sync will tell of
    keep_group_way(OWNER, GroupWayForm("海报", tuple(groups)), number)
    assert go(shore) == 1
    assert [one.code for one in group_way(OWNER, number).groups] == ["wr1", "wr2"]
    assert adds(shore) == 1


def test_a_lost_answer_is_asked_for_again_for_nobody_saw_the_first(shore: Shore, groups: list[int]) -> None:
    number = keep_group_way(OWNER, GroupWayForm("海报", tuple(groups)))
    shore.ask("faults", faults=[{"api": ADD, "kind": "drop_answer", "times": 1}])
    go(shore)
    row = GroupWay.objects.get(pk=number)
    assert (row.state, row.lost, row.config_id) == (GroupWayState.WANTED, 1, "")
    go(shore)
    assert group_way(OWNER, number).state is GroupWayState.LIVE
    assert adds(shore) == 2


def test_a_call_that_nobody_finished_is_made_again(shore: Shore, groups: list[int]) -> None:
    number = keep_group_way(OWNER, GroupWayForm("海报", tuple(groups)))
    GroupWay.objects.filter(pk=number).update(
        state=GroupWayState.CALLING, called_at=wall_now() - timedelta(hours=1), called_by="host:1:dead"
    )
    assert go(shore) == 1
    assert group_way(OWNER, number).state is GroupWayState.LIVE


def test_an_ended_code_is_taken_from_the_platform_and_one_that_is_gone_is_told(shore: Shore, groups: list[int]) -> None:
    first, second = (keep_group_way(OWNER, GroupWayForm(name, tuple(groups))) for name in ("一", "二"))
    go(shore)
    end_group_way(OWNER, first)
    end_group_way(OWNER, first)
    go(shore)
    assert [one.id for one in group_ways(OWNER)] == [second]
    assert group_way(OWNER, first).state is GroupWayState.ENDED
    with pytest.raises(BadInput):
        keep_group_way(OWNER, GroupWayForm("一", tuple(groups)), first)
    shore.channels.join_ways()["wecom", CORP].delete_join_way(GroupWay.objects.get(pk=second).config_id)
    later(second)
    go(shore)
    facts = group_way(OWNER, second)
    assert facts.state is GroupWayState.GONE
    assert "修改一次" in facts.trouble
    keep_group_way(OWNER, GroupWayForm("二", tuple(groups)), second)
    go(shore)
    assert group_way(OWNER, second).state is GroupWayState.LIVE


def test_what_the_platform_refuses_is_shown_and_tried_later(shore: Shore, groups: list[int]) -> None:
    number = keep_group_way(OWNER, GroupWayForm("海报", tuple(groups)))
    shore.ask("groups", do="dismiss", chat_id="wr2")
    go(shore)
    facts = group_way(OWNER, number)
    assert (facts.state, "解散" in facts.trouble) == (GroupWayState.WANTED, True)
    assert go(shore) == 0  # not before some minutes


def test_only_what_can_be_made_is_kept_and_only_by_those_who_may(shore: Shore, groups: list[int]) -> None:
    for form in (
        GroupWayForm("", tuple(groups)),
        GroupWayForm("x" * 61, tuple(groups)),
        GroupWayForm("海报", ()),
        GroupWayForm("海报", tuple(groups), "名" * 41),
        GroupWayForm("海报", tuple(groups), "名", 0),
    ):
        with pytest.raises(BadInput):
            keep_group_way(OWNER, form)
    with pytest.raises(NotFound):
        keep_group_way(OWNER, GroupWayForm("海报", (999_999,)))
    nobody = Viewer("x", RoleName.OPERATOR, frozenset({NodeId(0)}))
    with pytest.raises(NotFound):
        keep_group_way(nobody, GroupWayForm("海报", tuple(groups)))
    with pytest.raises(Refused):
        keep_group_way(Viewer("x", RoleName.MANAGER, None), GroupWayForm("海报", tuple(groups)))
    number = keep_group_way(OWNER, GroupWayForm("海报", tuple(groups)))
    assert group_ways(nobody) == []
    with pytest.raises(NotFound):
        group_way(nobody, number)
