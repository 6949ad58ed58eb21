"""The sync of staff: departments are matched with stores, members become staff with accounts, who has left is ended.

Where the app may see ids alone, it is ids alone that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from yutang.channels.contracts import RefusedByPlatform
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.directory import Department, Member, Persona, WeComDirectory
from yutang.kernel.errors import Refused
from yutang.kernel.turns import my_turn
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.departments import (
    DepartmentRow,
    DepartmentsKept,
    MemberRow,
    MembersKept,
    PersonaRow,
    end_member,
    end_missing,
    keep_departments,
    keep_members,
    rename_member,
)
from yutang.people.services import follow_organisation

PORTION = 4_000  # members in one transaction, for which callbacks wait
NAMED = 5  # departments or members that a note calls by name
RENAMED = ">"


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Read the whole directory, and make it so here. Killed anywhere, it begins anew and finds what is left to do.

    Raises Refused where the app sees nobody: that is no directory whose members have all left.
    """
    directory = WeComDirectory(client).whole(told)
    if not directory.members:
        raise Refused(
            "应用看不到任何成员，没有改动员工。请在管理后台把成员加进应用的可见范围。",
            "The app sees no member, and the staff was left as it is. Add members to the app's visible range.",
        )
    found = told.found
    unplaced: list[str] = []
    with my_turn(), transaction.atomic():
        tree = _departments(corp, directory.departments)
        found += Found(added=tree.made, changed=tree.changed)
        told.keep({}, found)
    for first in range(0, len(directory.members), PORTION):
        told(len(directory.departments), len(directory.departments))
        with my_turn(), transaction.atomic():
            kept = _members(corp, directory.members[first : first + PORTION])
            found += Found(added=kept.new, changed=kept.changed, ended=kept.ended)
            told.keep({}, found)
        unplaced += kept.unplaced
    with my_turn(), transaction.atomic():
        gone = end_missing(corp.channel, corp.corp, [one.userid for one in directory.members])
        found += Found(ended=gone.ended)
        told.keep({}, found)
    note = _note(tree, unplaced, gone.kept, directory.ids_only)
    return Found(len(directory.members), found.added, found.changed, found.ended, note)


def _departments(corp: CorpFacts, rows: Sequence[Department]) -> DepartmentsKept:
    kept = keep_departments(corp.channel, corp.corp, [DepartmentRow(one.id, one.parent, one.name) for one in rows])
    follow_organisation(kept.nodes, ())
    return kept


def _members(corp: CorpFacts, rows: Sequence[Member]) -> MembersKept:
    told = [MemberRow(one.userid, one.departments, one.name, one.status, _persona_of(one.persona)) for one in rows]
    kept = keep_members(corp.channel, corp.corp, told)
    follow_organisation((), kept.senders)
    return kept


def _persona_of(persona: Persona | None) -> PersonaRow | None:
    return None if persona is None else PersonaRow(persona.told, persona.has)


def _note(tree: DepartmentsKept, unplaced: Sequence[str], kept: int, ids_only: bool) -> tuple[str, str]:
    """What a person should know, and can do something about."""
    zh, en = [], []
    if kept:
        zh.append(f"通讯录里一次少了 {kept:,} 位成员，像是应用的可见范围变了，没有人被停用；确已离职的请用员工名单停用")
        en.append(
            f"{kept:,} members were missing at once, as if the app's visible range had changed: nobody was ended; "
            "end those who have really left by a list of staff"
        )
    if unplaced:
        zh.append(f"{len(unplaced):,} 位成员的部门不对应任何门店，没有建立员工：{_some(unplaced, '、')}")
        en.append(f"{len(unplaced):,} members are in no department that is a store: {_some(unplaced, ', ')}")
    if tree.unmatched:
        zh.append(f"{len(tree.unmatched):,} 个部门没有对应的门店（yutang staff link）：{_some(tree.unmatched, '、')}")
        en.append(
            f"{len(tree.unmatched):,} departments are no store (yutang staff link): {_some(tree.unmatched, ', ')}"
        )
    if ids_only:
        zh.append("应用只能读取 ID，没有姓名和激活状态")
        en.append("the app may read ids alone: no names, nor who is active")
    return "；".join(zh) + ("。" if zh else ""), "; ".join(en) + ("." if en else "")


def _some(names: Sequence[str], comma: str) -> str:
    return comma.join(names[:NAMED]) + ("…" if len(names) > NAMED else "")


# Hints ------------------------------------------------------------------------------------------------------------


def member_of(notice: Notice) -> str:
    """A callback about a member hints at the member; one who is called otherwise now, at both names."""
    new = notice.get("NewUserID")
    return f"{notice.get('UserID')}{RENAMED}{new}" if new else notice.get("UserID")


def read_members(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read these members again; who is not there any more is ended. Where ids alone may be read, the next sync does."""
    api = WeComDirectory(client)
    for ref in refs:
        before, _, after = ref.partition(RENAMED)
        userid = after or before
        if after:
            rename_member(corp.channel, corp.corp, before, after)
        try:
            found = api.member(userid)
        except RefusedByPlatform as refused:
            if refused.errcode in errcodes.IDS_ONLY:
                return
            raise
        with my_turn(), transaction.atomic():
            if found is None:
                end_member(corp.channel, corp.corp, userid)
            else:
                _members(corp, [found])


def read_departments(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read the departments again, all of them: one that moved takes others with it."""
    rows = WeComDirectory(client).departments()
    with my_turn(), transaction.atomic():
        _departments(corp, rows)


def _on(*changes: str) -> frozenset[str]:
    return frozenset(f"change_contact/{change}" for change in changes)


KIND = Kind("staff", "员工与部门", "staff and departments", sync)
MEMBERS = Hinted("member", _on("create_user", "update_user", "delete_user"), member_of, read_members)
DEPARTMENTS = Hinted(
    "department",
    _on("create_party", "update_party", "delete_party"),
    lambda notice: "tree",
    read_departments,
    rest=timedelta(seconds=30),
)
