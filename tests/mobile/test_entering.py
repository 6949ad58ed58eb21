"""Who gets in to the phone, by what, and where that ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.house.world import CORP, World, shared
from yutang.channels.wecom.directory import Visitor
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import PersonId
from yutang.mobile.session import Phone
from yutang.mobile.speaking import speak_by, spoken
from yutang.organisation import phones
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName
from yutang.organisation.models import AuditEntry, PhoneLink, Role, SenderAccount, Staff, User
from yutang.organisation.queries import viewer_named
from yutang.organisation.services import NewSender

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def standing(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with shared(django_db_blocker, tmp_path_factory.mktemp("phones")) as made:
        yield made


@pytest.fixture
def world(standing: World, db: None) -> World:
    return standing


def link(world: World, userid: str, by: str = "owner") -> str:
    return f"/m/in/{phones.make_link(world.viewer(by), userid)[0]}/"


def entered(world: World, userid: str) -> Client:
    client = Client()
    assert client.post(link(world, userid)).headers["Location"] == "/m/"
    return client


def test_a_link_lets_in_once_and_only_by_its_button(world: World) -> None:
    address = link(world, world.near.userid)
    for _ in range(2):  # chat programs look at what they are sent
        assert "进入工作台" in Client().get(address).content.decode()
    client = Client()
    assert client.post(address).headers["Location"] == "/m/"
    page = client.get("/m/").content.decode()
    assert world.near.plan_name not in page
    assert "我的成果" in page
    again = Client()
    assert again.post(address).status_code == 404
    assert "已经用过" in again.get(address).content.decode()
    assert "_auth_user_id" not in again.session
    assert not PhoneLink.objects.filter(digest=address.encode()).exists()
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))[-2:]
    assert verbs == ["make_phone_link", "use_phone_link"]


def test_a_link_is_too_old_after_a_day(world: World) -> None:
    secret, until = phones.make_link(world.viewer("owner"), world.near.userid)
    PhoneLink.objects.update(until=until - phones.LASTS)
    assert not phones.link_stands(secret)
    assert Client().post(f"/m/in/{secret}/").status_code == 404


def test_who_may_make_links(world: World) -> None:
    assert phones.make_link(world.viewer("near_manager"), world.near.userid)
    with pytest.raises(NotFound):
        phones.make_link(world.viewer("near_manager"), world.far.userid)
    user = phones.user_of_staff(phones.staff_by_account("wecom", CORP, world.near.userid))
    with pytest.raises(Refused):
        phones.make_link(world.viewer(user.username), world.near.userid)
    colleague = Role.objects.create(user=user, node_id=Role.objects.get(user=user).node_id, role="manager")
    assert phones.make_link(world.viewer("near_manager"), world.near.userid)
    colleague.node_id = Staff.objects.get(pk=phones.staff_by_account("wecom", CORP, world.far.userid)).node_id
    colleague.save()
    with pytest.raises(Refused, match="headquarters"):  # or the maker could look into another store by it
        phones.make_link(world.viewer("near_manager"), world.near.userid)
    colleague.delete()
    Role.objects.create(user=user, node_id=Role.objects.get(user=user).node_id, role="operator")
    with pytest.raises(Refused, match="headquarters"):  # nobody hands out more than they are
        phones.make_link(world.viewer("near_manager"), world.near.userid)


def test_a_user_is_made_once_as_a_guide_of_her_store_and_follows_her(world: World) -> None:
    staff = phones.staff_by_account("wecom", CORP, world.near.userid.upper())
    user = phones.user_of_staff(staff)
    assert phones.user_of_staff(staff) == user
    assert not user.has_usable_password()
    assert viewer_named(user.username).role == "guide"
    far = Staff.objects.get(pk=phones.staff_by_account("wecom", CORP, world.far.userid)).node_id
    Staff.objects.filter(pk=staff).update(node_id=far)
    phones.user_of_staff(staff)
    assert viewer_named(user.username).nodes == {far}


def test_headquarters_makes_a_manager_of_somebody(world: World) -> None:
    username = phones.give_role(world.near.userid, RoleName.MANAGER)
    manager = viewer_named(username)
    assert (manager.role, manager.nodes) == ("manager", world.viewer("near_manager").nodes)
    assert phones.give_role(world.near.userid, RoleName.GUIDE) == username
    assert viewer_named(username).role == "guide"
    with pytest.raises(BadInput):
        phones.give_role(world.near.userid, RoleName.OWNER)


def test_one_who_left_gets_no_further(world: World) -> None:
    client = entered(world, world.near.userid)
    address = link(world, world.near.userid)
    SenderAccount.objects.filter(userid=world.near.userid).update(active=False)
    assert client.get("/m/").status_code == 403
    assert Client().post(address).status_code == 403
    with pytest.raises(NotFound):
        phones.staff_by_account("wecom", CORP, world.near.userid)


def test_a_session_of_the_phone_opens_no_page_of_the_console(world: World) -> None:
    client = entered(world, world.near.userid)
    for path in ("/", "/persons/", "/settings/organisation/"):
        assert client.get(path).headers["Location"] == "/m/"


def test_where_a_second_factor_is_required_a_link_is_none(world: World) -> None:
    client = entered(world, world.near.userid)
    organisation.require_second_factor([RoleName.GUIDE])
    assert client.get("/m/").status_code == 403


def test_nobody_is_led_to_the_ways_in_and_a_script_is_told_so(world: World) -> None:
    assert Client().get("/m/?a=1").headers["Location"] == "/m/in/?next=%2Fm%2F%3Fa%3D1"
    assert Client().get("/m/", headers={"Accept": "application/json"}).status_code == 401
    page = Client().get("/m/in/?next=https://evil.example/").content.decode()
    assert not re.findall(r"href=\"[^\"]*evil", page)


def test_a_guide_sees_her_own_customers_only(world: World) -> None:
    organisation.add_senders([NewSender("near", "新人", "wecom", CORP, "newcomer")])
    both = []
    for userid in (world.near.userid, "newcomer"):
        user = phones.user_of_staff(phones.staff_by_account("wecom", CORP, userid))
        both.append(Phone(viewer_named(user.username), phones.staff_of(user.username)))
    hers, newcomer = both
    assert hers.seen([world.near.person, world.far.person]) == {world.near.person}
    assert newcomer.viewer.nodes == hers.viewer.nodes
    assert newcomer.seen([world.near.person]) == set()
    with pytest.raises(NotFound):
        newcomer.person_seen(PersonId(world.near.person))
    manager = Phone(world.viewer("near_manager"), None)
    assert manager.seen([world.near.person, world.far.person]) == {world.near.person}


class Platform:
    """Says of each code whose browser it is."""

    sandbox = "http://127.0.0.1:9/sandbox"

    def visitors(self):  # type: ignore[no-untyped-def]
        return {("wecom", CORP): self}

    def pages(self):  # type: ignore[no-untyped-def]
        return {}

    def visitor(self, code: str) -> Visitor | None:
        return {"hers": Visitor("Guide-Near-X7"), "customer": Visitor("", "wm-1"), "stranger": Visitor("ghost")}.get(
            code
        )


@pytest.fixture
def platform(world: World) -> Iterator[None]:
    here = spoken()
    organisation.connect_corp("wecom", CORP, "secret-of-the-corp")
    speak_by(lambda: Platform())  # type: ignore[arg-type,return-value]
    yield
    speak_by(lambda: here)


def away(client: Client, wanted: str = "") -> dict[str, list[str]]:
    answer = client.get(f"/m/in/wecom/?corp={CORP}&next={wanted}")
    parts = urlsplit(answer.headers["Location"])
    assert parts.netloc == "127.0.0.1:9"  # of a corp in the sandbox, the sandbox asks
    return parse_qs(parts.query)


def test_wecom_says_who_it_is(platform: None, world: World) -> None:
    client = Client()
    query = away(client, "/m/sign/")
    assert (query["appid"], query["redirect_uri"]) == ([CORP], ["http://testserver/m/in/back/"])
    answer = client.get(f"/m/in/back/?code=hers&state={query['state'][0]}")
    assert answer.headers["Location"] == "/m/sign/"
    assert client.session[phones.BY_PHONE] == "wecom"
    assert User.objects.get(pk=client.session["_auth_user_id"]).staff == Staff.objects.get(
        accounts__userid=world.near.userid
    )


@pytest.mark.parametrize(("code", "status"), [("customer", 404), ("stranger", 404), ("spent", 403)])
def test_who_is_none_of_ours_stays_outside(platform: None, code: str, status: int) -> None:
    client = Client()
    state = away(client)["state"][0]
    assert client.get(f"/m/in/back/?code={code}&state={state}").status_code == status
    assert "_auth_user_id" not in client.session


def test_a_state_that_is_not_ours_is_refused_and_ours_works_once(platform: None) -> None:
    client = Client()
    assert client.get("/m/in/back/?code=hers&state=").status_code == 403
    state = away(client)["state"][0]
    assert client.get("/m/in/back/?code=hers&state=other").status_code == 403
    assert client.get(f"/m/in/back/?code=hers&state={state}").status_code == 403
