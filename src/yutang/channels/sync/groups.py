"""Customer groups and who is in them: all of them at night, and each again when a callback tells of it.

The platform lists groups by their owners and tells each with everybody in it. What is the same by its version is not
compared; what is not listed any more is asked for once, and ended where it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b

from django.db import transaction

from yutang.channels.contracts import RefusedByPlatform
from yutang.channels.ports.groups import GroupChat, GroupState
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.sync.models import SyncHint
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.customers import WeComCustomers
from yutang.channels.wecom.groups import WeComGroups
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.ids import EventId, NodeId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.queries import nodes
from yutang.people import groups, services
from yutang.people.groups import GroupTold, MemberTold, Moved

NAME = "groups"
PORTION = 100  # groups in one transaction: 20,000 memberships are written in about a second


def sync_groups(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Every group of every owner, in portions, going on after the last that was kept."""
    platform = WeComGroups(client)
    known = groups.codes_of(corp.corp)
    listed = _listed(corp, client, platform)
    after, lost = str(told.cursor.get("after", "")), int(told.cursor.get("lost", 0))
    rest = sorted(code for code in listed if code > after)
    found, done, total = told.found, len(listed) - len(rest), len(listed)
    for first in range(0, len(rest), PORTION):
        some = rest[first : first + PORTION]
        told(done + first, total)
        read_at = wall_now()
        read = dict(platform.read_groups(some))
        with my_turn(), transaction.atomic():
            lost += _untold(corp, read)
            found += _keep(corp, read, listed, read_at, history=told.first)
            told.keep({"after": some[-1], "lost": lost}, found)
    found += _unlisted(corp, platform, sorted(known - set(listed)))
    told(total, total)
    return replace(found, note=_note(lost))


def _untold(corp: CorpFacts, read: Mapping[str, GroupChat | None]) -> int:
    """Of how many groups the membership changed without a callback: we know another version, and no hint waits."""
    versions = {code: chat.version for code, chat in read.items() if chat is not None and chat.version}
    outdated = groups.outdated(versions)
    hints = SyncHint.objects.filter(channel=corp.channel, corp=corp.corp, kind=HINTED.kind, ref__in=outdated)
    return len(outdated) - hints.count()


def _note(lost: int) -> tuple[str, str]:
    if not lost:
        return "", ""
    return f"{lost:,} 个群的成员变化没有收到回调", f"of {lost:,} groups the membership changed without a callback"


def _listed(corp: CorpFacts, client: WeComClient, platform: WeComGroups) -> dict[str, GroupState]:
    """Every group that the platform lists, with how it stands.

    Those of owners who have left are listed only where the owner is named: so whoever owned one here is asked for too,
    each alone, since one whom the platform has forgotten refuses them all.
    """
    active = WeComCustomers(client).follow_users()
    listed = platform.list_groups(active)
    there = {one.casefold() for one in active}
    for owner in sorted(one for one in groups.owners_of(corp.corp) if one.casefold() not in there):
        try:
            listed.update(platform.list_groups([owner]))
        except RefusedByPlatform:
            continue
    return listed


def _unlisted(corp: CorpFacts, platform: WeComGroups, codes: Sequence[str]) -> Found:
    """Groups that stand here and are not listed: dissolved, out of sight, or only not listed."""
    found = Found()
    for first in range(0, len(codes), PORTION):
        some = codes[first : first + PORTION]
        read_at = wall_now()
        read = dict(platform.read_groups(some))
        with my_turn(), transaction.atomic():
            found += _keep(corp, read, {}, read_at)
    return found


def read_again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read these groups again."""
    read_at = wall_now()
    read = dict(WeComGroups(client).read_groups(list(dict.fromkeys(refs))))
    with my_turn(), transaction.atomic():
        _keep(corp, read, {}, read_at)


def _keep(
    corp: CorpFacts,
    read: Mapping[str, GroupChat | None],
    states: Mapping[str, GroupState],
    read_at: datetime,
    *,
    history: bool = False,
) -> Found:
    """Make it so here, with the events that it comes to, in the caller's transaction."""
    now = business_now()
    chats = [(code, chat) for code, chat in read.items() if chat is not None]
    kept = groups.keep_groups(
        corp.corp,
        [_told(corp, chat, states.get(code)) for code, chat in chats],
        read_at=read_at,
        now=now,
        synthetic=corp.sandboxed,
    )
    record(list(_events(corp, kept.moved)), history=history)
    services.name_persons(kept.names)
    ended = groups.end_groups([code for code, chat in read.items() if chat is None], now)
    joined = sum(one.word.joined for one in kept.moved)
    return Found(len(read), kept.new + joined, kept.changed, len(kept.moved) - joined + ended)


def _told(corp: CorpFacts, chat: GroupChat, state: GroupState | None) -> GroupTold:
    outside = [one for one in chat.members if not one.ours]
    return GroupTold(
        chat.id,
        chat.name,
        chat.owner,
        None if state is None else state.value,
        chat.created_at,
        chat.notice,
        chat.admins,
        tuple(one.id for one in chat.members if one.ours),
        chat.version,
        tuple(
            MemberTold(
                (
                    IdentifierValue("external_userid", corp.corp, one.id),
                    *((IdentifierValue("unionid", "", one.unionid),) if one.unionid else ()),
                ),
                one.joined_at,
                one.scene,
                one.inviter,
                one.state,
                one.name,
            )
            for one in outside
        ),
    )


def _events(corp: CorpFacts, moved: Iterable[Moved]) -> Iterable[Event]:
    code_of = {node.id: node.code for node in nodes()}
    for one in moved:
        word = one.word
        kind = "group.joined" if word.joined else "group.left"
        mark = f"{corp.corp} {word.group} {word.person} {kind} {word.at.timestamp()}"
        yield Event(
            EventId(f"wecom:{blake2b(mark.encode(), digest_size=16).hexdigest()}"),
            kind,
            word.at,
            person=word.person,
            store=_store(code_of, one.node),
            staff=one.owner[:64] or None,
            source="sync:groups",
            channel="wecom",
            props=_props(corp, one),
        )


def _store(code_of: Mapping[NodeId, str], node: NodeId | None) -> str | None:
    return None if node is None else code_of.get(node)


def _props(corp: CorpFacts, one: Moved) -> dict[str, object]:
    word = one.word
    said = {"group": word.group, "scene": word.scene, "inviter": word.inviter, "state": word.state}
    props = {name: value for name, value in said.items() if value and (word.joined or name == "group")}
    return {**props, "synthetic": True} if corp.sandboxed else props


KIND = Kind(NAME, "客户群", "customer groups", sync_groups)
HINTED = Hinted(
    "group",
    frozenset({"change_external_chat/*"}),
    lambda notice: notice.get("ChatId"),
    read_again,
    rest=timedelta(seconds=3),
)
