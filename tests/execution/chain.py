"""A small chain whose batches a test draws as it likes: a tree of uneven depth, guides of stores, of a region and of
headquarters, and batches that stand in every way."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from yutang.kernel.ids import PlanId
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind
from yutang.organisation.models import SenderAccount, Staff
from yutang.organisation.services import NewNode, NewSender
from yutang.reach.contracts import BatchState, PlanState, RunState
from yutang.reach.models import Batch, Plan, Run

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten in the morning in Shanghai
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CORP = "ww-test"
STORES = {"s1": "north", "s2": "north", "s3": "harbour", "s4": "south", "s5": None}


def chain() -> list[int]:
    """Make it; returns its accounts. One guide has two of them, one belongs to no store."""
    organisation.set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    organisation.connect_corp("wecom", CORP, "secret-of-the-corp")
    organisation.add_nodes(
        [
            NewNode("north", "北区", NodeKind.REGION),
            NewNode("harbour", "港口", NodeKind.REGION, "north"),
            NewNode("south", "南区", NodeKind.REGION, zone="Asia/Tokyo"),
            *(NewNode(code, f"{code} 店", NodeKind.STORE, parent) for code, parent in STORES.items()),
        ]
    )
    places = [*STORES, *STORES, "north", "brand"]
    organisation.add_senders(
        NewSender(place, f"导购{number}", "wecom", CORP, f"guide-{number}") for number, place in enumerate(places)
    )
    first = Staff.objects.order_by("pk").first()
    SenderAccount.objects.create(staff=first, channel="manual", corp="", userid="hand-0")
    organisation.add_senders([NewSender("s1", "邮箱", "email", "hello", "hello")])  # taps nothing: never on the board
    return list(SenderAccount.objects.order_by("pk").values_list("pk", flat=True))


def plan(
    name: str, *, state: PlanState = PlanState.RUNNING, at: datetime = NOW, scope: list[int] | None = None
) -> Plan:
    """A plan without anything."""
    body = {
        "kind": "broadcast", "name": name, "title": {"zh": f"计划 {name}", "en": f"Plan {name}"},
        "audience": {"everyone": True}, "purpose": "marketing", "message": {"text": "本周新品到店。"},
    }  # fmt: skip
    return Plan.objects.create(name=name, body=body, author="owner", created_at=at, start=at, state=state, scope=scope)


def run_of(found: Plan, attempt: int = 1, at: datetime = NOW) -> Run:
    """A committed run of it."""
    return Run.objects.create(
        plan=found, occasion="w1", attempt=attempt, state=RunState.COMMITTED, token=1, decided_at=at, as_of=at
    )


def batch(run: Run, sender: int, **changes: object) -> Batch:
    """A batch that was handed out an hour ago and waits for its tap; changed as asked."""
    due = changes.get("due_at", NOW - HOUR)
    assert isinstance(due, datetime)
    given: dict[str, object] = {
        "run": run, "sender": sender, "due_at": due, "deadline": due + 12 * HOUR, "ordinal": 0, "offset": 0,
        "size": 12, "asked": 10, "digest": f"{run.pk}-{sender}", "state": BatchState.ISSUED,
        "task": f"task-{run.pk}-{sender}-{changes.get('ordinal', 0)}",
    }  # fmt: skip
    return Batch.objects.create(**{**given, **changes})


def tapped(after: timedelta, hour: int = 11) -> dict[str, object]:
    """What a tap so long after the batch was due changes."""
    return {
        "tapped_at": NOW - HOUR + after,
        "tapped_hour": hour,
        "done": 9,
        "state": BatchState.CLOSED,
        "closed_at": NOW,
    }


def draw(dice: random.Random, accounts: list[int], plans: int = 3) -> list[PlanId]:
    """Batches of every kind, for these accounts, of some plans of which the first has ended."""
    made = []
    for number in range(plans):
        start = NOW - dice.randint(0, 9) * DAY
        found = plan(f"plan_{number}", state=PlanState.FINISHED if number == 0 else PlanState.RUNNING, at=start)
        made.append(PlanId(found.pk))
        for attempt in (1, 2):
            run = run_of(found, attempt, start)
            for account in accounts:
                if dice.random() < 0.3:
                    continue
                due = start + dice.choice((0, 1, 14)) * HOUR
                end = due + 12 * HOUR
                gone = BatchState.CLOSED
                kind = dice.choice((
                    {"state": BatchState.PLANNED, "task": "", "asked": 0},
                    {"state": BatchState.UNKNOWN, "task": "", "asked": 0},
                    {"state": BatchState.ISSUED},
                    {"state": BatchState.ISSUED, "tapped_at": due + HOUR, "tapped_hour": dice.randrange(24), "done": 4},
                    {"state": gone, "tapped_at": due + HOUR, "tapped_hour": 9, "done": 9, "closed_at": end},
                    {"state": gone, "tapped_at": end + HOUR, "tapped_hour": 22, "done": 8, "closed_at": end},
                    {"state": BatchState.CLOSED, "closed_at": end},
                    {"state": BatchState.CLOSED, "closed_at": due + HOUR},
                    {"state": BatchState.CLOSED, "closed_at": end, "task": "", "asked": 0},
                    {"state": BatchState.CLOSED, "closed_at": end, "task": "", "asked": 0, "trouble": "not_withdrawn"},
                ))  # fmt: skip
                batch(run, account, due_at=due, **kind)
    return made
