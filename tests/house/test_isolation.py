"""What stands at another store is told to nobody of this one: by no page, export, API operation or command."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from django.http import HttpResponseBase
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house import routes
from tests.house.routes import Ask
from tests.house.world import World, shared
from yutang.app.main import root
from yutang.operations.figures import FIGURES
from yutang.organisation.models import User
from yutang.profiles.beforehand import keep_up, let_go

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """What is counted beforehand is kept, as where pages are served: nobody's part may be another's."""
    with shared(django_db_blocker, tmp_path_factory.mktemp("isolation")) as made:
        with django_db_blocker.unblock():
            keep_up(made.warehouse, FIGURES)
        yield made
        let_go(made.warehouse)


@pytest.fixture
def world(standing: World, db: None) -> World:
    return standing


class Door:
    """One of the three surfaces, asked as a user. Answers with a status (0 or an HTTP status) and all that was said."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.readers: dict[str, Client] = {}
        self.files = {"PLAN_FILE": folder / "plan.yaml", "ORDERS_FILE": folder / "orders.csv"}
        self.files["PLAN_FILE"].write_text(json.dumps(routes.PLAN), encoding="utf-8")
        self.files["ORDERS_FILE"].write_text("order_id,placed_at,sku,quantity,amount,member\n", encoding="utf-8")

    def filled(self, text: str, quoted: bool = False) -> str:
        for name, value in self.world.far.planted().items():
            text = text.replace(f"{{{name}}}", quote(value) if quoted else value)
        return text

    def api(self, user: str, way: str, ask: Ask) -> tuple[int, str]:
        client = Client(headers={"Authorization": f"Bearer {self.world.tokens[user]}"})
        raw = json.dumps(ask.body).encode() if ask.body is not None else b""
        path = "/api/v1" + self.filled(ask.path, quoted=True)
        return _said(client.generic(way.split()[0], path, raw, "application/json"))

    def page(self, user: str, way: str, ask: Ask) -> tuple[int, str]:
        path = self.filled(ask.path, quoted=True)
        if ask.body is not None:
            return _said(_logged_in(user).post(path, ask.body))
        if user not in self.readers:
            self.readers[user] = _logged_in(user)
        return _said(self.readers[user].get(path))

    def command(self, user: str, way: str, ask: Ask) -> tuple[int, str]:
        words = [str(self.files.get(word, self.filled(word))) for word in ask.words]
        said = []
        for style in ([], ["--json"]):
            whole = [*way.split(), *words, "--as", user, *style]
            result = CliRunner().invoke(root(lambda: _Open(self.world)), whole)
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
            assert result.exit_code in (0, 1), (whole, result.output)
            said.append(result.output)
        return 200 if result.exit_code == 0 else 404, "\n".join(said)


class _Open:
    """The world's house, left open for the next command."""

    def __init__(self, world: World) -> None:
        self.warehouse = world.warehouse

    def close(self) -> None:
        """Not before the test is over."""


def _logged_in(user: str) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(User.objects.get(username=user), "allauth.account.auth_backends.AuthenticationBackend")
    return client


def _said(answer: HttpResponseBase) -> tuple[int, str]:
    body = answer.getvalue() if answer.streaming else answer.content  # type: ignore[attr-defined]
    text = body.decode(errors="replace")  # a picture is answered by its bytes
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return answer.status_code, text + str(answer.headers)


def told(world: World, ask: Ask, text: str) -> dict[str, str]:
    """What of the far store a text tells, beyond what the asker said himself, and what stands around it."""
    himself = json.dumps([ask.path, ask.body, ask.words])
    return {
        what: text[max(0, found.start() - 40) : found.end() + 20]
        for what, value in {**world.far.planted(), "event": "event-far-x7"}.items()
        if value in text  # asked first, as it nearly never is
        and f"{{{what}}}" not in himself
        and (found := re.search(rf"(?<!\d){re.escape(value)}(?!\d)|[+]86{value}", text))
    }


SURFACES = {
    "page": routes.pages,
    "api": routes.operations,
    "command": routes.commands,
}


@pytest.mark.parametrize("surface", SURFACES)
def test_every_way_in_is_listed(surface: str) -> None:
    listed: dict[str, Any] = {"page": routes.PAGES, "api": routes.API, "command": routes.COMMANDS}[surface]
    found = SURFACES[surface]()
    assert [way for way, asks in found.items() if asks is None] == [], "say in tests/house/routes.py how it is asked"
    assert set(listed) - set(found) == set(), "no longer there"


def asked(
    door: Door, surface: str, user: str, *, only_shown: bool = False
) -> Iterable[tuple[str, Ask, int, dict[str, str]]]:
    """Every way of a surface (or every one that shows something) asked as a user: what it answered, and what of the far
    store it told."""
    for way, asks in SURFACES[surface]().items():
        for ask in asks or ():
            if only_shown and not ask.shows:
                continue
            status, text = getattr(door, surface)(user, way, ask)
            yield way, ask, status, told(door.world, ask, text)


@pytest.mark.parametrize("user", ["near_manager", pytest.param("near_operator", marks=pytest.mark.long)])
@pytest.mark.parametrize("surface", SURFACES)
def test_somebody_of_another_store_is_told_nothing(world: World, tmp_path: Path, surface: str, user: str) -> None:
    leaks, let_in = [], []
    for way, ask, status, leaked in asked(Door(world, tmp_path), surface, user):
        if leaked:
            leaks.append((way, ask.path, leaked))
        if any(f"{{{name}}}" in ask.path + "".join(ask.words) for name in ("person", "plan", "batch")):
            let_in += [] if status in (403, 404, 405) else [(way, ask.path, status)]
        assert status < 500, (way, ask.path)
    assert not leaks, "\n".join(map(str, leaks))
    assert let_in == []


@pytest.mark.parametrize("surface", SURFACES)
def test_the_owner_is_told_all_of_it(world: World, tmp_path: Path, surface: str) -> None:
    hidden = [
        (way, ask.path or ask.words, sorted(set(ask.shows) - set(found)))
        for way, ask, _, found in asked(Door(world, tmp_path), surface, "owner", only_shown=True)
        if set(ask.shows) - set(found)
    ]
    assert not hidden, "\n".join(map(str, hidden))


@pytest.mark.long
@pytest.mark.parametrize("surface", SURFACES)
def test_the_owner_goes_every_way_and_nothing_crashes(world: World, tmp_path: Path, surface: str) -> None:
    failed = [
        (way, ask.path or ask.words, status)
        for way, ask, status, _ in asked(Door(world, tmp_path), surface, "owner")
        if status == 500  # 503: WeCom is not there
    ]
    assert failed == []
