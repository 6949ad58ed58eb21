"""Codes that lead into groups, kept and ended by their form; files of groups."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.console.conftest import World, log_in


@pytest.fixture(scope="module")
def owner(world: World) -> Iterator[httpx.Client]:
    client = log_in(str(world["address"]))
    yield client
    client.close()


def post(client: httpx.Client, path: str, **form: object) -> httpx.Response:
    data = {**form, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    return client.post(path, data=data, headers={"Referer": str(client.base_url)})


def test_a_code_is_made_by_its_form_and_ended(owner: httpx.Client, world: World) -> None:
    group = world["group"]
    wrong = post(owner, "/connect/groups/keep/", title="试", groups=group, creates="1", room_name=" ", room_number="1")
    assert wrong.status_code == 422
    assert "新群的名字" in wrong.text
    assert post(owner, "/connect/groups/keep/", title="试", groups="x").status_code == 422
    kept = post(owner, "/connect/groups/keep/", title="试一试的码", groups=group, room_number="1")
    assert kept.status_code == 200
    assert "试一试的码" in kept.text
    number = kept.text.split("试一试的码")[0].rpartition('id="way-')[2].split('"')[0]
    assert "试一试的码" not in post(owner, f"/connect/groups/{number}/end/").text.split("</header>")[-1]


def test_groups_are_given_as_files(owner: httpx.Client, world: World) -> None:
    groups = owner.get("/groups/?export=csv&least=20").text
    assert "一号店老客群" in groups
    assert "二号店团购群" not in groups
    assert "客人39" in owner.get(f"/groups/{world['group']}/?export=csv").text
