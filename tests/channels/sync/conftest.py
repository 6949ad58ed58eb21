"""A sandbox with the small world in it, our corp connected to it, and its members among our staff."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.kept import made_once
from tests.sandbox.conftest import START, Client, House, door, house, open_sandbox, sandbox, small_world
from tests.warehouse.fixtures import prepared
from yutang.channels.services import _keep_all, _Letter
from yutang.channels.sync import services
from yutang.channels.sync.contracts import Connection, RunFacts, RunState
from yutang.channels.sync.models import SyncHint
from yutang.channels.sync.queries import run_numbered
from yutang.channels.wecom.callbacks import read_notice
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.intake.mirror import mirror_nodes
from yutang.intake.pump import pump_until_empty
from yutang.kernel.clock import business_clock
from yutang.kernel.ids import SenderId
from yutang.organisation.contracts import CorpFacts, NodeKind
from yutang.organisation.queries import OWNER
from yutang.organisation.services import NewNode, NewSender, add_nodes, add_senders, connect_corp, set_up_brand
from yutang.people.queries import friendships
from yutang.people.services import is_live
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.engine import open_warehouse

__all__ = ["door", "house", "open_sandbox", "sandbox", "small_world"]

CORP = "ww-sandbox"


@dataclass
class Shore:
    """Our side, with the sandbox's at hand. Our business clock stands where `at` says."""

    sandbox: Client
    corp: CorpFacts
    connection: Connection
    senders: dict[str, SenderId]
    warehouse: Warehouse
    at: datetime = START

    def run(self, kind: str = "customers") -> RunFacts:
        """A sync, to its end."""
        with business_clock(self.at):
            run = services.begin(kind, self.corp)
            assert services.work({("wecom", CORP): self.connection})
        found = run_numbered(OWNER, run.id)
        assert found is not None
        assert found.state is RunState.DONE, found.error
        return found

    def work_hints(self) -> None:
        """Every hint, now."""
        with business_clock(self.at):
            for _ in range(50):
                SyncHint.objects.update(not_before=datetime(2000, 1, 1, tzinfo=UTC))
                if services.work_hints({("wecom", CORP): self.connection}).idle:
                    break

    def move(self, seconds: float = 120) -> None:
        """Both clocks, on."""
        self.at += timedelta(seconds=seconds)
        self.sandbox.advance(self.at)

    def deliver(self, *bodies: str) -> None:
        """Callbacks, as if they had arrived now."""
        with business_clock(self.at):
            for body in bodies:
                _keep_all([_Letter(read_notice(CORP, body.encode()), lambda state: None, True)])

    def pump(self) -> None:
        """What waits, into people and the warehouse."""
        pump_until_empty(self.warehouse)

    def friends(self, *customers: str) -> set[tuple[str, str]]:
        """Who is friends with whom, as people know it."""
        names = {sender: userid for userid, sender in self.senders.items()}
        known = friendships("external_userid", CORP, customers)
        return {(names[sender], who) for (who, sender), times in known.items() if is_live(*times)}


@pytest.fixture
def shore(db: None, tmp_path: Path, settings: Settings, sandbox: Client, house: House) -> Iterator[Shore]:
    settings.DATA = tmp_path

    def build(folder: Path) -> dict[str, SenderId]:
        set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
        add_nodes([NewNode("s1", "一店", NodeKind.STORE)])
        connect_corp("wecom", CORP, "synthetic")
        with closing(open_warehouse(prepared(folder), threads=1)) as fresh:
            mirror_nodes(fresh)
        return add_senders([NewSender("s1", f"导购{one}", "wecom", CORP, one) for one in ("a", "b", "Idle")])

    senders = made_once("synced", tmp_path, build)
    opened = open_warehouse(tmp_path, threads=1)
    client = WeComClient(f"{sandbox.address}/cgi-bin/", CORP, "synthetic", token_store=MemoryTokenStore())
    corp = CorpFacts("wecom", CORP, "synthetic")
    yield Shore(sandbox, corp, Connection(corp, client), senders, opened)
    opened.close()


@pytest.fixture
def asked(sandbox: Client, tmp_path: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    """What the sandbox's own file answers: the platform's truth, with no call in between."""

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(tmp_path / "sandbox" / "sandbox.sqlite3")) as con:
            return con.execute(sql).fetchall()

    return ask


@pytest.fixture
def told(asked: Callable[[str], list[tuple[Any, ...]]]) -> Callable[[], list[str]]:
    """The bodies of all callbacks that the sandbox has for us, in the order in which things happened."""
    return lambda: [body for (body,) in asked("SELECT body FROM callbacks ORDER BY id")]
