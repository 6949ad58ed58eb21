"""Codes that lead into groups (群活码): made once, changed, ended, and read again to see which group is being filled.

The platform lists no such codes, so one whose answer was lost cannot be found again. Nobody has ever seen its picture
either: it is asked for anew, and the lost one costs no more than its place among 500,000.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.groups import JoinWayPort, JoinWaySpec
from yutang.connect.contracts import GroupWayFacts, GroupWayState
from yutang.connect.models import GroupWay
from yutang.intake.lease import lives, me
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, NotFound, Refused, YutangError
from yutang.kernel.ids import NodeId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import Viewer
from yutang.people import grouped
from yutang.people.contracts import GroupFacts, GroupFilter

GroupWayPorts = Mapping[tuple[str, str], JoinWayPort]

MOST_GROUPS = 5
MOST_TITLE, MOST_ROOM = 60, 40
CALL_LIFE = timedelta(minutes=2)
LOOK_AGAIN = timedelta(minutes=10)  # how old what we know of a code may be: it creates groups by itself
ASK_AGAIN = timedelta(minutes=5)
CALLS_A_TURN = 20
_GONE = (
    "平台上没有这个群活码了，可能已被删除；修改一次会重新生成 / "
    "The platform has this code no more; change it once to have it made anew"
)
_OPEN = (GroupWayState.WANTED, GroupWayState.CALLING, GroupWayState.LIVE, GroupWayState.GONE)


@dataclass(frozen=True, slots=True)
class GroupWayForm:
    """What somebody wants of a code. `groups` are numbers of groups; `room_name` empty: create none."""

    title: str
    groups: tuple[int, ...]
    room_name: str = ""
    room_number: int = 1


def keep_group_way(viewer: Viewer, form: GroupWayForm, number: int | None = None) -> int:
    """Keep a new code, or change the one of that number; the platform follows at the next turn.

    Raises BadInput, NotFound or Refused, and then nothing was kept.
    """
    _operates(viewer)
    title, room = form.title.strip(), form.room_name.strip()
    if not title or len(title) > MOST_TITLE:
        raise BadInput(f"名称应有 1–{MOST_TITLE} 个字。", f"The name has 1–{MOST_TITLE} characters.")
    if len(room) > MOST_ROOM or not 1 <= form.room_number <= 100_000:
        raise BadInput(
            f"新群名最多 {MOST_ROOM} 个字，起始序号应在 1–100000。",
            f"A new group's name has {MOST_ROOM} characters at most, its number is 1–100,000.",
        )
    chosen = [grouped.group(viewer, one) for one in dict.fromkeys(form.groups)]
    _check(chosen)
    values = {
        "title": title,
        "corp": chosen[0].corp,
        "node": _node(chosen),
        "groups": [one.code for one in chosen],
        "room_name": room,
        "room_number": form.room_number,
    }
    with transaction.atomic():
        if number is None:
            row = GroupWay.objects.create(token=f"yg{secrets.token_hex(10)}", made_by=viewer.name[:80], **values)
            number = row.pk
        else:
            row = _row(viewer, number)
            if row.state not in _OPEN or row.corp != chosen[0].corp:
                raise BadInput(
                    "这个群活码已停用，或属于另一个企业，请新建一个。",
                    "This code was ended, or is another corp's; make a new one.",
                )
            GroupWay.objects.filter(pk=number).update(**values, not_before=None, trouble="")
            if row.state == GroupWayState.GONE:
                GroupWay.objects.filter(pk=number).update(state=GroupWayState.WANTED, told="", config_id="")
        organisation.audit(viewer, "keep", f"group way {number}", groups=len(chosen))
    return number


def end_group_way(viewer: Viewer, number: int) -> None:
    """Let a code work no more; who came by it stays. Ending again is no error. Raises NotFound or Refused."""
    _operates(viewer)
    row = _row(viewer, number)
    with transaction.atomic():
        ended = GroupWay.objects.filter(pk=row.pk, state__in=_OPEN).update(
            state=GroupWayState.ENDING, not_before=None, trouble=""
        )
        if ended:
            organisation.audit(viewer, "end", f"group way {number}")


def _operates(viewer: Viewer) -> None:
    if not viewer.may_operate:
        raise Refused(
            "你的角色不能修改群活码，请找总部运营。", "Your role may not change group codes; ask headquarters."
        )


def _check(chosen: Sequence[GroupFacts]) -> None:
    if not 1 <= len(chosen) <= MOST_GROUPS:
        raise BadInput(f"请选 1–{MOST_GROUPS} 个群。", f"Choose 1–{MOST_GROUPS} groups.")
    if any(not one.corp or one.ended_at is not None for one in chosen) or len({one.corp for one in chosen}) > 1:
        raise BadInput(
            "这些群应都在同一个企业微信里，并且没有解散。", "These groups must be of one corp, and not dissolved."
        )


def _node(chosen: Sequence[GroupFacts]) -> int:
    """The store of all of them; the brand where they are several stores' or nobody's."""
    (first, *others) = {one.node for one in chosen}
    return 0 if others or first is None else int(first)


def _seen(viewer: Viewer) -> QuerySet[GroupWay]:
    return GroupWay.objects.all() if viewer.nodes is None else GroupWay.objects.filter(node__in=viewer.nodes)


def _row(viewer: Viewer, number: int) -> GroupWay:
    row = _seen(viewer).filter(pk=number).first()
    if row is None:
        raise NotFound("没有这个群活码。", "There is no such group code.")
    return row


def group_ways(viewer: Viewer, *, ended: bool = False) -> list[GroupWayFacts]:
    """The codes of the stores that the viewer sees, the newest first, without those that were ended."""
    rows = _seen(viewer).order_by("-pk")
    return _facts(viewer, list(rows if ended else rows.filter(state__in=_OPEN)))


def group_way(viewer: Viewer, number: int) -> GroupWayFacts:
    """One code. Raises NotFound outside the viewer's scope."""
    return _facts(viewer, [_row(viewer, number)])[0]


def ways_by_token(viewer: Viewer) -> dict[str, GroupWayFacts]:
    """Every code that was ever made, by the state that comes back with who joins by it."""
    return {one.token: one for one in group_ways(viewer, ended=True)}


def _facts(viewer: Viewer, rows: Sequence[GroupWay]) -> list[GroupWayFacts]:
    codes = {code for row in rows for code in (row.there or row.groups)}
    known, _ = grouped.groups(viewer, GroupFilter(live=None, codes=tuple(sorted(codes)))) if codes else ([], 0)
    by_code = {one.code: one for one in known}
    came = grouped.came_by([row.token for row in rows])
    return [
        GroupWayFacts(
            row.pk,
            row.title,
            row.corp,
            NodeId(row.node) if row.node else None,
            row.token,
            tuple(by_code[code] for code in row.there or row.groups if code in by_code),
            sum(code not in by_code for code in row.there or row.groups),
            row.room_name,
            row.room_number,
            len(set(row.there) - set(row.groups)),
            GroupWayState(row.state),
            row.qr_code,
            row.read_at,
            row.trouble,
            came.get(row.token, 0),
        )
        for row in rows
    ]


def turn(ports: GroupWayPorts) -> int:
    """Let every code at the platform be as it should, and look at what it created; returns how many calls that took."""
    _give_up()
    now = wall_now()
    due = GroupWay.objects.filter(Q(not_before=None) | Q(not_before__lte=now)).exclude(
        state__in=[GroupWayState.CALLING, GroupWayState.ENDED, GroupWayState.GONE]
    )
    calls = 0
    for row in due.order_by("pk"):
        port = ports.get(("wecom", row.corp))
        if calls >= CALLS_A_TURN:
            break
        if port is not None and _wants(row):
            calls += 1
            _do(port, row)
    return calls


def _wants(row: GroupWay) -> bool:
    stale = row.read_at is None or wall_now() - row.read_at >= LOOK_AGAIN
    return row.state != GroupWayState.LIVE or row.told != _digest(row) or stale


def _give_up() -> None:
    """A call that nobody finished is made again: see above why that may be."""
    for row in GroupWay.objects.filter(state=GroupWayState.CALLING):
        stale = row.called_at is None or row.called_at + CALL_LIFE < wall_now()
        if stale or not lives(row.called_by):
            _lost(row)


def _lost(row: GroupWay) -> None:
    calling = GroupWay.objects.filter(pk=row.pk, state=GroupWayState.CALLING)
    calling.update(state=GroupWayState.WANTED, lost=F("lost") + 1)


def _digest(row: GroupWay) -> str:
    said = json.dumps([row.title, row.groups, row.room_name, row.room_number], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _spec(row: GroupWay, groups: Sequence[str]) -> JoinWaySpec:
    return JoinWaySpec(row.token, row.title, tuple(groups), row.room_name, row.room_number)


def _do(port: JoinWayPort, row: GroupWay) -> None:
    """One step of one code. What the platform says no to is shown, and asked again later."""
    mine = GroupWay.objects.filter(pk=row.pk)
    try:
        if row.state == GroupWayState.ENDING:
            if row.config_id:
                port.delete_join_way(row.config_id)
            mine.filter(state=GroupWayState.ENDING).update(state=GroupWayState.ENDED, trouble="")
        elif row.state == GroupWayState.WANTED:
            _make(port, row)
        else:
            if row.told != _digest(row):
                port.update_join_way(row.config_id, _spec(row, row.groups))
                mine.update(told=_digest(row))
            _look(port, row)
    except AnswerLost:
        _lost(row)
    except (TryLater, UnexpectedAnswer, RefusedByPlatform, BadInput) as error:
        _put_off(row, error)


def _make(port: JoinWayPort, row: GroupWay) -> None:
    holder, told = me(), _digest(row)
    wanted = GroupWay.objects.filter(pk=row.pk, state=GroupWayState.WANTED)
    if not wanted.update(state=GroupWayState.CALLING, called_at=wall_now(), called_by=holder, trouble=""):
        return
    config = port.create_join_way(_spec(row, row.groups))
    mine = GroupWay.objects.filter(pk=row.pk, called_by=holder)
    kept = mine.filter(state=GroupWayState.CALLING).update(state=GroupWayState.LIVE, config_id=config, told=told)
    if not kept:  # it was ended meanwhile
        mine.filter(state=GroupWayState.ENDING).update(config_id=config)
        return
    row.config_id = config
    _look(port, row)


def _look(port: JoinWayPort, row: GroupWay) -> None:
    """Read its picture and its groups, of which it may have created some."""
    mine = GroupWay.objects.filter(pk=row.pk, state=GroupWayState.LIVE)
    found = port.read_join_way(row.config_id)
    if found is None:
        mine.update(state=GroupWayState.GONE, trouble=_GONE, read_at=wall_now())
        return
    mine.update(there=list(found.groups), qr_code=found.qr_code, read_at=wall_now(), not_before=None, trouble="")


def _put_off(row: GroupWay, error: YutangError) -> None:
    wait = max(error.until - wall_now(), timedelta(seconds=1)) if isinstance(error, TryLater) else ASK_AGAIN
    mine = GroupWay.objects.filter(pk=row.pk)
    mine.filter(state=GroupWayState.CALLING).update(state=GroupWayState.WANTED)
    mine.update(not_before=wall_now() + wait, trouble=f"{error.zh} / {error.en}"[:400])
