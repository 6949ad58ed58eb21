"""The short form that an empty data directory opens with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from tests.people.pond import event, member
from tests.warehouse.fixtures import prepared
from yutang.intake import mirror
from yutang.log.services import record
from yutang.organisation.contracts import RoleName
from yutang.organisation.queries import brand, is_set_up, nodes
from yutang.organisation.services import add_user, presume_brand
from yutang.profiles.queries import moment
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.current import install_warehouse
from yutang.warehouse.engine import open_warehouse

pytestmark = pytest.mark.django_db
FORM = {"name": "小店", "currency": "CNY", "zone": "Asia/Shanghai", "owner": "owner"}


@pytest.mark.parametrize("password", ["  long enough 2026  ", "long-enough-2026"])
def test_every_character_of_the_password_counts_and_the_owner_is_logged_in(client: Client, password: str) -> None:
    """It was kept without the spaces around it, and asked for with them: an error, and nobody could log in."""
    answer = client.post("/set-up/", {**FORM, "password": password})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"]
    another = Client()
    assert another.login(username="owner", password=password)
    assert not Client().login(username="owner", password=f"{password} ")


@pytest.mark.parametrize(
    "change",
    [{"password": "short"}, {"password": ""}, {"zone": "../../etc/passwd"}, {"currency": "¥"}, {"owner": "a b"}],
)
def test_a_form_that_cannot_be_used_sets_up_nothing(client: Client, change: dict[str, str]) -> None:
    answer = client.post("/set-up/", {**FORM, "password": "long-enough-2026", **change})
    assert answer.status_code == 422
    assert not is_set_up()


def test_a_second_visitor_sets_up_nothing(client: Client) -> None:
    client.post("/set-up/", {**FORM, "password": "long-enough-2026"})
    assert Client().post("/set-up/", {**FORM, "owner": "thief", "password": "long-enough-2026"}).status_code == 302
    assert not Client().login(username="thief", password="long-enough-2026")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """An empty one, as the house has it open."""
    opened = open_warehouse(prepared(tmp_path))
    install_warehouse(opened)
    yield opened
    install_warehouse(None)
    opened.close()


CORRECTED = {"name": "小店", "currency": "HKD", "zone": "Asia/Hong_Kong"}


@pytest.fixture
def presumed(warehouse: Warehouse) -> Client:
    """The owner's browser, in a house that a command set up with defaults."""
    assert presume_brand()
    add_user("owner", "long-enough-2026", RoleName.OWNER)
    mirror.mirror_nodes(warehouse)
    owner = Client()
    assert owner.login(username="owner", password="long-enough-2026")
    return owner


def test_what_a_command_presumed_is_confirmed_by_the_owner_once(presumed: Client, warehouse: Warehouse) -> None:
    """An import on an empty directory decided currency and zone for good, and the set-up page never showed."""
    assert presumed.get("/")["Location"] == "/set-up/"
    assert b"disabled" not in presumed.get("/set-up/").content
    answer = presumed.post("/set-up/", CORRECTED)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    facts = brand()
    assert (facts.name, facts.currency, facts.zone, facts.country) == (*CORRECTED.values(), "HK")
    assert not facts.presumed
    assert [node.name for node in nodes()] == ["小店"]
    assert moment(warehouse).zone == "Asia/Hong_Kong"
    assert presumed.get("/").status_code == 200
    assert presumed.post("/set-up/", {**CORRECTED, "currency": "CNY"})["Location"] == "/"
    assert brand().currency == "HKD"


def test_once_anything_is_in_the_log_the_currency_stays_and_the_page_says_so(presumed: Client) -> None:
    record([event("person.seen", member("m1"))])
    page = presumed.get("/set-up/").content.decode()
    assert "disabled" in page
    assert "CNY" in page
    assert presumed.post("/set-up/", CORRECTED).status_code == 403
    assert brand().presumed
    given = {"name": "小店", "zone": "Asia/Hong_Kong"}  # as a browser sends it: a disabled field is left out
    assert presumed.post("/set-up/", given).status_code == 302
    assert (brand().currency, brand().zone, brand().country) == ("CNY", "Asia/Hong_Kong", "CN")


def test_nobody_but_the_owner_corrects_it(presumed: Client) -> None:
    stranger = Client()
    assert stranger.get("/set-up/")["Location"].startswith("/accounts/login/")
    assert stranger.post("/set-up/", CORRECTED)["Location"].startswith("/accounts/login/")
    add_user("operator", "long-enough-2026", RoleName.OPERATOR)
    assert stranger.login(username="operator", password="long-enough-2026")
    assert stranger.post("/set-up/", CORRECTED)["Location"] == "/"
    assert stranger.get("/").status_code == 200
    assert brand().presumed


@pytest.mark.parametrize("change", [{"zone": "../../etc/passwd"}, {"currency": "¥"}, {"name": " "}])
def test_a_correction_that_cannot_be_used_changes_nothing(presumed: Client, change: dict[str, str]) -> None:
    assert presumed.post("/set-up/", {**CORRECTED, **change}).status_code in (404, 422)
    assert brand().presumed
