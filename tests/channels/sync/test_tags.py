"""Tags both ways: what is put on in a client comes in, what is put on here goes out, and neither comes back as news."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.channels.sync.conftest import CORP, Shore
from yutang.channels.sync import tags
from yutang.channels.sync.models import KnownTag, SyncHint, TagWish
from yutang.kernel.clock import wall_now
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.people.models import Tag


@pytest.fixture(autouse=True)
def no_corps_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "_asked", (float("-inf"), frozenset()))


def worn(shore: Shore) -> dict[str, set[str]]:
    """The tags on relations, by customer, as the platform has them: `member:tag`."""
    found: dict[str, set[str]] = {}
    for who in ("wmc0", "wmc1", "wmc2"):
        for follow in shore.sandbox.get("externalcontact/get", external_userid=who)["follow_user"]:
            found.setdefault(who, set()).update(f"{follow['userid']}:{one['tag_name']}" for one in follow["tags"])
    return found


def said(shore: Shore, kind: str, who: str, tag: str, source: str = "reflex") -> None:
    """A tag is put on or taken off here."""
    number = Tag.objects.count() + TagWish.objects.count()
    at = wall_now() + timedelta(seconds=number)
    record([Event(EventId(f"t:{kind}:{who}:{tag}:{at.timestamp()}"), kind, min(at, wall_now()),
                  (IdentifierValue("external_userid", CORP, who),), source=source, props={"tag": tag})])  # fmt: skip


def ours(shore: Shore) -> set[str]:
    """The tags that stand here."""
    shore.pump()
    return set(Tag.objects.filter(live=True).values_list("tag", flat=True))


def test_tags_of_clients_come_in_and_go_once_nobody_has_them(shore: Shore, told: Callable[[], list[str]]) -> None:
    made = shore.sandbox.control("tags", act="create", group="等级", tags=["金", "银"])["tags"]
    other = shore.sandbox.control("tags", act="create", group="来源", tags=["金"])["tags"]["金"]
    for member in ("a", "b"):
        shore.sandbox.control("edit", userid=member, external_userid="wmc2", add_tag=[made["金"]])
    shore.sandbox.control("edit", userid="a", external_userid="wmc0", add_tag=[other])
    assert shore.run("tags").found.added == 3
    shore.run()
    assert ours(shore) == {"金", "来源/金"}
    shore.move()
    shore.sandbox.control("edit", userid="b", external_userid="wmc2", remove_tag=[made["金"]], add_tag=[made["银"]])
    shore.deliver(*told())
    shore.work_hints()
    assert ours(shore) == {"金", "来源/金", "银"}  # another member has it on the same customer still
    shore.move()
    shore.sandbox.control("edit", userid="a", external_userid="wmc2", remove_tag=[made["金"]])
    assert shore.run().found.changed == 1
    assert ours(shore) == {"来源/金", "银"}
    assert not TagWish.objects.exists()  # nothing of it goes out again


@pytest.mark.wecom("externalcontact/get_corp_tag_list", "externalcontact/add_corp_tag", "externalcontact/mark_tag")
def test_tags_put_on_here_go_out_to_every_friendship_and_come_back_as_no_news(shore: Shore) -> None:
    shore.run("tags")
    shore.run()
    shore.pump()
    said(shore, "tag.added", "wmc2", "老客")
    said(shore, "tag.added", "wmc0", "老客")
    said(shore, "tag.added", "wmc1", "外部", source="erp")  # the corp has none of that name, and no rule put it on
    shore.work_hints()
    assert worn(shore) == {"wmc0": {"a:老客"}, "wmc1": set(), "wmc2": {"a:老客", "b:老客"}}
    assert KnownTag.objects.get().group == tags.GROUP
    shore.move()
    assert shore.run().found.missed == 0
    said(shore, "tag.removed", "wmc2", "老客", source="erp")
    shore.work_hints()
    assert worn(shore)["wmc2"] == set()
    assert (TagWish.objects.count(), SyncHint.objects.count()) == (0, 0)
    shore.move()
    assert shore.run().found.missed == 0


def test_what_cannot_be_marked_is_tried_again_and_taken_up_by_the_night(shore: Shore) -> None:
    shore.run("tags")
    shore.run()
    refused = [{"api": "externalcontact/mark_tag", "kind": "refuse", "errcode": 48002}]
    shore.sandbox.control("faults", faults=refused)
    said(shore, "tag.added", "wmc0", "新客")
    shore.work_hints()
    assert (TagWish.objects.count(), SyncHint.objects.count()) == (1, 0)  # given up, and left to the night
    TagWish.objects.update(made_at=wall_now() - timedelta(hours=2))
    shore.sandbox.control("faults", faults=[])
    shore.run("tags")
    shore.work_hints()
    assert worn(shore)["wmc0"] == {"a:新客"}
    assert not TagWish.objects.exists()


def test_the_last_word_goes_out_and_who_is_no_friend_any_more_is_passed_over(shore: Shore) -> None:
    shore.run("tags")
    shore.run()
    said(shore, "tag.added", "wmc0", "新客")
    said(shore, "tag.removed", "wmc0", "新客")
    said(shore, "tag.added", "wmc1", "新客")
    shore.sandbox.control("leave", userid="a", external_userid="wmc1", by="member")
    shore.work_hints()
    assert worn(shore)["wmc0"] == set()
    assert (TagWish.objects.count(), SyncHint.objects.count()) == (0, 0)


def test_a_renamed_tag_keeps_its_name_here_and_a_deleted_one_gives_it_free(
    shore: Shore, told: Callable[[], list[str]]
) -> None:
    gold = shore.sandbox.control("tags", act="create", group="等级", tags=["金"])["tags"]["金"]
    shore.run("tags")
    shore.sandbox.control("tags", act="rename", id=gold, name="铂金")
    shore.deliver(*told())
    assert {hint.kind for hint in SyncHint.objects.all()} == {"tags"}
    shore.work_hints()
    row = KnownTag.objects.get()
    assert (row.name, row.ours) == ("铂金", "金")
    shore.sandbox.control("tags", act="delete", id=gold)
    shore.sandbox.control("tags", act="create", group="等级", tags=["金"])
    found = shore.run("tags").found
    assert (found.added, found.ended) == (1, 1)
    assert KnownTag.objects.get(gone=False).ours == "金"
