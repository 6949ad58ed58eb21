"""What staff open on the phone, on a whole chain: today's five chosen for every guide at once, then the guide's page,
the sidebar beside a chat, its tap, and the manager's page.

Everything is put straight into the two stores (`large_pond`); every guide is on the phone, has one task that waits for
their tap, five to contact and somebody to come back to. Each page is asked for of others each time, drawn at random. A
95th percentile above the aim fails.

Run: python -m tests.bench.bench_phones (small), or --stores 3000 --persons 1000000; --directory keeps what was seeded.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

import numpy as np

from tests.bench.large_pond import external, seed
from tests.bench.pages import AIM_MS, CORP, NOW, arguments, ask, chain, client_of


def main() -> int:
    """Seed, choose, ask, and say what it took; returns 1 where a page is too slow."""
    given = arguments(stores=100, persons=20_000, rounds=100)
    with chain(given.directory, lambda opened: seed(opened.warehouse, given.stores, given.persons)) as opened:
        users = _on_the_phone()
        print(f"{given.stores:,} stores, {given.persons:,} persons, {len(users):,} guides on the phone", flush=True)
        _choose(opened.warehouse)
        _asked()
        return _pages(users, given.stores, given.persons, given.rounds)


def _on_the_phone() -> dict[str, int]:
    """A user for each member of staff, as their first log-in makes it; the users' numbers by userid."""
    from yutang.kernel.clock import wall_now
    from yutang.organisation.models import Role, SenderAccount, Staff, User

    User.objects.filter(staff__isnull=False).update(last_login=wall_now())
    staff = list(Staff.objects.filter(user=None).order_by("pk"))
    users = User.objects.bulk_create(
        [User(username=f"staff:{one.pk}", password="!", last_login=wall_now()) for one in staff], batch_size=1_000
    )
    for one, user in zip(staff, users, strict=True):
        one.user = user
    Staff.objects.bulk_update(staff, ["user"], batch_size=500)
    roles = [Role(user=user, node_id=one.node_id, role="guide") for one, user in zip(staff, users, strict=True)]
    Role.objects.bulk_create(roles, batch_size=1_000)
    return dict(SenderAccount.objects.values_list("userid", "staff__user"))


def _choose(warehouse: Any) -> None:
    from yutang.documents.queries import find
    from yutang.documents.services import save_document
    from yutang.tasks import today
    from yutang.tasks.documents import TodayDocument
    from yutang.tasks.models import Asked, Card

    document = find(TodayDocument, today.NAME).document
    assert isinstance(document, TodayDocument)
    wide = {"least_orders": 2, "from_ratio": 0.1, "to_ratio": 20.0}  # the seed's rhythms are too regular for ours
    reasons = tuple(one.model_copy(update=wide) if one.why == "overdue" else one for one in document.reasons)
    save_document(document.model_copy(update={"reasons": reasons}), "owner")
    wall, cpu = time.perf_counter(), time.process_time()
    decided = today.choose(warehouse)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"today's: {decided:,} decided for {Asked.objects.count():,} guides, {Card.objects.count():,} cards; "
          f"{wall:.1f} s ({cpu:.1f} s of CPU)", flush=True)  # fmt: skip
    assert Card.objects.exists()
    assert today.choose(warehouse) == 0  # a day is looked at once


def _asked() -> None:
    """A broadcast that every guide was asked for, and somebody to come back to for each."""
    from yutang.organisation.models import SenderAccount, Staff
    from yutang.reach.contracts import BatchState
    from yutang.reach.models import Batch, Run
    from yutang.reflex.models import FollowUp
    from yutang.tasks.models import Card

    run = Run.objects.filter(plan__standing=False).order_by("-pk")[0]
    if Batch.objects.filter(run=run).exists():
        return
    ends = NOW + timedelta(hours=9)
    accounts = list(SenderAccount.objects.order_by("pk").values_list("pk", "userid", "staff_id"))
    Batch.objects.bulk_create(
        [
            Batch(run=run, sender=pk, due_at=NOW, deadline=ends, ordinal=0, offset=0, size=80, digest="x",
                  state=BatchState.ISSUED, task=f"msg-{pk}")
            for pk, _, _ in accounts
        ],
        batch_size=1_000,
    )  # fmt: skip
    first = dict(Card.objects.filter(place=1).values_list("sender", "person"))
    nodes = dict(Staff.objects.values_list("pk", "node_id"))
    note = {"zh": "约好再联系", "en": "To be contacted again"}
    FollowUp.objects.bulk_create(
        [
            FollowUp(person=first.get(pk, 1), userid=userid, node=nodes[staff], note=note, due_at=ends)
            for pk, userid, staff in accounts
        ],
        batch_size=1_000,
    )


def _pages(users: dict[str, int], stores: int, persons: int, rounds: int) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from yutang.log.contracts import IdentifierValue
    from yutang.organisation.models import User
    from yutang.organisation.queries import OWNER
    from yutang.people.queries import known_as

    drawn = np.random.default_rng(7).choice(persons, min(rounds, persons), replace=False).tolist()
    owner = client_of(User.objects.get(username="owner"))
    guides = {
        person: client_of(User.objects.get(pk=users[f"u{person % (2 * stores)}"]), on_phone=True) for person in drawn
    }
    numbers = {person: known_as(OWNER, IdentifierValue("external_userid", CORP, external(person))) for person in drawn}
    pages = {
        "the guide's page": lambda person: guides[person].get("/m/"),
        "the sidebar": lambda person: guides[person].post("/m/chat/person/", {"external": external(person)}),
        "its tap": lambda person: guides[person].get(f"/m/person/{numbers[person]}/ask/?script=member_day"),
        "the manager's page": lambda person: owner.get(f"/m/store/?store=s{person % (2 * stores) // 2}"),
    }
    slow = 0
    for name, page in pages.items():
        took = ask((lambda page=page, person=person: page(person)) for person in drawn)
        with CaptureQueriesContext(connection) as seen:
            answer = page(drawn[0])
        print(f"{name:<19} {took}, {len(seen)} queries", flush=True)
        if name == "the guide's page":
            assert b"data-card=" in answer.content
        slow += took.late > AIM_MS
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
