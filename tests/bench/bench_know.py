"""The pages under Know 认知, of a large chain: pool, layers, persons, values, segments with the builder, traits,
advisor, growth; `python -m tests.bench.bench_know` (small), or `--stores 3000 --persons 1000000`. `--directory` keeps
what was seeded.

The pond is that of `large_pond`, with traits, values, the ladder and segments brought up to date as the clock does, and
what is counted beforehand counted first, as the lane does. Pages are asked for through the whole of Django, in the same
process, by the owner, the operator of a region and the manager of a store. **anew**: after profiles were computed anew,
so that nothing that pages remember of the last refresh is there any more; the others come after it.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from tests.bench import large_pond
from tests.bench.pages import AIM_MS, NOW, arguments, ask, chain, client_of

LIVE_MS = 300.0  # of the builder's count
PEOPLE = ("owner", "operator", "keeper")
CATEGORY = "品类 1"
RULES = {
    "bench_regulars": {"trait": "orders_365d", "at_least": 4},
    "bench_category": {
        "all": [
            {"bought": {"categories": [CATEGORY]}, "within": "90d"},
            {"not": {"bought": {"categories": ["品类 2"]}, "within": "30d"}},
        ]
    },
    "bench_event": {"event": "order.placed", "count": {"at_least": 2}, "within": "60d"},
    "bench_mixed": {"any": [{"segment": "bench_category"}, {"all": [{"pool": "customer"}, {"region": ["r1"]}]}]},
}
FORM = {
    "r-kind": "group", "r-op": "all", "r-n": "1", "name": "", "title_zh": "", "title_en": "", "note_zh": "",
    "note_en": "", "r_0-kind": "trait", "r_0-trait": "spend_365d", "r_0-operator": "more_than",
}  # fmt: skip


def main() -> None:
    """Seed, ask, and say what it took."""
    given = arguments(stores=200, persons=20_000, rounds=20, anew=5)
    with chain(given.directory, lambda opened: large_pond.seed(opened.warehouse, given.stores, given.persons)) as one:
        _know(one.warehouse)
        _ask(one.warehouse, given.rounds, given.anew)


def _know(warehouse: Any) -> None:
    """What the clock brings up to date, and what the lane counts beforehand."""
    from yutang.documents.queries import versions
    from yutang.kernel.documents import parse
    from yutang.layers.ladder import climb
    from yutang.operations.figures import FIGURES
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import RoleName
    from yutang.organisation.models import User
    from yutang.organisation.queries import OWNER
    from yutang.profiles.beforehand import keep_up
    from yutang.profiles.services import refresh
    from yutang.profiles.values.services import turn
    from yutang.segments import services as segments
    from yutang.segments.documents import SegmentDocument

    if not User.objects.filter(username="operator").exists():
        organisation.add_user("operator", "bench", RoleName.OPERATOR, "r1")
    for name, where in RULES.items():
        if not versions(SegmentDocument, name):
            data = {"kind": "segment", "name": name, "title": {"zh": name, "en": name}, "where": where}
            segments.save(parse(SegmentDocument, data), OWNER)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("profiles", lambda: refresh(warehouse, NOW)),
        ("values", lambda: turn(warehouse)),
        ("ladder", lambda: climb(warehouse)),
        ("segments", lambda: segments.record_all(warehouse)),
        (f"{len(FIGURES)} figures", lambda: [keep_up(warehouse, [one]) for one in FIGURES]),
    ]
    for name, step in steps:
        busy = time.process_time()
        step()
        print(f"{name}: {time.process_time() - busy:.1f} s of CPU", flush=True)
    gc.collect()
    gc.freeze()  # as where pages are served


def _pages() -> tuple[list[str], list[tuple[str, str, dict[str, str]]]]:
    """The paths of pages, and forms that the builder posts: a name, a path and its fields, `#` for another number each
    time. `@` stands for a person whom the viewer sees."""
    paths = [
        "/pool/", "/pool/?region=r1&sort=-spend", "/layers/", "/layers/?type=", "/layers/ladder/",
        "/layers/ladder/?way=down", "/layers/flow/", "/layers/next/", "/layers/super-users/",
        "/layers/super-users/?sign=loyalty&reachable=yes&sort=-orders_365d", "/methods/rfm/", "/methods/ladder/",
        "/methods/super_users/", "/persons/", "/persons/?page=40", "/persons/?sort=-overdue_ratio",
        "/persons/?find=13800000000", "/persons/?lifecycle=active&reachable=yes&sort=-orders_365d",
        "/persons/?pool=customer&store=s1", "/persons/?segment=bench_regulars", "/persons/?segment=bench_category",
        "/persons/@/", "/persons/@/then/?day=2026-02-01", "/persons/@/then/?segment=bench_category&day=2026-02-01",
        "/values/", "/traits/", "/traits/of/usual_hour/", "/traits/of/spend_365d/", "/traits/of/lifecycle/",
        "/traits/of/next_order_day/", "/segments/", "/segments/?part=counts", "/segments/of/customer_pool/",
        "/segments/of/bench_category/?sort=-spend_365d", "/segments/of/bench_event/?page=30",
        "/segments/of/bench_category/overlap/", "/segments/of/bench_category/why/", "/segments/of/customer_pool/why/",
        "/segments/of/bench_category/flow/", "/segments/of/bench_category/past/?day=2026-01-15",
        "/segments/new/", "/segments/new/?from=bench_category", "/advisor/", "/growth/", "/growth/tree/",
        "/growth/tree/?at=r1&month=2026-01&buyers=20&basket=-5", "/league/", "/league/guides/",
    ]  # fmt: skip

    def text(where: object) -> dict[str, str]:
        return {"text": json.dumps({"kind": "segment", "name": "a", "title": {"zh": "a", "en": "a"}, "where": where})}

    bought = {"bought": {"categories": [CATEGORY]}, "within": "#d"}
    event = {"event": "order.placed", "count": {"at_least": 3}, "within": "#d"}
    forms = [
        ("builder: a trait", "/segments/said/", {**FORM, "r_0-value": "#"}),
        ("builder: rows anew", "/segments/build/", {**FORM, "r_0-value": "#", "do": "add:r"}),
        ("live count: bought", "/segments/count/", text(bought)),
        ("live count: an event", "/segments/count/", text(event)),
        ("live count: nested", "/segments/count/", text({"any": [{"all": [bought, {"pool": "customer"}]}, event]})),
        ("live count: of a segment", "/segments/count/", text({"all": [{"segment": "bench_category"}, event]})),
        ("builder: a past day", "/segments/past/", {**text(bought), "past_day": "2026-01-15"}),
        ("builder: who comes and goes", "/segments/differing/", {**text(bought), "editing": "bench_category"}),
        ("preview of a trait", "/traits/preview/", {"document": EXAMPLE}),
    ]
    return paths, forms


EXAMPLE = """kind: trait
name: bench_orders
schema: 1
title: {zh: 订单, en: Orders}
unit: {zh: 单, en: orders}
of: events
take: count
where: {type: order.placed}
within: 3#d
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a page took, in milliseconds: of CPU anew, of CPU once remembered (p50 and p95), and then by the wall (p95);
    and its bytes."""

    page: str
    anew: float
    half: float
    late: float
    wall: float
    size: int

    def __str__(self) -> str:
        """As the bench prints it; marked where it is above its aim by the wall."""
        aim = LIVE_MS if "count" in self.page else AIM_MS
        mark = "*" if self.wall > aim else "+" if self.anew > aim else ""
        times = " ".join(f"{one:6.0f}" for one in (self.anew, self.half, self.late, self.wall))
        return f"{self.page:<72} {times} {self.size / 1000:5.0f} {mark}"


def _told(warehouse: Any, page: str, get: Callable[[int], Any], rounds: int, anew: int) -> Told | None:
    """Ask for one page; None for one that this user may not see."""
    if get(9).status_code in (403, 404):  # not theirs to see
        return None
    first = ask([partial(get, 100 + turn) for turn in range(anew)], anew=lambda: _anew(warehouse))
    took = ask([partial(get, 20 + turn) for turn in range(rounds)])
    half, late = np.quantile(took.cpus, [0.5, 0.95])
    wall = float(np.quantile(took.walls, 0.95))
    return Told(page, float(np.quantile(first.cpus, 0.95)), float(half), float(late), wall, took.largest)


def _ask(warehouse: Any, rounds: int, anew: int) -> None:
    from yutang.organisation.models import User

    paths, forms = _pages()
    every: list[Told] = []
    print(f"{'ms of CPU':<72} {'anew':>6} {'p50':>6} {'p95':>6} {'wall':>6} {'kB':>5}")
    for username in PEOPLE:
        user = User.objects.get(username=username)
        client = client_of(user)
        person = str(_somebody(warehouse, user))
        asked = [(path, partial(_get, client, path.replace("@", person))) for path in paths]
        asked += [(name, partial(_post, client, path, fields)) for name, path, fields in forms]
        for name, get in asked:
            told = _told(warehouse, f"{username:>8} {name}", get, rounds, anew)
            if told is not None:
                print(told, flush=True)
                every.append(told)
    _worst("anew", every, attrgetter("anew"))
    _worst("p95", every, attrgetter("late"))
    _worst("by the wall", every, attrgetter("wall"))


def _worst(what: str, every: Sequence[Told], took: Callable[[Told], float]) -> None:
    worst = ", ".join(f"{one.page.strip()} {took(one):.0f}" for one in sorted(every, key=took, reverse=True)[:5])
    print(f"{what}: p95 over pages {np.quantile([took(one) for one in every], 0.95):.0f} ms; worst: {worst}")


def _get(client: Any, path: str, _: int) -> Any:
    return client.get(path)


def _post(client: Any, path: str, fields: dict[str, str], number: int) -> Any:
    return client.post(path, _numbered(fields, number))


def _somebody(warehouse: Any, user: Any) -> int:
    """A person with orders whom this user sees."""
    from sqlglot import exp

    from yutang.organisation.queries import viewer_named
    from yutang.profiles.queries import in_scope
    from yutang.warehouse.contracts import Statement

    query = in_scope(exp.select(exp.column("person", "profiles")).from_("profiles"), viewer_named(user.username))
    query = query.where("profiles.orders_ever > 4").order_by("person").limit(1)
    return int(warehouse.query(Statement(query)).column(0)[0].as_py())


def _numbered(fields: dict[str, str], number: int) -> dict[str, str]:
    return {name: value.replace("#", str(number)) for name, value in fields.items()}


def _anew(warehouse: Any) -> None:
    """As if profiles had been computed anew: nothing is remembered of the last refresh."""
    from yutang.profiles.queries import STATE, kept_state
    from yutang.warehouse.contracts import Statement

    state = {**json.loads(kept_state(warehouse)), "refresh": f"{time.monotonic_ns():x}"}
    params = {"name": STATE, "value": json.dumps(state)}
    warehouse.write([Statement("UPDATE profile_state SET value = $value WHERE name = $name", params)])


if __name__ == "__main__":
    main()
