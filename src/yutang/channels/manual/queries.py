"""Reading lists, as far as a viewer may: those of the accounts that they see."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, F, Q, QuerySet

from yutang.channels.manual.contracts import CHANNEL, UNDO, LineFacts, ListFacts, ListState, Result
from yutang.channels.manual.mass_send import attached_of, task_of
from yutang.channels.manual.models import Line, WorkList
from yutang.kernel.clock import business_now
from yutang.kernel.errors import NotFound
from yutang.kernel.ids import PersonId, SenderId
from yutang.organisation.contracts import SenderFacts, Viewer
from yutang.organisation.queries import senders
from yutang.people import queries as people
from yutang.people.calling import called, is_personal


def lists(
    viewer: Viewer, *, state: ListState | None = None, limit: int = 50, offset: int = 0
) -> tuple[int, list[ListFacts]]:
    """How many lists there are (in a state), and some of them: those that are open first, the nearest end first."""
    accounts = _accounts(viewer)
    rows = _of(accounts)
    if state is not None:
        rows = rows.filter(_in_state(state))
    first = [F(name).asc(nulls_first=True) for name in ("called_back_at", "handed_in_at", "until")]
    shown = rows.order_by(*first, "pk")[offset : offset + limit]
    return rows.count(), _facts(shown, accounts)


def list_of(viewer: Viewer, number: int) -> ListFacts:
    """One list. Raises NotFound, also for one of an account that the viewer does not see."""
    accounts = _accounts(viewer)
    found = _facts(_of(accounts).filter(pk=number), accounts)
    if not found:
        raise NotFound(f"没有编号为 {number} 的名单。", f"There is no list number {number}.")
    return found[0]


def lines_of(viewer: Viewer, number: int) -> list[LineFacts]:
    """The people of a list, in its order. Raises NotFound."""
    list_of(viewer, number)
    rows = list(Line.objects.filter(list_id=number).select_related("list").order_by("number"))
    persons = [PersonId(row.person) for row in rows]
    names, phones = people.names_of(viewer, persons), people.masked_phones(viewer, persons)
    limit = business_now() - UNDO
    refusals = _refusals(rows)
    text = rows[0].list.text if rows and is_personal(rows[0].list.text) else ""
    return [
        LineFacts(
            row.number,
            PersonId(row.person),
            names.get(PersonId(row.person), ""),
            phones.get(PersonId(row.person), ""),
            Result(row.result) if row.result else None,
            row.at,
            row.noted_by,
            row.noted_at is not None and row.noted_at > limit and writable(row.list),
            refusals.get(row.person) if not row.result else None,
            called(text, names.get(PersonId(row.person), "")),
        )
        for row in rows
    ]


def _refusals(rows: Sequence[Line]) -> dict[int, str]:
    """Who of the people of a list may not be spoken to any more, and why."""
    if not rows or not rows[0].list.purpose:
        return {}
    asked: dict[PersonId, SenderId | None] = {PersonId(row.person): None for row in rows}
    said = people.may_be_touched(asked, rows[0].list.purpose, CHANNEL, rows[0].list.topic or None)
    return {person: reason.value for person, reason in said.items() if reason is not None}


def writable(row: WorkList) -> bool:
    """Whether anything may still be written on a list."""
    return row.called_back_at is None and row.handed_in_at is None


def _accounts(viewer: Viewer) -> dict[tuple[str, str], SenderFacts]:
    return {(one.corp, one.userid): one for one in senders(viewer) if one.channel == CHANNEL}


def _of(accounts: dict[tuple[str, str], SenderFacts]) -> QuerySet[WorkList]:
    by_corp: dict[str, list[str]] = {}
    for corp, userid in accounts:
        by_corp.setdefault(corp, []).append(userid)
    mine = Q(pk=None)
    for corp, userids in by_corp.items():
        mine |= Q(corp=corp, userid__in=userids)
    return WorkList.objects.filter(mine)


def _in_state(state: ListState) -> Q:
    match state:
        case ListState.OPEN:
            return Q(called_back_at=None, handed_in_at=None)
        case ListState.HANDED_IN:
            return Q(called_back_at=None, handed_in_at__isnull=False)
        case ListState.OVER:
            return Q(called_back_at__isnull=False)


def _facts(rows: QuerySet[WorkList], accounts: dict[tuple[str, str], SenderFacts]) -> list[ListFacts]:
    kept = list(rows)
    counted = Line.objects.filter(list__in=[row.pk for row in kept]).values("list").annotate(
        size=Count("pk"),
        sent=Count("pk", filter=Q(result=Result.SENT.value)),
        missed=Count("pk", filter=Q(result=Result.NOT_REACHED.value)),
    )  # fmt: skip
    counts = {row["list"]: (row["size"], row["sent"], row["missed"]) for row in counted}
    return [_one(row, accounts[row.corp, row.userid], counts.get(row.pk, (0, 0, 0))) for row in kept]


def _one(row: WorkList, sender: SenderFacts, counts: Sequence[int]) -> ListFacts:
    if row.called_back_at is not None:
        state = ListState.OVER
    else:
        state = ListState.HANDED_IN if row.handed_in_at is not None else ListState.OPEN
    return ListFacts(
        id=row.pk,
        task=task_of(row.pk),
        sender=sender,
        text=called(row.text, ""),
        links=tuple(link["url"] for link in row.links),
        attached=attached_of(row.attached),
        state=state,
        created_at=row.created_at,
        until=row.until,
        taken=row.taken_at is not None,
        late=state is ListState.OPEN and row.until is not None and row.until <= business_now(),
        reminded_at=row.reminded_at,
        size=counts[0],
        sent=counts[1],
        not_reached=counts[2],
    )
