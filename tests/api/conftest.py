"""The API over a small brand, and a caller for each of its tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house.world import World, shared

Call = Callable[..., HttpResponse]


ORDER = {
    "id": "till/77",
    "type": "order.placed",
    "occurred_at": "2026-03-01T09:30:00+08:00",
    "identifiers": [{"kind": "member", "namespace": "till", "value": "M-near-x7"}],
    "store": "near",
    "source": "till",
    "amount": "19.90",
    "currency": "CNY",
    "props": {"order_id": "77"},
    "lines": [{"sku": "a", "category": "milk", "quantity": "1", "amount": "19.90"}],
}


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A brand with two stores, for tests that leave its warehouse as it is."""
    with shared(django_db_blocker, tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture
def world(standing: World, db: None) -> World:
    """The standing brand; what a test writes into the database is undone."""
    return standing


@pytest.fixture
def call(world: World) -> Call:
    """Asks the API as a user: `call(method, path, body, as_user=…)`."""
    client = Client(raise_request_exception=True)

    def ask(method: str, path: str, body: Any = None, as_user: str | None = "owner", **query: Any) -> HttpResponse:
        headers = {"Authorization": f"Bearer {world.tokens.get(as_user, as_user)}"} if as_user else {}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.generic(
            method, f"/api/v1{path}", raw if body is not None else b"", "application/json", headers=headers,
            query_params=query,
        )  # fmt: skip

    return ask
