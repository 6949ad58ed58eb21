"""Customers of a member who left, or who gives them away, go to others: chosen, previewed, asked for once, read back.

A transfer is asked for in our own rows first; a lost answer is read back from the platform's results before anything is
asked again. What was done there is read again customer by customer (`channels.sync`), so that friendships follow; what
somebody consented to stays, for it was said to the brand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Count, Q

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.inheritance import HandedOver, TransferPort, TransferStatus
from yutang.channels.sync.known import Word, take
from yutang.channels.sync.services import hint
from yutang.channels.wecom.transfers import refusal_of
from yutang.connect import group_handover
from yutang.connect.contracts import HandoverState
from yutang.connect.group_handover import words
from yutang.connect.models import Handover, Left
from yutang.intake.lease import me
from yutang.kernel.calendars import aware
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, Refused
from yutang.kernel.ids import EventId, PersonId, draw, salt
from yutang.log.contracts import Event, IdentifierValue
from yutang.log.services import record
from yutang.organisation import services as organisation
from yutang.organisation.contracts import SenderFacts, Viewer
from yutang.organisation.queries import account_of, corps, node_by_code, senders
from yutang.people.bulk import chunks
from yutang.people.queries import all_identifiers_of
from yutang.warehouse.contracts import Statement, Warehouse

TransferPorts = Mapping[tuple[str, str], TransferPort]
WECOM, EXTERNAL = "wecom", "external_userid"
A_CALL = 100
A_STATEMENT = 500
MOST_IN_90_DAYS, DAYS_90 = 2, timedelta(days=90)
CLAIM = timedelta(minutes=2)
LOOK = timedelta(hours=1)  # business time between two looks at what waits, and at who left
AGAIN = timedelta(minutes=5)
OVERDUE = timedelta(hours=36)  # what was begun so long ago, and the platform knows nothing of, was never begun
_log = structlog.get_logger(__name__)


FAILED = (HandoverState.REFUSED, HandoverState.FULL, HandoverState.IMPOSSIBLE)
_OPEN = (HandoverState.WANTED, HandoverState.CALLING, HandoverState.UNKNOWN, HandoverState.WAITING)
_ENDS = {
    TransferStatus.DONE: HandoverState.DONE,
    TransferStatus.REFUSED: HandoverState.REFUSED,
    TransferStatus.FULL: HandoverState.FULL,
}


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would take over how many. `under_way` are being handed over already; `too_often`: twice within 90 days;
    `unwilling` refused the last time, and are asked again only where that is wanted."""

    handover: str
    resigned: bool
    by_taker: Mapping[str, int]
    under_way: int
    too_often: int
    unwilling: int = 0

    @property
    def customers(self) -> int:
        """How many would change hands."""
        return sum(self.by_taker.values())


@dataclass(frozen=True, slots=True)
class HandoverCount:
    """How the transfers from one member to another stand."""

    corp: str
    handover: str
    takeover: str
    resigned: bool
    state: HandoverState
    count: int
    reason: str


def waiting_for_somebody(viewer: Viewer) -> dict[tuple[str, str], int]:
    """How many customers of each member who left wait for somebody, by corp and member. Raises Refused."""
    headquarters(viewer)
    rows = Left.objects.values("corp", "handover").annotate(n=Count("pk")).order_by("corp", "handover")
    return {(row["corp"], row["handover"]): row["n"] for row in rows}


def transfers(viewer: Viewer) -> list[HandoverCount]:
    """How all transfers stand, by the two members. Raises Refused."""
    headquarters(viewer)
    columns = ("corp", "handover", "takeover", "resigned", "state", "reason")
    rows = Handover.objects.values(*columns).annotate(n=Count("pk")).order_by(*columns)
    return [
        HandoverCount(
            row["corp"], row["handover"], row["takeover"], row["resigned"], HandoverState(row["state"]), row["n"],
            row["reason"],
        )
        for row in rows
    ]  # fmt: skip


def preview(
    warehouse: Warehouse,
    viewer: Viewer,
    handover: str,
    *,
    takers: Sequence[str] = (),
    store: str = "",
    again: bool = False,
) -> Preview:
    """Who would take over how many of a member's customers: these takers, or everybody of a store, evenly. `again`:
    those too who refused the last time.

    Nothing is asked for. Raises BadInput or Refused.
    """
    return _planned(warehouse, viewer, handover, takers, store, again)[0]


def start(
    warehouse: Warehouse,
    viewer: Viewer,
    handover: str,
    *,
    takers: Sequence[str] = (),
    store: str = "",
    message: str = "",
    again: bool = False,
) -> Preview:
    """Have it done, as previewed; the turn of the clock asks the platform. Again adds nobody who is under way, or was
    handed over already."""
    if len(message) > 200:
        raise BadInput("转接说明最多 200 个字。", "The message to customers has at most 200 characters.")
    with transaction.atomic():
        found, chosen, corp = _planned(warehouse, viewer, handover, takers, store, again)
        ring = keyring()
        rows = [
            Handover(
                corp=corp,
                handover=found.handover,
                takeover=taker,
                resigned=found.resigned,
                customer=external,
                who=ring.lookup_hash(EXTERNAL, corp, external),
                message=message,
                by=viewer.name[:80],
                asked_at=business_now(),
            )
            for external, taker in chosen
        ]
        for part in chunks(rows, A_STATEMENT):
            whos = [row.who for row in part]
            Handover.objects.filter(corp=corp, who__in=whos, state__in=FAILED).update(replaced=True)
            Handover.objects.bulk_create(part, ignore_conflicts=True)  # somebody else began at the same moment
        organisation.audit(
            viewer, "transfer", f"customers of {found.handover}", customers=found.customers, takers=len(found.by_taker)
        )
    return found


@dataclass(frozen=True, slots=True)
class Giver:
    """Whose customers and groups change hands: their userid as the directory writes it; `resigned`: they have left."""

    corp: str
    userid: str
    resigned: bool
    account: SenderFacts | None


def giver_named(viewer: Viewer, handover: str) -> Giver:
    """A member who gives away. Raises BadInput for one who is unknown, Refused for who is not headquarters."""
    headquarters(viewer)
    known = [one for one in senders(viewer) if one.channel == WECOM and one.userid.casefold() == handover.casefold()]
    account = known[0] if known else None
    left = Left.objects.filter(handover__iexact=handover).first()
    if left is not None:
        return Giver(left.corp, left.handover, True, account)
    gone = Handover.objects.filter(handover__iexact=handover, resigned=True).order_by("-pk").first()
    if gone is not None and (account is None or not account.active):  # whose last customers are being handed over
        return Giver(gone.corp, gone.handover, True, account)
    if account is None:
        raise BadInput(f"没有员工账号「{handover[:64]}」。", f"There is no staff account “{handover[:64]}”.")
    return Giver(account.corp, account.userid, False, account)


def _planned(
    warehouse: Warehouse, viewer: Viewer, handover: str, takers: Sequence[str], store: str, again: bool
) -> tuple[Preview, list[tuple[str, str]], str]:
    giver = giver_named(viewer, handover)
    corp, named, resigned = giver.corp, giver.userid, giver.resigned
    chosen = takers_of(viewer, giver, takers, store)
    ring = keyring()
    since = _left_behind(giver) if resigned else _friends_since(warehouse, giver)
    lookups = {ring.lookup_hash(EXTERNAL, corp, one): one for one in since if one}
    hers: list[tuple[bytes, str, bool, str, datetime, datetime | None, bool]] = []
    for part in chunks(lookups, A_STATEMENT):
        columns = ("who", "state", "resigned", "handover", "asked_at", "ended_at", "replaced")
        hers += Handover.objects.filter(corp=corp, who__in=part).values_list(*columns)
    recently = business_now() - DAYS_90
    open_now, recent, unwilling, done = set(), Counter[bytes](), set(), set()
    for who, state, was_resigned, of, asked_at, ended_at, replaced in hers:
        key, mine = bytes(who), of.casefold() == named.casefold()
        if state in _OPEN:
            open_now.add(key)
        elif state == HandoverState.DONE:
            added = since[lookups[key]]
            recent[key] += not was_resigned and asked_at > recently
            if mine and (resigned or (added is not None and ended_at is not None and ended_at >= added)):
                done.add(key)  # it is ours that has not heard of it yet
        elif state == HandoverState.REFUSED and mine and not replaced:
            unwilling.add(key)
    often = {who for who, count in recent.items() if count >= MOST_IN_90_DAYS} if not resigned else set()
    unwilling -= open_now | done | often
    out = open_now | done | often | (set() if again else unwilling)
    free = sorted(one for who, one in lookups.items() if who not in out)
    free.sort(key=lambda one: draw(0, salt("handover", corp, named, one)))
    pairs = [(one, chosen[number % len(chosen)].userid) for number, one in enumerate(free)]
    counts = Counter(taker for _, taker in pairs)
    found = Preview(
        named, resigned, dict(counts), len(open_now), len(often - open_now - done), 0 if again else len(unwilling)
    )
    return found, pairs, corp


def takers_of(viewer: Viewer, giver: Giver, takers: Sequence[str], store: str) -> list[SenderFacts]:
    """Those who take over, each an active account of the same corp, and not who gives. Raises BadInput."""
    if bool(takers) == bool(store):
        raise BadInput("请给出接替的员工，或一家门店（二选一）。", "Name those who take over, or a store; not both.")
    known = [one for one in senders(viewer) if one.channel == WECOM and one.active and one.corp == giver.corp]
    able = [one for one in known if one.userid.casefold() != giver.userid.casefold()]
    if store:
        node = node_by_code(store).id
        found = [one for one in able if one.store == node]
        if not found:
            raise BadInput(f"门店「{store}」没有可以接替的员工。", f"Nobody at “{store}” can take over.")
        return found
    by_id = {one.userid.casefold(): one for one in able}
    missing = [one for one in takers if one.casefold() not in by_id]
    if missing:
        raise BadInput(
            f"「{missing[0][:64]}」不能接替：要是同一企业在用的员工账号，且不是原跟进人。",
            f"“{missing[0][:64]}” cannot take over: name an active account of the same corp, not who gives.",
        )
    return [by_id[one] for one in dict.fromkeys(name.casefold() for name in takers)]


def _left_behind(giver: Giver) -> dict[str, datetime | None]:
    """The customers of a member who left whom nobody has: as the platform last told, and those whom we failed to hand
    over since."""
    told = Left.objects.filter(corp=giver.corp, handover__iexact=giver.userid)
    failed = Handover.objects.filter(
        corp=giver.corp, handover__iexact=giver.userid, resigned=True, state__in=FAILED, replaced=False
    )
    return {customer or "": None for rows in (told, failed) for customer in rows.values_list("customer", flat=True)}


def _friends_since(warehouse: Warehouse, giver: Giver) -> dict[str, datetime | None]:
    """The ids of a member's customers who are friends now, each since when."""
    if giver.account is None:
        return {}
    text = "SELECT person, added_at FROM fact_relations WHERE sender = $sender AND live ORDER BY person"
    rows = warehouse.query(Statement(text, {"sender": int(giver.account.id)})).to_pylist()
    since = {PersonId(row["person"]): row["added_at"] for row in rows}
    found = all_identifiers_of(list(since), EXTERNAL, giver.corp)
    return {
        one: None if since[person] is None else aware(since[person]) for person, ids in found.items() for one in ids
    }


def headquarters(viewer: Viewer) -> None:
    """Raise Refused for whoever does not run the whole brand."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("客户继承涉及整个品牌，请找总部运营。", "Handing customers over is for headquarters; ask there.")


# The turn ----------------------------------------------------------------------------------------------------------


def turn(ports: TransferPorts) -> int:
    """Ask for what is wanted, read back what waits, and learn who left; returns how many calls were made."""
    Handover.objects.filter(state=HandoverState.CALLING, claim_until__lt=wall_now()).update(
        state=HandoverState.UNKNOWN, not_before=None
    )
    calls = 0
    for (channel, corp), port in ports.items():
        if channel == WECOM:
            calls += _ask(port, corp) + _read_back(port, corp) + group_handover.turn(port, corp)
    return calls


def learn_who_left(ports: TransferPorts) -> int:
    """Keep whose customers wait for somebody, as the platform says now; returns how many customers."""
    count = 0
    for (channel, corp), port in ports.items():
        if channel != WECOM:
            continue
        found = port.unassigned()
        ring = keyring()
        rows = [
            Left(
                corp=corp,
                handover=one.handover,
                customer=one.external_userid,
                who=ring.lookup_hash(EXTERNAL, corp, one.external_userid),
                left_at=one.left_at,
            )
            for one in found
        ]
        with transaction.atomic():
            Left.objects.filter(corp=corp).delete()
            Left.objects.bulk_create(rows, batch_size=500)
        count += len(rows)
    return count


def _due(corp: str, state: HandoverState) -> dict[tuple[str, str, bool, str], list[Handover]]:
    rows = Handover.objects.filter(Q(not_before=None) | Q(not_before__lte=business_now()), corp=corp, state=state)
    found: dict[tuple[str, str, bool, str], list[Handover]] = defaultdict(list)
    for row in rows.order_by("pk"):
        found[row.handover, row.takeover, row.resigned, row.message].append(row)
    return found


def _ask(port: TransferPort, corp: str) -> int:
    calls = 0
    for (handover, takeover, resigned, message), rows in _due(corp, HandoverState.WANTED).items():
        for at in range(0, len(rows), A_CALL):
            part, holder = rows[at : at + A_CALL], me()
            ids = [row.pk for row in part]
            Handover.objects.filter(pk__in=ids, state=HandoverState.WANTED).update(
                state=HandoverState.CALLING, claimed_by=holder, claim_until=wall_now() + CLAIM
            )
            mine = Handover.objects.filter(pk__in=ids, state=HandoverState.CALLING, claimed_by=holder)
            held = list(mine)
            if not held:
                continue
            calls += 1
            try:
                named = {row.customer or "": row.pk for row in held}
                codes = port.transfer(handover, takeover, list(named), resigned=resigned, message=message)
            except AnswerLost:
                mine.update(state=HandoverState.UNKNOWN, not_before=None)
            except (TryLater, UnexpectedAnswer) as error:
                _log.warning("a transfer was put off", reason=error.en)
                mine.update(state=HandoverState.WANTED, not_before=business_now() + AGAIN, reason=words(error))
            except (RefusedByPlatform, BadInput) as error:
                mine.update(state=HandoverState.IMPOSSIBLE, reason=words(error))
            else:
                _settle(named, codes)
    return calls


def _settle(named: Mapping[str, int], codes: Mapping[str, int]) -> None:
    begun = [pk for external, pk in named.items() if codes.get(external, 0) == 0]
    rows = Handover.objects.filter(state=HandoverState.CALLING)
    rows.filter(pk__in=begun).update(
        state=HandoverState.WAITING, begun_at=business_now(), not_before=business_now() + LOOK, reason=""
    )
    by_code: dict[int, list[int]] = defaultdict(list)
    for external, pk in named.items():
        if codes.get(external, 0):
            by_code[codes[external]].append(pk)
    for code, ids in by_code.items():
        rows.filter(pk__in=ids).update(state=HandoverState.IMPOSSIBLE, reason=words(refusal_of(code)))


def _read_back(port: TransferPort, corp: str) -> int:
    calls = 0
    pairs: dict[tuple[str, str, bool], list[Handover]] = defaultdict(list)
    for state in (HandoverState.UNKNOWN, HandoverState.WAITING):
        for (handover, takeover, resigned, _), rows in _due(corp, state).items():
            pairs[handover, takeover, resigned] += rows
    for (handover, takeover, resigned), rows in pairs.items():
        calls += 1
        try:
            results = port.results(handover, takeover, resigned=resigned)
        except (TryLater, UnexpectedAnswer, RefusedByPlatform) as error:
            _log.warning("transfers were not read back", reason=error.en)
            for part in chunks([row.pk for row in rows], A_STATEMENT):
                Handover.objects.filter(pk__in=part).update(not_before=business_now() + AGAIN)
            continue
        _keep(corp, takeover, [(row, _said(row, results.get(row.customer or ""))) for row in rows])
    return calls


@dataclass(frozen=True, slots=True)
class _Said:
    """What becomes of a row by the platform's word."""

    state: HandoverState
    ended_at: datetime | None
    not_before: datetime | None


def _said(row: Handover, found: HandedOver | None) -> _Said:
    """What the platform's word on one comes to."""
    soon = business_now() + LOOK
    status = TransferStatus.NONE if found is None else found.status
    old = found is not None and status in _ENDS and found.at is not None and found.at < row.asked_at
    if status is TransferStatus.NONE or old:  # never begun (or the word of an earlier transfer): asked for again
        never = row.state == HandoverState.UNKNOWN or (row.begun_at is not None and row.begun_at < soon - OVERDUE)
        return _Said(HandoverState.WANTED, None, None) if never else _Said(HandoverState.WAITING, None, soon)
    if status is TransferStatus.WAITING:
        return _Said(HandoverState.WAITING, None, soon)
    ended_at = found.at if found is not None and found.at is not None else business_now()
    return _Said(_ENDS[status], ended_at, None)


def _keep(corp: str, takeover: str, rows: Sequence[tuple[Handover, _Said]]) -> None:
    """Write down what the platform said of many; whose customers changed hands is an event, and they are read again."""
    alike: dict[tuple[str, _Said], list[int]] = defaultdict(list)
    for row, told in rows:
        alike[row.state, told].append(row.pk)
    done = [row for row, told in rows if told.state is HandoverState.DONE]
    with transaction.atomic():
        for (state, told), ids in alike.items():
            for part in chunks(ids, A_STATEMENT):
                Handover.objects.filter(pk__in=part, state=state).update(
                    state=told.state, ended_at=told.ended_at, not_before=told.not_before, reason=""
                )
        if done:
            ends = {row.pk: told.ended_at or business_now() for row, told in rows}
            record(_events(corp, takeover, [(row, ends[row.pk]) for row in done]))
            record(_lost(corp, done[0].handover, [(row, ends[row.pk]) for row in done]))
            hint(WECOM, corp, "customer", [row.customer or "" for row in done])


def _events(corp: str, takeover: str, done: Sequence[tuple[Handover, datetime]]) -> list[Event]:
    """A friendship that came by a hand-over, said as such; told twice it is once."""
    account = account_of(WECOM, corp, takeover)
    synthetic = {"synthetic": True} if any(one.corp == corp and one.sandboxed for one in corps()) else {}
    return [
        Event(
            EventId(f"handover-{corp}-{row.pk}"),
            "relation.handed_over",
            at,
            (IdentifierValue(EXTERNAL, corp, row.customer or ""),),
            store=account.store_code if account else None,
            staff=account.userid if account else takeover,
            channel=WECOM,
            props={"from": row.handover, "resigned": row.resigned, **synthetic},
        )
        for row, at in done
    ]


def _lost(corp: str, handover: str, done: Sequence[tuple[Handover, datetime]]) -> list[Event]:
    """The friendships that ended by it, under the ids that the platform's callbacks would give them: of a member who
    left nothing can be read any more, and a callback may never come."""
    account = account_of(WECOM, corp, handover)
    if account is None:
        return []
    words = [Word(corp, row.customer or "", int(account.id), "ended", int(at.timestamp())) for row, at in done]
    return [
        Event(
            said.id, "relation.lost", said.at, (IdentifierValue(EXTERNAL, corp, word.external_userid),),
            store=account.store_code, staff=account.userid, channel=WECOM, props={"by": "transfer"},
        )
        for word, said in zip(words, take(words), strict=True)
    ]  # fmt: skip


def forget_handovers(lookups: Sequence[bytes]) -> int:
    """Forget these customers' transfers, by the look-up hashes of their ids; returns how many rows that were."""
    return sum(
        model.objects.filter(who__in=part).delete()[0]
        for model in (Handover, Left)
        for part in chunks(lookups, A_STATEMENT)
    )
