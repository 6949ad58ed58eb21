"""Several apps and corps in one sandbox: whose token, what each may, who is told, and whose welcome comes first."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.sandbox.conftest import START, Client, House, small_world
from yutang.channels.wecom.callbacks import CallbackCrypto
from yutang.sandbox import callbacks
from yutang.sandbox.contracts import spec_json

KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
SECOND = {"agentid": 1000003, "name": "第二个应用", "secret": "second-secret"}
LIST = "externalcontact/list"


@dataclass
class Box:
    """Takes what the sandbox posts to one app, each answer after a wait; and reads it as that app would."""

    token: str = "token"
    wait: Callable[[dict[str, str]], None] = lambda _: None
    said: list[dict[str, str]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, request: Request, body: bytes) -> None:
        sealed = ElementTree.fromstring(body).findtext("Encrypt") or ""
        query, crypto = request.query_params, CallbackCrypto(self.token, KEY, "ww-sandbox")
        crypto.check(query["msg_signature"], query["timestamp"], query["nonce"], sealed)
        said = {one.tag: one.text or "" for one in ElementTree.fromstring(crypto.decrypt(sealed))}
        self.wait(said)
        with self.came:
            self.said.append(said)
            self.came.notify_all()

    def first(self, count: int) -> list[dict[str, str]]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.said) >= count, 60), self.said
            return list(self.said)

    def open(self, house: House) -> str:
        async def take(request: Request) -> Response:
            body = await request.body()
            await run_in_threadpool(self.take, request, body)
            return PlainTextResponse("success")

        return house.mount(Starlette(routes=[Route("/", take, methods=["POST"])])) + "/"


def as_app(sandbox: Client, secret: str, corp: str = "ww-sandbox") -> Client:
    """The same sandbox, spoken to by another app."""
    other = Client(sandbox.address)
    other.token = other.get("gettoken", corpid=corp, corpsecret=secret)["access_token"]
    return other


@pytest.fixture
def second(sandbox: Client) -> Client:
    sandbox.control("apps", apps=[SECOND])
    return as_app(sandbox, "second-secret")


@pytest.mark.wecom("gettoken")
def test_each_app_has_a_token_of_its_own_and_keeps_it(sandbox: Client, second: Client) -> None:
    assert second.token != sandbox.token
    assert as_app(sandbox, "second-secret").token == second.token
    assert second.get(LIST, userid="a")["errcode"] == 0
    sandbox.control("apps", apps=[{"agentid": 1000003, "secret": "reset"}])
    assert second.get(LIST, userid="a")["errcode"] == 40014
    assert sandbox.get(LIST, userid="a")["errcode"] == 0
    assert sandbox.get("gettoken", corpid="ww-sandbox", corpsecret="second-secret")["errcode"] == 40001


@pytest.mark.parametrize(
    ("change", "asked", "code"),
    [
        ({"ticked": False}, {"userid": "a"}, 48002),
        ({"apis": ["externalcontact/groupchat/"]}, {"userid": "a"}, 48002),
        ({"members": ["b"]}, {"userid": "a"}, 60030),
        ({"members": ["b"]}, {"userid": "b"}, 0),
        ({"members": ["b"]}, {"userid": "nobody"}, 40003),
        ({"trusted_ips": ["203.0.113.9"]}, {"userid": "a"}, 60020),
        ({"enabled": False}, {"userid": "a"}, 50003),
    ],
)
def test_an_app_may_what_the_admin_console_says(
    sandbox: Client, second: Client, change: dict, asked: dict, code: int
) -> None:
    sandbox.control("apps", apps=[{"agentid": 1000003, **change}])
    assert second.get(LIST, **asked)["errcode"] == code
    assert sandbox.get(LIST, userid="a")["errcode"] == 0


def test_who_stands_outside_customer_contact_is_84074_for_every_app(sandbox: Client, second: Client) -> None:
    sandbox.control("apps", contact_members=["B"])
    for app in (sandbox, second):
        assert app.get(LIST, userid="a")["errcode"] == 84074
        assert app.get(LIST, userid="b")["errcode"] == 0
    sandbox.control("apps", contact_members=None)
    assert sandbox.get(LIST, userid="a")["errcode"] == 0


def test_the_order_of_checks_is_token_address_permission_frequency_parameters(sandbox: Client) -> None:
    wrongs = [
        ("limits", {"limits": {LIST: {"minute": 0}}}, 45009),
        ("apps", {"apps": [{"agentid": 1000002, "ticked": False}]}, 48002),
        ("apps", {"apps": [{"agentid": 1000002, "trusted_ips": ["203.0.113.9"]}]}, 60020),
    ]
    assert sandbox.get(LIST)["errcode"] == 41009
    for door, body, code in wrongs:
        sandbox.control(door, **body)
        assert sandbox.get(LIST)["errcode"] == code
    sandbox.token = "junk"
    assert sandbox.get(LIST)["errcode"] == 40014
    sandbox.token = ""
    assert sandbox.get(LIST)["errcode"] == 41001


def test_insistent_bad_secrets_ban_the_caller_for_an_hour(sandbox: Client) -> None:
    def ask(secret: str) -> int:
        return sandbox.get("gettoken", corpid="ww-sandbox", corpsecret=secret)["errcode"]

    assert [ask("wrong") for _ in range(10)] == [40001] * 10
    assert ask("wrong") == ask("synthetic") == 45009
    assert sandbox.get(LIST, userid="a")["errcode"] == 0  # who has a token goes on
    sandbox.control("faults", faults=[])
    assert ask("synthetic") == 0


def test_windows_block_for_as_long_as_they_are(sandbox: Client) -> None:
    sandbox.control("limits", limits={LIST: {"minute": 3}, "externalcontact/get": {"day": 1}})
    assert [sandbox.get(LIST, userid="a")["errcode"] for _ in range(4)][:3] == [0] * 3
    assert [sandbox.get("externalcontact/get", external_userid="wmc0")["errcode"] for _ in range(2)] == [0, 45009]
    told = sandbox.http.get("/control/limits").json()
    used = {(use["api"], use["window"]): (use["used"], use["most"]) for use in told["uses"]}
    assert used["externalcontact/get", "day"] == (2, 1)
    assert used[LIST, "hour"][1] == 150_000
    assert "externalcontact/get" in told["blocked"]
    refused = sandbox.http.post("/control/limits", json={"limits": {LIST: {"week": 1}}})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"userid_list": ["a",],}',
        b'{"userid_list": ["a"]} and more',
        b'{"userid_list": ["a"], "note": "two\nlines, ] and }"}',
    ],
)
def test_json_that_is_nearly_json_is_read_and_said_to_be_wrong(sandbox: Client, body: bytes) -> None:
    query = {"access_token": sandbox.token}
    answer = sandbox.http.post("/cgi-bin/externalcontact/batch/get_by_user", params=query, content=body)
    assert answer.json()["errcode"] == 0
    assert answer.json()["errmsg"].startswith("Warning: wrong json format.")
    assert answer.json()["external_contact_list"]
    broken = body.replace(b'"a"', b'"nobody"')
    answer = sandbox.http.post("/cgi-bin/externalcontact/batch/get_by_user", params=query, content=broken)
    assert answer.headers["error-code"] == "40003"
    assert "Warning: wrong json format." in answer.json()["errmsg"]


@pytest.mark.wecom("externalcontact/send_welcome_msg")
def test_two_apps_are_told_of_one_event_and_the_first_that_welcomes_wins(
    sandbox: Client, second: Client, house: House, wall: Callable[[float], None]
) -> None:
    boxes = Box(), Box("second")
    for box, agentid in zip(boxes, (1000002, 1000003), strict=True):
        sandbox.control("callbacks", url=box.open(house), token=box.token, key=KEY, agentid=agentid)
    way = sandbox.post("add_contact_way", type=1, scene=2, user=["a"], state="s1")["config_id"]
    sandbox.control("scan", way=way)
    ours, theirs = (box.first(1)[0] for box in boxes)
    assert {**ours, "WelcomeCode": ""} == {**theirs, "WelcomeCode": ""}
    assert ours["WelcomeCode"] != theirs["WelcomeCode"]

    def welcome(app: Client, said: dict[str, str]) -> int:
        return app.post("send_welcome_msg", welcome_code=said["WelcomeCode"], text={"content": "您好"})["errcode"]

    wall(0)
    assert welcome(second, theirs) == 0
    assert welcome(sandbox, ours) == 41096
    wall(0.35)
    assert welcome(sandbox, ours) == 41051
    assert welcome(second, theirs) == 41050


def test_a_slow_answer_holds_nobody_else_up(sandbox: Client, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "TIMEOUT", 120.0)  # else a slow machine is told of wmc0 again
    gate = threading.Event()
    box = Box(wait=lambda said: gate.wait(60) if said["ExternalUserID"] == "wmc0" else None)
    way = sandbox.post("add_contact_way", type=1, scene=2, user=["a"])["config_id"]
    for who in ("wmc0", "wmc0", "wmc1", "wmc2"):
        sandbox.control("scan", way=way, external_userid=who)
    sandbox.control("callbacks", url=box.open(house), token="token", key=KEY)
    assert {one["ExternalUserID"] for one in box.first(2)} == {"wmc1", "wmc2"}
    gate.set()
    assert [one["ExternalUserID"] for one in box.first(4)][2:] == ["wmc0", "wmc0"]


def test_two_corps_in_one_sandbox_are_worlds_of_their_own(
    sandbox: Client, open_sandbox: Callable[..., Client], tmp_path: Path
) -> None:
    other = small_world(corp_id="ww-two", secret="two", members=small_world().members[:1], relations=(), customers=())
    made = sandbox.http.post("/control/seed", params={"corp": "ww-two"}, json=spec_json(other))
    assert made.json()["changed"]
    two = as_app(sandbox, "two", "ww-two")
    assert two.get("externalcontact/get_follow_user_list")["follow_user"] == ["a"]
    assert sandbox.get("externalcontact/get_follow_user_list")["follow_user"] == ["a", "b", "idle"]
    assert sandbox.get("gettoken", corpid="ww-two", corpsecret="synthetic")["errcode"] == 40001
    assert sandbox.get("gettoken", corpid="ww-three", corpsecret="two")["errcode"] == 40013
    moved = sandbox.advance(START.replace(hour=5))
    assert moved["now"] == sandbox.http.get("/control/state", params={"corp": "ww-two"}).json()["now"]
    body = {"faults": [{"api": "*", "kind": "refuse", "errcode": -1}]}
    sandbox.http.post("/control/faults", params={"corp": "ww-two"}, json=body)
    assert two.get(LIST, userid="a")["errcode"] == -1
    assert sandbox.get(LIST, userid="a")["errcode"] == 0
    again = open_sandbox()  # another process, so to say: the same files
    again.token = two.token
    assert again.get("externalcontact/get_follow_user_list")["follow_user"] == ["a"]


@pytest.mark.parametrize(
    ("corp", "body", "status"),
    [
        ("../x", spec_json(small_world()), 400),
        ("ww-four", spec_json(small_world()), 400),
        ("ww-four", {}, 400),
    ],
)
def test_a_corp_of_another_name_is_not_made(sandbox: Client, corp: str, body: dict, status: int) -> None:
    answer = sandbox.http.post("/control/seed", params={"corp": corp}, json=body)
    assert answer.status_code == status, answer.text
    assert sandbox.http.get("/control/state", params={"corp": "ww-none"}).status_code == 404


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("apps[0].secret", {"apps": [{"agentid": 5}]}),
        ("apps[0].secret", {"apps": [{"agentid": 5, "secret": "synthetic"}]}),
        ("apps[0].members", {"apps": [{"agentid": 1000002, "members": "a"}]}),
        ("apps[0]", {"apps": [{"agentid": 1000002, "colour": "blue"}]}),
        ("contact_members", {"contact_members": "a"}),
    ],
)
def test_the_door_of_apps_names_what_cannot_stand(sandbox: Client, where: str, body: dict) -> None:
    answer = sandbox.http.post("/control/apps", json=body)
    assert answer.status_code == 400
    assert where in answer.json()["en"]
    assert "synthetic" not in json.dumps(sandbox.http.get("/control/apps").json())
