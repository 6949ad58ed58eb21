"""A small brand beside a real sandbox, whose callbacks a test carries to the real door one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from pytest_django import Settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.reach.conftest import Stage, staged
from tests.sandbox.conftest import serving
from tests.soak.pond import CHANNEL, CORP
from yutang.app.channels import Channels
from yutang.connect import services as connect
from yutang.connect.documents import ContactWay
from yutang.kernel.documents import parse
from yutang.organisation.queries import OWNER
from yutang.organisation.services import expect_callbacks
from yutang.reflex import services as reflex
from yutang.reflex.contracts import ActState, Worked
from yutang.reflex.documents import ReflexRule
from yutang.reflex.models import Act

WAY: dict[str, Any] = {
    "kind": "contact_way",
    "name": "card",
    "title": {"zh": "包裹卡", "en": "Package card"},
    "source": "package_card",
    "routing": {"by": "staff", "staff": ["guide00"]},
    "tags": ["包裹卡"],
    "welcome": "欢迎扫码，新人有礼。",
}
RULE: dict[str, Any] = {
    "kind": "reflex",
    "name": "greet",
    "title": {"zh": "欢迎", "en": "Greet"},
    "on": ["relation.added", "relation.half_added"],
    "where": {"way": ["card"]},
    "acts": [{"do": "welcome", "text": "您好。"}, {"do": "tag", "of_way": True}],
}


@dataclass
class Letterbox:
    """Takes what the sandbox posts, and keeps it until the test carries it on."""

    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        with self.came:
            self.posts.append((dict(request.query_params), body))
            self.came.notify_all()
        return PlainTextResponse("success")


@dataclass
class Shore:
    """The brand, its sandbox, and the road between them."""

    stage: Stage
    channels: Channels
    letters: Letterbox
    door: Client = field(default_factory=Client)

    def keep_way(self, **changes: object) -> ContactWay:
        """Keep a contact way and let the sandbox have its code."""
        document = parse(ContactWay, {**WAY, **changes})
        connect.keep_way(document, OWNER)
        connect.turn(self.channels.contact_ways())
        return document

    def keep_rule(self, **changes: object) -> ReflexRule:
        """Keep a reflex rule."""
        document = parse(ReflexRule, {**RULE, **changes})
        reflex.keep_rule(document, OWNER)
        return document

    def ask(self, door: str, **body: object) -> Any:
        """Ask the sandbox at one of its control doors."""
        return self.stage.ask(door, **body)

    def scan(self, way: str, **more: object) -> dict[str, Any]:
        """Somebody scans a way by its state; their callback is on its way."""
        found: dict[str, Any] = self.ask("scan", way=way, **more)["scans"][0]
        return found

    def letters_of(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        """The next posts, once there are that many."""
        with self.letters.came:
            assert self.letters.came.wait_for(lambda: len(self.letters.posts) >= count, 60), len(self.letters.posts)
            taken, self.letters.posts[:count] = self.letters.posts[:count], []
        return taken

    def carry(self, letter: tuple[dict[str, str], bytes]) -> int:
        """Post one to the real door; returns its status."""
        query, body = letter
        answer = self.door.post(f"/wecom/callback/{CORP}", body, "text/xml", query_params=query)
        assert answer.status_code != 200 or answer.content == b"success"
        return answer.status_code

    def carry_all(self, count: int) -> None:
        """Carry the next posts."""
        for letter in self.letters_of(count):
            assert self.carry(letter) == 200

    def work(self) -> Worked:
        """The lane until nothing is due; what its first look did."""
        first = last = reflex.work(self.channels.welcomes())
        while not last.idle:
            last = reflex.work(self.channels.welcomes())
        return first

    def said(self) -> Mapping[str, Any]:
        """The welcomes that were really said, by customer."""
        found: Mapping[str, Any] = self.stage_state()["said"]
        return found

    def stage_state(self) -> Any:
        return httpx.get(f"{self.stage.sandbox}/control/callbacks", timeout=300).json()

    def acts(self, kind: str = "welcome") -> list[tuple[str, str]]:
        """State and reason of every act of a kind, by age."""
        rows = Act.objects.filter(kind=kind, rule="greet").order_by("pk")
        return [(ActState(state).value, reason) for state, reason in rows.values_list("state", "reason")]

    def token(self, way: str = "card") -> str:
        """The state by which the platform knows a way's code."""
        from yutang.connect.models import Code

        return Code.objects.get(way__name=way).token


@pytest.fixture
def shore(db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shore]:
    """Three guides, sixty friends, callbacks going to the letterbox. What is put off waits until a test lets it go."""
    monkeypatch.setattr(reflex, "SOON", timedelta(hours=1))
    letters = Letterbox()
    box = Starlette(routes=[Route("/", letters.take, methods=["POST"])])
    with staged(tmp_path, settings) as stage, serving(box) as address:
        secrets = expect_callbacks(CHANNEL, CORP)
        stage.ask("callbacks", url=address + "/", token=secrets.token, key=secrets.key)
        yield Shore(stage, Channels(stage.sandbox), letters)
