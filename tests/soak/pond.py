"""A small brand on disk with its sandbox, built through the real services, for tests that run whole processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

CORP, SECRET, CHANNEL = "ww-pond", "pond-secret", "wecom"
START = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)  # 08:30 in Shanghai: half an hour before the day opens
ZONE = "Asia/Shanghai"
STORES = 4


@dataclass(frozen=True, slots=True)
class Pond:
    """How many people and guides there are, and how guides tap."""

    persons: int = 240
    guides: int = 8
    habit: str | dict[str, float] = "at_once"
    daily_rate: float = 0.4
    lift: float = 0.5
    seed: int = 7


def build(directory: Path, pond: Pond) -> None:
    """Make the brand in `directory`, and its sandbox below it. Call in a process whose house is open there."""
    from yutang.organisation import services as organisation
    from yutang.organisation.contracts import NodeKind
    from yutang.organisation.services import NewNode, NewSender
    from yutang.people import services as people
    from yutang.playbooks.services import keep_shipped
    from yutang.sandbox.contracts import Customer, Member, Relation, Spec
    from yutang.sandbox.world import seed

    organisation.set_up_brand("池塘", "CNY", ZONE)
    organisation.connect_corp(CHANNEL, CORP, SECRET)
    organisation.step_clock(START)
    keep_shipped()
    organisation.add_nodes([NewNode(f"s{index}", f"门店 {index}", NodeKind.STORE) for index in range(STORES)])
    senders = organisation.add_senders(
        NewSender(f"s{index % STORES}", f"导购 {index:02}", CHANNEL, CORP, f"guide{index:02}", synthetic=True)
        for index in range(pond.guides)
    )
    ids = [f"wm{index:05}" for index in range(pond.persons)]
    people.load_persons(
        pa.table(
            {
                "external_userid": ids,
                "home_store": [f"s{index % STORES}" for index in range(pond.persons)],
                "born_at": pa.array([START - timedelta(days=90)] * pond.persons, pa.timestamp("us", "UTC")),
            }
        ),
        source="pond",
        corp=CORP,
    )
    who = people.resolve_column("external_userid", CORP, pa.array(ids))
    guide = np.arange(pond.persons) % pond.guides
    added = pa.array([START - timedelta(days=60)] * pond.persons, pa.timestamp("us", "UTC"))
    people.load_relations(
        pa.table({"person": who, "sender": [senders[f"guide{g:02}"] for g in guide], "added_at": added})
    )
    people.load_consents(
        pa.table(
            {
                "person": who,
                "purpose": ["marketing"] * pond.persons,
                "channel": [CHANNEL] * pond.persons,
                "granted": [index % 10 != 9 for index in range(pond.persons)],
                "at": added,
                "proof": ["pond"] * pond.persons,
            }
        )
    )
    seed(
        directory / "sandbox",
        Spec(
            corp_id=CORP,
            secret=SECRET,
            seed=pond.seed,
            start_at=START,
            members=tuple(Member(f"guide{g:02}", f"导购 {g:02}", pond.habit) for g in range(pond.guides)),
            customers=tuple(
                Customer(name, f"顾客 {name}", None, pond.daily_rate, 3.0, 0.5, f"s{index % STORES}", lift=pond.lift)
                for index, name in enumerate(ids)
            ),
            relations=tuple(
                Relation(f"guide{index % pond.guides:02}", name, START - timedelta(days=60))
                for index, name in enumerate(ids)
            ),
            effect_days=3.0,
            zone=ZONE,
            dispatch_seconds=0.0,
        ),
    )


def broadcast(name: str, *, text: str = "本周新品到店。", **changes: object):  # type: ignore[no-untyped-def]
    """A broadcast to everyone, changed as asked."""
    from yutang.reach.documents import BroadcastDocument

    data = {
        "kind": "broadcast",
        "name": name,
        "title": {"zh": name, "en": name},
        "audience": {"everyone": True},
        "purpose": "marketing",
        "message": {"text": text},
        "hold_out": 0.2,
        "horizon_days": 2,
        "attempts": 2,
        **changes,
    }
    return BroadcastDocument.model_validate(data)
