"""Customer groups and who is in them: one place for what lists, events and the platform tell.

Words of lists and events may be repeated and may come late: the latest joining and the latest leaving count. A platform
that is asked tells all of a group at once (`keep_groups`); what it tells stands, and what it comes to is returned, so
that the caller can record it as events in the same transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from yutang.kernel.encryption import keyring
from yutang.kernel.ids import NodeId, PersonId, SenderId
from yutang.log.contracts import IdentifierValue
from yutang.organisation.queries import OWNER, brand, senders
from yutang.people import bulk, identity
from yutang.people.identifiers import normalised
from yutang.people.joining import lock
from yutang.people.models import Group, GroupMember

_MEMBER = ("group_id", "person_id", "joined_at", "left_at", "scene", "inviter", "state")
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class GroupWord:
    """Somebody joined a group, or left it, at `at`. The rest is told of a joining only; see `models.GroupMember`."""

    person: PersonId
    group: str
    joined: bool
    at: datetime
    scene: int = 0
    inviter: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class MemberTold:
    """Somebody who is in a group now, by identifiers that are one person's. The name is empty where there is none."""

    who: tuple[IdentifierValue, ...]
    joined_at: datetime
    scene: int
    inviter: str
    state: str
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class GroupTold:
    """A group as its platform tells it. `version` empty: the platform has none, so everybody is compared. `state` None:
    it was not told, and stays what it was."""

    code: str
    name: str = field(repr=False)
    owner: str
    state: str | None
    made_at: datetime
    notice: str = field(repr=False)
    admins: tuple[str, ...]
    staff: tuple[str, ...]
    version: str
    members: tuple[MemberTold, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Moved:
    """A person came into a group or left it, as it was noticed. `owner` and `node` are the group's."""

    word: GroupWord
    owner: str
    node: NodeId | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a look at groups came to: how many were new, how many others said something else of themselves, who moved,
    and what newcomers are called."""

    new: int
    changed: int
    moved: tuple[Moved, ...]
    names: Mapping[PersonId, tuple[str, datetime]] = field(repr=False)


def is_in(joined_at: datetime | None, left_at: datetime | None) -> bool:
    """Whether somebody with these last times is in the group: who came and left at one instant is."""
    return joined_at is not None and (left_at is None or left_at <= joined_at)


def apply_memberships(words: Iterable[GroupWord], names: Mapping[str, tuple[str, datetime]]) -> None:
    """Keep words about who is in which group, and what groups are called, each said at a time; the latest counts."""
    kept = [word for word in words if word.person]
    codes = {word.group[:128] for word in kept} | {code[:128] for code in names}
    if not codes:
        return
    with transaction.atomic():
        lock()
        _open(codes)
        rows = {row.code: row for row in _named(codes)}
        numbers = {code: row.pk for code, row in rows.items()}
        _merge(kept, numbers)
        moved: dict[str, datetime] = {}
        for word in kept:
            moved[word.group[:128]] = max(word.at, moved.get(word.group[:128], word.at))
        for code, at in moved.items():
            if (before := rows[code].moved_at) is None or before < at:
                Group.objects.filter(code=code).update(moved_at=at)
        for code, (name, at) in names.items():
            row = rows[code[:128]]
            if row.name_at is None or row.name_at < at:
                Group.objects.filter(pk=row.pk).update(name=name, name_at=at)


def _open(codes: Iterable[str], corp: str = "") -> None:
    """Let there be a group of each of these ids."""
    rows = [(code, corp, "", "[]", "[]", 0, "", "") for code in sorted(codes)]
    columns = ("code", "corp", "owner", "admins", "staff", "size", "version", "state")
    bulk.insert(Group, columns, rows, key=("code",))


def _named(codes: Iterable[str]) -> list[Group]:
    return [row for part in bulk.chunks(sorted(codes), 500) for row in Group.objects.filter(code__in=part)]


def _merge(words: Sequence[GroupWord], numbers: Mapping[str, int]) -> None:
    joined: dict[tuple[int, int], GroupWord] = {}
    left: dict[tuple[int, int], datetime] = {}
    for word in words:
        key = numbers[word.group[:128]], int(word.person)
        if not word.joined:
            left[key] = max(word.at, left.get(key, word.at))
        elif key not in joined or joined[key].at < word.at:
            joined[key] = word
    keys = joined.keys() | left.keys()
    before = {
        (group, person): rest
        for group, person, *rest in identity.rows_of(GroupMember, _MEMBER, {person for _, person in keys})
        if (group, person) in keys
    }
    rows = []
    for group, person in keys:
        came, gone, *how = before.get((group, person), (None, None, 0, "", ""))
        said = joined.get((group, person))
        if said is not None and (came is None or came <= said.at):
            came, how = said.at, [said.scene, said.inviter[:64], said.state[:64]]
        away = left.get((group, person))
        gone = away if gone is None or (away is not None and away > gone) else gone
        rows.append((group, person, bulk.stored_time(came), bulk.stored_time(gone), *how))
    _write(rows)


def _write(rows: Sequence[Sequence[Any]]) -> None:
    bulk.insert(GroupMember, _MEMBER, rows, key=_MEMBER[:2], update=_MEMBER[2:])


def keep_groups(
    corp: str, told: Sequence[GroupTold], *, read_at: datetime, now: datetime, synthetic: bool = False
) -> Kept:
    """Make these groups as their platform told them, in the caller's transaction.

    `read_at`: when asking began (wall clock); what was read later already stands. `now` (business clock): when who is
    not there any more left, since the platform does not say. Members of erased persons are nobody. Set-based: 100
    groups of 200 take about a second, and next to nothing where their versions stand.
    """
    there = {row.code: row for row in _named(one.code for one in told)}
    _open({one.code for one in told} - set(there), corp)
    codes = sorted(one.code for one in told)
    rows = {row.code: row for row in Group.objects.select_for_update().filter(code__in=codes).order_by("code")}
    fresh = [one for one in told if (at := rows[one.code].read_at) is None or at <= read_at]
    homes = _homes(corp)
    keep = [(rows[one.code], one, homes.get(one.owner.casefold(), (None, None))) for one in fresh]
    moved, names = _compare(keep, now, synthetic)
    changed = sum(row.read_at is not None and _said(row) != _says(one, row) for row, one, _ in keep)
    last: dict[int, datetime] = {}
    for number, one in moved:
        last[number] = max(one.word.at, last.get(number, one.word.at))
    _rewrite(keep, corp, read_at, last)
    return Kept(
        sum(row.read_at is None for row, _, _ in keep),
        changed,
        tuple(one for _, one in moved),
        names,
    )


def _homes(corp: str) -> dict[str, tuple[SenderId | None, NodeId | None]]:
    return {one.userid.casefold(): (one.id, one.store) for one in senders(OWNER) if one.corp == corp}


def _said(row: Group) -> tuple[object, ...]:
    return row.name, row.owner, row.state, row.notice or "", tuple(row.admins), row.ended_at is not None


def _says(one: GroupTold, row: Group) -> tuple[object, ...]:
    return one.name, one.owner[:64], row.state if one.state is None else one.state, one.notice, one.admins, False


Keep = tuple[Group, GroupTold, tuple[SenderId | None, NodeId | None]]


def _compare(
    keep: Sequence[Keep], now: datetime, synthetic: bool
) -> tuple[list[tuple[int, Moved]], dict[PersonId, tuple[str, datetime]]]:
    """Who came and who left since, written; and what newcomers are called."""
    looked = [entry for entry in keep if not entry[1].version or entry[1].version != entry[0].version]
    groups = [(row, one, node, member) for row, one, (_, node) in looked for member in one.members]
    births = _births([member for *_, member in groups], synthetic)
    before: dict[int, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    for group, person, *rest in _members_of([row.pk for row, _, _ in looked]):
        before[group][person] = tuple(rest)
    moved: list[tuple[int, Moved]] = []
    names: dict[PersonId, tuple[str, datetime]] = {}
    rows: list[tuple[Any, ...]] = []
    present: dict[int, set[int]] = defaultdict(set)
    for (row, one, node, member), birth in zip(groups, births, strict=True):
        if not birth:
            continue  # who was erased
        present[row.pk].add(birth)
        came, gone, *_ = before[row.pk].get(birth, (None, None))
        if is_in(came, gone) and came == member.joined_at:
            continue
        word = GroupWord(birth, one.code, True, member.joined_at, member.scene, member.inviter[:64], member.state[:64])
        if came != member.joined_at:
            moved.append((row.pk, Moved(word, one.owner, node)))
        if member.name:
            names[birth] = (member.name, member.joined_at)
        rows.append((row.pk, birth, bulk.stored_time(word.at), None, word.scene, word.inviter, word.state))
    for row, one, (_, node) in looked:
        for person, (came, gone, *how) in before[row.pk].items():
            if person in present[row.pk] or not is_in(came, gone):
                continue
            away = max(now, came + _TICK)
            moved.append((row.pk, Moved(GroupWord(PersonId(person), one.code, False, away), one.owner, node)))
            rows.append((row.pk, person, bulk.stored_time(came), bulk.stored_time(away), *how))
    _write(rows)
    return moved, names


def _births(members: Sequence[MemberTold], synthetic: bool) -> list[PersonId]:
    country = brand().country
    clean = [tuple(normalised(one, country) for one in member.who) for member in members]
    distinct = dict(zip(clean, (member.joined_at for member in members), strict=True))
    births = identity.births_of(list(distinct), list(distinct.values()), synthetic) if distinct else []
    found = dict(zip(distinct, births, strict=True))
    return [PersonId(found[group]) for group in clean]


def _members_of(groups: Sequence[int]) -> list[tuple[Any, ...]]:
    return identity.rows_of(GroupMember, _MEMBER, groups, "group_id") if groups else []


def _rewrite(keep: Sequence[Keep], corp: str, read_at: datetime, last: Mapping[int, datetime]) -> None:
    ring = keyring()
    columns = (
        "corp", "name", "notice", "owner", "sender", "node", "state", "admins", "staff", "size", "version", "made_at",
        "moved_at", "read_at", "ended_at",
    )  # fmt: skip
    rows = []
    for row, one, (sender, node) in keep:
        newest = max((member.joined_at for member in one.members), default=None)
        times = [at for at in (row.moved_at, last.get(row.pk), newest) if at is not None]
        rows.append(
            (
                corp,
                ring.encrypt(one.name, "people_group.name"),
                ring.encrypt(one.notice, "people_group.notice"),
                one.owner[:64],
                sender,
                node,
                row.state if one.state is None else one.state,
                json.dumps(list(one.admins)),
                json.dumps(list(one.staff)),
                len(one.members) + len(one.staff),
                one.version[:64],
                bulk.stored_time(one.made_at),
                bulk.stored_time(max(times, default=None)),
                bulk.stored_time(read_at),
                None,
                row.pk,
            )
        )
    bulk.update(Group, columns, rows)


def end_groups(codes: Collection[str], at: datetime) -> int:
    """Note that the platform does not show these groups any more; returns how many stood until now.

    Nobody is noted as having left: a group that was dissolved is no group, and one that is out of the app's sight comes
    back with its members where it is seen again.
    """
    parts = [Group.objects.filter(code__in=part, ended_at=None) for part in bulk.chunks(sorted(codes), 500)]
    return sum(part.update(ended_at=at) for part in parts)


def follow(moved: Collection[SenderId]) -> None:
    """Let groups belong to the store at which their owner's account is now."""
    store_of = {one.id: one.store for one in senders(OWNER)}
    for sender in moved:
        if sender in store_of:
            Group.objects.filter(sender=sender).update(node=store_of[sender])


def codes_of(corp: str) -> set[str]:
    """The groups of a corp that stand, by their ids. Unscoped because syncs compare by it."""
    return set(Group.objects.filter(corp=corp, ended_at=None).values_list("code", flat=True))


def members_at(codes: Collection[str], at: datetime) -> dict[str, list[PersonId]]:
    """Who was in these groups at an instant, as far as their last joining and leaving tell. Unscoped because syncs ask
    by it."""
    rows = GroupMember.objects.filter(group__code__in=list(codes)).order_by("group__code", "person_id")
    found: dict[str, list[PersonId]] = defaultdict(list)
    for code, person, joined, left in rows.values_list("group__code", "person_id", "joined_at", "left_at"):
        came = joined is None or joined <= at
        gone = left is not None and left <= at and (joined is None or joined <= left)
        if came and not gone:
            found[code].append(PersonId(person))
    return found


def owners_of(corp: str) -> set[str]:
    """Who owns groups of a corp that stand. Unscoped because syncs ask the platform by it."""
    rows = Group.objects.filter(corp=corp, ended_at=None).exclude(owner="")
    return set(rows.values_list("owner", flat=True).distinct())


def outdated(versions: Mapping[str, str]) -> list[str]:
    """Those of the groups, each with its membership's version, of which we know another. Unscoped because syncs ask."""
    rows = [
        row
        for part in bulk.chunks(sorted(versions), 500)
        for row in Group.objects.filter(code__in=part, read_at__isnull=False).values_list("code", "version")
    ]
    return sorted(code for code, version in rows if version and version != versions[code])
