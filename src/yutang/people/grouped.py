"""Reading groups as a viewer may see them: a group belongs to its owner's store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.organisation.contracts import Viewer
from yutang.people import identity
from yutang.people.bulk import chunks
from yutang.people.contracts import (
    CODE_FULL,
    GroupFacts,
    GroupFilter,
    GroupMemberShown,
    GroupOfPerson,
    GroupWeek,
)
from yutang.people.groups import is_in
from yutang.people.models import Group, GroupMember, Relation
from yutang.people.queries import names_of, seen_among

RECENT = timedelta(days=30)
EVERY = GroupFilter()
SORTS = ("size", "moved_at", "made_at")
_IN = Q(members__joined_at__isnull=False) & (
    Q(members__left_at=None) | Q(members__left_at__lte=F("members__joined_at"))
)


def groups(
    viewer: Viewer,
    asked: GroupFilter = EVERY,
    *,
    order: str = "-size",
    limit: int | None = None,
    offset: int = 0,
) -> tuple[list[GroupFacts], int]:
    """The groups of the stores that the viewer sees, and how many there are. `order`: one of SORTS, `-` for the largest
    first. What they are called is sealed, so a search by name opens every name that is seen."""
    rows = _chosen(viewer, asked)
    column = order.removeprefix("-")
    by = F(column if column in SORTS else "size")
    rows = rows.order_by(by.desc(nulls_last=True) if order.startswith("-") else by.asc(nulls_last=True), "pk")
    if asked.find:
        wanted = asked.find.casefold()
        found = [
            pk
            for pk, code, name in rows.values_list("pk", "code", "name")
            if wanted in code.casefold() or wanted in (name or "").casefold()
        ]
        total, chosen = len(found), found[offset : None if limit is None else offset + limit]
    else:
        total = rows.count()
        chosen = list(rows.values_list("pk", flat=True)[offset : None if limit is None else offset + limit])
    return _facts(chosen), total


def _seen(viewer: Viewer) -> QuerySet[Group]:
    return Group.objects.all() if viewer.nodes is None else Group.objects.filter(node__in=viewer.nodes)


def _chosen(viewer: Viewer, asked: GroupFilter) -> QuerySet[Group]:
    rows = _seen(viewer)
    if asked.live is not None:
        rows = rows.filter(ended_at__isnull=asked.live)
    if asked.connected:
        rows = rows.exclude(corp="")
    if asked.owner:
        rows = rows.filter(owner__iexact=asked.owner)
    if asked.node is not None:
        rows = rows.filter(node=asked.node)
    if asked.least is not None:
        rows = rows.filter(size__gte=asked.least)
    if asked.most is not None:
        rows = rows.filter(size__lte=asked.most)
    if asked.full is not None:
        rows = rows.filter(size__gte=CODE_FULL) if asked.full else rows.filter(size__lt=CODE_FULL)
    if asked.silent is not None:
        quiet = business_now() - timedelta(days=asked.silent)
        rows = rows.filter(Q(moved_at=None) | Q(moved_at__lt=quiet))
    if asked.codes is not None:
        rows = rows.filter(code__in=asked.codes)
    return rows


def _facts(chosen: Sequence[int]) -> list[GroupFacts]:
    """What is known of these, in that order: two questions, however many they are."""
    since = business_now() - RECENT
    found: dict[int, GroupFacts] = {}
    for part in chunks(chosen, 500):
        counted = Group.objects.filter(pk__in=part).annotate(
            persons=Count("members", filter=_IN),
            joined=Count("members", filter=Q(members__joined_at__gte=since)),
            left=Count("members", filter=Q(members__left_at__gte=since)),
        )
        found.update((row.pk, _fact(row)) for row in counted)
    return [found[pk] for pk in chosen]


def _fact(row: Any) -> GroupFacts:
    """A counted row."""
    return GroupFacts(
        row.pk,
        row.code,
        row.corp,
        row.name or "",
        row.owner,
        None if row.node is None else NodeId(row.node),
        row.state,
        row.size if row.read_at is not None else row.persons,
        row.persons,
        row.joined,
        row.left,
        row.made_at,
        row.moved_at,
        row.read_at,
        row.ended_at,
        row.notice or "",
        tuple(row.admins),
        tuple(row.staff),
    )


def group(viewer: Viewer, number: int) -> GroupFacts:
    """One group by its number. Raises NotFound outside the viewer's scope."""
    if not _seen(viewer).filter(pk=number).exists():
        raise NotFound("没有这个群。", "There is no such group.")
    return _facts([number])[0]


def group_members(
    viewer: Viewer, number: int, *, live: bool = True, limit: int | None = None, offset: int = 0
) -> tuple[list[GroupMemberShown], int]:
    """Who is in a group (or was: not `live`), the newest first, and how many. Raises NotFound outside the scope.

    Whoever the viewer does not see elsewhere is counted and shown without number and name.
    """
    facts = group(viewer, number)
    rows = GroupMember.objects.filter(group=facts.id)
    inside = Q(joined_at__isnull=False) & (Q(left_at=None) | Q(left_at__lte=F("joined_at")))
    rows = (rows.filter(inside) if live else rows.exclude(inside)).order_by("-joined_at", "pk")
    page = list(rows[offset : None if limit is None else offset + limit])
    survivors = identity.survivors_of([row.person_id for row in page])
    seen = seen_among(viewer, [PersonId(one) for one in survivors.values()])
    names = names_of(viewer, sorted(seen))
    shown = []
    for row in page:
        person = PersonId(survivors[row.person_id])
        known = person if person in seen else None
        shown.append(
            GroupMemberShown(
                known, names.get(person, ""), row.joined_at, row.left_at, row.scene, row.inviter, row.state
            )
        )
    return shown, rows.count()


def groups_of(viewer: Viewer, births: Sequence[PersonId]) -> list[GroupOfPerson]:
    """The groups in which these birth persons of somebody, whom the viewer sees, are or were; the newest first."""
    rows = GroupMember.objects.filter(person_id__in=list(births)).select_related("group").order_by("-joined_at", "pk")
    found = []
    for row in rows:
        seen = viewer.nodes is None or row.group.node in viewer.nodes
        found.append(
            GroupOfPerson(
                row.group_id if seen else None,
                (row.group.name or row.group.code) if seen else "",
                row.joined_at,
                row.left_at,
                is_in(row.joined_at, row.left_at) and row.group.ended_at is None,
            )
        )
    return found


def growth(viewer: Viewer, number: int, weeks: int = 12) -> list[GroupWeek]:
    """How a group grew, by seven days, the oldest first: of our persons in it. Raises NotFound outside the scope."""
    facts = group(viewer, number)
    times = list(GroupMember.objects.filter(group=facts.id).values_list("joined_at", "left_at"))
    end = business_now()
    starts = [end - timedelta(days=7 * (weeks - index)) for index in range(weeks)]
    return [_week(times, start, start + timedelta(days=7)) for start in starts]


def _week(times: Sequence[tuple[datetime | None, datetime | None]], start: datetime, end: datetime) -> GroupWeek:
    return GroupWeek(
        start,
        sum(joined is not None and start < joined <= end for joined, _ in times),
        sum(left is not None and start < left <= end for _, left in times),
        sum(
            joined is not None and joined <= end and (is_in(joined, left) or (left is not None and left > end))
            for joined, left in times
        ),
    )


def owners_of_groups(viewer: Viewer) -> list[str]:
    """The userids of those who own groups that stand."""
    rows = _chosen(viewer, EVERY).exclude(owner="")
    return sorted(set(rows.values_list("owner", flat=True)), key=str.casefold)


def counts_by_owner(viewer: Viewer) -> dict[tuple[str, str], tuple[int, bool]]:
    """How many groups that stand each owner has, by corp and userid, and whether that owner has left them behind."""
    rows = _seen(viewer).filter(ended_at=None).exclude(corp="").values("corp", "owner")
    counted = rows.annotate(n=Count("pk"), left=Count("pk", filter=Q(state="owner_left")))
    return {(row["corp"], row["owner"]): (row["n"], row["left"] > 0) for row in counted}


def came_by(states: Sequence[str]) -> dict[str, int]:
    """How many persons ever came into groups by codes of these states. Unscoped because whoever asks names them."""
    rows = GroupMember.objects.filter(state__in=list(states)).values("state").annotate(came=Count("pk"))
    return {row["state"]: row["came"] for row in rows}


def outsiders(corp: str, accounts: Collection[SenderId]) -> int:
    """How many are in groups of a corp without ever having been the friend of one of its accounts. (Unscoped: a number
    of a whole corp.)"""
    inside = GroupMember.objects.filter(group__corp=corp, group__ended_at=None, joined_at__isnull=False).filter(
        Q(left_at=None) | Q(left_at__lte=F("joined_at"))
    )
    # by the sum the index of senders cannot be used: a list of thousands was gone through once more for each member
    hers = Relation.objects.filter(person=OuterRef("person")).annotate(account=F("sender") + 0)
    friends = hers.filter(account__in=list(accounts))
    return inside.filter(~Exists(friends)).values("person").distinct().count()


def friends_held(accounts: Collection[SenderId]) -> int:
    """How many persons are friends of one of these accounts, as far as lists told. (Unscoped: a number of a whole
    corp.)"""
    live = Relation.objects.filter(sender__in=list(accounts), added_at__isnull=False).filter(
        Q(lost_at=None) | Q(lost_at__lt=F("added_at"))
    )
    return live.values("person").distinct().count()
