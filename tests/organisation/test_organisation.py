"""The tree, who sees what, tokens, and the brand's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from yutang.kernel.errors import BadInput, NotFound, Refused, WrongKey
from yutang.organisation import clock, queries, services
from yutang.organisation.contracts import NodeKind, RoleName
from yutang.organisation.models import Brand
from yutang.organisation.services import NewNode, NewSender

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def brand() -> None:
    services.set_up_brand("池塘", "cny", "Asia/Shanghai")
    services.add_nodes(
        [
            NewNode("east", "东区", NodeKind.REGION),
            NewNode("a", "甲店", NodeKind.STORE, "east", zone="Asia/Urumqi"),
            NewNode("b", "乙店", NodeKind.STORE, "east"),
            NewNode("c", "丙店", NodeKind.STORE),
        ]
    )


def node(code: str) -> int:
    return queries.node_by_code(code).id


def test_the_brand_is_set_up_once() -> None:
    with pytest.raises(Refused):
        services.set_up_brand("另一个", "CNY", "Asia/Shanghai")
    assert queries.brand().currency == "CNY"


@pytest.mark.parametrize(("currency", "zone"), [("RMB币", "Asia/Shanghai"), ("CNY", "Asia/Nowhere")])
def test_a_brand_with_a_bad_currency_or_zone_is_not_made(currency: str, zone: str) -> None:
    Brand.objects.all().delete()
    with pytest.raises(BadInput):
        services.set_up_brand("坏", currency, zone)
    assert not queries.is_set_up()


def test_a_zone_is_inherited_from_the_nearest_node_that_names_one() -> None:
    zones = {item.code: item.zone for item in queries.nodes()}
    assert zones == {
        "brand": "Asia/Shanghai",
        "east": "Asia/Shanghai",
        "a": "Asia/Urumqi",
        "b": "Asia/Shanghai",
        "c": "Asia/Shanghai",
    }


def test_adding_nodes_again_changes_nothing_and_an_unknown_parent_adds_none() -> None:
    before = queries.nodes()
    services.add_nodes([NewNode("a", "改名", NodeKind.STORE, "east")])
    assert queries.nodes() == before
    with pytest.raises(BadInput, match="nowhere"):
        services.add_nodes([NewNode("d", "丁店", NodeKind.STORE), NewNode("e", "戊店", NodeKind.STORE, "nowhere")])
    assert queries.nodes() == before


def test_a_manager_sees_the_store_a_region_its_stores_and_the_owner_everything() -> None:
    services.add_user("manager", "a-long-password", RoleName.MANAGER, "a")
    services.add_user("region", "a-long-password", RoleName.OPERATOR, "east")
    services.add_owner()
    assert queries.viewer_named("manager").nodes == {node("a")}
    assert queries.viewer_named("region").nodes == {node("east"), node("a"), node("b")}
    assert queries.viewer_named("owner").sees_all
    assert not queries.viewer_named("manager").may_operate
    with pytest.raises(NotFound):
        queries.viewer_named("nobody")


def test_senders_of_other_stores_do_not_exist_for_a_manager() -> None:
    services.add_user("manager", "a-long-password", RoleName.MANAGER, "a")
    ids = services.add_senders([NewSender("a", "王", "wecom", "ww", "wang"), NewSender("b", "李", "wecom", "ww", "li")])
    seen = queries.senders(queries.viewer_named("manager"))
    assert [row.id for row in seen] == [ids["wang"]]
    assert len(queries.senders(queries.OWNER)) == 2


def test_a_token_sees_what_its_node_sees_until_it_is_revoked() -> None:
    secret = services.issue_token("shop", ["read"], RoleName.MANAGER, "a")
    found = queries.viewer_by_token(secret)
    assert found is not None
    assert found[0].nodes == {node("a")}
    assert found[1] == {"read"}
    services.revoke_tokens("shop")
    assert queries.viewer_by_token(secret) is None
    assert queries.viewer_by_token("yt_guess") is None


def test_the_owner_gets_a_fresh_password_at_each_start_until_she_chooses_her_own() -> None:
    services.add_owner()
    first, second = services.print_password("owner"), services.print_password("owner")
    assert first is not None
    assert second not in (None, first)
    services.set_password("owner", "her own long one")
    assert services.print_password("owner") is None


def test_another_key_is_noticed_at_start() -> None:
    services.check_key()
    Brand.objects.update(key_fingerprint="0" * 16)
    with pytest.raises(WrongKey):
        services.check_key()


def test_a_stepped_clock_moves_on_and_never_back() -> None:
    start = datetime(2018, 1, 1, 5, tzinfo=UTC)
    services.step_clock(start)
    told = clock.BrandClock()
    assert told() == start
    clock.move_clock(start + timedelta(hours=1))
    clock.move_clock(start)
    told.forget()
    assert told() == start + timedelta(hours=1)
    clock.fast_forward(timedelta(days=1), 1000.0)
    assert clock.clock_state() == clock.ClockState(start + timedelta(hours=1), 1000.0, start + timedelta(hours=25))
    clock.end_fast_forward()
    assert clock.clock_state().until is None
