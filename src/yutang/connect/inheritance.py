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
from enum import StrEnum

import structlog
from django.db import transaction
from django.db.models import Count, Q

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, TryLater, UnexpectedAnswer
from yutang.channels.ports.inheritance import HandedOver, TransferPort, TransferStatus
from yutang.channels.sync.services import hint
from yutang.channels.wecom.transfers import refusal_of
from yutang.connect.models import Handover, Left
from yutang.intake.lease import me
from yutang.kernel.clock import business_now, wall_now
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput, Refused, YutangError
from yutang.kernel.ids import PersonId, draw, salt
from yutang.organisation import services as organisation
from yutang.organisation.contracts import SenderFacts, Viewer
from yutang.organisation.queries import node_by_code, senders
from yutang.people.queries import all_identifiers_of
from yutang.warehouse.contracts import Statement, Warehouse

TransferPorts = Mapping[tuple[str, str], TransferPort]
WECOM, EXTERNAL = "wecom", "external_userid"
A_CALL = 100
MOST_IN_90_DAYS, DAYS_90 = 2, timedelta(days=90)
CLAIM = timedelta(minutes=2)
LOOK = timedelta(hours=1)  # business time between two looks at what waits, and at who left
AGAIN = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


class HandoverState(StrEnum):
    """WANTED → CALLING → WAITING (a day, unless the customer refuses) → DONE. A lost answer makes UNKNOWN.

    REFUSED by the customer; FULL: the taker had too many; IMPOSSIBLE: the platform would not begin (`reason` says why).
    """

    WANTED = "wanted"
    CALLING = "calling"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    FULL = "full"
    IMPOSSIBLE = "impossible"


_OPEN = (HandoverState.WANTED, HandoverState.CALLING, HandoverState.UNKNOWN, HandoverState.WAITING)
_ENDS = {
    TransferStatus.DONE: HandoverState.DONE,
    TransferStatus.REFUSED: HandoverState.REFUSED,
    TransferStatus.FULL: HandoverState.FULL,
}


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would take over how many. `under_way` are being handed over already; `too_often`: twice within 90 days."""

    handover: str
    resigned: bool
    by_taker: Mapping[str, int]
    under_way: int
    too_often: int

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
    _headquarters(viewer)
    rows = Left.objects.values("corp", "handover").annotate(n=Count("pk")).order_by("corp", "handover")
    return {(row["corp"], row["handover"]): row["n"] for row in rows}


def transfers(viewer: Viewer) -> list[HandoverCount]:
    """How all transfers stand, by the two members. Raises Refused."""
    _headquarters(viewer)
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
    warehouse: Warehouse, viewer: Viewer, handover: str, *, takers: Sequence[str] = (), store: str = ""
) -> Preview:
    """Who would take over how many of a member's customers: these takers, or everybody of a store, evenly.

    Nothing is asked for. Raises BadInput or Refused.
    """
    return _planned(warehouse, viewer, handover, takers, store)[0]


def start(
    warehouse: Warehouse,
    viewer: Viewer,
    handover: str,
    *,
    takers: Sequence[str] = (),
    store: str = "",
    message: str = "",
) -> Preview:
    """Have it done, as previewed; the turn of the clock asks the platform. Again adds nobody who is under way."""
    if len(message) > 200:
        raise BadInput("转接说明最多 200 个字。", "The message to customers has at most 200 characters.")
    with transaction.atomic():
        found, chosen, corp = _planned(warehouse, viewer, handover, takers, store)
        ring = keyring()
        Handover.objects.bulk_create(
            (
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
            ),
            ignore_conflicts=True,  # somebody else began at the same moment
        )
        organisation.audit(
            viewer, "transfer", f"customers of {found.handover}", customers=found.customers, takers=len(found.by_taker)
        )
    return found


def _planned(
    warehouse: Warehouse, viewer: Viewer, handover: str, takers: Sequence[str], store: str
) -> tuple[Preview, list[tuple[str, str]], str]:
    _headquarters(viewer)
    known = [one for one in senders(viewer) if one.channel == WECOM]
    giver = next((one for one in known if one.userid.casefold() == handover.casefold()), None)
    left = Left.objects.filter(handover__iexact=handover)
    if giver is None and not left.exists():
        raise BadInput(f"没有员工账号「{handover[:64]}」。", f"There is no staff account “{handover[:64]}”.")
    resigned = left.exists()
    corp = left[0].corp if resigned else giver.corp if giver is not None else ""
    named = left[0].handover if resigned else giver.userid if giver is not None else handover
    chosen = _takers(known, corp, named, takers, store)
    externals = (
        sorted({row.customer or "" for row in left}) if resigned or giver is None else _customers(warehouse, giver)
    )
    ring = keyring()
    lookups = {ring.lookup_hash(EXTERNAL, corp, one): one for one in externals if one}
    hers = Handover.objects.filter(corp=corp, who__in=list(lookups))
    open_now = {bytes(who) for who in hers.filter(state__in=_OPEN).values_list("who", flat=True)}
    recent = Counter(
        bytes(who)
        for who in hers.filter(
            state=HandoverState.DONE, resigned=False, asked_at__gt=business_now() - DAYS_90
        ).values_list("who", flat=True)
    )
    often = {who for who, count in recent.items() if count >= MOST_IN_90_DAYS} if not resigned else set()
    free = sorted(one for who, one in lookups.items() if who not in open_now and who not in often)
    free.sort(key=lambda one: draw(0, salt("handover", corp, named, one)))
    pairs = [(one, chosen[number % len(chosen)].userid) for number, one in enumerate(free)]
    counts = Counter(taker for _, taker in pairs)
    return Preview(named, resigned, dict(counts), len(open_now), len(often - open_now)), pairs, corp


def _takers(
    known: Sequence[SenderFacts], corp: str, handover: str, takers: Sequence[str], store: str
) -> list[SenderFacts]:
    """Those who take over, each an active account of the same corp, and not who gives."""
    if bool(takers) == bool(store):
        raise BadInput("请给出接替的员工，或一家门店（二选一）。", "Name those who take over, or a store; not both.")
    able = [one for one in known if one.active and one.corp == corp and one.userid.casefold() != handover.casefold()]
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


def _customers(warehouse: Warehouse, giver: SenderFacts) -> list[str]:
    """The ids of a member's customers who are friends now."""
    text = "SELECT person FROM fact_relations WHERE sender = $sender AND live ORDER BY person"
    rows = warehouse.query(Statement(text, {"sender": int(giver.id)})).to_pylist()
    persons = [PersonId(row["person"]) for row in rows]
    found = all_identifiers_of(persons, EXTERNAL, giver.corp)
    return sorted({one for ids in found.values() for one in ids})


def _headquarters(viewer: Viewer) -> None:
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
            calls += _ask(port, corp) + _read_back(port, corp)
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
                mine.update(state=HandoverState.WANTED, not_before=business_now() + AGAIN, reason=_words(error))
            except (RefusedByPlatform, BadInput) as error:
                mine.update(state=HandoverState.IMPOSSIBLE, reason=_words(error))
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
        rows.filter(pk__in=ids).update(state=HandoverState.IMPOSSIBLE, reason=_words(refusal_of(code)))


def _read_back(port: TransferPort, corp: str) -> int:
    calls = 0
    told: list[str] = []
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
            Handover.objects.filter(pk__in=[row.pk for row in rows]).update(not_before=business_now() + AGAIN)
            continue
        told += [row.customer or "" for row in rows if _said(row, results.get(row.customer or ""))]
    if told:
        hint(WECOM, corp, "customer", told)
    return calls


def _said(row: Handover, found: HandedOver | None) -> bool:
    """Write what the platform says of one; True where the customer has changed hands."""
    mine = Handover.objects.filter(pk=row.pk, state=row.state)
    status = TransferStatus.NONE if found is None else found.status
    old = found is not None and status in _ENDS and found.at is not None and found.at < row.asked_at
    if status is TransferStatus.NONE or old:  # never begun (or the word of an earlier transfer): asked for again
        if row.state == HandoverState.UNKNOWN:
            mine.update(state=HandoverState.WANTED, not_before=None)
        else:
            mine.update(not_before=business_now() + LOOK)
        return False
    if status is TransferStatus.WAITING:
        mine.update(state=HandoverState.WAITING, not_before=business_now() + LOOK, reason="")
        return False
    ended_at: datetime = found.at if found is not None and found.at is not None else business_now()
    mine.update(state=_ENDS[status], ended_at=ended_at, reason="")
    return status is TransferStatus.DONE


def _words(error: YutangError) -> str:
    return f"{error.zh} / {error.en}"[:400]


def forget_handovers(lookups: Sequence[bytes]) -> int:
    """Forget these customers' transfers, by the look-up hashes of their ids; returns how many rows that were."""
    return sum(
        model.objects.filter(who__in=lookups[at : at + 500]).delete()[0]
        for model in (Handover, Left)
        for at in range(0, len(lookups), 500)
    )
