"""Connecting a corp, testing it in steps with each failure provoked, and letting it answer on the other side."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from django.test import Client as Browser

from tests.sandbox.conftest import Client, door, house, open_sandbox, sandbox
from yutang.app.channels import Channels
from yutang.app.corps import open_sandbox as give_a_place
from yutang.channels.queries import callback_counts, turned_away
from yutang.channels.wecom.callbacks import CallbackCrypto
from yutang.channels.wecom.checking import State, Step
from yutang.connect.models import Code, Way
from yutang.kernel.errors import BadInput, NotFound, Refused, Unavailable
from yutang.operations.corps import REAL, Corps
from yutang.organisation import services as organisation
from yutang.organisation.contracts import NodeKind, RoleName, Viewer
from yutang.organisation.models import AuditEntry, Corp
from yutang.organisation.queries import OWNER, callback_secrets
from yutang.organisation.services import NewNode, NewSender

__all__ = ["door", "house", "open_sandbox", "sandbox"]

pytestmark = pytest.mark.django_db
CORP = "ww-sandbox"


@pytest.fixture
def desk(sandbox: Client) -> Corps:
    """The small world's corp, connected, with its members as our staff."""
    organisation.set_up_brand("池塘", "CNY", "Asia/Shanghai")
    organisation.add_nodes([NewNode("s1", "门店", NodeKind.STORE)])
    organisation.add_senders([NewSender("s1", f"导购 {one}", "wecom", CORP, one) for one in ("a", "B")])
    organisation.connect_corp("wecom", CORP, "synthetic")
    channels = Channels(sandbox.address)
    return Corps(channels.client, lambda corp: give_a_place(sandbox.address, "http://127.0.0.1:9", corp))


def steps_of(desk: Corps, corp: str = CORP) -> dict[str, Step]:
    return {step.name: step for step in desk.check(OWNER, corp)}


def test_a_connection_that_works_has_a_tick_at_every_step(
    desk: Corps, sandbox: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yutang.channels.services._TurnedAway.PAUSE", 0.0)
    secrets = organisation.expect_callbacks("wecom", CORP)
    crypto = CallbackCrypto(secrets.token, secrets.key, CORP)
    sealed = crypto.encrypt(b"<xml><Event>enter_agent</Event><FromUserName>a</FromUserName></xml>")
    query = {"msg_signature": crypto.sign("1", "2", sealed), "timestamp": "1", "nonce": "2"}
    body = f"<xml><Encrypt>{sealed}</Encrypt></xml>"
    before = steps_of(desk)["callbacks"]
    assert (before.state, "还没有收到过" in before.said_zh) == (State.BAD, True)
    assert Browser().post(f"/wecom/callback/{CORP}", body, "text/xml", query_params=query).status_code == 200
    steps = steps_of(desk)
    others = {name: step.state for name, step in steps.items() if step.state is not State.GOOD}
    assert others == {"archive": State.MISSING}  # the small world's corp has not bought it
    bad = {**query, "msg_signature": "0" * 40}
    assert Browser().post(f"/wecom/callback/{CORP}", body, "text/xml", query_params=bad).status_code == 403
    refused = steps_of(desk)["callbacks"]
    assert (refused.state, "签名不符" in refused.said_zh) == (State.BAD, True)
    (count,) = callback_counts()
    assert (count.kind, count.zh, count.concerns) == ("enter_agent", "成员进入应用", (("成员", "member"),))
    assert turned_away()[CORP].count == 1


@pytest.mark.parametrize(
    ("provoke", "step", "remedy"),
    [
        ({"secret": "reset-elsewhere"}, "token", "Secret 不对"),
        ({"enabled": False}, "token", "启用"),
        ({"trusted_ips": ["203.0.113.9"]}, "address", "127.0.0.1"),
        ({"ticked": False}, "customers", "可调用接口的应用"),
        ({"apis": ["externalcontact/get_follow_user_list"]}, "ways", "可调用接口的应用"),
    ],
)
def test_each_failure_is_told_at_its_step_with_the_exact_remedy(
    desk: Corps, sandbox: Client, provoke: dict, step: str, remedy: str
) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000002, **provoke}])
    steps = steps_of(desk)
    assert (steps[step].state, remedy in steps[step].said_zh) == (State.BAD, True), steps[step]
    assert not any(one.state is State.BAD for one in list(steps.values())[: list(steps).index(step)])
    if step in ("token", "address"):
        assert steps["ways"].state is State.SKIPPED


def test_a_wrong_corp_and_a_platform_that_is_away_are_told(desk: Corps, sandbox: Client) -> None:
    Corp.objects.update(corp="ww-other")
    wrong = steps_of(desk, "ww-other")["token"]
    assert (wrong.state, "企业 ID 不对" in wrong.said_zh) == (State.BAD, True)
    organisation.connect_corp("wecom", "ww-away", "some-secret", "http://127.0.0.1:9")
    away = steps_of(desk, "ww-away")["token"]
    assert (away.state, "网络不通" in away.said_zh) == (State.BAD, True)


def test_members_outside_the_range_are_named(desk: Corps, sandbox: Client) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000002, "members": ["a"]}])
    assert "（B）" in steps_of(desk)["members"].said_zh
    sandbox.control("apps", apps=[{"agentid": 1000002, "members": None}], contact_members=["a"])
    assert "（B）" in steps_of(desk)["members"].said_zh
    sandbox.control("apps", contact_members=None)
    assert steps_of(desk)["members"].state is State.GOOD
    organisation.add_senders([NewSender("s1", "新来的", "wecom", CORP, "newcomer")])
    found = steps_of(desk)["members"]
    assert (found.state, "newcomer" in found.said_zh, "84074" in found.said_en) == (State.BAD, True, True)


def test_a_second_corp_gets_a_world_of_its_own(desk: Corps, sandbox: Client) -> None:
    shown = desk.add(OWNER, "ww-second", "", real=False)
    assert len(shown.key) == 43
    assert {one.corp: one.sandboxed for one in desk.all(OWNER)} == {CORP: True, "ww-second": True}
    assert steps_of(desk, "ww-second")["customers"].state is State.GOOD
    there = httpx.get(
        f"{sandbox.address}/control/callbacks", params={"corp": "ww-second"}, trust_env=False, timeout=60
    ).json()
    assert there["waiting"] == 0
    with pytest.raises(Refused, match="already"):
        desk.add(OWNER, "ww-second", "", real=False)
    for corp, secret, real in (("", "", False), ("a b", "", False), ("ww-third", "short", True)):
        with pytest.raises(BadInput):
            desk.add(OWNER, corp, secret, real=real)
    assert Corp.objects.count() == 2


def test_to_the_real_platform_and_back_is_previewed_and_kept(desk: Corps, sandbox: Client) -> None:
    way = Way.objects.create(name="card", slug="card")
    Code.objects.create(
        way=way, corp=CORP, token="yt1", state="live", config_id="c1", qr_code="q", told="t", users=["a"]
    )
    before = organisation.expect_callbacks("wecom", CORP)
    look = desk.preview(OWNER, CORP)
    assert (look.real, look.members, look.codes, look.planned, look.asked) == (True, 2, 1, 0, 0)
    with pytest.raises(BadInput, match="secret"):
        desk.move(OWNER, CORP, "")
    move, shown = desk.move(OWNER, CORP, "the-secret-of-the-real-app")
    assert move == look
    assert shown.token != before.token
    facts = desk.named(OWNER, CORP)
    assert (facts.address, facts.secret) == (REAL, "the-secret-of-the-real-app")
    code = Code.objects.get()
    assert (code.state, code.config_id, code.users) == ("wanted", "", [])
    back, _ = desk.move(OWNER, CORP, "")
    assert not back.real
    again = desk.named(OWNER, CORP)
    assert again.sandboxed
    assert again.secret != "the-secret-of-the-real-app"
    assert steps_of(desk)["customers"].state is State.GOOD  # the world that was there knows the new secret
    assert "the-secret" not in json.dumps(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_only_the_owner_may_and_what_is_given_is_checked(desk: Corps) -> None:
    viewer = Viewer("op", RoleName.OPERATOR, None)
    acts: list[Callable[[], object]] = [
        lambda: desk.all(viewer),
        lambda: desk.check(viewer, CORP),
        lambda: desk.preview(viewer, CORP),
        lambda: desk.add(viewer, "ww-x", "", real=False),
        lambda: desk.move(viewer, CORP, "the-secret-of-the-real-app"),
        lambda: desk.renew_callbacks(viewer, CORP),
    ]
    for act in acts:
        with pytest.raises(Refused):
            act()
    with pytest.raises(NotFound):
        desk.check(OWNER, "ww-none")
    with pytest.raises(BadInput):
        desk.renew_callbacks(OWNER, CORP, "token", "too-short")
    renewed = desk.renew_callbacks(OWNER, CORP, "token", "k" * 43)
    kept = callback_secrets("wecom", CORP)
    assert kept is not None
    assert (kept.token, kept.key) == (renewed.token, renewed.key) == ("token", "k" * 43)


def test_a_sandbox_that_is_away_is_said_and_what_was_set_is_kept(desk: Corps) -> None:
    away = Corps(desk.client, lambda corp: give_a_place("http://127.0.0.1:9", "http://127.0.0.1:9", corp))
    with pytest.raises(Unavailable, match="sandbox"):
        away.add(OWNER, "ww-second", "", real=False)
    assert Corp.objects.filter(corp="ww-second").exists()
