"""The corp's tags, and marking customers with those that are put on here.

What is put on in a client comes in with the customers (`known`). What is put on here by a rule, a person or a program
goes out to every friendship that stands, one call for all the tags of a friendship; the platform calls nothing of it
back. A tag that the corp has not is made by us where one of our own rules puts it on, in a group of our own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction

from yutang.channels.contracts import RefusedByPlatform
from yutang.channels.sync import known
from yutang.channels.sync.contracts import Found, Hinted, Kind, Progress
from yutang.channels.sync.known import TAGGED, Key, Row
from yutang.channels.sync.models import KnownTag, SyncHint, TagWish
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.callbacks import Notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tags import NAME_CHARACTERS, CorpTag, WeComTags
from yutang.kernel.clock import monotonic, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.ids import PersonId
from yutang.kernel.turns import my_turn
from yutang.log.contracts import Event
from yutang.log.services import seal, unseal
from yutang.organisation.contracts import CorpFacts
from yutang.organisation.queries import accounts, corps
from yutang.people import queries as people
from yutang.people import services as people_services

GROUP = "鱼塘"
"""The corp's group in which our own tags stand."""
OWN = "reflex"
"""The source of tags that our own rules put on: these alone are made where the corp has none of that name."""
KINDS = frozenset({"tag.added", "tag.removed"})
GIVE_UP = timedelta(days=7)
FRESH = 5.0  # seconds for which it is not asked again whether any corp is connected
ALL = "all"


# What the corp has ------------------------------------------------------------------------------------------------


def sync(corp: CorpFacts, client: WeComClient, told: Progress) -> Found:
    """Know the corp's tags as they are now, and take up again what could not be marked so far."""
    listed = WeComTags(client).all()
    told(0, len(listed))
    found = keep(corp, listed)
    told(len(listed), len(listed))
    _try_again(corp)
    return found


def keep(corp: CorpFacts, listed: Sequence[CorpTag]) -> Found:
    """Know these as all the tags of a corp."""
    with my_turn(), transaction.atomic():
        known.hold()
        rows = {row.tag_id: row for row in KnownTag.objects.filter(channel=corp.channel, corp=corp.corp)}
        there = {tag.id: tag for tag in listed}
        taken = {row.ours for row in rows.values() if row.tag_id in there}
        added = changed = ended = 0
        for tag in listed:
            row = rows.get(tag.id)
            said = {"name": tag.name[:64], "group": tag.group[:64], "group_id": tag.group_id, "gone": False}
            if row is None:
                ours = _ours(tag, taken)
                taken.add(ours)
                KnownTag.objects.create(channel=corp.channel, corp=corp.corp, tag_id=tag.id, ours=ours, **said)
                added += 1
            elif any(getattr(row, name) != value for name, value in said.items()):
                KnownTag.objects.filter(pk=row.pk).update(**said)
                changed += 1
        for row in rows.values():
            if row.tag_id not in there and not row.gone:
                KnownTag.objects.filter(pk=row.pk).update(gone=True)
                ended += 1
    return Found(len(listed), added, changed, ended)


def _ours(tag: CorpTag, taken: Collection[str]) -> str:
    """What a tag is called here: by its name, which two groups may give."""
    for name in (tag.name, f"{tag.group}/{tag.name}", f"{tag.name}#{tag.id[-8:]}"):
        if name[:64] not in taken:
            return name[:64]
    return tag.id[:64]


def again(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Read the corp's tags again: one call tells them all."""
    keep(corp, WeComTags(client).all())


# What is put on here ----------------------------------------------------------------------------------------------


_asked: tuple[float, frozenset[str]] = (float("-inf"), frozenset())


def waited_for() -> Collection[str]:
    """The types of event that concern the platform: none while no corp is connected."""
    global _asked
    if monotonic() - _asked[0] > FRESH:
        _asked = (monotonic(), KINDS if any(corp.channel == "wecom" for corp in corps()) else frozenset())
    return _asked[1]


def notice(events: Sequence[Event]) -> None:
    """Keep, in the transaction in which they arrive, which tags are put on or taken off here."""
    wanted = {event.id: event for event in events if event.type in KINDS and event.source != TAGGED}
    if not wanted or not waited_for():
        return
    names = {str(event.props["tag"]) for event in wanted.values()}
    borne = set(KnownTag.objects.filter(ours__in=names, gone=False).values_list("ours", flat=True))
    wanted = {id: event for id, event in wanted.items() if event.source == OWN or event.props["tag"] in borne}
    fresh = set(wanted) - set(TagWish.objects.filter(event_id__in=wanted).values_list("event_id", flat=True))
    TagWish.objects.bulk_create(
        [TagWish(event_id=one, sealed=seal([wanted[one]])) for one in sorted(fresh)], ignore_conflicts=True
    )
    _hint(fresh)


def _hint(events: Iterable[str], only: CorpFacts | None = None) -> None:
    ids = sorted(events)
    hints = [
        SyncHint(channel=corp.channel, corp=corp.corp, kind=MARKS, ref=one)
        for corp in corps()
        if corp.channel == "wecom" and (only is None or corp.corp == only.corp)
        for one in ids
    ]
    SyncHint.objects.bulk_create(hints, ignore_conflicts=True)


def _try_again(corp: CorpFacts) -> None:
    """Take up what is left of the last days, and forget what is older."""
    now = wall_now()
    TagWish.objects.filter(made_at__lt=now - GIVE_UP).delete()
    left = TagWish.objects.filter(made_at__lt=now - timedelta(hours=1)).values_list("event_id", flat=True)
    _hint(left[:10_000], corp)


def mark(corp: CorpFacts, client: WeComClient, refs: Sequence[str]) -> None:
    """Let the platform follow these events: of one person and tag the last one counts."""
    wishes = TagWish.objects.filter(event_id__in=list(refs))
    events = [event for row in wishes for event in unseal(bytes(row.sealed))]
    persons = _persons_of(events)
    last: dict[tuple[PersonId, str], Event] = {}
    for event in sorted(events, key=lambda one: one.occurred_at):
        if event.id in persons:
            last[persons[event.id], str(event.props["tag"])] = event
    api = WeComTags(client)
    tag_of = _tag_ids(corp, api, last.values())
    by_person: dict[PersonId, dict[str, bool]] = defaultdict(dict)
    for (person, name), event in last.items():
        if name in tag_of:
            by_person[person][tag_of[name]] = event.type == "tag.added"
    for one in _marks(corp, by_person):
        one.go_out(corp, api)
    _settle(refs)


def _settle(refs: Sequence[str]) -> None:
    """Forget what every corp has followed: the last hint at it is the one in hand."""
    with transaction.atomic():
        waited = SyncHint.objects.filter(kind=MARKS, ref__in=list(refs)).values_list("ref", flat=True)
        counts: dict[str, int] = defaultdict(int)
        for ref in waited:
            counts[ref] += 1
        TagWish.objects.filter(event_id__in=[ref for ref in refs if counts[ref] <= 1]).delete()


def _persons_of(events: Sequence[Event]) -> dict[str, PersonId]:
    named: dict[str, PersonId] = {event.id: event.person for event in events if event.person is not None}
    rest = [event for event in events if event.person is None and event.identifiers]
    if rest:
        with my_turn():
            found = people_services.resolve(
                [event.identifiers for event in rest], seen_at=[event.occurred_at for event in rest]
            )
        named |= {event.id: person for event, person in zip(rest, found, strict=True) if person}
    return named


def _tag_ids(corp: CorpFacts, api: WeComTags, events: Iterable[Event]) -> dict[str, str]:
    """The corp's tags by what they are called here; those that our rules put on and the corp has not are made."""
    wanted = {str(event.props["tag"]): event for event in events}
    found = _known_ids(corp, wanted)
    missing = [
        name
        for name, event in wanted.items()
        if name not in found and event.source == OWN and event.type == "tag.added" and len(name) <= NAME_CHARACTERS
    ]
    if missing:
        keep(corp, api.all())  # somebody may have made it since
        still = [name for name in missing if name not in _known_ids(corp, missing)]
        if still:
            api.add(GROUP, still)
            keep(corp, api.all())
        found = _known_ids(corp, wanted)
    return found


def _known_ids(corp: CorpFacts, names: Iterable[str]) -> dict[str, str]:
    rows = KnownTag.objects.filter(channel=corp.channel, corp=corp.corp, gone=False, ours__in=list(names))
    return dict(rows.values_list("ours", "tag_id"))


@dataclass(slots=True)
class _Mark:
    """What is to be put on one friendship and taken off it."""

    key: Key
    userid: str
    external_userid: str
    put_on: list[str] = field(default_factory=list)
    taken_off: list[str] = field(default_factory=list)

    def go_out(self, corp: CorpFacts, api: WeComTags) -> None:
        """Tell the platform, then note it, so that the next reading finds nothing new. Again does no harm."""
        try:
            api.mark(self.userid, self.external_userid, self.put_on, self.taken_off)
        except RefusedByPlatform as refused:
            if refused.errcode == errcodes.NO_CUSTOMER:
                return  # they are no friends any more; the next reading says so
            raise
        with my_turn(), transaction.atomic():
            known.hold()
            row = known.rows_of("who", [self.key[0]]).get(self.key)
            if row is not None:
                row.tags = tuple(sorted((set(row.tags) | set(self.put_on)) - set(self.taken_off)))
                known.write({self.key: row})


def _marks(corp: CorpFacts, wanted: Mapping[PersonId, Mapping[str, bool]]) -> list[_Mark]:
    """The friendships that stand of these persons, and lack what they should have, or have what they should not."""
    ids = people.all_identifiers_of(wanted, "external_userid", corp.corp)
    ring = keyring()
    whose = {known.who_of(ring, corp.corp, one): (person, one) for person, ones in ids.items() for one in ones}
    staff = {int(account.id): account.userid for account in accounts(corp.channel, corp.corp)}
    found = []
    for key, row in known.rows_of("who", whose).items():
        if row.standing.shown and key[1] in staff:
            person, external = whose[key[0]]
            one = _Mark(key, staff[key[1]], external, *_differing(row, wanted[person]))
            if one.put_on or one.taken_off:
                found.append(one)
    return found


def _differing(row: Row, wanted: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    put_on = [tag for tag, on in wanted.items() if on and tag not in row.tags]
    return put_on, [tag for tag, on in wanted.items() if not on and tag in row.tags]


def ref_of(notice: Notice) -> str:
    """Whatever became of a tag, one call tells all of them."""
    return ALL


MARKS = "marks"
KIND = Kind("tags", "标签", "tags", sync)
HINTED = Hinted("tags", frozenset({"change_external_tag/*"}), ref_of, again)
MARKED = Hinted(MARKS, frozenset(), lambda notice: "", mark)
