"""The sidebar and the manager's phone of a large chain: `python -m tests.bench.bench_phones` (small), or
`--stores 3000 --persons 1000000`.

Everything is put straight into the two stores (`large_pond`). Then each page is asked for through the whole of Django,
in the same process, each time of another person by another guide, or of another store; said are the median, the 95th
percentile, and what of it was our own CPU, which a busy machine disturbs least. A percentile above the limit fails.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

LIMIT_MS = 200.0


def main() -> int:
    """Seed, ask, and say what it took; returns 1 where a page is too slow."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--stores", type=int, default=100)
    asked.add_argument("--persons", type=int, default=20_000)
    asked.add_argument("--rounds", type=int, default=60)
    asked.add_argument("--directory", type=Path, help="kept, and used again where it was seeded")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made:
        return _run(given.directory or Path(made), given.stores, given.persons, given.rounds)


def _run(directory: Path, stores: int, persons: int, rounds: int) -> int:
    os.environ["YUTANG_DATA"] = str(directory)
    from yutang.app import house

    house.configure(directory)
    opened = house.open_house(directory)
    try:
        from tests.bench.large_pond import NOW, seed
        from yutang.kernel.clock import business_clock
        from yutang.organisation.queries import is_set_up
        from yutang.playbooks.services import keep_shipped

        with business_clock(NOW):
            if not is_set_up():
                begun = time.perf_counter()
                seed(opened.warehouse, stores, persons)
                print(f"seeded {persons:,} persons of {stores:,} stores in {time.perf_counter() - begun:.0f} s")
            keep_shipped()  # what a kept directory was seeded without
            return _ask(stores, persons, rounds)
    finally:
        opened.close()


def _ask(stores: int, persons: int, rounds: int) -> int:
    from django.conf import settings
    from django.test import Client

    from tests.bench.large_pond import CHANNEL, CORP, external
    from yutang.organisation import phones

    settings.ALLOWED_HOSTS = ["*"]
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    pairs = [(one, one % (2 * stores)) for one in (number * 7919 % persons for number in range(rounds + 1))]
    guides = {
        guide: phones.user_of_staff(phones.staff_by_account(CHANNEL, CORP, f"u{guide}")) for _person, guide in pairs
    }
    from yutang.log.contracts import IdentifierValue
    from yutang.organisation.models import User
    from yutang.organisation.queries import OWNER
    from yutang.people.queries import known_as

    owner = User.objects.get(username="owner")

    def beside(person: int, guide: int):  # type: ignore[no-untyped-def]
        client = Client()
        client.force_login(guides[guide], backend)
        return lambda: client.post("/m/chat/person/", {"external": external(person)})

    def tapped(person: int, guide: int):  # type: ignore[no-untyped-def]
        client = Client()
        client.force_login(guides[guide], backend)
        number = known_as(OWNER, IdentifierValue("external_userid", CORP, external(person)))
        return lambda: client.get(f"/m/person/{number}/ask/?script=member_day")

    def store(person: int, guide: int):  # type: ignore[no-untyped-def]
        client = Client()
        client.force_login(owner, backend)
        return lambda: client.get(f"/m/store/?store=s{guide // 2}")

    slow = 0
    for name, page in (("the sidebar", beside), ("its tap", tapped), ("the manager's page", store)):
        walls, cpus, size = [], [], 0
        for number, pair in enumerate(pairs):
            ask = page(*pair)
            begun, spent = time.perf_counter(), time.process_time()
            answer = ask()
            wall, cpu = time.perf_counter() - begun, time.process_time() - spent
            assert answer.status_code == 200, (name, answer.status_code)
            if number:  # the first opens what stays open
                walls.append(wall * 1000)
                cpus.append(cpu * 1000)
            else:
                print(f"{name}: the first {wall * 1000:.0f} ms")
            size = max(size, len(answer.content))
        late, spent = (statistics.quantiles(several, n=20)[-1] for several in (walls, cpus))
        print(f"{name}: median {statistics.median(walls):.0f} ms, p95 {late:.0f} ms; at most {size / 1000:.1f} kB")
        print(f"    of CPU: median {statistics.median(cpus):.0f} ms, p95 {spent:.0f} ms")
        slow += late > LIMIT_MS
    return int(bool(slow))


if __name__ == "__main__":
    sys.exit(main())
