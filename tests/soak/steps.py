"""Steps on a data directory, in a process of their own (see STEPS). `--` stands between two steps."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.soak import pond
from yutang.app import house


def build(directory: Path, settings: str) -> dict[str, object]:
    """Make the pond."""
    from yutang.intake import mirror
    from yutang.kernel.clock import business_now
    from yutang.organisation.services import issue_token
    from yutang.profiles import services as profiles

    opened = house.open_house(directory)
    pond.build(directory, pond.Pond(**json.loads(settings)))
    opened.clock.forget()
    mirror.mirror_nodes(opened.warehouse)
    mirror.mirror_facts(opened.warehouse)
    profiles.rebuild(opened.warehouse, business_now())
    token = issue_token("soak", ["events:write"])
    opened.close()
    return {"token": token}


def more(directory: Path, names: str, hours: str, rate: str) -> dict[str, object]:
    """Launch a broadcast of each name, a day apart, each with a picture of its own, and let the clock run on once the
    house is up."""
    from tests.sandbox.files import png
    from yutang.files.contracts import FileKind
    from yutang.files.services import keep_file
    from yutang.kernel.clock import business_now
    from yutang.organisation.clock import fast_forward
    from yutang.organisation.queries import OWNER
    from yutang.reach import services

    opened = house.open_house(directory)
    for index, name in enumerate(names.split(",")):
        start = (business_now() + timedelta(days=index)).isoformat()
        picture = keep_file(FileKind.IMAGE, f"{name}.png", png() + name.encode())  # another one: it is uploaded anew
        message = {"text": f"今天到店有礼 {name}", "pictures": [{"url": picture.address}]}
        changes = {"message": message, "waves": [0.4, 1.0], "start": start, "priority": 50 + index % 3}
        services.launch(pond.broadcast(name, **changes), OWNER)
    fast_forward(timedelta(hours=float(hours)), float(rate))
    opened.close()
    return {}


def books(directory: Path) -> dict[str, object]:
    """What the house believes happened."""
    from yutang.intake import pump
    from yutang.kernel.clock import business_now
    from yutang.organisation.queries import OWNER
    from yutang.reach import queries
    from yutang.reach.models import Batch
    from yutang.warehouse.contracts import Statement

    opened = house.open_house(directory)
    pump.pump_until_empty(opened.warehouse)

    def one(sql: str) -> Any:
        return opened.warehouse.query(Statement(sql)).column(0)[0].as_py()

    plans = [queries.counts(opened.warehouse, OWNER, plan.id) for plan in queries.plans(OWNER)]
    answer = {
        "balances": all(plan.balances() for plan in plans),
        "plans": len(plans),
        "decided": sum(plan.decided for plan in plans),
        "sent": int(one("SELECT count(DISTINCT touch) FROM receipts WHERE state = 'sent'")),
        "pending": sum(plan.pending for plan in plans),
        "unknown": sum(plan.unknown for plan in plans),
        "tasks": Batch.objects.exclude(task="").count(),
        "open_batches": Batch.objects.exclude(state="closed").count(),
        "open": [
            f"{state} due {due:%d %H:%M} until {deadline:%d %H:%M} {trouble}"
            for state, due, deadline, trouble in Batch.objects.exclude(state="closed").values_list(
                "state", "due_at", "deadline", "trouble"
            )[:10]
        ],
        "clock": f"{business_now():%d %H:%M}",
        "doubled_events": int(one("SELECT count(*) - count(DISTINCT event_id) FROM events")),
        "purchases": int(one("SELECT count(*) FROM orders WHERE source = 'sandbox'")),
        "cents": int(one("SELECT coalesce(sum(net_amount), 0) * 100 FROM orders WHERE source = 'sandbox'")),
    }
    opened.close()
    return answer


def way(directory: Path) -> dict[str, object]:
    """Keep a contact way, a rule that welcomes who comes by it, and one that tags who buys for the first time."""
    from yutang.connect.documents import ContactWay
    from yutang.connect.services import keep_way
    from yutang.kernel.documents import parse
    from yutang.organisation.queries import OWNER
    from yutang.reflex.documents import ReflexRule
    from yutang.reflex.services import keep_rule

    opened = house.open_house(directory)
    routing = {"by": "staff", "staff": ["guide00"]}
    title = {"zh": "包裹卡", "en": "Package card"}
    card = {"kind": "contact_way", "name": "card", "title": title, "source": "package_card", "routing": routing}
    keep_way(parse(ContactWay, card), OWNER)
    greet = {"on": "relation.added", "acts": [{"do": "welcome", "text": "您好。"}, {"do": "tag", "tags": ["扫码"]}]}
    regulars = {"on": "segment.entered", "segment": "customer_pool", "acts": [{"do": "tag", "tags": ["新成交"]}]}
    for rule, more in (("greet", {**greet, "where": {"way": ["card"]}}), ("regulars", regulars)):
        keep_rule(parse(ReflexRule, {"kind": "reflex", "name": rule, "title": title, **more}), OWNER)
    opened.close()
    return {}


def as_if_called_long_ago(directory: Path) -> dict[str, object]:
    """Let the call that nobody finished be older than the platform's list is awaited."""
    from yutang.connect.models import Code
    from yutang.connect.services import GIVE_UP
    from yutang.kernel.clock import wall_now

    opened = house.open_house(directory)
    assert Code.objects.filter(state="calling").update(called_at=wall_now() - GIVE_UP) == 1
    opened.close()
    return {}


def way_books(directory: Path) -> dict[str, object]:
    """What the house believes came of its contact ways and rules."""
    from yutang.connect.models import Join
    from yutang.intake import pump
    from yutang.warehouse.contracts import Statement

    opened = house.open_house(directory)
    pump.pump_until_empty(opened.warehouse)

    def one(sql: str) -> int:
        return int(opened.warehouse.query(Statement(sql)).column(0)[0].as_py())

    answer: dict[str, object] = {
        "joins": Join.objects.count(),
        "friendships": one("SELECT count(*) FROM events WHERE type = 'relation.added'"),
        "tagged": one("SELECT count(*) FROM events WHERE type = 'tag.added' AND props LIKE '%新成交%'"),
        "doubled_events": one("SELECT count(*) - count(DISTINCT event_id) FROM events"),
    }
    opened.close()
    return answer


def reconcile(directory: Path, sandbox: str) -> dict[str, object]:
    """Read customers and who follows them anew from the platform; what callbacks had missed."""
    from dataclasses import asdict

    from yutang.app.channels import Channels
    from yutang.channels.sync import services as sync
    from yutang.channels.sync.queries import last_runs
    from yutang.intake import pump
    from yutang.organisation.queries import OWNER, corps

    opened = house.open_house(directory)
    pump.pump_until_empty(opened.warehouse)
    (corp,) = corps()
    sync.begin("customers", corp, "soak")
    connections = Channels(sandbox).syncs()
    while sync.work(connections):
        pass
    pump.pump_until_empty(opened.warehouse)
    (run,) = (run for run in last_runs(OWNER) if run.kind == "customers")
    opened.close()
    assert run.state == "done", run
    return {name: count for name, count in asdict(run.found).items() if name != "note"}


def friends(directory: Path) -> dict[str, object]:
    """Who follows whom, as the house believes, by the platform's ids."""
    from yutang.intake import mirror
    from yutang.organisation.queries import OWNER, senders
    from yutang.people import queries as people
    from yutang.warehouse.contracts import Statement

    opened = house.open_house(directory)
    mirror.mirror_facts(opened.warehouse)
    live = opened.warehouse.query(Statement("SELECT person, sender FROM fact_relations WHERE live")).to_pylist()
    members = {row.id: row.userid for row in senders(OWNER)}
    names = people.all_identifiers_of([row["person"] for row in live], "external_userid", pond.CORP)
    opened.close()
    return {"friends": [[members[row["sender"]], name] for row in live for name in names[row["person"]]]}


def collect(directory: Path) -> dict[str, object]:
    """A brand with a write key of a server for each client, and a token by which its API is asked."""
    from yutang.intake.collect.keys import add_key
    from yutang.intake.mirror import mirror_nodes
    from yutang.organisation.services import issue_token, set_up_brand

    opened = house.open_house(directory)
    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    mirror_nodes(opened.warehouse)
    keys = {name: add_key(name, name, trusted=True, members=True) for name in ("py", "node")}
    token = issue_token("soak", ["read"])
    opened.close()
    return {**keys, "token": token}


def collected(directory: Path) -> dict[str, object]:
    """What the log holds of each source, once all is pumped."""
    from yutang.intake import pump
    from yutang.warehouse.contracts import Statement

    opened = house.open_house(directory)
    pump.pump_until_empty(opened.warehouse)
    text = "SELECT source, count(*) AS events, count(DISTINCT event_id) AS distinct_ids FROM events GROUP BY source"
    rows = opened.warehouse.query(Statement(text)).to_pylist()
    opened.close()
    sources = {row["source"]: {"events": row["events"], "distinct": row["distinct_ids"]} for row in rows}
    return {"sources": sources}


def marked(directory: Path) -> dict[str, object]:
    """The ids of the log that were marked, once all is pumped, and how many events there are."""
    from yutang.intake import pump
    from yutang.warehouse.contracts import Statement

    opened = house.open_house(directory)
    pump.pump_until_empty(opened.warehouse)
    rows = opened.warehouse.query(Statement("SELECT event_id FROM events")).column(0).to_pylist()
    opened.close()
    return {"marked": [one for one in rows if one.startswith("py/mark-")], "events": len(rows)}


STEPS: dict[str, Callable[..., dict[str, object]]] = {
    "build": build,
    "more": more,
    "books": books,
    "way": way,
    "as_if_called_long_ago": as_if_called_long_ago,
    "way_books": way_books,
    "reconcile": reconcile,
    "friends": friends,
    "collect": collect,
    "collected": collected,
    "marked": marked,
}

if __name__ == "__main__":
    where = Path(os.environ["YUTANG_DATA"])
    house.configure(where)
    found: dict[str, object] = {}
    for _, words in groupby(sys.argv[1:], "--".__eq__):
        name, *arguments = words
        if name != "--":
            found |= STEPS[name](where, *arguments)
    print(json.dumps(found))
