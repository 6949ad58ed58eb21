"""数据质量 and 写入密钥: what is held is shown masked, defined from what was seen, and replayed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest
from django.test import Client

from tests.warehouse.fixtures import prepared
from yutang.intake.collect.contracts import Lot
from yutang.intake.collect.keys import digest, keys_in_use
from yutang.intake.collect.reading import Letter, lot_of
from yutang.intake.collect.writer import write
from yutang.kernel.clock import wall_now
from yutang.log import queries as log
from yutang.log.registry import refresh_vocabulary
from yutang.organisation.contracts import RoleName
from yutang.organisation.models import User
from yutang.organisation.services import add_nodes, add_user, set_up_brand
from yutang.warehouse.current import install_warehouse
from yutang.warehouse.engine import open_warehouse

pytestmark = pytest.mark.django_db
PHONE = "13800138000"


@pytest.fixture
def owner(db: None, tmp_path) -> Iterator[Client]:  # type: ignore[no-untyped-def]
    """The owner's browser, over an empty pond."""
    set_up_brand("鱼塘", "CNY", "Asia/Shanghai")
    add_user("owner", "correct horse battery", RoleName.OWNER)
    add_nodes([])
    warehouse = open_warehouse(prepared(tmp_path), threads=1)
    install_warehouse(warehouse)
    client = Client()
    client.force_login(User.objects.get(username="owner"), "allauth.account.auth_backends.AuthenticationBackend")
    yield client
    install_warehouse(None)
    warehouse.close()
    refresh_vocabulary()


def make_key(client: Client, **more: str) -> str:
    """A key, as the form makes it."""
    answer = client.post("/settings/keys/new/", {"name": "site", "source": "web", **more})
    found = re.search(r"wk_[\w-]{20,}", answer.content.decode())
    assert found is not None, answer.content.decode()
    return found[0]


def send(secret: str, *messages: dict[str, object]) -> Lot:
    """Messages through the collect API's inner half."""
    key = keys_in_use()[digest(secret)]
    body = msgspec.json.encode({"batch": messages})
    lot = lot_of(Letter(body, len(messages), key, "CNY", None, wall_now(), historical=False))
    write([lot])
    return lot


def test_a_key_is_shown_once_and_can_be_revoked(owner: Client) -> None:
    secret = make_key(owner, origins="https://shop.example.com", rate="100")
    page = owner.get("/settings/keys/").content.decode()
    assert secret not in page
    assert "https://shop.example.com" in page
    assert digest(secret) in keys_in_use()
    assert owner.post("/settings/keys/revoke/", {"name": "site"}).status_code == 302
    assert digest(secret) not in keys_in_use()


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"source": "Not A Source"}, {"rate": "-1"}, {"rate": "x"}, {"types": "order.eaten"},
     {"origins": "javascript:alert(1)"}, {"trusted": "on", "origins": "https://shop.example.com"}],
)  # fmt: skip
def test_a_key_that_cannot_be_used_is_not_made(owner: Client, change: dict[str, str]) -> None:
    answer = owner.post("/settings/keys/new/", {"name": "site", "source": "web", **change})
    assert answer.status_code == 422
    assert keys_in_use() == {}


def test_an_unknown_event_is_shown_masked_defined_and_replayed(owner: Client) -> None:
    secret = make_key(owner)
    said = {"type": "track", "event": "课程开始", "anonymousId": "a-1", "properties": {"lesson": "x", "mobile": PHONE}}
    send(secret, {**said, "messageId": "1"}, {**said, "messageId": "2"})
    page = owner.get("/quality/").content.decode()
    assert "课程开始" in page
    link = re.search(r'hx-get="([^"]+sample[^"]+)"', page)
    define = re.search(r'href="([^"]+define[^"]+)"', page)
    assert link is not None
    assert define is not None
    sample = owner.get(link[1].replace("&amp;", "&")).content.decode()
    assert "properties.mobile" in sample
    assert PHONE not in sample + page
    form = owner.get(define[1].replace("&amp;", "&")).content.decode()
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", form, re.DOTALL)
    assert text is not None
    assert "pii: true" in text[1]
    document = text[1].replace("&#x27;", "'").replace("&quot;", '"')
    assert owner.post("/quality/keep/", {"text": document}).status_code == 302
    assert log.waiting() == 2
    assert not send(secret, {**said, "messageId": "3"}).held


def test_a_key_holds_no_more_than_its_share_and_says_what_it_let_go(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make_key(owner)
    monkeypatch.setattr("yutang.intake.collect.held.HELD_PER_KEY", 3)
    for number in range(5):
        send(secret, {"type": "track", "event": "Odd", "anonymousId": "a", "messageId": str(number)})
    page = owner.get("/quality/").content.decode()
    assert re.findall(r'<td class="n">(\d+)</td>', page)[:3] == ["5", "3", "2"]


def test_a_key_that_says_a_thousand_names_is_counted_as_one(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make_key(owner)
    monkeypatch.setattr("yutang.intake.collect.held.PROBLEMS_A_DAY", 3)
    send(secret, *({"type": "track", "event": f"Odd {n}", "anonymousId": "a", "messageId": str(n)} for n in range(9)))
    page = owner.get("/quality/").content.decode()
    assert len(re.findall("Odd ", page.split("<h2>")[1])) >= 3
    assert "Odd 3" not in page


def test_a_store_sees_neither_keys_nor_what_is_held(owner: Client) -> None:
    from yutang.organisation.contracts import NodeKind
    from yutang.organisation.services import NewNode

    add_nodes([NewNode("s1", "一店", NodeKind.STORE)])
    add_user("manager", "correct horse battery", RoleName.MANAGER, "s1")
    client = Client()
    client.force_login(User.objects.get(username="manager"), "allauth.account.auth_backends.AuthenticationBackend")
    for path in ("/settings/keys/", "/quality/"):
        assert client.get(path).status_code == 403
