"""The guide's phone on a whole chain: choosing today's five for every guide at once, and the first page of each.

The stores are seeded straight; every guide is on the phone, has one task that waits for her tap, five to contact and
somebody to come back to. The page is asked in this process, through all of Django's middleware, of guides drawn at
random; the time is the server's own.

Run: python -m tests.bench.bench_phone (small), or --stores 3000 --persons 1000000; --directory keeps what was seeded.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.bench.large_pond import CHANNEL, NOW, seed

STORES, PERSONS, ASKED = 60, 20_000, 300
AIM = 200.0  # ms of server time, of 95 in 100


def main(stores: int, persons: int, kept: Path | None) -> None:
    """Print what was chosen, how long that took, and how long a page takes."""
    from yutang.app import house  # needs no settings yet

    with tempfile.TemporaryDirectory(prefix="yutang-bench-") as folder:
        directory = kept or Path(folder) / "data"
        os.environ["YUTANG_DATA"] = str(directory)
        house.configure(directory)
        opened = house.open_house(directory)
        from yutang.kernel.clock import business_clock
        from yutang.organisation.queries import is_set_up
        from yutang.playbooks.services import keep_shipped

        try:
            with business_clock(NOW):
                start = time.perf_counter()
                if not is_set_up():
                    seed(opened.warehouse, stores, persons)
                keep_shipped()
                users = _on_the_phone()
                print(f"{stores:,} stores, {persons:,} persons, {len(users):,} guides on the phone: "
                      f"seeded in {time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
                _choose(opened.warehouse)
                _asked(len(users))
                _pages(users)
        finally:
            opened.close()


def _on_the_phone() -> list[int]:
    """A user for each member of staff, as their first log-in makes it; returns the users' numbers."""
    from yutang.kernel.clock import wall_now
    from yutang.organisation.models import Role, Staff, User

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
    return list(User.objects.filter(staff__isnull=False).order_by("pk").values_list("pk", flat=True))


def _choose(warehouse) -> None:  # type: ignore[no-untyped-def]
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


def _asked(guides: int) -> None:
    """A broadcast that every guide was asked for, and somebody to come back to for each."""
    from datetime import timedelta

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


def _pages(users: list[int]) -> None:
    import numpy as np
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from yutang.organisation.models import User
    from yutang.organisation.phones import BY_PHONE

    drawn = np.random.default_rng(7).choice(users, min(ASKED, len(users)), replace=False).tolist()
    took, cpu, sizes, queries, cards = [], [], [], 0, 0
    for place, user in enumerate(User.objects.filter(pk__in=drawn)):
        session = SessionStore()
        session.update({
            SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: "allauth.account.auth_backends.AuthenticationBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(), BY_PHONE: CHANNEL,
        })  # fmt: skip
        session.create()
        client = Client()
        client.cookies["sessionid"] = session.session_key
        if not place:
            with CaptureQueriesContext(connection) as seen:
                client.get("/m/")
            queries = len(seen)
        start, busy = time.perf_counter(), time.process_time()
        answer = client.get("/m/")
        took.append(1000 * (time.perf_counter() - start))
        cpu.append(1000 * (time.process_time() - busy))
        assert answer.status_code == 200, answer.content
        cards += answer.content.count(b"data-card=")
        sizes.append(len(answer.content))
    assert cards
    half, most = np.quantile(took, [0.5, 0.95])
    busy_half, busy_most = np.quantile(cpu, [0.5, 0.95])
    print(
        f"/m/: p50 {half:.0f} ms, p95 {most:.0f} ms of server time (CPU {busy_half:.0f} and {busy_most:.0f} ms; "
        f"{len(took)} guides; aim {AIM:.0f} ms); {queries} queries, {cards / len(took):.1f} cards, "
        f"{np.mean(sizes) / 1000:.1f} kB of HTML",
        flush=True,
    )
    assert most <= AIM


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("--stores", type=int, default=STORES)
    given.add_argument("--persons", type=int, default=PERSONS)
    given.add_argument("--directory", type=Path, help="kept, and used again where it was seeded")
    chosen = given.parse_args()
    main(chosen.stores, chosen.persons, chosen.directory)
