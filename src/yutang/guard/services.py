"""Erasing a person: begun at once, finished by the clock, and by whoever goes on where somebody was killed.

From the moment it is asked for, the person is touched by nobody, and their identifiers are known as an erased person's.
Then, step by step, each of which may be done again: who they are leaves the operational store; what speaks of them
leaves callbacks, held messages and the inbox; the warehouse is rewritten without them; and the old pages of both files
are let go of. What remains is a number that leads nowhere and the do-not-contact hashes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import phonenumbers
import structlog
from django.db import IntegrityError, transaction

from yutang.channels.archive.services import forget_messages_of
from yutang.channels.direct.addresses import forget as forget_addresses
from yutang.channels.direct.sending import forget_letters_to
from yutang.channels.kf.services import forget_conversations
from yutang.channels.manual.services import forget_lines_of
from yutang.channels.services import forget_callbacks_of
from yutang.channels.sync.known import forget_customers
from yutang.channels.webhook.services import forget_parcels_with
from yutang.connect.inheritance import forget_handovers
from yutang.connect.services import forget_joins
from yutang.guard.contracts import REASONS, ErasureFacts, Step
from yutang.guard.models import Erasure
from yutang.guard.queries import facts_of, headquarters, holdings
from yutang.guard.statements import statements
from yutang.intake import imports
from yutang.intake.append import fence_statements, fenced
from yutang.intake.collect.held import forget_messages_with
from yutang.intake.hooks.services import forget_deliveries_with
from yutang.intake.lease import lease
from yutang.intake.mirror import LEASE as PUMP
from yutang.intake.turned_away import forget_in_inbox
from yutang.kernel.clock import wall_now
from yutang.kernel.errors import BadInput, Unavailable, YutangError
from yutang.kernel.failpoints import failpoint
from yutang.kernel.ids import PersonId
from yutang.kernel.pages import let_go_of_old_pages
from yutang.log.contracts import IdentifierValue
from yutang.log.queries import head
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.services import audit
from yutang.people import erasing, shunned
from yutang.reflex.services import forget_persons
from yutang.tasks.remarks import forget_remarks_on
from yutang.tasks.today import forget_persons as forget_cards
from yutang.warehouse.contracts import Warehouse

LEASE = "erasing"
PATIENCE = 30.0
HOUSE = Viewer("yutang", RoleName.OWNER, None)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What an erasure must know until it is done: every number with its tombstone, and the identifiers."""

    tombstones: dict[int, int]
    identifiers: tuple[IdentifierValue, ...]

    def sealed(self) -> str:
        """As the row keeps it (the field seals it)."""
        named = [[one.kind, one.namespace, one.value] for one in self.identifiers]
        return json.dumps({"tombstones": list(self.tombstones.items()), "identifiers": named})

    @staticmethod
    def of(row: Erasure) -> Work:
        """What a row keeps."""
        said = json.loads(row.work or '{"tombstones": [], "identifiers": []}')
        return Work(dict(map(tuple, said["tombstones"])), tuple(IdentifierValue(*one) for one in said["identifiers"]))

    def with_births(self, births: list[PersonId]) -> Work:
        """The same with these birth persons too, and their identifiers."""
        tombstones = {int(birth): self.tombstones.get(birth) or -(secrets.randbits(52) + 1) for birth in births}
        named = dict.fromkeys((*self.identifiers, *erasing.identifiers_with(births)))
        return Work({**self.tombstones, **tombstones}, tuple(named))


def erase(warehouse: Warehouse, viewer: Viewer, person: PersonId, reason: str = "asked") -> ErasureFacts:
    """Begin to erase a person, with all their numbers; `go_on` finishes it. Asked for again meanwhile, it is the same
    erasure. Raises NotFound for whom the viewer does not see, Refused for whoever is not headquarters."""
    headquarters(viewer)
    if reason not in REASONS:
        raise BadInput(f"原因应为 {'、'.join(REASONS)} 之一。", f"The reason is one of {', '.join(REASONS)}.")
    under_way = Erasure.objects.filter(person=person).exclude(step=Step.DONE).first()
    if under_way is not None:
        return facts_of(under_way)
    held = holdings(warehouse, viewer, person)
    try:
        with transaction.atomic():
            births = erasing.births_with(held.person)
            row = Erasure.objects.create(
                person=held.person, reason=reason, asked_by=viewer.name, counts=dict(held.counts),
                work=Work({}, ()).with_births(births).sealed(),
            )  # fmt: skip
            erasing.block(births)
            audit(viewer, "erase", f"person {held.person}", reason=reason, **held.counts)
    except IntegrityError:  # another asked at the same moment
        return facts_of(Erasure.objects.exclude(step=Step.DONE).get(person=held.person))
    shunned.write_list()
    failpoint("erase.begun")
    return facts_of(row)


def go_on(warehouse: Warehouse, patience: float = 0.0) -> int:
    """Go on with every erasure that is not done; returns how many are done now. Killed anywhere, the next call goes on.

    Raises Unavailable where another process is at it, or keeps a door open, for longer than `patience` seconds.
    """
    if not Erasure.objects.exclude(step=Step.DONE).exists():
        return 0
    with lease(LEASE, patience):
        shunned.write_list()  # begun by one who was killed before he wrote it
        first: YutangError | None = None
        for row in Erasure.objects.exclude(step__in=(Step.DONE, Step.PAGES)).order_by("pk"):
            try:
                _steps(warehouse, row, patience)
            except YutangError as error:  # one that cannot go on holds up no other
                Erasure.objects.filter(pk=row.pk).update(trouble=f"{error.zh} {error.en}"[:400])
                first = first or error
        done = _let_go(warehouse)
        if first is not None:
            raise first
        return done


def _steps(warehouse: Warehouse, row: Erasure, patience: float) -> None:
    acts: dict[str, Callable[[Warehouse, Erasure, float], None]] = {
        Step.PEOPLE: _people,
        Step.TRACES: _traces,
        Step.INBOX: _inbox,
        Step.WAREHOUSE: _warehouse,
    }
    while row.step in acts:
        acts[row.step](warehouse, row, patience)
        failpoint(f"erase.{row.step}")
        row.refresh_from_db()


def _people(warehouse: Warehouse, row: Erasure, patience: float) -> None:
    """Who they are. Both doors are shut: nobody resolves them, or appends of them, meanwhile."""
    imports.resume(warehouse)  # the chunk files of an import that was killed may speak of them
    with lease(PUMP, max(patience, PATIENCE)), imports.doors_shut(max(patience, PATIENCE)):
        if imports.unfinished():  # begun and killed since: its files may speak of them, and will be appended
            raise Unavailable(
                "有一个导入中断了，接着做完后再删除。", "An import was interrupted; this goes on when it is done."
            )
        births = erasing.births_with(PersonId(row.person))  # somebody may have been merged with them since
        work = Work.of(row).with_births(births)
        erasing.block(births)
        forget_persons(frozenset(work.tombstones), frozenset(work.identifiers))
        forget_remarks_on(work.tombstones)
        forget_cards(frozenset(work.tombstones))
        forget_lines_of(work.tombstones)
        forget_joins(erasing.lookups_of(work.identifiers))
        forget_handovers(erasing.lookups_of(work.identifiers))
        forget_letters_to(work.tombstones)
        forget_addresses(work.identifiers)
        forget_conversations(erasing.lookups_of(work.identifiers))
        erasing.forget(sorted(work.tombstones))
        Erasure.objects.filter(pk=row.pk).update(
            work=work.sealed(), step=Step.TRACES, cursor=0, upto=head(), trouble=""
        )
    shunned.write_list()


def _traces(warehouse: Warehouse, row: Erasure, patience: float) -> None:
    """What platforms and senders told of them and nobody has used yet."""
    work = Work.of(row)
    ids = [one.value for one in work.identifiers if one.kind in ("external_userid", "unionid", "openid")]
    words = sorted({word for one in work.identifiers for word in spellings(one)})
    forget_customers(work.identifiers)
    at: int | None
    for forget_of in (forget_callbacks_of, forget_messages_of):
        at = 0
        while at is not None and ids:
            with transaction.atomic():
                at = forget_of(ids, at)
    for forget in (forget_messages_with, forget_deliveries_with, forget_parcels_with):
        at = 0
        while at is not None and words:
            with transaction.atomic():
                at = forget(words, at)
    Erasure.objects.filter(pk=row.pk, step=Step.TRACES).update(step=Step.INBOX)


def _inbox(warehouse: Warehouse, row: Erasure, patience: float) -> None:
    """The envelopes, some at a time."""
    births = frozenset(Work.of(row).tombstones)
    at: int | None = row.cursor
    while at is not None:
        with transaction.atomic():
            at = forget_in_inbox(births, at, row.upto)
            if at is not None:
                Erasure.objects.filter(pk=row.pk).update(cursor=at)
        failpoint("erase.inbox_part")
    Erasure.objects.filter(pk=row.pk, step=Step.INBOX).update(step=Step.WAREHOUSE)


def _warehouse(warehouse: Warehouse, row: Erasure, patience: float) -> None:
    """The warehouse, in one transaction, while nobody appends."""
    with lease(PUMP, max(patience, PATIENCE)) as held:
        without = statements(warehouse, Work.of(row).tombstones)
        if not warehouse.write([*without, *fence_statements(held.token)], unless=fenced(held.token)):
            raise Unavailable(
                "已有另一个进程接手，请稍后再试。", "Another process has taken over; try again in a moment."
            )
        failpoint("erase.rewritten")
    Erasure.objects.filter(pk=row.pk, step=Step.WAREHOUSE).update(step=Step.PAGES)


def _let_go(warehouse: Warehouse) -> int:
    """Forget what the erasures had to know, then let go of the old pages of both stores, once for all of them."""
    waiting = list(Erasure.objects.filter(step=Step.PAGES).values_list("pk", flat=True))
    if not waiting:
        return 0
    rows = Erasure.objects.filter(pk__in=waiting)
    rows.update(work=None)
    failpoint("erase.unsealed")
    warehouse.compact()
    let_go_of_old_pages()
    failpoint("erase.let_go")
    return rows.update(step=Step.DONE, done_at=wall_now(), trouble="")


def spellings(one: IdentifierValue) -> set[str]:
    """How somebody may have written an identifier into a message; too short a word would be found everywhere."""
    words = {one.value}
    if one.kind == "phone" and one.value.startswith("+"):
        words |= {one.value[1:], str(phonenumbers.parse(one.value).national_number)}
    return {word for word in words if len(word) >= 6}


def erase_again(warehouse: Warehouse, viewer: Viewer) -> int:
    """After a restore: read `erasures.list`, and begin to erase whoever came back; returns how many persons."""
    headquarters(viewer)
    shunned.recall()
    numbers = sorted(erasing.revived())
    return len({erase(warehouse, viewer, number, "restored").id for number in numbers})
