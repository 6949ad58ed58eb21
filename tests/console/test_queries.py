"""How much each page asks of the two stores: a figure that grows is a query in a loop, or a page that got dearer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from tests.house.world import World, shared
from yutang.organisation.models import User
from yutang.warehouse import current
from yutang.warehouse.contracts import Statement, Warehouse

pytestmark = pytest.mark.django_db

# Path: at most so many queries of SQLite, and so many of the warehouse.
BASELINES = {
    "/": (29, 15),  # with all that the lane would have counted beforehand
    "/pool/": (7, 5),
    "/pool/?export=csv": (7, 4),  # counted at once, where no lane has counted it
    "/layers/": (9, 12),
    "/layers/super-users/": (20, 20),
    "/layers/ladder/": (10, 8),  # with what the lane would have counted beforehand
    "/persons/": (12, 6),
    "/persons/?segment=one_time_buyers&store=near&pool=customer": (13, 6),
    "/persons/?export=csv": (10, 4),
    "/persons/{person}/": (23, 12),
    "/settings/": (66, 2),  # two for each kind of document, and one or two for what each part shows
    "/values/": (12, 4),
    "/execution/": (18, 0),
    "/execution/?days=28": (18, 0),
    "/execution/tasks/?days=28": (22, 0),
    "/execution/over-time/": (20, 0),
    "/execution/chase/": (31, 0),
    "/offgate/": (20, 4),  # as "/"
    "/lists/": (12, 0),
    "/content/": (16, 0),
    "/content/of/care_tip/": (18, 0),
    "/lists/{list}/": (25, 0),
    "/imports/": (9, 0),
    "/settings/syncs/": (12, 0),
    "/groups/": (14, 0),
    "/guard/radar/": (12, 0),
    "/desk/": (14, 0),
    "/guard/drill/": (20, 3),  # as "/"
    "/guard/drill/of/?level=corp&of=ww-house": (40, 8),
    "/growth/tree/": (20, 6),
    "/league/": (12, 8),
    "/guard/accounts/": (18, 4),
    "/league/guides/": (15, 8),
    "/m/person/{person}/": (30, 8),
    "/m/store/?store=near": (30, 8),
}


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("queries")) as made:
        yield made


class Counted:
    """The warehouse, counting what it is asked."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.asked: list[str] = []

    def query(self, statement: Statement) -> object:
        self.asked.append(statement.title())
        return self.warehouse.query(statement)


@pytest.mark.parametrize("path", BASELINES)
def test_a_page_asks_no_more_than_its_baseline(
    standing: World, db: None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(current.current_warehouse())
    monkeypatch.setattr(current, "_installed", counted)
    client = Client(raise_request_exception=True)
    client.force_login(User.objects.get(username="owner"), "allauth.account.auth_backends.AuthenticationBackend")
    with CaptureQueriesContext(connection) as said:
        answer = client.get(path.format(person=standing.near.person, list=standing.near.list))
    assert answer.status_code == 200
    operational, analytical = BASELINES[path]
    assert len(said) <= operational, [query["sql"][:120] for query in said]
    assert len(counted.asked) <= analytical, counted.asked
